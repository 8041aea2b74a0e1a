//! Computing that does not end, or ends badly.

use consort_plugin_host::{Fault, FaultKind, LimitKind};
use consort_tests::lab::{LIMITS, Lab};

consort_hostile_adapter::compute_behaviours!(assert_tests_exist);

/// Fuel is counted, so the same call ends at the same place every time.
#[tokio::test]
async fn endless_loop() {
    let lab = Lab::new().await;
    let fault = lab.fault("endless_loop").await;
    assert_eq!(
        fault.kind,
        FaultKind::Limit { limit: LimitKind::Fuel, allowed: LIMITS.fuel, used: LIMITS.fuel }
    );
    assert!(fault.backtrace.contains("endless_loop"), "{}", fault.backtrace);
}

#[tokio::test]
async fn endless_loop_with_fuel_to_spare() {
    let mut lab = Lab::new().await;
    lab.limits.fuel = u64::MAX;
    lab.limits.cpu_time = 40;
    let (allowed, used) = lab.broken_limit("endless_loop", LimitKind::CpuTime).await;
    assert_eq!(allowed, 40);
    assert!(used > 40, "{used}");
}

#[tokio::test]
async fn endless_loop_past_the_deadline() {
    let mut lab = Lab::new().await;
    lab.limits.fuel = u64::MAX;
    lab.limits.time = 40;
    let (allowed, used) = lab.broken_limit("endless_loop", LimitKind::Time).await;
    assert_eq!(allowed, 40);
    assert!(used >= 40, "{used}");
}

#[tokio::test]
async fn endless_recursion() {
    let fault = Lab::new().await.fault("endless_recursion").await;
    assert_eq!(trap(&fault), "call stack exhausted");
    assert!(fault.backtrace.contains("deeper"), "{}", fault.backtrace);
}

#[tokio::test]
async fn unreachable() {
    let fault = Lab::new().await.fault("unreachable").await;
    assert!(trap(&fault).contains("unreachable"), "{fault}");
    assert!(fault.backtrace.contains("unreachable"), "{}", fault.backtrace);
}

/// A panic is a trap, explained by what the guest wrote before it.
#[tokio::test]
async fn panic() {
    let fault = Lab::new().await.fault("panic").await;
    let FaultKind::Trap { stderr: Some(line), .. } = &fault.kind else {
        panic!("{fault}");
    };
    let message = fault.to_string();
    assert!(message.contains("this plugin meant to panic"), "{message} ({line})");
    assert!(fault.backtrace.contains("panic"), "{}", fault.backtrace);
}

#[tokio::test]
async fn out_of_bounds() {
    let fault = Lab::new().await.fault("out_of_bounds").await;
    assert!(trap(&fault).contains("out of bounds"), "{fault}");
    assert!(!fault.backtrace.is_empty());
}

#[tokio::test]
async fn wrong_function_pointer() {
    let fault = Lab::new().await.fault("wrong_function_pointer").await;
    assert!(trap(&fault).contains("indirect call type mismatch"), "{fault}");
}

#[tokio::test]
async fn exit_success() {
    let fault = Lab::new().await.fault("exit_success").await;
    assert_eq!(fault.kind, FaultKind::Exit { success: true });
}

#[tokio::test]
async fn exit_failure() {
    let fault = Lab::new().await.fault("exit_failure").await;
    assert_eq!(fault.kind, FaultKind::Exit { success: false });
}

fn trap(fault: &Fault) -> &str {
    match &fault.kind {
        FaultKind::Trap { reason, .. } => reason,
        _ => panic!("not a trap: {fault}"),
    }
}
