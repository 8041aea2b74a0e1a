//! The published JSON Schema: it is the one of the types, and takes and refuses
//! what the parser takes and refuses.

use std::fs;
use std::path::{Path, PathBuf};

use consort_core::spec::{Format, schema};
use jsonschema::Validator;
use serde_json::Value;

/// Problems that a look at the document alone can show.
const STRUCTURAL: [&str; 5] =
    ["unknown-field", "unknown-value", "wrong-type", "out-of-range", "empty"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn validator() -> Validator {
    jsonschema::validator_for(&schema()).expect("the schema is valid")
}

/// The files of a folder with one of these endings.
fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    let files = fs::read_dir(root().join(folder)).expect("the folder is there");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.retain(|path| endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)));
    paths.sort();
    assert!(!paths.is_empty(), "no files in {folder}");
    paths
}

fn value(name: &str, text: &str) -> Option<Value> {
    match Format::guess(name, text) {
        Format::Json => serde_json::from_str(text).ok(),
        Format::Yaml => serde_saphyr::from_str(text).ok(),
    }
}

#[test]
fn the_committed_schema_is_that_of_the_types() {
    let path = root().join("workflow.schema.json");
    let expected = format!("{:#}\n", schema());
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &expected).expect("the schema can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == expected,
        "workflow.schema.json is out of date; BLESS=1 cargo test -p consort-core --test schema"
    );
}

#[test]
fn every_example_and_every_example_of_the_specification_is_valid() {
    let validator = validator();
    let mut paths = files("../../examples", &[".yaml", ".json"]);
    // The configuration of a host is no workflow.
    paths.retain(|path| !path.ends_with("consort.yaml"));
    paths.extend(files("../../tests/fixtures/specification", &[".yaml", ".json"]));
    for path in paths {
        let text = fs::read_to_string(&path).expect("it can be read");
        let value = value(&path.to_string_lossy(), &text).expect("it is JSON or YAML");
        let errors: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
    }
}

#[test]
fn every_example_names_its_schema_for_editors() {
    for path in files("../../examples", &[".yaml"]) {
        if !path.ends_with("consort.yaml") {
            let text = fs::read_to_string(&path).expect("it can be read");
            let line = "# yaml-language-server: $schema=../host/core/workflow.schema.json\n";
            assert!(text.starts_with(line), "{}: the first line is not {line}", path.display());
        }
    }
}

#[test]
fn a_document_is_refused_for_what_is_wrong_with_its_structure_and_nothing_else() {
    let validator = validator();
    let (mut refused, mut taken) = (0, 0);
    for path in files("tests/invalid", &[".case"]) {
        let bytes = fs::read(&path).expect("it can be read");
        let end = bytes.windows(6).rposition(|part| part == b"\n----\n").expect("it has a report");
        let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
        let text = String::from_utf8_lossy(&bytes[..end]);
        let report = String::from_utf8_lossy(&bytes[end..]);
        let Some(value) = value(&name, &text) else { continue };
        let codes: Vec<&str> = report
            .lines()
            .filter_map(|line| {
                let said = line.strip_prefix("error[").or(line.strip_prefix("warning["))?;
                said.split_once("]:").map(|(code, _)| code)
            })
            .collect();
        let valid = validator.is_valid(&value);
        if codes.iter().any(|code| STRUCTURAL.contains(code)) {
            assert!(!valid, "{name} is valid by the schema");
            refused += 1;
        } else if codes.iter().all(|code| BY_MEANING.contains(code)) {
            let errors: Vec<String> =
                validator.iter_errors(&value).map(|e| e.to_string()).collect();
            assert!(valid, "{name}: {errors:?}");
            taken += 1;
        }
    }
    assert!(refused >= 10 && taken >= 20, "{refused} refused, {taken} taken");
}

/// Problems that only the meaning of a document shows.
const BY_MEANING: [&str; 33] = [
    "constant-condition",
    "near-type",
    "not-a-list",
    "unknown-input",
    "useless-timeout",
    "bad-deadline",
    "bad-duration",
    "bad-expression",
    "bad-rate",
    "bad-retry",
    "bad-template",
    "cycle",
    "duplicate-dependency",
    "duplicate-id",
    "duplicate-name",
    "maybe-missing",
    "maybe-skipped",
    "missing-dependency",
    "no-item",
    "no-items",
    "past-deadline",
    "self-dependency",
    "unknown-adapter",
    "unknown-agent",
    "unknown-name",
    "unknown-transformer",
    "unreachable-result",
    "unsatisfiable",
    "unused-agent",
    "useless-fallback",
    "useless-retry",
    "zero-timeout",
    "zero-ttl",
];
