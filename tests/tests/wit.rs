//! The contracts in `wit/`: documented, versioned, and compatible with every
//! version that was released.
//!
//! `wit/released/VERSION` holds a whole copy of `wit/` as it was, WASI included,
//! so that it resolves by itself for as long as the project lives. A released
//! folder never changes. To release a version, copy `plugin.wit` and `deps`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use std::fs;
use std::path::{Path, PathBuf};

use semver::{BuildMetadata, Version};
use wit_parser::{
    Docs, Interface, PackageId, Resolve, Stability, Type, TypeDef, TypeDefKind, TypeOwner, WorldId,
};

const WORLDS: [&str; 5] =
    ["adapter", "batching-adapter", "prioritizer", "transformer", "checked-transformer"];

fn wit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit")
}

fn load(folder: &Path) -> (Resolve, PackageId) {
    let mut resolve = Resolve::default();
    let (package, _) =
        resolve.push_dir(folder).unwrap_or_else(|e| panic!("{}: {e:#}", folder.display()));
    (resolve, package)
}

/// The released versions, oldest first, and their folders.
fn released() -> Vec<(Version, PathBuf)> {
    let entries = fs::read_dir(wit().join("released")).unwrap();
    let mut released: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().parse().unwrap(), path))
        .collect();
    released.sort();
    released
}

fn version(resolve: &Resolve, package: PackageId) -> Version {
    resolve.packages[package].name.version.clone().expect("our packages have versions")
}

// ---------------------------------------------------------------- documented

#[test]
fn everything_is_documented_and_says_since_when() {
    let (resolve, _) = load(&wit());
    let mut missing = Missing::default();
    for (_, package) in resolve.packages.iter().filter(|(_, p)| p.name.namespace == "consort") {
        let name = package.name.to_string();
        missing.docs(&name, &package.docs);
        for id in package.interfaces.values() {
            missing.interface(&name, &resolve, &resolve.interfaces[*id]);
        }
        for (world, id) in &package.worlds {
            let world_name = format!("{name}/{world}");
            missing.docs(&world_name, &resolve.worlds[*id].docs);
            missing.since(&world_name, &resolve.worlds[*id].stability);
        }
    }
    assert!(missing.0.is_empty(), "add what is missing:\n{}", missing.0.join("\n"));
}

/// What lacks documentation or `@since`.
#[derive(Default)]
struct Missing(Vec<String>);

impl Missing {
    fn docs(&mut self, item: &str, docs: &Docs) {
        if docs.contents.as_deref().is_none_or(|text| text.trim().is_empty()) {
            self.0.push(format!("{item}: documentation"));
        }
    }

    fn since(&mut self, item: &str, stability: &Stability) {
        if !matches!(stability, Stability::Stable { .. }) {
            self.0.push(format!("{item}: @since"));
        }
    }

    fn interface(&mut self, package: &str, resolve: &Resolve, interface: &Interface) {
        let name = format!("{package}/{}", interface.name.as_deref().unwrap_or("?"));
        self.docs(&name, &interface.docs);
        self.since(&name, &interface.stability);
        for function in interface.functions.values() {
            let name = format!("{name}.{}", function.name);
            self.docs(&name, &function.docs);
            self.since(&name, &function.stability);
        }
        for id in interface.types.values() {
            let item = &resolve.types[*id];
            if !is_use(resolve, item) {
                self.item(&name, item);
            }
        }
    }

    fn item(&mut self, interface: &str, item: &TypeDef) {
        let name = format!("{interface}.{}", item.name.as_deref().unwrap_or("?"));
        self.docs(&name, &item.docs);
        self.since(&name, &item.stability);
        let parts: Vec<(&str, &Docs)> = match &item.kind {
            TypeDefKind::Record(record) => {
                record.fields.iter().map(|part| (part.name.as_str(), &part.docs)).collect()
            }
            TypeDefKind::Variant(variant) => {
                variant.cases.iter().map(|part| (part.name.as_str(), &part.docs)).collect()
            }
            TypeDefKind::Flags(flags) => {
                flags.flags.iter().map(|part| (part.name.as_str(), &part.docs)).collect()
            }
            // The cases of an enum are named after what they are.
            _ => Vec::new(),
        };
        for (part, docs) in parts {
            self.docs(&format!("{name}.{part}"), docs);
        }
    }
}

/// Whether it stands for a type of another interface.
fn is_use(resolve: &Resolve, item: &TypeDef) -> bool {
    let TypeDefKind::Type(Type::Id(other)) = item.kind else { return false };
    let owners = (item.owner, resolve.types[other].owner);
    matches!(owners, (TypeOwner::Interface(here), TypeOwner::Interface(there)) if here != there)
}

// ---------------------------------------------------------------- compatible

