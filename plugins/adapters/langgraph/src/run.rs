//! A *run* is one execution of a graph on a thread, as the server describes it.

use serde::Deserialize;
use serde_json::Value;

/// Where a run's metadata says which attempt at the task started it.
pub(crate) const ATTEMPT: &str = "consort_attempt";

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Run {
    #[serde(rename = "run_id")]
    pub(crate) id: String,
    pub(crate) status: Status,
    #[serde(default)]
    metadata: Value,
    /// Sorts by time.
    #[serde(default)]
    pub(crate) created_at: String,
}

/// How far the server says a run has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// In the server's queue.
    Pending,
    Running,
    /// Ended; also when the graph waits for an answer.
    Success,
    Error,
    /// Ended by the server for taking too long.
    Timeout,
    /// Cancelled; on older servers also a graph that waits for an answer.
    Interrupted,
}

impl Run {
    /// Whether an earlier attempt than this one started it.
    pub(crate) fn is_before(&self, attempt: u32) -> bool {
        self.metadata[ATTEMPT].as_u64().is_some_and(|number| number < u64::from(attempt))
    }
}

impl Status {
    /// Whether a task that finds this run has to start another.
    pub(crate) fn is_failure(self) -> bool {
        match self {
            Self::Pending | Self::Running | Self::Success => false,
            Self::Error | Self::Timeout | Self::Interrupted => true,
        }
    }
}
