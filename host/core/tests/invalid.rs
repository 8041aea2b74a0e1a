//! Every file in `tests/invalid/` is a workflow with something wrong, a line of
//! four dashes, and the report on it. A new case is a new file, named after what
//! is wrong and how the workflow is written: `cycle.yaml.case`. With `BLESS=1`
//! the reports are written instead of compared.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

mod support;

const SEPARATOR: &[u8] = b"\n----\n";

struct Case {
    path: PathBuf,
    /// As in the report: the file without `.case`.
    name: String,
    workflow: Vec<u8>,
    report: String,
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/invalid");
    let files = fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "case"));
    paths.sort();
    paths.into_iter().map(read).collect()
}

fn read(path: PathBuf) -> Case {
    let bytes = fs::read(&path).expect("the case can be read");
    let at = bytes.windows(SEPARATOR.len()).rposition(|part| part == SEPARATOR);
    let end = at.unwrap_or(bytes.len());
    let report = bytes.get(end + SEPARATOR.len()..).unwrap_or_default();
    let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
    let report = String::from_utf8(report.to_vec()).expect("a report is UTF-8");
    Case { workflow: bytes[..end].to_vec(), path, name, report }
}

#[test]
fn every_invalid_workflow_gets_its_report() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    let cases = cases();
    for Case { path, name, workflow, report } in &cases {
        let actual = support::check(name, workflow);
        assert!(!actual.is_empty(), "{name} is valid");
        if actual == *report {
            continue;
        }
        if bless {
            let whole = [workflow, SEPARATOR, actual.as_bytes()].concat();
            fs::write(path, whole).expect("the case can be written");
        } else {
            wrong.push(format!("--- {name}: expected\n{report}\n--- {name}: actual\n{actual}"));
        }
    }
    assert!(cases.len() >= 40, "only {} cases were found", cases.len());
    assert!(wrong.is_empty(), "look, then run with BLESS=1 to accept\n{}", wrong.join("\n"));
}

/// Codes without a case: only files too large to keep get them.
const UNCOVERED: [&str; 1] = ["too-large"];

#[test]
fn every_code_has_a_case() {
    let cases = cases();
    let covered = |code: &String| {
        let said = |severity| format!("{severity}[{code}]:");
        let (error, warning) = (said("error"), said("warning"));
        cases.iter().any(|case| case.report.contains(&error) || case.report.contains(&warning))
    };
    let mut codes = BTreeSet::new();
    collect_codes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut codes);
    assert!(codes.len() > 30, "only these codes were found: {codes:?}");
    let missing: Vec<&String> =
        codes.iter().filter(|code| !covered(code) && !UNCOVERED.contains(&code.as_str())).collect();
    assert!(missing.is_empty(), "codes without a case in tests/invalid: {missing:?}");
}

/// The codes in the sources, tests left out.
fn collect_codes(folder: &Path, codes: &mut BTreeSet<String>) {
    for file in fs::read_dir(folder).expect("the folder is there") {
        let path = file.expect("a file").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            collect_codes(&path, codes);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            let source = fs::read_to_string(&path).expect("the source can be read");
            for made in ["Problem::error(", "Problem::warning("] {
                let calls = source.split(made).skip(1).map(str::trim_start);
                let codes_of = calls.filter_map(|call| call.strip_prefix('"')?.split('"').next());
                codes.extend(codes_of.map(str::to_owned));
            }
        }
    }
}
