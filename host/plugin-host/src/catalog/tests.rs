use super::*;

/// A component that exports an (empty) transformer interface.
fn plugin(manifest: Option<&str>) -> Vec<u8> {
    let section = manifest.map_or_else(String::new, |json| {
        format!("(@custom \"consort:manifest\" \"{}\")", json.replace('"', "\\22"))
    });
    let text = format!(
        r#"(component
            (component $inner)
            (instance $i (instantiate $inner))
            (export "consort:result-transformer/transformer@0.1.0" (instance $i))
            {section})"#
    );
    wat::parse_str(text).expect("a valid component")
}

fn named(name: &str, version: &str, description: &str) -> Vec<u8> {
    plugin(Some(&format!(
        r#"{{"name": "{name}", "version": "{version}", "kind": "transformer", "description": "{description}"}}"#
    )))
}

fn catalog(files: &[(&str, Vec<u8>)]) -> (tempfile::TempDir, Catalog) {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, bytes) in files {
        fs::write(directory.path().join(name), bytes).expect("writable");
    }
    let catalog = Catalog::new(&EMBEDDED, Some(directory.path())).expect("readable");
    (directory, catalog)
}

static EMBEDDED: [EmbeddedPlugin; 1] = [EmbeddedPlugin {
    name: "jq",
    digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    component: b"",
}];

fn found(catalog: &Catalog, reference: &str) -> String {
    match catalog.find(reference).unwrap_or_else(|e| panic!("{reference}: {e}")) {
        Source::File(path) => file_name(&path),
        Source::Pinned { path, .. } => format!("{} pinned", file_name(&path)),
        Source::Embedded(plugin) => format!("embedded {}", plugin.name),
        Source::Bytes { .. } => unreachable!("a catalog has no bytes"),
    }
}

#[test]
fn plugins_are_found_by_name_and_the_newest_is_meant() {
    let (_directory, catalog) = catalog(&[
        ("a.wasm", named("text", "1.9.0", "")),
        ("b.wasm", named("text", "1.10.0", "")),
        ("c.wasm", named("text", "1.10.0-rc.1", "")),
        ("plain.wasm", plugin(None)),
        ("notes.txt", b"not looked at".to_vec()),
    ]);
    assert_eq!(found(&catalog, "text"), "b");
    assert_eq!(found(&catalog, "plain"), "plain");
    assert_eq!(found(&catalog, "jq"), "embedded jq");
    assert_eq!(found(&catalog, "./no/such.wasm"), "such");
    assert_eq!(found(&catalog, "such.wasm"), "such");
    assert!(catalog.problems().is_empty());
}

#[test]
fn a_digest_chooses_among_versions_and_pins_the_file() {
    let old = named("text", "1.0.0", "");
    let digest = digest(&old);
    let (_directory, catalog) =
        catalog(&[("old.wasm", old), ("new.wasm", named("text", "2.0.0", ""))]);
    assert_eq!(found(&catalog, &format!("text@{digest}")), "old pinned");
    assert_eq!(found(&catalog, &format!("text@{}", short_digest(&digest))), "old pinned");
    assert_eq!(found(&catalog, "jq@0123456789ab"), "embedded jq");
    let wrong = catalog.find("text@000000000000").expect_err("no such digest");
    assert!(matches!(wrong, LoadError::Digest { .. }), "{wrong}");
    for short in ["text@0123", "text@", "text@sha256:xyzxyzxyzxyz"] {
        let error = catalog.find(short).expect_err("not a digest");
        assert!(error.hint().is_some_and(|hint| hint.contains("hexadecimal")), "{error:?}");
    }
}

#[test]
fn a_plugin_of_the_directory_stands_in_for_an_embedded_one() {
    let (_directory, catalog) = catalog(&[("mine.wasm", named("jq", "0.0.1", ""))]);
    assert_eq!(found(&catalog, "jq"), "mine");
    assert_eq!(found(&catalog, "jq@0123456789abcdef"), "embedded jq");
}

#[test]
fn two_of_the_same_version_must_be_told_apart() {
    let (_directory, catalog) = catalog(&[
        ("a.wasm", named("text", "1.0.0", "one")),
        ("b.wasm", named("text", "1.0.0", "another")),
        ("c.wasm", named("twin", "1.0.0", "")),
        ("d.wasm", named("twin", "1.0.0", "")),
    ]);
    let error = catalog.find("text").expect_err("ambiguous");
    assert!(matches!(&error, LoadError::Ambiguous { .. }), "{error}");
    assert!(catalog.find("twin").is_ok(), "the same file twice is no choice");
}

#[test]
fn what_is_unknown_gets_a_hint_and_broken_files_are_told() {
    let (_directory, catalog) = catalog(&[
        ("text.wasm", named("text", "1.0.0", "")),
        ("broken.wasm", b"\0asm\x01\0\0\0".to_vec()),
    ]);
    let error = catalog.find("txet").expect_err("unknown");
    let hint = error.hint().expect("a remedy");
    assert!(hint.contains("did you mean 'text'") && hint.contains("core module"), "{hint}");
    assert_eq!(catalog.problems().len(), 1);
}
