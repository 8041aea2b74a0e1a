//! *Control* of a run that is going on: answers for it, a stop to parts of it,
//! a pause, more tasks.

use std::sync::Arc;

use consort_core::problem::{Problem, nearest};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::draft::{Draft, Drafting};
use crate::error::TaskError;
use crate::question::Question;

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
    /// What does not fit, one sentence each: why it was rejected, what it is
    /// held for, or which dependencies it was admitted without.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<String>,
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
    /// `blocked`, `deciding`, `ready`, `running`, `waiting` (for the next
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
        reply: Reply<Vec<AddedTask>>,
    },
    Status {
        task: String,
        reply: Reply<TaskStatus>,
    },
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
        self.send(|reply| Command::Add { tasks, drafts, reply }).await
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
