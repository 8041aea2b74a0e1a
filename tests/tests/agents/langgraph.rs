//! LangGraph's own server, and graphs that do as they are told.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use consort_default_plugins::DEFAULT_PLUGINS;
use consort_plugin_host::egress::Grants;
use consort_plugin_host::{CallContext, EmbeddedPlugin, Outcome, Payload, Question, Source, Step};
use consort_tests::agents::Agent;
use consort_tests::lab::{LIMITS, Lab};
use serde_json::{Value, json};

use crate::{command, report, run};

fn agents(server: &Agent) -> Value {
    let graph =
        |config: Value| json!({"adapter": "langgraph", "url": server.url(), "config": config});
    json!({
        "agent": graph(json!({"poll_interval": 0.2})),
        "data": graph(json!({
            "assistant": "data",
            "input": {"numbers": "{{ input }}"},
            "answer": "sum",
            "poll_interval": 0.2,
        })),
        "nobody": graph(json!({"assistant": "nobody"})),
    })
}

fn task(id: &str, agent: &str, description: &str) -> Value {
    json!({
        "task_id": id,
        "agent": agent,
        "description": description,
        "on_failure": "continue",
        "retry_policy": {"max_attempts": 2, "backoff": "none"},
    })
}

/// The runs at the server that a task has, on all its threads.
fn runs(server: &Agent, task: &str) -> Vec<Value> {
    let search = json!({"metadata": {"consort_task": task}});
    let threads = server.ask("/threads/search", Some(&search));
    let of = |thread: &Value| {
        let thread = thread["thread_id"].as_str().unwrap();
        server.ask(&format!("/threads/{thread}/runs"), None).as_array().unwrap().clone()
    };
    threads.as_array().unwrap().iter().flat_map(of).collect()
}

fn statuses(server: &Agent, task: &str) -> Vec<String> {
    let status = |run: &Value| run["status"].as_str().unwrap().to_owned();
    runs(server, task).iter().map(status).collect()
}

/// Waits until something holds; panics when it does not in a minute.
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain: {what}");
        sleep(Duration::from_millis(5));
    }
}

