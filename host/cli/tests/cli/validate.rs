//! `consort validate`.

use serde_json::json;

use crate::support::{command, consort, consort_with, expect_file, json as parsed, tests_dir};

const CHAIN: &str = "- {task_id: a, agent: echo}\n- {task_id: b, agent: local, depends_on: [a]}\n";

#[test]
fn a_valid_workflow_is_said_to_be_one() {
    let ran = consort_with(&["validate", "-"], CHAIN);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out, "-: valid, 2 tasks\n");
}

#[test]
fn every_problem_of_a_file_is_shown_at_its_line_with_a_remedy() {
    let ran = consort(&["validate", "validate/broken.yaml"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    expect_file("validate/broken.err", &ran.err);
}

#[test]
fn what_plugins_cannot_be_given_is_found_before_a_run() {
    let ran = consort(&["validate", "validate/misfits.yaml"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    let here = tests_dir().display().to_string();
    expect_file("validate/misfits.err", &ran.err.replace(&here, "HERE"));
}

#[test]
fn webhooks_that_cannot_be_meant_are_shown_where_they_are_written() {
    for name in ["wrong-webhooks", "webhook-of-nothing", "webhook-without-secret"] {
        let config = format!("validate/{name}.yaml");
        let ran = consort_with(&["validate", "-", "--config", &config], CHAIN);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{name}");
        expect_file(&format!("validate/{name}.err"), &ran.err);
    }
}

#[test]
fn documents_agents_and_transformers_are_reported_together() {
    let ran = consort(&["validate", "validate/together.yaml"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    expect_file("validate/together.err", &ran.err);
    let ran = consort(&["run", "validate/together.yaml"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    expect_file("validate/together.err", &ran.err);
}

#[test]
fn programs_get_one_list_for_all_files() {
    let files = ["-", "validate/broken.yaml", "no-such.yaml"];
    let ran = consort_with(&[&["validate", "--json"], &files[..]].concat(), CHAIN);
    assert_eq!((ran.code, ran.err.as_str()), (2, ""));
    let report = parsed(&ran.out);
    let findings = report.as_array().expect("a list");
    let (missing, broken) = findings.split_last().expect("it is not empty");
    assert_eq!(broken.len(), 7, "{report:#}");
    for finding in broken {
        assert_eq!(finding["file"], "validate/broken.yaml");
        assert_eq!(finding["severity"], "error");
        for field in ["code", "message", "path", "line", "column"] {
            assert!(!finding[field].is_null(), "{field} of {finding}");
        }
        assert!(finding.get("hint").is_some(), "{finding}");
    }
    let duplicate = broken.iter().find(|finding| finding["code"] == "duplicate-id");
    assert_eq!(duplicate.expect("an id is there twice")["line"], 15);
    assert_eq!((&missing["code"], &missing["line"]), (&json!("invalid"), &json!(null)));
}

#[test]
fn programs_get_an_empty_list_when_all_is_well() {
    let ran = consort_with(&["validate", "-", "--json"], CHAIN);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "[]\n", ""));
}

#[test]
fn warnings_are_shown_and_fail_only_where_they_are_denied() {
    let workflow = "- {task_id: a, agent: echo, timeout: 0}\n";
    let ran = consort_with(&["validate", "-"], workflow);
    assert_eq!((ran.code, ran.out.as_str()), (0, "-: valid, 1 task\n"));
    assert!(ran.err.starts_with("warning[zero-timeout]: "), "{}", ran.err);
    assert!(ran.err.ends_with("<stdin>: 1 warning\n"), "{}", ran.err);
    let denied = consort_with(&["validate", "-", "--deny-warnings"], workflow);
    assert_eq!((denied.code, denied.out.as_str()), (2, ""));
    let listed = consort_with(&["validate", "-", "--json"], workflow);
    assert_eq!((listed.code, listed.err.as_str()), (0, ""));
    assert_eq!(parsed(&listed.out)[0]["severity"], "warning");
}

#[test]
fn colours_are_for_those_who_ask() {
    let plain = consort(&["validate", "validate/broken.yaml"]);
    assert!(!plain.err.contains('\u{1b}'), "{}", plain.err);
    let mut forced = command(&["validate", "validate/broken.yaml"]);
    let forced = forced.env("CLICOLOR_FORCE", "1").output().expect("the binary runs");
    assert!(
        forced.stderr.starts_with(b"\x1b[31merror["),
        "{}",
        String::from_utf8_lossy(&forced.stderr)
    );
}

#[test]
fn the_schema_is_the_published_one() {
    let ran = consort(&["schema"]);
    let published = crate::support::tests_dir().join("../../../core/workflow.schema.json");
    let published = std::fs::read_to_string(published).expect("it can be read");
    assert_eq!((ran.code, ran.out), (0, published));
}

#[test]
fn files_are_checked_independently_of_each_other() {
    let ran = consort_with(&["validate", "validate/broken.yaml", "-"], CHAIN);
    assert_eq!(ran.code, 2);
    assert_eq!(ran.out, "-: valid, 2 tasks\n");
}

#[test]
fn a_file_that_is_not_there_is_an_error_with_a_hint() {
    let ran = consort(&["validate", "no-such.yaml"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.starts_with("error: could not read 'no-such.yaml'"), "{}", ran.err);
    assert!(ran.err.contains("hint:"), "{}", ran.err);
}

#[test]
fn the_host_configuration_defines_agents_wherever_it_is_named() {
    let workflow = "- {task_id: a, agent: Somebody}\n";
    let unknown = consort_with(&["validate", "-"], workflow);
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("unknown-agent"), "{}", unknown.err);
    let named =
        consort_with(&["validate", "-", "--config", "validate/host/consort.yaml"], workflow);
    assert_eq!(named.code, 0, "{}", named.err);
    let mut found = command(&["validate", "../somebody.yaml"]);
    let dir = tests_dir().join("validate/host");
    let output = found.current_dir(dir).output().expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_wrong_host_configuration_is_shown_like_a_wrong_workflow() {
    let ran = consort_with(&["validate", "-", "--config", "validate/wrong-host.yaml"], CHAIN);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("wrong-host.yaml:1:1"), "{}", ran.err);
    assert!(ran.err.contains("did you mean 'agents'?"), "{}", ran.err);
}

#[test]
fn secrets_need_not_be_there_but_must_be_known() {
    let workflow = "
agents: {W: {adapter: openai, url: 'https://a.example', config: {model: m, api_key: SOME_KEY}}}
tasks: [{task_id: a, agent: W}]
";
    let unknown = consort_with(&["validate", "-"], workflow);
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("--secret SOME_KEY"), "{}", unknown.err);
    let known = consort_with(&["validate", "-", "--secret", "SOME_KEY"], workflow);
    assert_eq!(known.code, 0, "{}", known.err);
}
