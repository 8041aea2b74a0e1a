//! An *observer* hears what a plugin says while a call runs: log lines,
//! progress, metrics; and at its end what it has used.

use serde::{Deserialize, Serialize};

/// How much a log line matters, most detailed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For whoever debugs the plugin.
    Trace,
    /// Details.
    Debug,
    /// What happens; also every line of standard output.
    Info,
    /// What deserves a look; also every line of standard error.
    Warn,
    /// What went wrong.
    Error,
}

/// How far a call has come. What is left out keeps its last value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// Completed share, between 0.0 and 1.0.
    pub fraction: Option<f64>,
    /// What is being done.
    pub message: Option<String>,
    /// Output to append to what the task shows while it runs.
    pub partial: Option<String>,
}

/// One number about a plugin's own work.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// `plugin.name`, of letters, digits, `_`, `-` and `.`.
    pub name: String,
    /// What happened to it.
    pub value: MetricValue,
}

/// What happened to a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MetricValue {
    /// A counter grew by this much.
    Count(u64),
    /// A gauge now has this value.
    Gauge(f64),
    /// A distribution has one more observation.
    Observe(f64),
}

/// What a call has used of what its limits bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Consumed {
    /// Instructions, about.
    pub fuel: u64,
    /// Bytes of all memories and tables at their largest.
    pub memory: u64,
    /// Microseconds of computing.
    pub cpu_time: u64,
    /// Bytes sent and received.
    pub network: u64,
    /// HTTP requests.
    pub requests: u64,
}

/// Hears what a plugin says. Called on the thread that runs the plugin, in the
/// order the plugin speaks, so implementations hand over rather than work. All
/// strings together are bounded by the call's `log` limit.
pub trait Observer: Send + Sync {
    /// One message, or one line of standard output or standard error.
    fn log(&self, level: Level, message: &str);
    /// The plugin reported progress.
    fn progress(&self, update: Progress);
    /// The plugin reported a number.
    fn metric(&self, metric: Metric);
    /// The call is over, however it ended, or was given up. Said once, last.
    fn consumed(&self, _: &Consumed) {}
}
