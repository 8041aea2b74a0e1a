//! A *fixture* is a store as an earlier version wrote it, which must be read by
//! every later one: `tests/fixtures/journal-v1.db` has a run that is finished
//! and one whose process was killed while it waited for a person.
//!
//! It is never made anew, except to have more in it while nothing has been
//! released that reads it:
//!
//! ```sh
//! cargo test --workspace --test store -- --ignored make_the_fixture
//! ```
//!
//! A new version of the journal gets a fixture beside it.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::place::Place;

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/journal-v1.db")
}

/// Everything that is written down in a journal.
fn workflow() -> Value {
    json!({
        "name": "fixture",
        "inputs": {"no": false},
        "budget": {"tokens": 1000},
        "agents": {
            "S": {"adapter": "./scripted.wasm"},
            "T": {"adapter": "./scripted.wasm", "config": {"reply": "t"}},
        },
        "tasks": [
            {"task_id": "retried", "agent": "S", "description": "fail until 3",
             "retry_policy": {"max_attempts": 3, "initial_delay": 0.01}},
            {"task_id": "throttled", "agent": "S", "description": "throttle until 2",
             "retry_policy": {"max_attempts": 2}},
            {"task_id": "refused", "agent": "S", "description": "refuse",
             "on_failure": "continue"},
            {"task_id": "rescued", "agent": "S", "description": "refuse as S",
             "on_failure": {"fallback": ["T"]}},
            {"task_id": "polled", "agent": "S", "description": "poll 12"},
            {"task_id": "stopped", "agent": "S", "description": "poll forever",
             "timeouts": {"total": 0.3}, "on_failure": "continue"},
            {"task_id": "counted", "agent": "S", "description": "count"},
            {"task_id": "used", "agent": "S", "description": "use 7"},
            {"task_id": "spawner", "agent": "S", "description": "spawn",
             "input": [{"task_id": "spawned", "agent": "S", "description": "said"},
                       {"task_id": "spawner", "agent": "S", "description": "twice"}]},
            {"task_id": "list", "agent": "S", "description": "a b c",
             "transform": [{"transformer": "jq", "config": {"filter": "split(\" \")"}}]},
            {"task_id": "items", "agent": "S", "description": "of {{ item }}",
             "depends_on": ["list"], "for_each": "results.list", "max_parallel": 2},
            {"task_id": "equal", "agent": "S", "description": "same", "cache": {"key": "same"}},
            {"task_id": "again", "agent": "S", "description": "same", "cache": {"key": "same"},
             "depends_on": [{"task": "equal"}]},
            {"task_id": "group", "type": "collaborative_task", "steps": [
                {"task_id": "one", "agent": "S", "description": "first"},
                {"task_id": "two", "agent": "S", "description": "second"}]},
            {"task_id": "skipped", "agent": "S", "description": "no", "when": "inputs.no",
             "on_failure": "continue"},
            {"task_id": "large", "agent": "S", "description": "0123456789",
             "transform": [{"transformer": "jq", "config": {"filter": ". * 7000"}}]},
            {"task_id": "review", "type": "approval", "description": "Go on with {{ results.items | length }}?",
             "depends_on": ["items"]},
            {"task_id": "after", "agent": "S", "description": "{{ results.review.by }} said yes",
             "depends_on": ["review", "polled"]},
        ],
    })
}

