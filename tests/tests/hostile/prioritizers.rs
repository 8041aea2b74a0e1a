//! Hostile prioritizers. The engine uses its built-in order after any of these
//! errors; here is what the host tells it.

use consort_plugin_host::{
    CallError, Candidate, Failure, FaultKind, LimitKind, Prioritizer, Snapshot,
};
use consort_tests::guests;
use consort_tests::lab::{Lab, broken_limit, fault};
use serde_json::json;

consort_hostile_prioritizer::prioritizer_behaviours!(assert_tests_exist);

async fn policy(lab: &mut Lab, behaviour: &str) -> Prioritizer {
    lab.config = json!({ "do": behaviour }).to_string().into();
    let plugin = lab.load(&guests::source("hostile-prioritizer")).await.unwrap();
    plugin.prioritizer().unwrap()
}

fn batch(length: u32) -> Vec<Candidate> {
    let candidate = |id| Candidate {
        id,
        kind: 0,
        agent: 1,
        priority: 5,
        attempt: 1,
        ready_at: 0,
        deadline: None,
        expected: 1000,
        remaining_path: 1000,
        dependents: 0,
        depth: 0,
    };
    (0..length).map(candidate).collect()
}

fn snapshot() -> Snapshot {
    let names = ["task".into(), "agent".into()].into();
    Snapshot { now: 0, names, ready: 3, running: 0, slots: 2 }
}

async fn score(lab: &mut Lab, behaviour: &str) -> Result<Vec<f64>, CallError> {
    let mut policy = policy(lab, behaviour).await;
    policy.score(&batch(3), &snapshot(), &lab.context()).await
}

async fn fault_kind(behaviour: &str) -> FaultKind {
    let fault = fault(score(&mut Lab::new().await, behaviour).await);
    assert_eq!(&*fault.plugin, "hostile-prioritizer");
    assert_eq!(&*fault.digest, guests::component("hostile-prioritizer").1);
    assert_eq!(fault.function, "score");
    fault.kind
}

async fn contract(behaviour: &str) -> String {
    match fault_kind(behaviour).await {
        FaultKind::Contract(what) => what,
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
    let FaultKind::Trap { stderr: Some(_), .. } = fault_kind("panic").await else {
        panic!("a panic explains itself");
    };
}

#[tokio::test]
async fn too_short() {
    assert_eq!(contract("too_short").await, "it returned 2 scores for 3 candidates");
}

#[tokio::test]
async fn too_long() {
    assert_eq!(contract("too_long").await, "it returned 4 scores for 3 candidates");
}

#[tokio::test]
async fn empty() {
    assert_eq!(contract("empty").await, "it returned 0 scores for 3 candidates");
}

#[tokio::test]
async fn not_a_number() {
    assert!(contract("not_a_number").await.contains("NaN"));
}

#[tokio::test]
async fn infinite() {
    let scores = score(&mut Lab::new().await, "infinite").await.unwrap();
    assert_eq!(scores, [f64::NEG_INFINITY, 0.0, f64::INFINITY]);
}

#[tokio::test]
async fn huge_list() {
    let kind = fault_kind("huge_list").await;
    assert!(matches!(kind, FaultKind::Limit { limit: LimitKind::Output, .. }), "{kind}");
}

#[tokio::test]
async fn refuse() {
    match score(&mut Lab::new().await, "refuse").await {
        Err(CallError::Failed(Failure::Other(message))) => {
            assert_eq!(message, "this policy has no opinion");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn huge_refusal() {
    let kind = fault_kind("huge_refusal").await;
    assert!(matches!(kind, FaultKind::Limit { limit: LimitKind::Output, .. }), "{kind}");
}

#[tokio::test]
async fn exit() {
    assert_eq!(fault_kind("exit").await, FaultKind::Exit { success: true });
}

#[tokio::test]
async fn sleep() {
    let mut lab = Lab::new().await;
    lab.limits.time = 50;
    broken_limit(&fault(score(&mut lab, "sleep").await), LimitKind::Time);
}

/// A warm instance may keep state, and no more of it than one call may use.
#[tokio::test]
async fn hoard_between_calls() {
    let mut lab = Lab::new().await;
    let mut policy = policy(&mut lab, "hoard_between_calls").await;
    let mut good = 0;
    let broken = loop {
        match policy.score(&batch(3), &snapshot(), &lab.context()).await {
            Ok(_) => good += 1,
            error => break fault(error),
        }
        assert!(good < 100, "64 MiB hold no 100 times 4 MiB");
    };
    broken_limit(&broken, LimitKind::Memory);
    assert!(good > 1, "the instance stays between calls");
    let again = policy.score(&batch(3), &snapshot(), &lab.context()).await;
    assert_eq!(again.unwrap().len(), 3, "after a fault there is a new one");
}
