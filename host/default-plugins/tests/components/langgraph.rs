//! The langgraph adapter, in a real host, with a server that answers as
//! LangGraph's does.

use std::sync::Arc;

use bytes::Bytes;
use consort_plugin_host::egress::{Grants, Placeholder, Secret, SecretGrant};
use consort_plugin_host::{CallError, Failure, Payload, Pending, Question, Step};
use serde_json::{Value, json};

use crate::support::{Ear, Server, adapter, call_to, chunked, done, failed, response};

const JSON: &str = "application/json";

fn answer(status: u16, body: &Value) -> String {
    response(status, &[], JSON, &body.to_string())
}

fn run(id: &str, status: &str) -> Value {
    json!({"run_id": id, "status": status, "metadata": {}, "created_at": "2026-11-26T13:57:07"})
}

fn state(values: &Value, interrupts: &Value) -> Value {
    json!({"values": values, "next": [], "tasks": [], "interrupts": interrupts})
}

fn pending(result: Result<Step, CallError>) -> Pending {
    match result {
        Ok(Step::Pending(pending)) => pending,
        other => panic!("expected to wait: {other:?}"),
    }
}

fn question(result: Result<Step, CallError>) -> Question {
    match result {
        Ok(Step::NeedsInput(question)) => question,
        other => panic!("expected a question: {other:?}"),
    }
}

fn left(checkpoint: &Bytes) -> Value {
    serde_json::from_slice(checkpoint).expect("a checkpoint is JSON")
}

/// The request lines, without the thread.
fn lines(server: &Server) -> Vec<String> {
    let received = server.received();
    let thread = received[1].json()["thread_id"].as_str().expect("it is made").to_owned();
    let line = |head: &str| head.lines().next().unwrap_or_default().replace(&thread, "T");
    received
        .iter()
        .map(|request| line(&request.head).trim_end_matches(" HTTP/1.1").to_owned())
        .collect()
}