/// How each task ends, and its result.
fn check(report: &Value) {
    let succeeded = [
        ("retried", json!("fail until 3")),
        ("throttled", json!("throttle until 2")),
        ("rescued", json!("refuse as S")),
        ("polled", json!("polled")),
        ("counted", json!("counted")),
        ("used", json!("used")),
        ("spawner", json!("spawned")),
        ("spawned", json!("said")),
        ("list", json!(["a", "b", "c"])),
        ("items", json!(["of a", "of b", "of c"])),
        ("items[2]", json!("of c")),
        ("equal", json!("same")),
        ("again", json!("same")),
        ("group", json!({"one": "first", "two": "second"})),
        ("large", json!("0123456789".repeat(7_000))),
        ("review", json!({"by": "me"})),
        ("after", json!("me said yes")),
    ];
    let tasks = &report["tasks"];
    for (task, output) in succeeded {
        assert_eq!(tasks[task]["status"], "succeeded", "{task}: {:#}", tasks[task]);
        assert_eq!(tasks[task]["output"], output, "{task}");
    }
    for (task, status, kind) in [
        ("refused", "failed", "permanent"),
        ("stopped", "failed", "total-timeout"),
        ("skipped", "skipped", "condition"),
    ] {
        assert_eq!(tasks[task]["status"], status, "{task}: {:#}", tasks[task]);
        assert_eq!(tasks[task]["error"]["kind"], kind, "{task}: {:#}", tasks[task]);
    }
    assert_eq!(tasks["retried"]["attempts"], 3);
    assert_eq!(tasks["rescued"]["agent"], "T");
    assert_eq!(tasks["used"]["usage"]["input_tokens"], 7);
    assert_eq!(tasks["again"]["cached"], true);
    assert_eq!(report["not_added"][0]["task_id"], "spawner", "{:#}", report["not_added"]);
}

/// A copy of the fixture, and the ids of its runs: the finished one, the other.
fn copy() -> (Place, String, String) {
    let place = Place::new();
    std::fs::copy(fixture(), place.file("runs.db")).unwrap();
    let list = place.run("list --store runs.db --json", 0).json();
    let run = |status: &str| {
        let runs = list.as_array().unwrap().iter();
        let mut ids = runs.filter(|run| run["status"] == status).map(|run| run["id"].clone());
        ids.next().unwrap().as_str().unwrap().to_owned()
    };
    let (finished, interrupted) = (run("succeeded"), run("running"));
    (place, finished, interrupted)
}

#[test]
fn a_finished_run_of_version_1_is_read() {
    let (place, run, _) = copy();
    check(&place.run(&format!("result {run} --store runs.db --json"), 0).json());
    let status = place.run(&format!("status {run} --store runs.db --json"), 0).json();
    assert_eq!(status["progress"]["share"], 1.0);
    let history = place.run(&format!("history {run} --store runs.db --json"), 0);
    let count = |event: &str| {
        let wanted = format!("\"event\":\"{event}\"");
        history.out.lines().filter(|line| line.contains(&wanted)).count()
    };
    assert_eq!(count("run_started"), 1);
    assert_eq!(count("retrying"), 4, "{}", history.out);
    assert_eq!(count("fanned_out"), 1);
    assert_eq!(count("added"), 1);
    assert_eq!(count("not_added"), 1);
    assert_eq!(count("task_finished"), status["tasks"].as_array().unwrap().len());
    assert_eq!(count("run_finished"), 1, "{}", history.out);
    assert!(count("log") > 0, "{}", history.out);
}

#[test]
fn an_interrupted_run_of_version_1_is_resumed() {
    let (place, _, run) = copy();
    let status = place.run(&format!("status {run} --store runs.db --json"), 0).json();
    let state = |name: &str| {
        let mut tasks = status["tasks"].as_array().unwrap().iter();
        tasks.find(|task| task["task_id"] == name).unwrap()["state"].clone()
    };
    assert_eq!(state("review"), "asking");
    assert_eq!(state("after"), "blocked");
    let words = format!("resume {run} --store runs.db --json --answer review={{\"by\":\"me\"}}");
    check(&place.run(&words, 0).json());
}

#[test]
#[ignore = "writes tests/fixtures/journal-v1.db"]
fn make_the_fixture() {
    let place = Place::new();
    place.write("parked.json", &workflow().to_string());
    let words = "run parked.json --store runs.db --json --answer review={\"by\":\"me\"}";
    check(&place.run(words, 0).json());
    let parked = place.park();
    place.wait_until(&parked.run, "polled", "waiting");
    let run = parked.kill();
    assert_ne!(place.runs()[1], run);
    let _ = std::fs::remove_file(fixture());
    let to = fixture().display().to_string();
    place.run(&format!("backup {to} --store runs.db --quiet"), 0);
}
