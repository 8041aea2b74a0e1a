//! The policy of a run: `--policy`, `--policy-config`, and `policy` in the host
//! configuration.

use std::path::Path;

use crate::support::{Ran, command, consort, consort_with, json, scratch};

/// While a long text is worked on, an unimportant task waits; then there is
/// another urgent one. Nine levels of priority are worth 9 × `ageing`.
const BUSY: &str = "
- {task_id: old, agent: echo, priority: 1}
- {task_id: first, agent: local, description: 'Summarise: {{ inputs.text }}', priority: 10}
- {task_id: second, agent: echo, priority: 10, depends_on: [first]}
";

/// The tasks of `BUSY` in the order they start, one at a time.
fn order(args: &[&str]) -> Vec<String> {
    let text = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/texts/chemical-history-of-a-candle.txt");
    let set = format!("text=@{}", text.display());
    let all = [&["run", "-", "--concurrency", "1", "--set", &set], args].concat();
    let ran = consort_with(&all, BUSY);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let started = ran.err.lines().filter_map(|line| line.split_once(" started ("));
    started.filter_map(|(line, _)| Some(line.split_once(' ')?.1.to_owned())).collect()
}

const AGED: [&str; 3] = ["first", "old", "second"];
const NOT_AGED: [&str; 3] = ["first", "second", "old"];

#[test]
fn a_policy_is_told_what_to_do_on_the_command_line() {
    assert_eq!(order(&[]), NOT_AGED);
    let soon = r#"{"ageing": 0.000001}"#;
    assert_eq!(order(&["--policy-config", soon]), AGED);
    assert_eq!(order(&["--policy", "deadline", "--policy-config", soon]), AGED);
}

#[test]
fn the_host_configuration_says_which_policy_unless_the_command_line_does() {
    let file = scratch("policy-configured").join("consort.yaml");
    std::fs::write(&file, "policy: {plugin: priority, config: {ageing: 0.000001}}\n")
        .expect("writable");
    let config = ["--config", file.to_str().expect("UTF-8")];
    assert_eq!(order(&config), AGED);
    // Another policy, even by the same name, starts from nothing.
    assert_eq!(order(&[&config[..], &["--policy", "priority"]].concat()), NOT_AGED);
    let other = r#"{"ageing": 60}"#;
    assert_eq!(order(&[&config[..], &["--policy-config", other]].concat()), NOT_AGED);
    std::fs::write(&file, "policy: critical-path\n").expect("writable");
    let args = [&["run", "run/one.yaml", "--json"], &config[..]].concat();
    let report = json(&consort(&args).out);
    assert_eq!(report["metrics"]["policy"]["name"], "critical-path");
}

#[test]
fn problems_of_the_policy_are_shown_where_it_was_written() {
    let file = scratch("policy-wrong").join("consort.yaml");
    let text = "concurrency: 3\npolicy:\n  plugin: priority\n  config: {ageing: -1}\n";
    std::fs::write(&file, text).expect("writable");
    let path = file.to_str().expect("UTF-8");
    for command in ["run", "validate"] {
        let ran = consort(&[command, "run/one.yaml", "--config", path]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
        assert!(ran.err.contains(&format!("[{path}:4:20]")), "{}", ran.err);
        assert!(ran.err.contains("help: 'consort plugin inspect priority'"), "{}", ran.err);
    }
    let told = consort(&["run", "run/one.yaml", "--policy-config", r#"{"aging": 5}"#]);
    assert_eq!(told.code, 2);
    assert!(told.err.contains("at policy.config in --policy-config"), "{}", told.err);
    assert!(told.err.contains("'aging' was unexpected"), "{}", told.err);
}

/// What is wrong with both is shown in one go.
#[test]
fn the_workflow_is_checked_together_with_the_policy() {
    let workflow =
        "agents: {A: {adapter: ./no-such-agent.wasm}}\ntasks: [{task_id: a, agent: A}]\n";
    let ran = consort_with(&["validate", "-", "--policy", "./no-such-policy.wasm"], workflow);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("at policy in --policy"), "{}", ran.err);
    assert!(ran.err.contains("[<stdin>:1:23]"), "{}", ran.err);
    assert_eq!(ran.err.matches("error[missing-plugin]").count(), 2, "{}", ran.err);
    assert_eq!(ran.err.matches("working directory").count(), 2, "{}", ran.err);
}

#[test]
fn a_policy_is_told_with_a_json_object() {
    for (config, says) in [("[1]", "a JSON object"), ("ageing=5", "not JSON")] {
        let ran: Ran = command(&["run", "run/one.yaml", "--policy-config", config])
            .output()
            .expect("the binary runs")
            .into();
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{config}");
        assert!(ran.err.contains(says), "{config}: {}", ran.err);
    }
}
