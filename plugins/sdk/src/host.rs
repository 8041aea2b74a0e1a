//! What the *host* offers to every plugin: a log, progress and metrics. Nothing
//! here blocks or fails; what is more than the call's `log` limit ends the call.
//!
//! On targets other than wasm the calls are recorded for
//! [`testing`](crate::testing).

pub use crate::bindings::adapter::consort::host::logging::Level;
pub use crate::bindings::adapter::consort::host::progress::Update;

/// Adds one message to the task's log.
pub fn log(level: Level, message: &str) {
    #[cfg(target_family = "wasm")]
    crate::bindings::adapter::consort::host::logging::log(level, message);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::record_log(level, message);
}

/// Shows how far the call has come. Fields left out keep their last value.
/// Adapters only: in other plugins the import does not exist.
pub fn report(update: &Update) {
    #[cfg(target_family = "wasm")]
    crate::bindings::adapter::consort::host::progress::report(update);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::record_progress(update);
}

/// Appends to the output that the task shows while it runs. Adapters only.
pub fn report_partial(partial: impl Into<String>) {
    report(&Update { fraction: None, message: None, partial: Some(partial.into()) });
}

/// Adds to a counter.
pub fn count(name: &str, by: u64) {
    #[cfg(target_family = "wasm")]
    crate::bindings::adapter::consort::host::metrics::count(name, by);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::record_metric(name, by as f64);
}

/// Sets a value that goes up and down.
pub fn gauge(name: &str, value: f64) {
    #[cfg(target_family = "wasm")]
    crate::bindings::adapter::consort::host::metrics::gauge(name, value);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::record_metric(name, value);
}

/// Adds one observation to a distribution, in the unit its name says.
pub fn observe(name: &str, value: f64) {
    #[cfg(target_family = "wasm")]
    crate::bindings::adapter::consort::host::metrics::observe(name, value);
    #[cfg(not(target_family = "wasm"))]
    crate::testing::record_metric(name, value);
}