/// Whether plugins built against `old` run on a host that offers `new`. The
/// error names the world.
fn compatible(old: &Path, new: &Path) -> Result<(), String> {
    let (mut resolve, new_package) = load(new);
    let (mut old_resolve, old_package) = load(old);
    // Both at once, though they may have the same versions.
    rename(&mut old_resolve);
    let remap = resolve.merge(old_resolve).map_err(|e| format!("{e:#}"))?;
    let old_package = remap.packages[old_package.index()];
    for world in WORLDS {
        let select = |package: PackageId, whose: &str| -> Result<WorldId, String> {
            let id = resolve.packages[package].worlds.get(world).copied();
            id.ok_or_else(|| format!("{whose} contracts have no world '{world}'"))
        };
        let (old, new) = (select(old_package, "the old")?, select(new_package, "the new")?);
        wit_component::semver_check(resolve.clone(), old, new)
            .map_err(|error| format!("world '{world}': {error:#}"))?;
    }
    Ok(())
}

/// Gives every package a version that differs in build metadata only.
fn rename(resolve: &mut Resolve) {
    for (_, package) in resolve.packages.iter_mut() {
        if let Some(version) = &mut package.name.version {
            version.build = BuildMetadata::new("released").unwrap();
        }
    }
    resolve.package_names =
        resolve.packages.iter().map(|(id, package)| (package.name.clone(), id)).collect();
}

/// Versions that promise to be compatible: the same major, or minor while the
/// major is zero.
fn promises(old: &Version, new: &Version) -> bool {
    old <= new && old.major == new.major && (old.major > 0 || old.minor == new.minor)
}

#[test]
fn every_compatible_release_still_fits() {
    let (resolve, package) = load(&wit());
    let now = version(&resolve, package);
    let released = released();
    assert!(!released.is_empty());
    for (version, folder) in released.iter().filter(|(version, _)| promises(version, &now)) {
        compatible(folder, &wit()).unwrap_or_else(|error| {
            panic!("{now} is not compatible with the released {version}: {error}")
        });
    }
}

/// A package may differ from what was released under its version in nothing.
#[test]
fn released_versions_are_frozen() {
    for (version, folder) in released() {
        let (released, _) = load(&folder);
        let (current, _) = load(&wit());
        for (_, package) in released.packages.iter() {
            if package.name.namespace != "consort"
                || !current.package_names.contains_key(&package.name)
            {
                continue;
            }
            let place = match package.name.name.as_str() {
                "plugin" => PathBuf::from("plugin.wit"),
                name => PathBuf::from("deps").join(format!("consort-{name}")),
            };
            assert_eq!(
                texts(&folder.join(&place)),
                texts(&wit().join(&place)),
                "{} changed after its release in {version}: raise its version",
                package.name
            );
        }
    }
}

/// The texts of a file or of all files of a folder.
fn texts(place: &Path) -> Vec<(PathBuf, String)> {
    if place.is_file() {
        return vec![(PathBuf::new(), fs::read_to_string(place).unwrap())];
    }
    let mut texts: Vec<_> = fs::read_dir(place)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().into(), fs::read_to_string(path).unwrap()))
        .collect();
    texts.sort();
    texts
}

// ------------------------------------------------- what compatible is not

/// A copy of the contracts in which one text of one file is another.
fn changed(file: &str, from: &str, to: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(&wit().join("deps"), &copy.path().join("deps"));
    fs::copy(wit().join("plugin.wit"), copy.path().join("plugin.wit")).unwrap();
    let file = copy.path().join(file);
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text.matches(from).count(), 1, "'{from}' is in {} once", file.display());
    fs::write(&file, text.replace(from, to)).unwrap();
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

const ADAPTER: &str = "deps/consort-agent-adapter/adapter.wit";
const VALUES: &str = "deps/consort-types/values.wit";
const HOST: &str = "deps/consort-host/host.wit";

#[test]
fn incompatible_changes_are_caught() {
    let changes = [
        ("a new field", ADAPTER, "    attempt: u32,\n", "    attempt: u32,\n    of: u32,\n"),
        ("a field of another type", ADAPTER, "    attempt: u32,\n", "    attempt: u64,\n"),
        ("a new case", VALUES, "    text(string),\n", "    text(string),\n    nothing,\n"),
        (
            "a new export",
            ADAPTER,
            "  cancel: func(",
            "  pause: func();\n\n  @since(version = 0.1.0)\n  cancel: func(",
        ),
        ("a missing import", HOST, "  get: func() -> string;\n", "  fetch: func() -> string;\n"),
        ("another result", HOST, "  get: func() -> string;\n", "  get: func() -> list<u8>;\n"),
    ];
    for (what, file, from, to) in changes {
        let new = changed(file, from, to);
        let error = compatible(&wit(), new.path()).expect_err(what);
        assert!(error.contains("world '"), "{what}: {error}");
    }
}

#[test]
fn compatible_changes_are_accepted() {
    let changes = [
        ("words", HOST, "/// The configuration the operator gave.", "/// What the operator gave."),
        (
            "a new function of the host's",
            HOST,
            "  get: func() -> string;\n",
            "  get: func() -> string;\n  @since(version = 0.1.0)\n  size: func() -> u64;\n",
        ),
        (
            "a new import",
            "plugin.wit",
            "world adapter {\n",
            "world adapter {\n  import wasi:random/random@0.2.12;\n",
        ),
    ];
    for (what, file, from, to) in changes {
        let new = changed(file, from, to);
        compatible(&wit(), new.path()).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}