/// From the start through a question to the result, each call on an instance of
/// its own.
#[tokio::test]
async fn a_graph_is_started_asked_after_answered_and_read() {
    let asks = json!([{"id": "i1", "value": {"question": "which city?"}}]);
    let message = json!({"type": "ai", "content": "Oslo it is",
        "usage_metadata": {"input_tokens": 3, "output_tokens": 5}});
    let server = Server::start(vec![
        answer(404, &json!({"detail": "no such thread"})),
        answer(200, &json!({})),
        answer(200, &run("r1", "pending")),
        answer(200, &run("r1", "running")),
        answer(200, &run("r1", "success")),
        answer(200, &state(&json!({}), &asks)),
        answer(200, &json!([run("r1", "success")])),
        answer(200, &run("r2", "pending")),
        answer(200, &run("r2", "success")),
        answer(200, &state(&json!({"messages": [message]}), &json!([]))),
    ])
    .await;
    let (call, mut cx) = call_to(&format!("{}/base/", server.url), &json!({}));
    let ear = Arc::new(Ear::default());
    cx.observer = Some(ear.clone());
    let graph = adapter("langgraph").await;

    let begun = pending(graph.start(&call, &cx).await);
    let going = pending(graph.resume(&call, begun.checkpoint, None, &cx).await);
    assert_eq!(going.message.as_deref(), Some("running at the server"));
    assert_eq!(going.poll_after.as_millis(), 1000);
    let asked = question(graph.resume(&call, going.checkpoint, None, &cx).await);
    assert_eq!(asked.prompt, r#"{"question":"which city?"}"#);
    let told = Some(Payload::Text("Oslo".into()));
    let told = pending(graph.resume(&call, asked.checkpoint, told, &cx).await);
    assert_eq!(left(&told.checkpoint)["run"], "r2");
    let outcome = done(graph.resume(&call, told.checkpoint, None, &cx).await);
    assert_eq!(outcome.output, Payload::Text("Oslo it is".into()));
    let usage = outcome.usage.expect("the messages say it");
    assert_eq!((usage.input_tokens, usage.output_tokens), (Some(3), Some(5)));

    let list =
        "GET /base/threads/T/runs?select=run_id&select=status&select=metadata&select=created_at";
    assert_eq!(
        lines(&server),
        [
            list,
            "POST /base/threads",
            "POST /base/threads/T/runs",
            "GET /base/threads/T/runs/r1",
            "GET /base/threads/T/runs/r1",
            "GET /base/threads/T/state",
            list,
            "POST /base/threads/T/runs",
            "GET /base/threads/T/runs/r2",
            "GET /base/threads/T/state",
        ]
    );
    let received = server.received();
    assert_eq!(received[2].json()["input"]["messages"][0]["content"], "Say hi");
    assert_eq!(received[7].json()["command"]["resume"], "Oslo");
    assert_eq!(ear.log.lock().expect("no observer panics").len(), 2);
}

#[tokio::test]
async fn the_key_is_sent_to_the_server() {
    let server = Server::json(200, &json!([run("r1", "running")])).await;
    let placeholder = Placeholder::new();
    let (call, mut cx) = call_to(&server.url, &json!({"api_key": placeholder.as_str()}));
    let secret = SecretGrant {
        placeholder,
        value: Secret::new("s3cret").expect("a secret"),
        to: vec![server.url.parse().expect("a rule")],
    };
    cx.grants = Arc::new(Grants { secrets: vec![secret], ..(*cx.grants).clone() });
    pending(adapter("langgraph").await.start(&call, &cx).await);
    assert_eq!(server.received()[0].header("x-api-key"), Some("s3cret"));
}

#[tokio::test]
async fn an_error_under_a_good_status_is_an_error() {
    let error = json!({"__error__": {"error": "ValueError", "message": "bad tool"}});
    let server = Server::start(vec![
        answer(200, &run("r1", "error")),
        // Signs of life come before the document.
        chunked(JSON, &["\n".into(), "\n".into(), error.to_string()], false),
        answer(200, &state(&json!({}), &json!([]))),
    ])
    .await;
    let (call, cx) = call_to(&server.url, &json!({}));
    let checkpoint = Bytes::from_static(br#"{"thread": "t", "run": "r1"}"#);
    let failure = failed(adapter("langgraph").await.resume(&call, checkpoint, None, &cx).await);
    let Failure::Permanent(problem) = failure else { panic!("{failure:?}") };
    assert_eq!(problem.message, "the graph failed: ValueError: bad tool");
}

#[tokio::test]
async fn a_server_in_trouble_is_asked_again_and_one_that_never_was_there_is_not() {
    let server = Server::start(vec![
        response(500, &[], "text/plain", "Internal Server Error"),
        // Half an answer.
        answer(200, &run("r1", "running")).replace("content-length: ", "content-length: 9"),
        response(500, &[], "text/plain", "Internal Server Error"),
    ])
    .await;
    let graph = adapter("langgraph").await;
    let (call, cx) = call_to(&server.url, &json!({"poll_interval": 0.01}));
    let checkpoint = Bytes::from_static(br#"{"thread": "t", "run": "r1"}"#);
    let once = pending(graph.resume(&call, checkpoint, None, &cx).await);
    let twice = pending(graph.resume(&call, once.checkpoint, None, &cx).await);
    assert_eq!(left(&twice.checkpoint)["misses"], 2);
    let Failure::Transient(problem) = failed(graph.start(&call, &cx).await) else { panic!() };
    assert!(problem.message.ends_with("500: Internal Server Error"), "{problem:?}");
}

#[tokio::test]
async fn a_run_is_stopped_or_has_ended() {
    let server = Server::start(vec![
        response(202, &[], JSON, ""),
        answer(404, &json!({"detail": "No matching runs to cancel."})),
    ])
    .await;
    let graph = adapter("langgraph").await;
    let (call, cx) = call_to(&server.url, &json!({}));
    let checkpoint = Bytes::from_static(br#"{"thread": "t", "run": "r1"}"#);
    for _ in 0..2 {
        graph.cancel(&call, checkpoint.clone(), &cx).await.expect("that is success");
    }
    let line = "POST /threads/t/runs/r1/cancel?wait=false&action=interrupt HTTP/1.1";
    assert!(server.received()[0].head.starts_with(line), "{:?}", server.received());
}
