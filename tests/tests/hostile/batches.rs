//! Answers to several tasks that nobody wants: the error is that of all of them.

use consort_plugin_host::{CallError, Fault, FaultKind, LimitKind, Step};
use consort_tests::lab::{LIMITS, Lab, broken_limit, fault, short};

consort_hostile_adapter::batch_behaviours!(assert_tests_exist);

type Answers = Result<Vec<Result<Step, CallError>>, CallError>;

/// Three tasks, the first of which says what is to happen.
async fn misbehave(lab: &Lab, behaviour: &str) -> Answers {
    let adapter = lab.hostile_adapter().await;
    assert!(adapter.batches());
    let calls = [behaviour, "look_around", "look_around"].map(|text| lab.invocation(text));
    adapter.start_batch(&calls, &lab.context()).await
}

async fn whole(behaviour: &str) -> Fault {
    let fault = fault(misbehave(&Lab::new().await, behaviour).await);
    assert_eq!(fault.function, "start-batch");
    fault
}

async fn breaks_contract(behaviour: &str) -> String {
    match whole(behaviour).await.kind {
        FaultKind::Contract(what) => what,
        other => panic!("not a contract violation: {}", short(&other)),
    }
}

#[tokio::test]
async fn batch_too_short() {
    assert_eq!(breaks_contract("batch_too_short").await, "it returned 2 answers to 3 calls");
}

#[tokio::test]
async fn batch_too_long() {
    assert_eq!(breaks_contract("batch_too_long").await, "it returned 4 answers to 3 calls");
}

#[tokio::test]
async fn batch_empty() {
    assert_eq!(breaks_contract("batch_empty").await, "it returned 0 answers to 3 calls");
}

#[tokio::test]
async fn batch_invalid_json() {
    let what = breaks_contract("batch_invalid_json").await;
    assert!(what.contains("answer number 1") && what.contains("not JSON"), "{what}");
}

#[tokio::test]
async fn batch_trap() {
    let fault = whole("batch_trap").await;
    assert!(matches!(fault.kind, FaultKind::Trap { .. }), "{fault}");
}

#[tokio::test]
async fn batch_over_fuel() {
    let (allowed, _) = broken_limit(&whole("batch_over_fuel").await, LimitKind::Fuel);
    assert_eq!(allowed, LIMITS.fuel);
}

#[tokio::test]
async fn batch_huge() {
    let (allowed, used) = broken_limit(&whole("batch_huge").await, LimitKind::Output);
    assert_eq!((allowed, used), (LIMITS.output, 3 * (5 << 20)));
}

/// Who asked is not known, so a failure is explained by what was refused; what
/// succeeded is not touched by it.
#[tokio::test]
async fn batch_ask_denied_host() {
    let answers = misbehave(&Lab::new().await, "batch_ask_denied_host").await;
    let mut answers = answers.expect("the call itself is fine").into_iter();
    let fault = fault(answers.next().expect("three answers"));
    assert!(matches!(fault.kind, FaultKind::Denied { .. }), "{fault}");
    assert!(answers.all(|answer| answer.is_ok()));
}

/// A call with an empty answer list, or of a plugin that has no such export, is
/// not made.
#[tokio::test]
async fn an_adapter_without_the_export_does_not_batch() {
    let lab = Lab::new().await;
    let plugin = lab.load(&consort_tests::guests::source("relay")).await.expect("it loads");
    assert!(!plugin.adapter().expect("it is an adapter").batches());
}
