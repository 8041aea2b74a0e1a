//! A *checkpoint* is what one call leaves behind for the next: the name of the
//! run, and what has come to pass.

use std::time::Duration;

use consort_plugin_sdk::{Failure, Pending, Question, Step};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    pub(crate) thread: String,
    pub(crate) run: String,
    /// The run has ended with a question.
    #[serde(default)]
    pub(crate) asked: bool,
    /// How often in a row the server could not be asked.
    #[serde(default)]
    pub(crate) misses: u32,
}

impl Checkpoint {
    /// Of a run that was just found or started.
    pub(crate) fn new(thread: &str, run: &str) -> Self {
        Self { thread: thread.into(), run: run.into(), ..Self::default() }
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Failure> {
        serde_json::from_slice(bytes).map_err(|error| {
            Failure::permanent(format!("the checkpoint is none of this adapter's: {error}"))
                .with_code("invalid-checkpoint")
        })
    }

    /// The run goes on; look again after `wait`.
    pub(crate) fn pending(&self, wait: Duration, message: &str) -> Result<Step, Failure> {
        Ok(Step::Pending(Pending {
            checkpoint: self.write()?,
            poll_after: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            fraction: None,
            message: Some(message.into()),
        }))
    }

    /// The graph waits for an answer.
    pub(crate) fn needs_input(
        mut self,
        prompt: String,
        schema: Option<String>,
    ) -> Result<Step, Failure> {
        self.asked = true;
        Ok(Step::NeedsInput(Question { prompt, schema, checkpoint: self.write()? }))
    }

    fn write(&self) -> Result<Vec<u8>, Failure> {
        serde_json::to_vec(self)
            .map_err(|error| Failure::permanent(format!("the checkpoint is not JSON: {error}")))
    }
}
