//! Calls of the host that do not end, or take more than they should.

use consort_plugin_host::{FaultKind, Level, LimitKind, Outcome, Payload, Step};
use consort_tests::lab::{LIMITS, Lab};

consort_hostile_adapter::host_call_behaviours!(assert_tests_exist);

/// Calls that cost the guest next to nothing still end: at the latest when the
/// host has worked for it for as long as it may compute.
async fn breaks_fuel_or_cpu_time(behaviour: &str) {
    let mut lab = Lab::new().await;
    lab.limits.fuel = 20_000_000;
    lab.limits.cpu_time = 500;
    let fault = lab.fault(behaviour).await;
    match fault.kind {
        FaultKind::Limit { limit: LimitKind::Fuel | LimitKind::CpuTime, .. } => {}
        _ => panic!("{fault}"),
    }
}

async fn breaks_log(behaviour: &str) -> Lab {
    let lab = Lab::new().await;
    let (allowed, used) = lab.broken_limit(behaviour, LimitKind::Log).await;
    assert_eq!(allowed, LIMITS.log);
    assert!(used > allowed, "{used}");
    lab
}

async fn answers(behaviour: &str) -> (Lab, String) {
    let lab = Lab::new().await;
    match lab.misbehave(behaviour).await.expect("the call ends well") {
        Step::Done(Outcome { output: Payload::Text(text), .. }) => (lab, text.to_string()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn log_empty_endlessly() {
    breaks_log("log_empty_endlessly").await;
}

#[tokio::test]
async fn log_flood() {
    let lab = breaks_log("log_flood").await;
    let logged: usize = lab.heard.logs().iter().map(|(_, line)| line.len()).sum();
    assert_eq!(logged as u64, LIMITS.log / 1000 * 1000, "what fitted was kept");
}

#[tokio::test]
async fn log_huge() {
    let mut lab = Lab::new().await;
    lab.limits.memory = 256 << 20;
    let (_, used) = lab.broken_limit("log_huge", LimitKind::Log).await;
    assert!(used >= 48 << 20, "it says how much was wanted: {used}");
    assert_eq!(lab.heard.logs(), []);
}

#[tokio::test]
async fn progress_flood() {
    let lab = breaks_log("progress_flood").await;
    assert!(lab.heard.progress().len() as u64 <= LIMITS.log / 6);
}

#[tokio::test]
async fn progress_nonsense() {
    let (lab, _) = answers("progress_nonsense").await;
    let fractions: Vec<_> = lab.heard.progress().iter().filter_map(|p| p.fraction).collect();
    assert_eq!(fractions, [1.0, 0.0, 0.0, 1.0], "clamped, NaN ignored");
}

#[tokio::test]
async fn metrics_flood() {
    let (lab, _) = answers("metrics_flood").await;
    let metrics = lab.heard.metrics();
    let mut names: Vec<&str> = metrics.iter().map(|metric| metric.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 64);
    assert!(names[0].starts_with("hostile-adapter.name_"), "{}", names[0]);
    let warnings = lab.heard.logs();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0].0, Level::Warn);
}

#[tokio::test]
async fn metrics_huge_names() {
    let (lab, _) = answers("metrics_huge_names").await;
    assert!(lab.heard.metrics().iter().all(|metric| metric.name.len() < 256));
}

#[tokio::test]
async fn count_endlessly() {
    breaks_fuel_or_cpu_time("count_endlessly").await;
}

#[tokio::test]
async fn read_config_endlessly() {
    breaks_fuel_or_cpu_time("read_config_endlessly").await;
}

#[tokio::test]
async fn print_flood() {
    let lab = breaks_log("print_flood").await;
    assert!(lab.heard.logs().iter().all(|line| *line == (Level::Info, "printed".to_owned())));
}

#[tokio::test]
async fn print_one_line() {
    breaks_log("print_one_line").await;
}

#[tokio::test]
async fn complain_flood() {
    breaks_log("complain_flood").await;
}

#[tokio::test]
async fn read_clock_endlessly() {
    breaks_fuel_or_cpu_time("read_clock_endlessly").await;
}

#[tokio::test]
async fn read_random_endlessly() {
    breaks_fuel_or_cpu_time("read_random_endlessly").await;
}

#[tokio::test]
async fn read_random_huge() {
    let fault = Lab::new().await.fault("read_random_huge").await;
    assert!(matches!(fault.kind, FaultKind::Trap { .. }), "{fault}");
}

#[tokio::test]
async fn poll_zero_endlessly() {
    breaks_fuel_or_cpu_time("poll_zero_endlessly").await;
}

#[tokio::test]
async fn poll_nothing() {
    let fault = Lab::new().await.fault("poll_nothing").await;
    assert!(matches!(fault.kind, FaultKind::Trap { .. }), "{fault}");
}

#[tokio::test]
async fn create_requests_endlessly() {
    breaks_fuel_or_cpu_time("create_requests_endlessly").await;
}

#[tokio::test]
async fn sleep_past_deadline() {
    let mut lab = Lab::new().await;
    lab.limits.time = 50;
    let (allowed, used) = lab.broken_limit("sleep_past_deadline", LimitKind::Time).await;
    assert_eq!(allowed, 50);
    assert!(used >= 50, "{used}");
}

/// Handles are bounded, whatever they stand for.
async fn runs_out_of_handles(behaviour: &str) {
    let fault = Lab::new().await.fault(behaviour).await;
    assert!(matches!(fault.kind, FaultKind::Trap { .. }), "{fault}");
    assert!(fault.backtrace.contains("hostile"), "{}", fault.backtrace);
}

#[tokio::test]
async fn hoard_headers() {
    runs_out_of_handles("hoard_headers").await;
}

#[tokio::test]
async fn hoard_timers() {
    runs_out_of_handles("hoard_timers").await;
}

#[tokio::test]
async fn hoard_requests() {
    runs_out_of_handles("hoard_requests").await;
}
