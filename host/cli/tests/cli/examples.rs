//! The workflows in `examples/`, and that they show what they say.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Ran, command, json};

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples"))
}

/// Runs `consort` in the folder of examples.
fn consort(args: &[&str]) -> Ran {
    command(args).current_dir(folder()).output().expect("the binary runs").into()
}

fn run(args: &[&str]) -> Value {
    let ran = consort(&[&["run", "--json"], args].concat());
    let report = json(&ran.out);
    assert_eq!((ran.code, &report["status"]), (0, &Value::from("succeeded")), "{}", ran.err);
    report
}

/// The demonstration with its texts.
const DEMO: [&str; 7] = [
    "03-demo.yaml",
    "--set",
    "darwin=@texts/origin-of-species.txt",
    "--set",
    "faraday=@texts/chemical-history-of-a-candle.txt",
    "--set",
    "melville=@texts/moby-dick.txt",
];

#[test]
fn the_chain_hands_its_result_on() {
    let report = run(&["01-chain.yaml"]);
    assert_eq!(report["tasks"]["analysis"]["agent"], "CrewAIWorker");
    assert_eq!(report["tasks"]["analysis"]["output"]["sources"][0], "research");
}

#[test]
fn the_collaboration_results_in_an_object_of_its_steps() {
    let report = run(&["02-collaboration.yaml"]);
    let steps: Vec<&String> =
        report["tasks"]["project"]["output"].as_object().expect("an object").keys().collect();
    assert_eq!(steps, ["data_collection", "preprocessing", "analysis"]);
}

#[test]
fn the_demonstration_reads_three_books() {
    let report = run(&DEMO);
    let text = report["tasks"]["report"]["output"].as_str().expect("text");
    for part in ["# ", "On the Origin of Species", "Moby-Dick", "water", "candle", "species"] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert_eq!(report["metrics"]["policy"]["name"], "priority");
    assert_eq!(report["metrics"]["policy"]["faults"], 0);
}

#[test]
fn the_demonstration_is_the_same_every_time_whatever_the_order() {
    let outputs = |report: Value| {
        let tasks = report["tasks"].as_object().expect("an object").clone();
        tasks.into_iter().map(|(id, task)| (id, task["output"].clone())).collect::<Vec<_>>()
    };
    let other = [&DEMO[..], &["--policy", "critical-path", "--concurrency", "1"]].concat();
    assert_eq!(outputs(run(&DEMO)), outputs(run(&other)));
}

#[test]
fn the_picture_in_the_readme_is_what_the_command_draws() {
    let drawn = consort(&["graph", "03-demo.yaml", "--format", "svg"]).out;
    crate::support::expect_file("../../../../examples/demo.svg", &drawn);
}

#[test]
fn transformers_shape_results_for_all_and_for_one() {
    let report = run(&["04-transformers.yaml"]);
    let card = report["tasks"]["card"]["output"].as_str().expect("text");
    assert!(card.starts_with("# FUEL, MEMORY AND TIME ("), "{card}");
    assert!(card.ends_with("made by card for the reader"), "{card}");
}

#[test]
fn the_run_recovers_from_agents_that_fail() {
    let report = run(&["05-recovery.yaml"]);
    let task = |id: &str| report["tasks"][id].clone();
    assert_eq!(task("rescued")["agent"], "local");
    assert_eq!(task("rescued")["attempts"], 3);
    assert_eq!(task("optional")["status"], "failed");
    assert_eq!(task("never_runs")["status"], "skipped");
    assert!(task("conclusion")["output"].as_str().expect("text").contains("consort"));
}

#[test]
fn policies_change_the_order() {
    let order = |policy: &str| -> Vec<String> {
        let ran = consort(&["run", "06-policy.yaml", "--policy", policy, "--concurrency", "1"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let started =
            |line: &str| Some(line.split_once(" started (")?.0.rsplit(' ').next()?.to_owned());
        ran.err.lines().filter_map(started).collect()
    };
    assert_eq!(order("critical-path")[0], "long_1");
    assert!(order("priority")[0].starts_with("short"));
}

#[test]
fn examples_that_need_a_server_are_valid() {
    let files = ["07-openai.yaml", "08-http-json.yaml", "14-langgraph.yaml"];
    let secrets = ["--secret", "OPENAI_API_KEY", "--secret", "LANGGRAPH_API_KEY"];
    let ran = consort(&[&["validate"][..], &files, &secrets].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn a_fan_out_is_reduced() {
    let report = run(&["09-fan-out.yaml", "--set", "text=@texts/chemical-history-of-a-candle.txt"]);
    let tasks = &report["tasks"];
    let items = tasks["keywords"]["items"].as_u64().expect("a number");
    assert!(items > 3, "{items}");
    assert_eq!(tasks["keywords"]["output"].as_array().expect("a list").len() as u64, items);
    assert_eq!(tasks["keywords[0]"]["status"], "succeeded");
    let common = tasks["common"]["output"].as_str().expect("text");
    assert!(common.contains("light: 2 paragraphs"), "{common}");
}

#[test]
fn conditions_choose_a_way() {
    let long = run(&["10-conditions.yaml", "--set", "text=@texts/moby-dick.txt"]);
    assert_eq!(long["tasks"]["summary"]["status"], "succeeded");
    let short = run(&["10-conditions.yaml", "--set", "text=Call me Ishmael."]);
    assert_eq!(short["tasks"]["summary"]["error"]["kind"], "condition");
    assert_eq!(short["tasks"]["note"]["output"], "3 words. Call me Ishmael.");
}

#[test]
fn a_person_approves() {
    let report = run(&["11-approval.yaml", "--answer", "review=true"]);
    assert_eq!(report["tasks"]["review"]["output"], true);
    assert_eq!(report["tasks"]["second_opinion"]["error"]["kind"], "total-timeout");
    let answers = ["--answer", "review=true", "--answer", "second_opinion=\"well done\""];
    let report = run(&[&["11-approval.yaml"][..], &answers].concat());
    let published = report["tasks"]["publish"]["output"].as_str().expect("text");
    assert!(published.ends_with(" (well done)."), "{published}");
}

#[test]
fn equal_tasks_share_a_result() {
    let report = run(&["12-limits.yaml", "--concurrency", "1"]);
    assert_eq!(report["metrics"]["cached"], 1);
    let output = |id: &str| report["tasks"][id]["output"].clone();
    assert_eq!(output("summary"), output("again"));
}

#[test]
fn similar_tasks_start_together_and_end_each_by_itself() {
    let report = run(&["13-batching.yaml"]);
    assert_eq!(report["metrics"]["tasks"]["succeeded"], 9);
    let read = report["tasks"]["read"]["output"].as_array().expect("a list");
    assert_eq!((read.len(), &read[5]["input"]), (6, &serde_json::json!("It was late.")));
}
