//! Hostile transformers.

use consort_plugin_host::{CallError, Failure, FaultKind, LimitKind, Payload, TransformContext};
use consort_tests::guests;
use consort_tests::lab::{Lab, fault};
use serde_json::json;

consort_hostile_transformer::transformer_behaviours!(assert_tests_exist);

async fn transform(lab: &Lab, behaviour: &str) -> Result<Payload, CallError> {
    let config = json!({ "do": behaviour }).to_string();
    let plugin = lab.load(&guests::source("hostile-transformer")).await.unwrap();
    let context = TransformContext {
        run_id: "run".into(),
        task_id: "task".into(),
        for_task: None,
        metadata: "{}".into(),
        config: config.as_str().into(),
    };
    let value = Payload::Text("value".into());
    plugin.transformer().unwrap().transform(value, &context, &lab.context()).await
}

async fn fault_kind(behaviour: &str) -> FaultKind {
    let fault = fault(transform(&Lab::new().await, behaviour).await);
    assert_eq!(&*fault.plugin, "hostile-transformer");
    assert_eq!(&*fault.digest, guests::component("hostile-transformer").1);
    assert_eq!(fault.function, "transform");
    fault.kind
}

async fn failure(behaviour: &str) -> Failure {
    match transform(&Lab::new().await, behaviour).await {
        Err(CallError::Failed(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn spin() {
    assert!(matches!(fault_kind("spin").await, FaultKind::Limit { limit: LimitKind::Fuel, .. }));
}

#[tokio::test]
async fn trap() {
    assert!(matches!(fault_kind("trap").await, FaultKind::Trap { .. }));
}

#[tokio::test]
async fn panic() {
    assert!(matches!(fault_kind("panic").await, FaultKind::Trap { stderr: Some(_), .. }));
}

#[tokio::test]
async fn invalid_json() {
    assert!(matches!(fault_kind("invalid_json").await, FaultKind::Contract(_)));
}

#[tokio::test]
async fn huge_value() {
    let kind = fault_kind("huge_value").await;
    assert!(matches!(kind, FaultKind::Limit { limit: LimitKind::Output, .. }), "{kind}");
}

#[tokio::test]
async fn fail() {
    match failure("fail").await {
        Failure::Permanent(problem) => assert_eq!(problem.code.as_deref(), Some("displeased")),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn throttle() {
    assert!(matches!(failure("throttle").await, Failure::Throttled { retry_after: Some(_), .. }));
}

#[tokio::test]
async fn ask_the_network() {
    let kind = fault_kind("ask_the_network").await;
    assert!(matches!(kind, FaultKind::Denied { .. }), "{kind}");
}
