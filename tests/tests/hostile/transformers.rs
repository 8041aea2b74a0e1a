//! Hostile transformers.

use consort_plugin_host::{
    CallError, Complaint, Failure, FaultKind, LimitKind, Payload, TransformContext,
};
use consort_tests::guests;
use consort_tests::lab::{Lab, fault};
use serde_json::json;

consort_hostile_transformer::transformer_behaviours!(assert_tests_exist);
consort_hostile_transformer::check_behaviours!(assert_tests_exist);

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

async fn check(behaviour: &str) -> Result<Vec<Complaint>, CallError> {
    let mut lab = Lab::new().await;
    lab.config = json!({ "do": behaviour }).to_string().into();
    let plugin = lab.load(&guests::source("hostile-transformer")).await.unwrap();
    plugin.transformer().unwrap().check(&lab.context()).await
}

async fn check_fault(behaviour: &str) -> FaultKind {
    let fault = fault(check(behaviour).await);
    assert_eq!((&*fault.plugin, fault.function), ("hostile-transformer", "check"));
    fault.kind
}

#[tokio::test]
async fn a_configuration_without_fault_gets_no_complaint() {
    assert_eq!(check("fail").await.unwrap(), []);
}

#[tokio::test]
async fn check_spin() {
    let kind = check_fault("check_spin").await;
    assert!(matches!(kind, FaultKind::Limit { limit: LimitKind::Fuel, .. }), "{kind}");
}

#[tokio::test]
async fn check_trap() {
    assert!(matches!(check_fault("check_trap").await, FaultKind::Trap { .. }));
}

/// As many as the output limit allows: whoever shows them has bounds of its own.
#[tokio::test]
async fn check_flood() {
    assert_eq!(check("check_flood").await.unwrap().len(), 100_000);
}

#[tokio::test]
async fn check_huge() {
    let kind = check_fault("check_huge").await;
    assert!(matches!(kind, FaultKind::Limit { limit: LimitKind::Output, .. }), "{kind}");
}

#[tokio::test]
async fn check_nonsense() {
    let complaints = check("check_nonsense").await.unwrap();
    assert_eq!(complaints[0].path, "~~/\u{1b}[2J/nowhere/0");
}

#[tokio::test]
async fn check_the_network() {
    match check("check_the_network").await {
        Ok(complaints) => assert_eq!(complaints.len(), 1, "{complaints:?}"),
        Err(error) => panic!("{error}"),
    }
}

/// A plugin that has no such export is not asked.
#[tokio::test]
async fn a_transformer_without_the_export_does_not_check() {
    let lab = Lab::new().await;
    let plugin = lab.load(&guests::source("echo")).await.unwrap();
    assert!(!plugin.checks());
}
