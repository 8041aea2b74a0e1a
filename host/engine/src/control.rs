//! *Control* of a run that is going on: answers for it, a stop to parts of it,
//! a pause, more tasks, what came of a task elsewhere.

use std::sync::Arc;

use consort_core::plan::ConflictRule;
use consort_core::problem::{Problem, nearest};
use consort_plugin_host::Payload;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

pub use crate::delivery::Consequence;
use crate::delivery::{Delivering, Outcome};
use crate::draft::{Draft, Drafting};
use crate::error::TaskError;
use crate::output::Kept;
use crate::question::Question;
use crate::run::{Ending, RunProgress};

/// Commands that wait for the run loop; more callers wait for room.
const MAX_WAITING: usize = 256;

/// A handle on a run. Cheap to clone. Commands are carried out between two
/// steps of the run, in the order they are given; those given before the run
/// begins wait for it.
#[derive(Debug, Clone)]
pub struct RunControl {
    commands: mpsc::Sender<Command>,
    drafting: Arc<Drafting>,
}

/// A command that was not carried out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ControlError {
    /// The run is over.
    #[error("the run is over")]
    Over,
    /// No task has this id.
    #[error("there is no task '{task}'{}", near.as_ref().map(|near| format!("; did you mean '{near}'?")).unwrap_or_default())]
    UnknownTask {
        /// The id.
        task: String,
        /// One that is near.
        near: Option<Arc<str>>,
    },
    /// The task does not ask anything.
    #[error("task '{task}' waits for no answer: it is {state}")]
    NotAsked {
        /// The task.
        task: Arc<str>,
        /// Where it is, such as `running`.
        state: &'static str,
    },
    /// The answer does not satisfy the schema of the question.
    #[error("the answer to '{task}' does not fit: {}", reasons.join("; "))]
    Misfit {
        /// The task.
        task: String,
        /// What does not fit.
        reasons: Vec<String>,
    },
    /// The task takes no result or failure from outside.
    #[error("nothing can be delivered for task '{task}': it is {state}")]
    Undeliverable {
        /// The task.
        task: Arc<str>,
        /// Where it is, such as `blocked`.
        state: &'static str,
    },
    /// What is to be added is not valid.
    #[error("{} of the tasks to be added are not valid", .0.len())]
    Invalid(Vec<Problem>),
}

/// What came of a task that was to be added to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AddedTask {
    /// Its id.
    pub task_id: Arc<str>,
    /// Whether it is in the run.
    pub outcome: AddOutcome,
    /// What does not fit, as the compiler would say it: why it was rejected, what
    /// it is held for, or which dependencies it was admitted without.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<Problem>,
}

/// Whether a task is in the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AddOutcome {
    /// It is.
    Added,
    /// It will be when what it waits for has been added.
    Held,
    /// It is not.
    Rejected,
}

/// Where a task is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskStatus {
    /// Its id.
    pub task_id: Arc<str>,
    /// `held` (not in the run yet), `blocked`, `deciding`, `ready`, `running`, `waiting` (for the next
    /// attempt, or for an agent that works by itself), `asking` (a person),
    /// `fanned-out`, or how it ended: `succeeded`, `failed`, `skipped`,
    /// `cancelled`.
    pub state: &'static str,
    /// Attempts so far.
    pub attempts: u32,
    /// Who does it, or did it last.
    pub agent: Option<Arc<str>>,
    /// What a person is asked.
    pub question: Option<Arc<Question>>,
    /// How many items it is done for.
    pub items: Option<u32>,
    /// Why it failed, or its last attempt did.
    pub error: Option<TaskError>,
    /// Whether its result is that of an equal task.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
    /// Whether its result is that of the run which this one repeats.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reused: bool,
}

impl TaskStatus {
    /// That of a task which is not in the run yet.
    pub(crate) fn held(id: &str) -> Self {
        Self {
            task_id: id.into(),
            state: "held",
            attempts: 0,
            agent: None,
            question: None,
            items: None,
            error: None,
            cached: false,
            reused: false,
        }
    }
}

