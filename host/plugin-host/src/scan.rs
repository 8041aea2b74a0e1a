//! A *scan* reads what a `.wasm` file says about itself, without running or
//! compiling it: its manifest, its exports and which contract they make it.

use wasmparser::{Encoding, Parser, Payload};

use crate::error::LoadError;
use crate::manifest::{Kind, Manifest};
use crate::runtime::TABLE_ELEMENTS;

const MANIFEST_SECTION: &str = "consort:manifest";
/// The most a manifest may hold, in bytes.
const MANIFEST_SIZE: usize = 1 << 20;

/// The exports that make a component a plugin, without their versions.
const CONTRACTS: [(&str, Kind); 3] = [
    ("consort:agent-adapter/adapter", Kind::Adapter),
    ("consort:prioritizer/prioritizer", Kind::Prioritizer),
    ("consort:result-transformer/transformer", Kind::Transformer),
];

/// What plugins may export besides.
const OPTIONAL: [(&str, Kind); 2] = [
    ("consort:agent-adapter/batch", Kind::Adapter),
    ("consort:result-transformer/check", Kind::Transformer),
];

/// The contract versions this host speaks: every patch of this minor version.
const SPOKEN: &str = "0.1.";

/// What a scan found.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) manifest: Manifest,
    /// The name of the export that is its contract, version included.
    pub(crate) export: String,
    /// The name of the other export that plugins of its kind may have.
    pub(crate) optional_export: Option<String>,
    /// Whether a table of it may grow beyond what a pool has for one. In a pool
    /// it would stop growing early, and not because of the call's limit.
    pub(crate) tables_grow: bool,
    /// Bytes of its largest function.
    pub(crate) largest_function: u64,
}

/// Reads the component `bytes`. `label` names it in errors; a component without
/// a manifest is called `fallback`.
pub(crate) fn scan(label: &str, fallback: &str, bytes: &[u8]) -> Result<Scan, LoadError> {
    let sections = Sections::read(bytes)
        .map_err(|reason| LoadError::NotAComponent { plugin: label.to_owned(), reason })?;
    let invalid = |reason| LoadError::Manifest { plugin: label.to_owned(), reason };
    if sections.manifests.len() > 1 {
        return Err(invalid(format!(
            "there are {} sections named {MANIFEST_SECTION}; keep one",
            sections.manifests.len()
        )));
    }
    if let Some(manifest) = sections.manifests.first().filter(|m| m.len() > MANIFEST_SIZE) {
        let bytes = manifest.len();
        return Err(invalid(format!("it has {bytes} bytes, more than {MANIFEST_SIZE}")));
    }
    let declared = sections
        .manifests
        .first()
        .map(|json| Manifest::parse(json))
        .transpose()
        .map_err(invalid)?;
    let (kind, export) = contract_of(label, &sections.exports, declared.as_ref().map(|m| m.kind))?;
    let optional_export = sections.exports.iter().find(|name| {
        name.split_once('@').is_some_and(|(name, version)| {
            OPTIONAL.contains(&(name, kind)) && version.starts_with(SPOKEN)
        })
    });
    let optional_export = optional_export.map(ToString::to_string);
    let manifest = declared.unwrap_or_else(|| Manifest::absent(fallback, kind));
    let Sections { tables_grow, largest_function, .. } = sections;
    let export = export.to_owned();
    Ok(Scan { manifest, export, optional_export, tables_grow, largest_function })
}

/// Finds the one contract that is exported, in a version this host speaks.
fn contract_of<'a>(
    label: &str,
    exports: &[&'a str],
    declared: Option<Kind>,
) -> Result<(Kind, &'a str), LoadError> {
    let contract = |name: &str| {
        let (base, version) = name.split_once('@').unwrap_or((name, ""));
        let (_, kind) = CONTRACTS.iter().find(|(contract, _)| *contract == base)?;
        Some((*kind, version.starts_with(SPOKEN)))
    };
    let spoken: Vec<(Kind, &str)> = exports
        .iter()
        .filter_map(|name| match contract(name) {
            Some((kind, true)) => Some((kind, *name)),
            _ => None,
        })
        .collect();
    let chosen = match (declared, spoken.as_slice()) {
        (None, [one]) => Some(one),
        (None, _) => None,
        (Some(declared), spoken) => spoken.iter().find(|(kind, _)| *kind == declared),
    };
    chosen.copied().ok_or_else(|| {
        let foreign = exports.iter().find(|name| matches!(contract(name), Some((_, false))));
        let found = match foreign {
            Some(foreign) => format!(
                "it exports '{foreign}', a version this host does not speak; \
                 build it against {SPOKEN}0, or use another version of the host"
            ),
            None => exported(exports),
        };
        let expected = expected(declared, spoken.len());
        LoadError::WrongWorld { plugin: label.to_owned(), expected, found }
    })
}

fn expected(declared: Option<Kind>, exported: usize) -> String {
    match declared {
        Some(kind) => format!("'{}', which its manifest says it is", export_name(kind)),
        None if exported > 1 => "exactly one contract (name the kind in a manifest)".to_owned(),
        None => {
            let names: Vec<String> =
                CONTRACTS.iter().map(|(_, kind)| format!("'{}'", export_name(*kind))).collect();
            format!("one of {}", names.join(", "))
        }
    }
}

fn exported(exports: &[&str]) -> String {
    if exports.is_empty() {
        return "it exports nothing".to_owned();
    }
    let names: Vec<String> = exports.iter().take(8).map(|name| format!("'{name}'")).collect();
    let more =
        if exports.len() > 8 { format!(" and {} more", exports.len() - 8) } else { String::new() };
    format!("it exports {}{more}", names.join(", "))
}

/// The name of the export that makes a component a plugin of this kind, in the
/// version this host speaks.
pub(crate) fn export_name(kind: Kind) -> String {
    let (name, _) = CONTRACTS.iter().find(|(_, k)| *k == kind).expect("every kind has a contract");
    format!("{name}@{SPOKEN}0")
}

/// The parts of the file that matter here.
struct Sections<'a> {
    manifests: Vec<&'a [u8]>,
    exports: Vec<&'a str>,
    tables_grow: bool,
    largest_function: u64,
}

impl<'a> Sections<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, String> {
        if !bytes.starts_with(b"\0asm") {
            return Err("it does not start with the WebAssembly magic number".to_owned());
        }
        let mut sections = Self {
            manifests: Vec::new(),
            exports: Vec::new(),
            tables_grow: false,
            largest_function: 0,
        };
        let mut depth = 0usize;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(|e| e.to_string())? {
                Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                    return Err("it is a core module; build it for the target wasm32-wasip2, or \
                         turn it into a component with `wasm-tools component new`"
                        .to_owned());
                }
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::CustomSection(section) if section.name() == MANIFEST_SECTION => {
                    sections.manifests.push(section.data());
                }
                Payload::TableSection(tables) => {
                    for table in tables {
                        let maximum = table.map_err(|e| e.to_string())?.ty.maximum;
                        sections.tables_grow |= maximum.is_none_or(|m| m > TABLE_ELEMENTS as u64);
                    }
                }
                Payload::CodeSectionEntry(body) => {
                    let size = body.as_bytes().len() as u64;
                    sections.largest_function = sections.largest_function.max(size);
                }
                Payload::ComponentExportSection(exports) if depth == 0 => {
                    for export in exports {
                        sections.exports.push(export.map_err(|e| e.to_string())?.name.name);
                    }
                }
                _ => {}
            }
        }
        Ok(sections)
    }
}
