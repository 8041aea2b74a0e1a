//! Every default plugin in a real host; and those that reach no network, at
//! work.

use std::sync::Arc;

use bytes::Bytes;
use consort_default_plugins::DEFAULT_PLUGINS;
use consort_plugin_host::{
    CallContext, CallError, Candidate, Dependency, Failure, Limits, Payload, Snapshot, Source, Step,
};
use serde_json::{Value, json};

use crate::support::{HOST, adapter, done, invocation, plugin};

#[tokio::test]
async fn every_plugin_loads_and_is_what_it_is_called() {
    for (name, digest, component) in DEFAULT_PLUGINS {
        let plugin = plugin(name).await;
        assert_eq!(&**plugin.name(), *name);
        assert_eq!(*digest, computed_digest(name, component).await, "{name}");
        let schema = plugin.manifest().config_schema.as_ref().expect("a schema");
        assert_eq!(schema["additionalProperties"], false, "{name}");
    }
}

/// The digest that the host finds when it is not told one.
async fn computed_digest(name: &str, component: &[u8]) -> String {
    let source = Source::Bytes { name: name.to_owned(), bytes: component.to_vec() };
    let plugin = HOST.load(&source).await.expect("it has loaded before");
    plugin.digest().to_string()
}

#[tokio::test]
async fn echo_answers_with_the_question() {
    let echo = adapter("echo").await;
    let cx = CallContext::new(Limits::DEFAULT);
    let mut call = invocation("hello");
    assert_eq!(done(echo.start(&call, &cx).await).output, Payload::Text("hello".into()));

    call.input = Some(Payload::Json("[1]".into()));
    call.dependencies = vec![Dependency {
        name: "before".into(),
        task: "a".into(),
        value: Payload::Blob { media_type: "a/b".into(), data: Bytes::from_static(b"\xff") },
    }];
    let Payload::Json(output) = done(echo.start(&call, &cx).await).output else {
        panic!("expected JSON")
    };
    let expected = json!({"description": "hello", "input": [1],
        "dependencies": {"before": {"media_type": "a/b", "base64": "/w=="}}});
    assert_eq!(serde_json::from_str::<Value>(&output).expect("JSON"), expected);
}

#[tokio::test]
async fn an_adapter_without_remote_work_refuses_resume_and_accepts_cancel() {
    let echo = adapter("echo").await;
    let cx = CallContext::new(Limits::DEFAULT);
    let resumed = echo.resume(&invocation(""), Bytes::new(), None, &cx).await;
    assert!(matches!(resumed, Err(CallError::Failed(Failure::Permanent(_)))), "{resumed:?}");
    assert!(echo.cancel(&invocation(""), Bytes::new(), &cx).await.is_ok());
}

#[tokio::test]
async fn an_adapter_stays_within_small_limits() {
    let echo = adapter("echo").await;
    let limits = Limits { fuel: 50_000, memory: 4 << 20, ..Limits::DEFAULT };
    let step = echo.start(&invocation("hello"), &CallContext::new(limits)).await;
    assert!(matches!(step, Ok(Step::Done(_))), "{step:?}");
}

fn candidate(id: u32) -> Candidate {
    Candidate {
        id,
        kind: 0,
        agent: 1,
        priority: 5,
        attempt: 1,
        ready_at: 1_000,
        deadline: None,
        expected: 100,
        remaining_path: 100,
        dependents: 0,
        depth: 0,
    }
}

/// The scores of a policy with this configuration.
async fn scores(policy: &str, config: &str, batch: &[Candidate]) -> Vec<f64> {
    let mut policy = plugin(policy).await.prioritizer().expect("it is a prioritizer");
    let mut cx = CallContext::new(Limits::DEFAULT);
    cx.config = config.into();
    let names: Arc<[Arc<str>]> = [Arc::from("task"), Arc::from("agent")].into();
    let now = Snapshot { now: 2_000, names, ready: 2, running: 0, slots: 1 };
    policy.score(&batch[..1], &now, &cx).await.expect("the first call scores");
    policy.score(batch, &now, &cx).await.expect("a warm instance scores")
}

#[tokio::test]
async fn the_policies_score() {
    let urgent = Candidate { priority: 6, ready_at: 2_000, ..candidate(0) };
    let batch = [candidate(1), urgent];
    assert_eq!(scores("priority", "{}", &batch).await, [299_000.0, 358_000.0]);
    assert_eq!(scores("priority", r#"{"ageing": 0.5}"#, &batch).await, [1_500.0, 1_000.0]);

    let long = Candidate { remaining_path: 101, priority: 1, ..candidate(0) };
    assert_eq!(scores("critical-path", "{}", &[candidate(1), long]).await, [1_605.0, 1_617.0]);

    let due = |deadline| Candidate { deadline: Some(deadline), ..candidate(0) };
    let ranked = scores("deadline", "{}", &[candidate(1), due(90_000), due(80_000)]).await;
    assert!(ranked[0] < ranked[1] && ranked[1] < ranked[2], "{ranked:?}");
}

#[tokio::test]
async fn a_large_batch_is_scored_within_the_default_limits() {
    let batch: Vec<Candidate> = (0..100_000).map(candidate).collect();
    for policy in ["priority", "critical-path", "deadline"] {
        assert_eq!(scores(policy, "{}", &batch).await.len(), batch.len(), "{policy}");
    }
}