#[test]
#[ignore = "installs a server from PyPI: run 'cargo xtask agents'"]
fn graphs_answer_fail_ask_and_take_their_time() {
    let server = Agent::langgraph();
    let mut sum = task("sum", "data", "");
    sum["input"] = json!([1, 2, 3]);
    let mut second = task("second", "agent", "say");
    second["depends_on"] = json!(["hello"]);
    let (code, report) = run(&json!({
        "agents": agents(&server),
        "tasks": [
            task("hello", "agent", "hello"),
            second,
            task("slow", "agent", "slow 3"),
            sum,
            task("fails", "agent", "fail now"),
            task("asks", "agent", "ask"),
            task("nobody", "nobody", "hello"),
        ],
    }));
    assert_eq!(code, Some(0), "every failure may be gone on from: {report:#}");
    let tasks = &report["tasks"];
    for (id, output) in [
        ("hello", json!("echo: hello")),
        ("second", json!("echo: Result of hello\n\necho: hello")),
        ("slow", json!("echo: 3")),
        ("sum", json!(6)),
    ] {
        assert_eq!(tasks[id]["output"], output, "{:#}", tasks[id]);
        assert_eq!(tasks[id]["attempts"], 1, "{:#}", tasks[id]);
        assert_eq!(statuses(&server, id), ["success"]);
    }
    let usage = json!({"input_tokens": 3, "output_tokens": 5, "cost": null, "model": "echo-1"});
    assert_eq!(tasks["hello"]["usage"], usage);
    for (id, kind, says) in [
        ("fails", "permanent", "the graph failed: ValueError: node failed: now"),
        ("asks", "needs-input", r#"the agent asks '{"question":"which city?"}'"#),
        ("nobody", "invalid-input", "Invalid assistant: 'nobody'"),
    ] {
        let error = &tasks[id]["error"];
        assert_eq!(error["kind"], kind, "{id}: {error:#}");
        assert!(error["message"].as_str().unwrap().contains(says), "{id}: {error:#}");
        assert_eq!(tasks[id]["attempts"], 1, "{id}: {error:#}");
    }
}

/// The attempt runs out of time, and so does the next, which must not take the
/// run that is being stopped for its own.
#[test]
#[ignore = "installs a server from PyPI: run 'cargo xtask agents'"]
fn a_graph_out_of_time_stops_at_the_server() {
    let server = Agent::langgraph();
    let mut slow = task("slow", "agent", "slow 60");
    slow["timeout"] = json!(3);
    let (code, report) = run(&json!({"agents": agents(&server), "tasks": [slow]}));
    assert_eq!(code, Some(0), "{report:#}");
    let task = &report["tasks"]["slow"];
    assert_eq!(task["error"]["kind"], "timeout", "{task:#}");
    assert_eq!(task["attempts"], 2, "{task:#}");
    wait_until("both runs are stopped", || {
        statuses(&server, "slow") == ["interrupted", "interrupted"]
    });
}

/// The adapter alone, as the engine cannot answer agents yet: a start that is
/// repeated, a question, its answer, twice.
#[tokio::test]
#[ignore = "installs a server from PyPI: run 'cargo xtask agents'"]
async fn a_question_is_answered_and_nothing_happens_twice() {
    let server = Agent::langgraph();
    let mut lab = Lab::new().await;
    lab.config = json!({"poll_interval": 0.2}).to_string().into();
    lab.allow(server.url());
    let (name, digest, component) =
        DEFAULT_PLUGINS.iter().find(|plugin| plugin.0 == "langgraph").unwrap();
    let source = Source::Embedded(Box::leak(Box::new(EmbeddedPlugin { name, digest, component })));
    let adapter = lab.load(&source).await.unwrap().adapter().unwrap();
    let mut call = lab.invocation("ask");
    call.endpoint = Some(server.url().into());
    let mut cx = CallContext::new(LIMITS);
    cx.config = Arc::clone(&lab.config);
    let endpoint = Some(server.url().parse().unwrap());
    cx.grants = Arc::new(Grants { endpoint, ..lab.grants.clone() });

    let Step::Pending(first) = adapter.start(&call, &cx).await.unwrap() else { panic!() };
    let Step::Pending(again) = adapter.start(&call, &cx).await.unwrap() else { panic!() };
    assert_eq!(first.checkpoint, again.checkpoint);
    assert_eq!(runs(&server, "task").len(), 1);

    let mut step = Step::Pending(again);
    let Question { prompt, checkpoint, .. } = loop {
        match step {
            Step::Pending(pending) => {
                tokio::time::sleep(pending.poll_after).await;
                step = adapter.resume(&call, pending.checkpoint, None, &cx).await.unwrap();
            }
            Step::NeedsInput(question) => break question,
            Step::Done(outcome) => panic!("it did not ask: {outcome:?}"),
        }
    };
    assert_eq!(prompt, r#"{"question":"which city?"}"#);

    let answer = || Some(Payload::Text("Oslo".into()));
    let told = adapter.resume(&call, checkpoint.clone(), answer(), &cx).await.unwrap();
    let again = adapter.resume(&call, checkpoint, answer(), &cx).await.unwrap();
    let (Step::Pending(told), Step::Pending(again)) = (told, again) else { panic!() };
    assert_eq!(told.checkpoint, again.checkpoint);
    let mut step = Step::Pending(again);
    let outcome: Outcome = loop {
        match step {
            Step::Pending(pending) => {
                tokio::time::sleep(pending.poll_after).await;
                step = adapter.resume(&call, pending.checkpoint, None, &cx).await.unwrap();
            }
            Step::Done(outcome) => break outcome,
            Step::NeedsInput(question) => panic!("it asks again: {question:?}"),
        }
    };
    assert_eq!(outcome.output, Payload::Text("echo: Oslo".into()));
    assert_eq!(statuses(&server, "task"), ["success", "success"]);
}

/// Runs a graph that takes 5 s, kills the command when `now` holds, and goes on.
fn kill_and_resume(server: &Agent, id: &str, now: impl FnMut() -> bool) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("workflow.json");
    let store = folder.path().join("runs.db");
    let workflow = json!({"agents": agents(server), "tasks": [task(id, "agent", "slow 5")]});
    std::fs::write(&file, workflow.to_string()).unwrap();
    let mut consort = command(&["run", "--store"])
        .args([&store, &file])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the run has begun", now);
    // SIGKILL: it can do nothing more.
    consort.kill().unwrap();
    consort.wait().unwrap();

    let (_, list) = on_store("list", &[], &store);
    assert_eq!(list[0]["status"], "running", "{list:#}");
    let (code, report) = on_store("resume", &[list[0]["id"].as_str().unwrap()], &store);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(report["tasks"][id]["output"], "echo: 5", "{report:#}");
    assert_eq!(report["tasks"][id]["attempts"], 1, "{report:#}");
    assert_eq!(statuses(server, id), ["success"], "one run, not two");
}

fn on_store(name: &str, args: &[&str], store: &Path) -> (Option<i32>, Value) {
    report(command(&[name, "--json"]).args(args).arg("--store").arg(store))
}

#[test]
#[ignore = "installs a server from PyPI: run 'cargo xtask agents'"]
fn a_graph_outlives_the_command_that_is_killed() {
    let server = Agent::langgraph();
    // While it is being polled, and in the middle of what starts it.
    kill_and_resume(&server, "polled", || statuses(&server, "polled") == ["running"]);
    for round in 0..3 {
        let id = format!("started-{round}");
        let search = json!({"metadata": {"consort_task": id}});
        let has_thread = || {
            let threads = server.ask("/threads/search", Some(&search));
            threads.as_array().is_some_and(|threads| !threads.is_empty())
        };
        kill_and_resume(&server, &id, has_thread);
    }
}
