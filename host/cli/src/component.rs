//! A *component* as its file shows it, without compiling it: the interfaces it
//! imports and exports.

use wasmparser::{Encoding, Parser, Payload};

/// The outside of a component.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outside {
    /// Names of its imports, in order.
    pub(crate) imports: Vec<String>,
    /// Names of its exports, in order.
    pub(crate) exports: Vec<String>,
}

/// Reads the outside of the component `bytes`; what is inside is skipped.
pub(crate) fn outside(bytes: &[u8]) -> Result<Outside, String> {
    let mut outside = Outside::default();
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|error| error.to_string())? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err("it is a core module, not a component".to_owned());
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(|error| error.to_string())?;
                    outside.imports.push(import.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let export = export.map_err(|error| error.to_string())?;
                    outside.exports.push(export.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(outside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_plugins_show_their_contract() {
        for (name, _, component) in consort_default_plugins::DEFAULT_PLUGINS {
            let outside = outside(component).unwrap();
            let ours = outside.exports.iter().filter(|export| export.starts_with("consort:"));
            // One takes several tasks in one call, and transformers check what they are told.
            let more = ["echo", "jq", "json-schema", "template", "text"];
            let expected = if more.contains(name) { 2 } else { 1 };
            assert_eq!(ours.count(), expected, "{name}");
            assert!(outside.imports.iter().all(|import| import.contains(':')), "{name}");
        }
    }

    #[test]
    fn other_files_are_named_for_what_they_are() {
        assert!(outside(b"\0asm\x01\0\0\0").unwrap_err().contains("core module"));
        assert!(outside(b"hello").is_err());
    }
}
