//! A *post* asks something of a run from another process: it waits in the
//! store's inbox until whoever carries the run out takes it up, now or when the
//! run is resumed.

use std::path::Path;
use std::sync::Arc;

use consort_store::{Reader, Store, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::attempt::payload;
use crate::control::{Command, Target, nobody};
use crate::delivery::{Delivering, Outcome};
use crate::error::TaskError;
use crate::output::Kept;

/// What can be asked of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Answer a question; see [`RunControl::answer`](crate::RunControl::answer).
    Answer {
        /// Of this task.
        task: String,
        /// The answer.
        answer: Value,
    },
    /// Complete a task with a result from elsewhere; see
    /// [`RunControl::process_result`](crate::RunControl::process_result).
    Complete {
        /// The task.
        task: String,
        /// A string is text.
        result: Value,
    },
    /// Fail the attempt at a task for a reason from elsewhere; see
    /// [`RunControl::handle_task_failure`](crate::RunControl::handle_task_failure).
    Fail {
        /// The task.
        task: String,
        /// Why, in one sentence. The error's kind is `delivered`.
        message: String,
        /// Whether another attempt makes sense.
        retryable: bool,
    },
    /// Cancel everything.
    CancelRun,
    /// Cancel one task, with the items of its fan-out.
    CancelTask {
        /// The task.
        task: String,
    },
    /// Cancel one task and all that depend on it.
    CancelSubtree {
        /// The task.
        task: String,
    },
}

impl Request {
    /// Puts the request into the inbox of a run, durably. `run` may be the
    /// unique beginning or end of its id. Whether it can be done is seen when it
    /// is taken up; what cannot is passed over.
    ///
    /// # Errors
    ///
    /// There is no such run, it is over, or the store cannot be written.
    pub fn post(&self, store: &Path, run: &str) -> Result<(), StoreError> {
        let body = serde_json::to_vec(self).expect("all keys are strings");
        consort_store::post(store, run, crate::now(), &body).map(|_| ())
    }

    fn command(self) -> Command {
        let cancel = |what| Command::Cancel { what, reply: nobody() };
        let deliver = |task, outcome| Command::Deliver(Delivering::new(task, outcome, nobody()));
        match self {
            Self::Complete { task, result } => {
                deliver(task, Outcome::Result(Kept::Here(payload(&result))))
            }
            Self::Fail { task, message, retryable } => {
                let error = Box::new(TaskError::new("delivered", message));
                deliver(task, Outcome::Failure { error, retryable })
            }
            Self::Answer { task, answer } => Command::Answer { task, answer, reply: nobody() },
            Self::CancelRun => cancel(Target::Run),
            Self::CancelTask { task } => cancel(Target::Task(task)),
            Self::CancelSubtree { task } => cancel(Target::Subtree(task)),
        }
    }
}

/// The inbox of a run.
pub(crate) struct Inbox {
    store: Store,
    reader: Reader,
    run: Arc<str>,
    /// The last post that has been taken up.
    taken: i64,
    /// The last one that has been seen.
    seen: i64,
}

impl Inbox {
    pub(super) fn open(store: Store, run: Arc<str>) -> Result<Self, StoreError> {
        Ok(Self { reader: store.reader()?, store, run, taken: 0, seen: 0 })
    }

    /// What has come since the last look, with numbers that grow. A post that
    /// makes no sense is none.
    pub(crate) fn look(&mut self) -> Result<Vec<(i64, Command)>, StoreError> {
        if !self.reader.changed()? {
            return Ok(Vec::new());
        }
        let posts = self.reader.posts(&self.run, self.seen.max(self.taken))?;
        self.seen = posts.last().map_or(self.seen, |post| post.id);
        let read = |body: &[u8]| serde_json::from_slice::<Request>(body).ok();
        let known = posts.into_iter().filter_map(|post| Some((post.id, read(&post.body)?)));
        Ok(known.map(|(id, request)| (id, request.command())).collect())
    }

    /// A post has been taken up, and that has been recorded: it is not taken up
    /// again, and may be forgotten.
    pub(crate) fn took(&mut self, post: i64, live: bool) {
        self.taken = self.taken.max(post);
        if live {
            let (store, run) = (self.store.clone(), self.run.clone());
            tokio::spawn(async move {
                // If it stays, it is passed over: its number has been recorded.
                if let Err(error) = store.forget_posts(&run, post).await {
                    tracing::debug!(%run, %error, "a post could not be forgotten");
                }
            });
        }
    }
}
