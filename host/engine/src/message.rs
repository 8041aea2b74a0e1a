//! A *message* is what work that runs apart tells the run loop.

use std::sync::Arc;

use consort_core::graph::TaskIx;
use consort_plugin_host::{Consumed, Level};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::attempt::AttemptEnd;
use crate::decide::Verdict;
use crate::error::TaskError;
use crate::report::UsageReport;
use crate::webhook::Outcome;

/// What work that runs apart tells the run loop.
pub(crate) enum Message {
    /// An attempt is over; none: it was stopped. Every attempt sends exactly
    /// one, its last, and says what its calls have used.
    Ended { task: TaskIx, end: Option<AttemptEnd>, used: Consumed },
    /// What an attempt has used; comes before its end.
    Used { task: TaskIx, usage: UsageReport },
    /// A sign of life of an attempt.
    Alive(TaskIx),
    /// Whether a task is done, and for what.
    Decided { task: TaskIx, verdict: Verdict },
    /// A plugin logged something; only said of a run that is recorded.
    Logged(Box<LogLine>),
    /// A remote agent was told to stop what that attempt left with it, or could
    /// not be told.
    Cancelled { task: TaskIx, attempt: u32 },
    /// What became of a notification, after so many tries.
    Notified { webhook: u32, notice: u64, tries: u32, outcome: Outcome },
    /// What a person is to be asked.
    Question { task: TaskIx, question: Result<Arc<str>, Box<TaskError>> },
}

/// What a plugin logged.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LogLine {
    /// None for the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) task: Option<Arc<str>>,
    pub(crate) plugin: Arc<str>,
    pub(crate) level: Level,
    pub(crate) message: String,
}

/// Where messages go. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Mail(mpsc::UnboundedSender<Message>);

impl Mail {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Message>) {
        let (to, inbox) = mpsc::unbounded_channel();
        (Self(to), inbox)
    }

    /// Sends a message; a loop that is over needs none.
    pub(crate) fn send(&self, message: Message) {
        let _ = self.0.send(message);
    }

    /// A message that is owed: sent when it is dropped, so that work that
    /// panics does not keep the run waiting. `lost` is what it says then.
    pub(crate) fn owe(&self, lost: Message) -> Owed {
        Owed { to: self.clone(), message: Some(lost) }
    }
}

/// A message that is sent in any case.
pub(crate) struct Owed {
    to: Mail,
    message: Option<Message>,
}

impl Owed {
    /// Sends what has come of the work.
    pub(crate) fn pay(mut self, message: Message) {
        self.message = Some(message);
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if let Some(message) = self.message.take() {
            self.to.send(message);
        }
    }
}

/// Why work that never said anything has no result.
pub(crate) fn lost() -> Box<TaskError> {
    Box::new(TaskError::new("host", "the host lost this attempt; this is a bug in the host"))
}
