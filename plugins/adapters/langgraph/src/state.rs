//! The *state* of a thread is what its last run left: the graph's values, and
//! what the graph has not come to yet.

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
pub(crate) struct State {
    #[serde(default)]
    pub(crate) values: Value,
    /// The nodes that would be next.
    #[serde(default)]
    pub(crate) next: Vec<String>,
    #[serde(default)]
    tasks: Vec<Task>,
    /// Older servers name them in `tasks` only.
    #[serde(default)]
    interrupts: Vec<Interrupt>,
    #[serde(default)]
    metadata: Value,
}

/// A node that would be next, and why it is not done.
#[derive(Debug, Deserialize)]
struct Task {
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    interrupts: Vec<Interrupt>,
}

/// What a node asks of whoever started the run.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Interrupt {
    #[serde(default)]
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) value: Value,
}

impl State {
    /// Everything the graph waits for.
    pub(crate) fn interrupts(&self) -> Vec<Interrupt> {
        if !self.interrupts.is_empty() {
            return self.interrupts.clone();
        }
        self.tasks.iter().flat_map(|task| task.interrupts.iter().cloned()).collect()
    }

    /// What Python calls the exception that a node failed with.
    pub(crate) fn error(&self) -> Option<&str> {
        self.tasks.iter().find_map(|task| task.error.as_deref())
    }

    /// Whether this is what the run left, as far as the state says; a run that
    /// was cancelled early left nothing.
    pub(crate) fn is_of(&self, run: &str) -> bool {
        self.metadata["run_id"].as_str().is_none_or(|id| id == run)
    }
}
