//! `consort validate`.

use crate::support::{command, consort, consort_with, expect_file, json};

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
    expect_file("validate/misfits.err", &ran.err);
}

#[test]
fn programs_get_one_object_for_all_files() {
    let ran = consort(&["validate", "graph/chain.yaml", "validate/broken.yaml", "--json"]);
    assert_eq!(ran.code, 2);
    let report = json(&ran.out);
    assert_eq!(report["valid"], false);
    let broken = &report["files"][1];
    assert_eq!(broken["file"], "validate/broken.yaml");
    let problem = &broken["problems"][0];
    for field in ["code", "severity", "message", "path", "line", "column"] {
        assert!(!problem[field].is_null(), "{field} of {problem}");
    }
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
    let dir = crate::support::tests_dir().join("validate/host");
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
