//! Files that are no plugins, and plugins that lie about themselves.

use consort_plugin_host::{LoadError, Source};
use consort_tests::guests;
use consort_tests::lab::{Lab, short};

async fn load(bytes: Vec<u8>) -> Result<consort_plugin_host::Plugin, LoadError> {
    Lab::new().await.load(&Source::Bytes { name: "file".to_owned(), bytes }).await
}

async fn refused(bytes: Vec<u8>) -> LoadError {
    match load(bytes).await {
        Err(error) => error,
        Ok(plugin) => panic!("loaded: {}", short(&plugin)),
    }
}

/// A component that is a valid adapter but for its manifest.
fn with_manifest(manifest: &[u8]) -> Vec<u8> {
    with_sections(&[("consort:manifest", manifest)])
}

fn with_sections(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = consort_tests::modules::component("spin_in_start_function");
    for (name, data) in sections {
        let mut section = Vec::new();
        leb128(&mut section, name.len());
        section.extend_from_slice(name.as_bytes());
        section.extend_from_slice(data);
        bytes.push(0);
        leb128(&mut bytes, section.len());
        bytes.extend_from_slice(&section);
    }
    bytes
}

fn leb128(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

async fn manifest_refused(manifest: &str) -> String {
    match refused(with_manifest(manifest.as_bytes())).await {
        LoadError::Manifest { reason, .. } => reason,
        other => panic!("not the manifest: {other}"),
    }
}

#[tokio::test]
async fn files_that_are_no_components() {
    let module = wat::parse_str("(module)").unwrap();
    let component = guests::component("echo").0;
    let cases: [(&str, Vec<u8>); 6] = [
        ("nothing", Vec::new()),
        ("text", b"#!/bin/sh\nrm -rf /\n".to_vec()),
        ("the magic number alone", b"\0asm".to_vec()),
        ("a core module", module),
        ("half a component", component[..component.len() / 2].to_vec()),
        ("a component with a tail", [component, b"tail".as_slice()].concat()),
    ];
    for (what, bytes) in cases {
        let error = refused(bytes).await;
        assert!(matches!(error, LoadError::NotAComponent { .. }), "{what}: {error}");
        assert!(error.to_string().contains("'file'"), "{what}: {error}");
    }
}

/// Whatever bit is wrong, the host says so and stays up.
#[tokio::test]
async fn components_with_a_wrong_byte_never_harm_the_host() {
    let component = guests::component("hostile-transformer").0;
    let lab = Lab::new().await;
    let mut refused = 0;
    // A stride without common factors with anything in the file.
    for at in (8..component.len()).step_by(component.len() / 40 + 1) {
        let mut bytes = component.to_vec();
        bytes[at] ^= 0x55;
        let source = Source::Bytes { name: "file".to_owned(), bytes };
        refused += usize::from(lab.load(&source).await.is_err());
    }
    assert!(refused > 0, "some of them must be invalid");
}

#[tokio::test]
async fn manifests_that_are_no_manifests() {
    let cases = [
        ("", "JSON"),
        ("[]", "JSON object"),
        ("{\"name\": ", "JSON"),
        (r#"{"name": "x", "version": "1", "kind": "robot"}"#, "kind"),
        (r#"{"name": "../../etc/passwd", "version": "1", "kind": "adapter"}"#, "name"),
        (r#"{"name": "", "version": "1", "kind": "adapter"}"#, "name"),
        (r#"{"name": "x", "version": "1", "kind": "adapter", "limits": {"fuel": -1}}"#, "limits"),
        (
            r#"{"name": "x", "version": "1", "kind": "adapter", "limits": {"fuel": "all"}}"#,
            "limits",
        ),
        (
            r#"{"name": "x", "version": "1", "kind": "adapter", "capabilities": {"files": ["/"]}}"#,
            "files",
        ),
        (
            r#"{"name": "x", "version": "1", "kind": "adapter", "capabilities": {"http": ["a b c"]}}"#,
            "egress rule",
        ),
        (
            r#"{"name": "x", "version": "1", "kind": "adapter", "config_schema": 7}"#,
            "config_schema",
        ),
        (r#"{"name": "x", "version": "1", "kind": "adapter", "root": true}"#, "root"),
    ];
    for (manifest, expected) in cases {
        let reason = manifest_refused(manifest).await;
        assert!(reason.contains(expected), "{manifest}: {reason}");
    }
}

#[tokio::test]
async fn a_manifest_nested_too_deeply() {
    let schema = "{\"not\":".repeat(100_000) + "{}" + &"}".repeat(100_000);
    let manifest =
        format!(r#"{{"name": "x", "version": "1", "kind": "adapter", "config_schema": {schema}}}"#);
    assert!(manifest_refused(&manifest).await.contains("recursion"));
}

#[tokio::test]
async fn a_manifest_that_is_not_text() {
    let error = refused(with_manifest(&[0xff; 64])).await;
    assert!(matches!(error, LoadError::Manifest { .. }), "{error}");
}

/// A manifest is read on every load, and shown to people.
#[tokio::test]
async fn a_huge_manifest() {
    let description = "x".repeat(32 << 20);
    let manifest = format!(
        r#"{{"name": "x", "version": "1", "kind": "adapter", "description": "{description}"}}"#
    );
    let reason = manifest_refused(&manifest).await;
    assert!(reason.contains("bytes"), "{reason}");
}

#[tokio::test]
async fn two_manifests() {
    let good: &[u8] = br#"{"name": "x", "version": "1", "kind": "adapter"}"#;
    let bytes = with_sections(&[("consort:manifest", good), ("consort:manifest", good)]);
    let error = refused(bytes).await;
    assert!(
        matches!(&error, LoadError::Manifest { reason, .. } if reason.contains('2')),
        "{error}"
    );
}

#[tokio::test]
async fn a_manifest_of_another_kind() {
    let manifest = br#"{"name": "x", "version": "1", "kind": "prioritizer"}"#;
    let error = refused(with_manifest(manifest)).await;
    assert!(matches!(error, LoadError::WrongWorld { .. }), "{error}");
}

/// A name is a claim; the digest is who it is.
#[tokio::test]
async fn a_manifest_that_claims_to_be_echo() {
    let manifest = br#"{"name": "echo", "version": "1", "kind": "adapter"}"#;
    let liar = load(with_manifest(manifest)).await.unwrap();
    let (_, digest) = guests::component("echo");
    assert_eq!(&**liar.name(), "echo");
    assert_ne!(&**liar.digest(), digest);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("echo.wasm");
    std::fs::write(&path, with_manifest(manifest)).unwrap();
    let pinned = Source::Pinned { path, digest: digest.to_owned() };
    let error = Lab::new().await.load(&pinned).await.unwrap_err();
    assert!(matches!(&error, LoadError::Digest { wanted, .. } if wanted == digest), "{error}");
}

/// A plugin may ask for all there is. It gets what the operator allows.
#[tokio::test]
async fn a_manifest_that_asks_for_everything() {
    use consort_plugin_host::Limits;

    let all = u64::MAX;
    let manifest = format!(
        r#"{{"name": "greedy", "version": "1", "kind": "adapter",
            "limits": {{"fuel": {all}, "memory": {all}, "time": {all}, "output": {all}}}}}"#
    );
    let greedy = load(with_manifest(manifest.as_bytes())).await.unwrap();
    let settled = Limits::settle(&[&greedy.manifest().limits], &Limits::DEFAULT, &Limits::CEILING);
    assert_eq!(settled.fuel, Limits::CEILING.fuel);
    assert_eq!(settled.memory, Limits::CEILING.memory);
    assert_eq!(settled.time, Limits::CEILING.time);
    assert_eq!(settled.output, Limits::CEILING.output);
    assert_eq!(settled.log, Limits::DEFAULT.log);
}