/// A command and where its answer goes.
#[derive(Debug)]
pub(crate) enum Command {
    Answer {
        task: String,
        answer: Value,
        reply: Reply<()>,
    },
    Refuse {
        task: String,
        comment: String,
        reply: Reply<()>,
    },
    Cancel {
        what: Target,
        reply: Reply<()>,
    },
    Pause {
        paused: bool,
        reply: Reply<()>,
    },
    /// `tasks` are the drafts as they were given.
    Add {
        tasks: Value,
        drafts: Vec<Arc<Draft>>,
        terms: Terms,
        reply: Reply<Vec<AddedTask>>,
    },
    /// A task that is held waits no longer.
    Resolve {
        task: String,
        admit: bool,
        reply: Reply<()>,
    },
    /// No more tasks come from outside.
    Close {
        reply: Reply<()>,
    },
    /// What came of a task outside of the run.
    Deliver(Box<Delivering>),
    Status {
        task: String,
        reply: Reply<TaskStatus>,
    },
    Progress {
        reply: Reply<RunProgress>,
    },
    /// Answers when the task has ended.
    Wait {
        task: String,
        reply: Reply<Ending>,
    },
}

/// On what terms tasks are added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    /// All of them or none.
    pub(crate) whole: bool,
    /// What happens to those that do not fit; what the workflow says, unless
    /// given.
    pub(crate) on_conflict: Option<ConflictRule>,
}

/// What is to be cancelled.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    Run,
    Task(String),
    Subtree(String),
}

/// Where an answer goes; nobody may be waiting for it any more.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, ControlError>>;

/// Where an answer goes that nobody waits for.
pub(crate) fn nobody<T>() -> Reply<T> {
    oneshot::channel().0
}

impl RunControl {
    pub(crate) fn new(drafting: Arc<Drafting>) -> (Self, mpsc::Receiver<Command>) {
        let (commands, inbox) = mpsc::channel(MAX_WAITING);
        (Self { commands, drafting }, inbox)
    }

    /// Answers a question, for a person. An agent that asked goes on with the
    /// answer. To an approval `false`, and an object whose `approved` is
    /// `false`, say no: the task has failed. Any other JSON is its result. An answer to a task that has not asked
    /// yet is kept for it; one to a task that fans out is for each item that
    /// has none of its own.
    ///
    /// # Errors
    ///
    /// No such task, or one that asks nothing; see [`ControlError`].
    pub async fn answer(&self, task: &str, answer: Value) -> Result<(), ControlError> {
        let task = task.to_owned();
        self.send(|reply| Command::Answer { task, answer, reply }).await
    }

    /// Fails a task that asks something, because nobody will answer. An agent
    /// that asks is told to stop.
    ///
    /// # Errors
    ///
    /// No such task, or one that asks nothing.
    pub async fn refuse(&self, task: &str, comment: &str) -> Result<(), ControlError> {
        let (task, comment) = (task.to_owned(), comment.to_owned());
        self.send(|reply| Command::Refuse { task, comment, reply }).await
    }

    /// Cancels the run: what runs is stopped, what waits is not started.
    ///
    /// # Errors
    ///
    /// [`ControlError::Over`].
    pub async fn cancel(&self) -> Result<(), ControlError> {
        self.send(|reply| Command::Cancel { what: Target::Run, reply }).await
    }

    /// Cancels one task, with the items of its fan-out. What depends on it is
    /// skipped, unless the task's `on_failure` is `continue`. The run goes on.
    /// A task that is finished stays as it is.
    ///
    /// # Errors
    ///
    /// No such task, or the run is over.
    pub async fn cancel_task(&self, task: &str) -> Result<(), ControlError> {
        let what = Target::Task(task.to_owned());
        self.send(|reply| Command::Cancel { what, reply }).await
    }

    /// Cancels one task and all that depend on it, directly or not.
    ///
    /// # Errors
    ///
    /// No such task, or the run is over.
    pub async fn cancel_subtree(&self, task: &str) -> Result<(), ControlError> {
        let what = Target::Subtree(task.to_owned());
        self.send(|reply| Command::Cancel { what, reply }).await
    }

    /// Starts nothing from now on. What runs goes on, and so does time.
    ///
    /// # Errors
    ///
    /// [`ControlError::Over`].
    pub async fn pause(&self) -> Result<(), ControlError> {
        self.send(|reply| Command::Pause { paused: true, reply }).await
    }

    /// Ends a pause.
    ///
    /// # Errors
    ///
    /// [`ControlError::Over`].
    pub async fn resume(&self) -> Result<(), ControlError> {
        self.send(|reply| Command::Pause { paused: false, reply }).await
    }

    /// Adds a task, or a list of tasks, in the workflow format. They may depend
    /// on tasks of the run, finished or not, and on each other, and use the
    /// agents and transformers that the workflow uses. What does not fit is
    /// rejected, held or admitted, as the workflow's `on_conflict` says; the
    /// answer says which and why, task by task.
    ///
    /// # Errors
    ///
    /// What is wrong with the tasks themselves, and nothing is added; or the
    /// run is over.
    pub async fn add(&self, tasks: Value) -> Result<Vec<AddedTask>, ControlError> {
        let drafts = self.drafting.draft(tasks.clone()).map_err(ControlError::Invalid)?;
        self.add_drafts(tasks, drafts, Terms::default()).await
    }

