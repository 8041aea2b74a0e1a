//! A *delivery* is what came of a task outside of the run: the result or the
//! failure that a worker reports whom the run did not call, or a service that
//! calls back.

use std::sync::Arc;

use consort_core::scheduler::Delivery;
use serde::Serialize;

use crate::control::Reply;
use crate::error::TaskError;
use crate::output::Kept;

/// What came of a task outside of the run.
#[derive(Debug)]
pub(crate) enum Outcome {
    Result(Kept),
    Failure { error: Box<TaskError>, retryable: bool },
}

impl Outcome {
    /// The same as the scheduler knows it.
    pub(crate) fn delivery(&self) -> Delivery {
        match self {
            Self::Result(_) => Delivery::Result,
            Self::Failure { retryable, .. } => Delivery::Failure { retry: *retryable },
        }
    }
}

/// A delivery on its way.
#[derive(Debug)]
pub(crate) struct Delivering {
    /// The id of the task.
    pub(crate) task: String,
    pub(crate) outcome: Outcome,
    /// A result has been through the task's transformers.
    pub(crate) prepared: bool,
    /// Its number in the inbox, if it came from there.
    pub(crate) post: Option<i64>,
    pub(crate) reply: Reply<Consequence>,
}

impl Delivering {
    /// One that has just come.
    pub(crate) fn new(task: String, outcome: Outcome, reply: Reply<Consequence>) -> Box<Self> {
        Box::new(Self { task, outcome, prepared: false, post: None, reply })
    }
}

/// What follows from a result or a failure that was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "consequence", rename_all = "snake_case")]
pub enum Consequence {
    /// The task has its result, and those that depend on it go on.
    Completed,
    /// The task is tried again.
    Retrying {
        /// Who does it: the same agent, or the next fallback.
        agent: Arc<str>,
        /// When, milliseconds since the epoch.
        at: i64,
    },
    /// The task has failed, and those that depend on it go on without a result.
    Tolerated,
    /// The task has failed, and those that depend on it are skipped.
    Failed,
    /// The task has failed, and with it the run.
    RunFailed,
    /// The task was cancelled before it could be tried again.
    Cancelled,
}
