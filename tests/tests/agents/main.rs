//! The real `consort` command and real agents that nobody here wrote.
//!
//! Ignored unless asked for, because the servers are installed from PyPI and npm
//! first (400 MB, once): `cargo xtask agents`, which is
//! `cargo test -p consort-tests --test agents -- --ignored`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod langgraph;

use std::fs;
use std::process::{Command, Output};

use consort_tests::agents::Agent;
use consort_tests::command::{consort, target_dir};
use serde_json::{Value, json};

/// Runs a workflow with `consort run --json`: its exit code and report.
fn run(workflow: &Value) -> (Option<i32>, Value) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("workflow.json");
    fs::write(&file, serde_json::to_string_pretty(workflow).unwrap()).unwrap();
    report(command(&["run", "--json"]).arg(&file))
}

/// The command, with the code it has compiled before.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(consort());
    command.args(args).env("XDG_CACHE_HOME", target_dir().join("agents/cache"));
    command
}

/// What a command that prints JSON ends with: its exit code and report.
fn report(command: &mut Command) -> (Option<i32>, Value) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr);
    let report = serde_json::from_slice(&stdout)
        .unwrap_or_else(|error| panic!("no report ({error}), {status}: {stderr}"));
    (status.code(), report)
}

/// Runs tasks that must all succeed.
fn succeed(workflow: &Value) -> Value {
    let (code, report) = run(workflow);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(report["status"], "succeeded", "{report:#}");
    report
}

// ------------------------------------------------------------------ llama.cpp

/// An agent that asks the real model, as repeatably as it can.
fn model(llama: &Agent, more: &Value) -> Value {
    let mut config = json!({"model": "smollm2", "temperature": 0, "seed": 1, "max_tokens": 16});
    for (key, value) in more.as_object().into_iter().flatten() {
        config[key] = value.clone();
    }
    json!({"adapter": "openai", "url": llama.url(), "config": config})
}

#[test]
#[ignore = "installs a server from PyPI: run 'cargo xtask agents'"]
fn a_real_model_answers_streaming_or_not() {
    let llama = Agent::llama();
    let report = succeed(&json!({
        "agents": {
            "whole": model(&llama, &json!({})),
            "streamed": model(&llama, &json!({"stream": true})),
        },
        "tasks": [
            {"task_id": "whole", "agent": "whole", "description": "Name one colour."},
            {"task_id": "again", "agent": "whole", "description": "Name one colour.", "depends_on": ["streamed"]},
            {"task_id": "streamed", "agent": "streamed", "description": "Name one colour.", "depends_on": ["whole"]},
        ],
    }));
    let tasks = &report["tasks"];
    let said = tasks["whole"]["output"].as_str().unwrap();
    assert!(!said.trim().is_empty());
    for task in ["whole", "streamed"] {
        let usage = &tasks[task]["usage"];
        assert!(usage["input_tokens"].as_u64().unwrap() > 5, "{task}: {usage}");
        let written = usage["output_tokens"].as_u64().unwrap();
        assert!((1..=16).contains(&written), "{task}: {usage}");
        assert!(!usage["model"].as_str().unwrap().is_empty(), "{task}: {usage}");
        assert_eq!(tasks[task]["attempts"], 1);
    }
    let totals = &report["metrics"]["usage"];
    assert!(totals["output_tokens"].as_u64().unwrap() >= 3, "{totals}");
}

/// The same question gets the same answer, which is what makes runs comparable.
#[test]
#[ignore = "installs a server from PyPI: run 'cargo xtask agents'"]
fn a_real_model_at_temperature_zero_repeats_itself() {
    let llama = Agent::llama();
    let workflow = json!({
        "agents": {"model": model(&llama, &json!({}))},
        "tasks": [{"task_id": "ask", "agent": "model", "description": "Say hi in one word."}],
    });
    // The first answer is computed, later ones partly remembered by the server.
    let answers: Vec<Value> =
        (0..3).map(|_| succeed(&workflow)["tasks"]["ask"]["output"].clone()).collect();
    assert_eq!(answers[1], answers[2]);
}

#[test]
#[ignore = "installs a server from PyPI: run 'cargo xtask agents'"]
fn the_second_task_is_told_what_the_first_one_said() {
    let llama = Agent::llama();
    let report = succeed(&json!({
        "agents": {
            "model": model(&llama, &json!({})),
            "echo": {"adapter": "echo"},
        },
        "tasks": [
            {"task_id": "first", "agent": "model", "description": "Name one animal."},
            {
                "task_id": "second",
                "agent": "model",
                "description": "Repeat these words: {{ results.first }}",
                "depends_on": ["first"],
                "transform": [{"transformer": "text", "config": {"trim": true}}],
            },
            {
                "task_id": "asked",
                "agent": "echo",
                "description": "Repeat these words: {{ results.first }}",
                "depends_on": [{"task": "first"}],
            },
        ],
    }));
    let tasks = &report["tasks"];
    let first = tasks["first"]["output"].as_str().unwrap();
    let asked = tasks["asked"]["output"]["description"].as_str().unwrap();
    assert_eq!(asked, format!("Repeat these words: {first}"));
    assert!(!tasks["second"]["output"].as_str().unwrap().is_empty());
    // The question of the second was longer by the answer of the first.
    let tokens = |task: &str| tasks[task]["usage"]["input_tokens"].as_u64().unwrap();
    assert!(tokens("second") > tokens("first"), "{report:#}");
}