    /// Completes a task with a result that was worked out elsewhere: by a worker
    /// whom the run does not call, or a service that calls back. It goes the way
    /// of an agent's result, through the task's transformers; that of an approval
    /// is its answer. What runs for the task is stopped, an agent that works by
    /// itself is told so, and what that comes to does not count any more.
    ///
    /// A task takes a result from when its dependencies are finished until it is
    /// itself. The answer comes when something has come of it, which for a task
    /// that runs is when its attempt has stopped. It is
    /// [`Consequence::Completed`], unless a transformer does not take the result:
    /// then the attempt has failed, as it would have with an agent.
    ///
    /// # Errors
    ///
    /// No such task, one that takes no result, or JSON that is none.
    pub async fn process_result(
        &self,
        task: &str,
        result: Payload,
    ) -> Result<Consequence, ControlError> {
        if let Payload::Json(text) = &result
            && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text)
        {
            let reasons = vec![format!("it is not JSON: {error}")];
            return Err(ControlError::Misfit { task: task.to_owned(), reasons });
        }
        self.deliver(task, Outcome::Result(Kept::Here(result))).await
    }

    /// Fails the attempt at a task for a reason that was found elsewhere. From
    /// there on it is a failure like any other: if it is `retryable` the task is
    /// tried again as its `retry_policy` says, then by its fallback agents, and
    /// in the end its `on_failure` holds. The answer says what was decided; for a
    /// task that runs, when its attempt has stopped.
    ///
    /// A task takes a failure while an attempt is open: while it runs, an agent
    /// works by itself, or a person is asked.
    ///
    /// # Errors
    ///
    /// No such task, or one that takes no failure.
    pub async fn handle_task_failure(
        &self,
        task: &str,
        error: TaskError,
        retryable: bool,
    ) -> Result<Consequence, ControlError> {
        self.deliver(task, Outcome::Failure { error: Box::new(error), retryable }).await
    }

    async fn deliver(&self, task: &str, outcome: Outcome) -> Result<Consequence, ControlError> {
        let task = task.to_owned();
        self.send(|reply| Command::Deliver(Delivering::new(task, outcome, reply))).await
    }

    /// Gives the loop a command back that it has had prepared.
    pub(crate) async fn hand_back(&self, command: Command) {
        // A loop that is over needs none.
        let _ = self.commands.send(command).await;
    }

    pub(crate) fn drafting(&self) -> &Drafting {
        &self.drafting
    }

    pub(crate) async fn add_drafts(
        &self,
        tasks: Value,
        drafts: Vec<Arc<Draft>>,
        terms: Terms,
    ) -> Result<Vec<AddedTask>, ControlError> {
        self.send(|reply| Command::Add { tasks, drafts, terms, reply }).await
    }

    pub(crate) async fn resolve(&self, task: &str, admit: bool) -> Result<(), ControlError> {
        let task = task.to_owned();
        self.send(|reply| Command::Resolve { task, admit, reply }).await
    }

    /// Lets no more tasks come to an open run, which ends with those it has. Any
    /// other is closed from the beginning.
    ///
    /// # Errors
    ///
    /// [`ControlError::Over`].
    pub async fn close(&self) -> Result<(), ControlError> {
        self.send(|reply| Command::Close { reply }).await
    }

    pub(crate) async fn wait(&self, task: &str) -> Result<Ending, ControlError> {
        let task = task.to_owned();
        self.send(|reply| Command::Wait { task, reply }).await
    }

    /// How far the run is.
    ///
    /// # Errors
    ///
    /// [`ControlError::Over`].
    pub async fn progress(&self) -> Result<RunProgress, ControlError> {
        self.send(|reply| Command::Progress { reply }).await
    }

    /// Where a task is; `task[n]` for an item.
    ///
    /// # Errors
    ///
    /// No such task, or the run is over: its report has it.
    pub async fn status(&self, task: &str) -> Result<TaskStatus, ControlError> {
        let task = task.to_owned();
        self.send(|reply| Command::Status { task, reply }).await
    }

    async fn send<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, ControlError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| ControlError::Over)?;
        answer.await.unwrap_or(Err(ControlError::Over))
    }
}

impl ControlError {
    pub(crate) fn unknown<'a>(task: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let near = nearest(task, known).map(Into::into);
        Self::UnknownTask { task: task.to_owned(), near }
    }
}
