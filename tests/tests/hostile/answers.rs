//! Answers nobody wants.

use std::time::Duration;

use consort_plugin_host::{CallError, Failure, FaultKind, LimitKind, Outcome, Step};
use consort_tests::lab::{LIMITS, Lab, short};

consort_hostile_adapter::answer_behaviours!(assert_tests_exist);

async fn breaks_output(behaviour: &str) {
    let (allowed, used) = Lab::new().await.broken_limit(behaviour, LimitKind::Output).await;
    assert_eq!(allowed, LIMITS.output);
    assert!(used > allowed, "{used}");
}

async fn breaks_contract(behaviour: &str) -> String {
    let fault = Lab::new().await.fault(behaviour).await;
    match fault.kind {
        FaultKind::Contract(what) => what,
        other => panic!("not a contract violation: {}", short(&other)),
    }
}

#[tokio::test]
async fn huge_text() {
    breaks_output("huge_text").await;
}

#[tokio::test]
async fn huge_json() {
    breaks_output("huge_json").await;
}

#[tokio::test]
async fn huge_blob() {
    breaks_output("huge_blob").await;
}

#[tokio::test]
async fn huge_spawn() {
    breaks_output("huge_spawn").await;
}

#[tokio::test]
async fn huge_question() {
    breaks_output("huge_question").await;
}

#[tokio::test]
async fn huge_failure() {
    breaks_output("huge_failure").await;
}

#[tokio::test]
async fn huge_checkpoint() {
    assert!(breaks_contract("huge_checkpoint").await.contains("65537 bytes"));
}

#[tokio::test]
async fn invalid_json() {
    assert!(breaks_contract("invalid_json").await.contains("not JSON"));
}

#[tokio::test]
async fn invalid_utf8() {
    assert!(breaks_contract("invalid_utf8").await.contains("utf-8"));
}

/// Nobody who reads it can be made to recurse a million times.
#[tokio::test]
async fn deep_json() {
    assert!(breaks_contract("deep_json").await.contains("JSON"));
}

#[tokio::test]
async fn invalid_failure_detail() {
    let what = breaks_contract("invalid_failure_detail").await;
    assert!(what.contains("detail"), "{what}");
}

/// Token counts cannot be checked; a price that is no number is no price.
#[tokio::test]
async fn nan_usage() {
    let step = Lab::new().await.misbehave("nan_usage").await.unwrap();
    let Step::Done(Outcome { usage: Some(usage), .. }) = step else { panic!("{step:?}") };
    assert_eq!(usage.cost, None);
    assert_eq!(usage.input_tokens, Some(u64::MAX));
}

/// What may be spawned is for the run to say: the host passes it on as text.
#[tokio::test]
async fn spawn_nonsense() {
    let step = Lab::new().await.misbehave("spawn_nonsense").await.unwrap();
    let Step::Done(Outcome { spawn, .. }) = step else { panic!("{step:?}") };
    assert_eq!(spawn, ["this is no task"]);
}

#[tokio::test]
async fn pending_forever() {
    let step = Lab::new().await.misbehave("pending_forever").await.unwrap();
    let Step::Pending(pending) = step else { panic!("{step:?}") };
    assert_eq!(pending.poll_after, Duration::from_millis(u64::MAX));
    assert_eq!(pending.fraction, None, "NaN is no fraction");
}

#[tokio::test]
async fn throttled_forever() {
    match Lab::new().await.misbehave("throttled_forever").await {
        Err(CallError::Failed(Failure::Throttled { retry_after, .. })) => {
            assert_eq!(retry_after, Some(Duration::from_millis(u64::MAX)));
        }
        other => panic!("{other:?}"),
    }
}
