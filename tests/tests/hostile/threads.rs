//! No plugin holds a thread: whatever guests do, others get their turn.

use std::sync::Arc;
use std::time::Duration;

use consort_plugin_host::{Adapter, Source};
use consort_plugin_host::{LimitKind, Outcome, Payload, Step};
use consort_tests::guests;
use consort_tests::lab::{Lab, broken_limit, fault};
use consort_tests::modules;

/// Far more guests than worker threads, none of which ends by itself.
const HOSTILE: usize = 16;

async fn adapter(lab: &Lab, source: &Source) -> Adapter {
    lab.load(source).await.unwrap().adapter().unwrap()
}

/// Starts hostile calls with nothing but a distant deadline to end them, waits
/// until all of them run, and checks that good calls succeed while they do.
async fn others_get_their_turn(source: Source, behaviour: &str) {
    let mut lab = Lab::new().await;
    let hostile = adapter(&lab, &source).await;
    let echo = adapter(&lab, &guests::source("echo")).await;
    lab.limits.fuel = u64::MAX;
    lab.limits.cpu_time = u64::MAX;
    lab.limits.time = 600_000;
    let lab = Arc::new(lab);

    let running: Vec<_> = (0..HOSTILE)
        .map(|_| {
            let (lab, hostile, behaviour) =
                (Arc::clone(&lab), hostile.clone(), behaviour.to_owned());
            tokio::spawn(
                async move { hostile.start(&lab.invocation(&behaviour), &lab.context()).await },
            )
        })
        .collect();

    for turn in 0..50 {
        let text = format!("turn {turn}");
        let echoed = echo.start(&lab.invocation(&text), &lab.context()).await;
        let expected = Outcome { output: Payload::Text(text.into()), usage: None, spawn: vec![] };
        assert_eq!(echoed.unwrap(), Step::Done(expected));
    }
    for call in &running {
        assert!(!call.is_finished(), "the good calls were done while the hostile ones ran");
    }
    // A call that is given up stops running: all threads are free again.
    for call in running {
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_guests_spin() {
    others_get_their_turn(guests::source("hostile-adapter"), "endless_loop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_guests_call_the_host_endlessly() {
    for behaviour in ["count_endlessly", "read_clock_endlessly", "poll_zero_endlessly"] {
        others_get_their_turn(guests::source("hostile-adapter"), behaviour).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_guests_sleep() {
    others_get_their_turn(guests::source("hostile-adapter"), "sleep_past_deadline").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_guests_never_finish_their_instantiation() {
    let name = "spin_in_start_function";
    let source = Source::Bytes { name: name.to_owned(), bytes: modules::component(name) };
    others_get_their_turn(source, "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_guests_fill_memory() {
    let name = "fill_endlessly";
    let source = Source::Bytes { name: name.to_owned(), bytes: modules::component(name) };
    others_get_their_turn(source, "").await;
}

/// Timers fire on time on a thread that a guest would rather have for itself.
#[tokio::test(flavor = "current_thread")]
async fn a_deadline_is_kept_on_a_single_thread() {
    let mut lab = Lab::new().await;
    lab.limits.fuel = u64::MAX;
    lab.limits.time = 100;
    let (allowed, used) =
        broken_limit(&fault(lab.misbehave("endless_loop").await), LimitKind::Time);
    assert_eq!(allowed, 100);
    assert!(
        used < 10_000,
        "an epoch is milliseconds, and this took {:?}",
        Duration::from_millis(used)
    );
}