#[test]
#[ignore = "installs a server from PyPI: run 'cargo xtask agents'"]
fn a_real_model_fills_in_a_schema() {
    let llama = Agent::llama();
    let schema = json!({
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 10}},
        "required": ["city"],
        "additionalProperties": false,
    });
    let more = json!({"json_schema": schema, "max_tokens": 40});
    let report = succeed(&json!({
        "agents": {"model": model(&llama, &more)},
        "tasks": [{"task_id": "ask", "agent": "model", "description": "Give a city."}],
    }));
    let output = &report["tasks"]["ask"]["output"];
    assert!(output["city"].is_string(), "JSON, not text that looks like it: {output}");
}

#[test]
#[ignore = "installs a server from PyPI: run 'cargo xtask agents'"]
fn a_task_too_long_for_the_model_says_so_and_is_not_retried() {
    let llama = Agent::llama();
    let (code, report) = run(&json!({
        "agents": {"model": model(&llama, &json!({}))},
        "tasks": [{
            "task_id": "ask",
            "agent": "model",
            "description": "word ".repeat(3000),
            "retry_policy": {"max_attempts": 3},
        }],
    }));
    assert_eq!(code, Some(1));
    let task = &report["tasks"]["ask"];
    assert_eq!(task["error"]["kind"], "invalid-input", "{task:#}");
    assert_eq!(task["error"]["code"], "context-length-exceeded", "{task:#}");
    assert_eq!(task["attempts"], 1);
}

// --------------------------------------------------------------------- aimock

/// A task for the mock, which chooses its behaviour by what it is told.
fn ask(id: &str, agent: &str, description: &str, max_attempts: u32) -> Value {
    json!({
        "task_id": id,
        "agent": agent,
        "description": description,
        "retry_policy": {"max_attempts": max_attempts, "backoff": "none"},
        "on_failure": "continue",
    })
}

fn mock(aimock: &Agent) -> Value {
    json!({
        "whole": {"adapter": "openai", "url": aimock.url(), "config": {"model": "gpt-4o"}},
        "streamed": {
            "adapter": "openai",
            "url": aimock.url(),
            "config": {"model": "gpt-4o", "stream": true},
        },
    })
}

#[test]
#[ignore = "installs a server from npm: run 'cargo xtask agents'"]
fn every_way_to_fail_is_the_failure_it_means() {
    let aimock = Agent::aimock();
    let (_, report) = run(&json!({
        "agents": mock(&aimock),
        "tasks": [
            ask("too-many", "whole", "too many requests", 1),
            ask("broken", "whole", "out of order", 2),
            ask("overloaded", "whole", "overloaded", 2),
            ask("garbled", "whole", "garbled", 2),
            ask("gone", "whole", "hangs up", 2),
            ask("cut", "streamed", "cut short", 2),
        ],
    }));
    let expected = [
        ("too-many", "throttled", 1),
        ("broken", "transient", 2),
        ("overloaded", "transient", 2),
        ("garbled", "transient", 2),
        ("gone", "transient", 2),
        ("cut", "transient", 2),
    ];
    for (id, kind, attempts) in expected {
        let task = &report["tasks"][id];
        assert_eq!(task["status"], "failed", "{id}: {task:#}");
        assert_eq!(task["error"]["kind"], kind, "{id}: {task:#}");
        assert_eq!(task["attempts"], attempts, "{id}: {task:#}");
        assert_eq!(task["output"], Value::Null, "{id}: half an answer is none");
        assert_eq!(task["error"]["plugin"], "openai", "{id}: {task:#}");
    }
}

#[test]
#[ignore = "installs a server from npm: run 'cargo xtask agents'"]
fn an_agent_that_is_busy_is_asked_again() {
    let aimock = Agent::aimock();
    let report = succeed(&json!({
        "agents": mock(&aimock),
        "tasks": [ask("busy", "whole", "busy at first", 3)],
    }));
    let task = &report["tasks"]["busy"];
    assert_eq!(task["output"], "thank you for waiting");
    assert_eq!(task["attempts"], 2);
}

#[test]
#[ignore = "installs a server from npm: run 'cargo xtask agents'"]
fn answers_tools_and_usage_arrive_streaming_or_not() {
    let aimock = Agent::aimock();
    let report = succeed(&json!({
        "agents": mock(&aimock),
        "tasks": [
            ask("hello", "whole", "hello", 1),
            ask("hello-streamed", "streamed", "hello", 1),
            ask("counts", "whole", "counts", 1),
            ask("tool", "whole", "calls a tool", 1),
            ask("tool-streamed", "streamed", "calls a tool", 1),
        ],
    }));
    let tasks = &report["tasks"];
    assert_eq!(tasks["hello"]["output"], "hello from afar");
    assert_eq!(tasks["hello-streamed"]["output"], "hello from afar");
    assert_eq!(tasks["counts"]["usage"]["input_tokens"], 11);
    assert_eq!(tasks["counts"]["usage"]["output_tokens"], 22);
    for task in ["tool", "tool-streamed"] {
        let call = &tasks[task]["output"]["tool_calls"][0]["function"];
        assert_eq!(call["name"], "get_weather", "{task}: {tasks:#}");
    }
}
