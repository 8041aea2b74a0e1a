//! A *handle* on a task that was submitted.

use std::fmt;
use std::sync::Arc;

use consort_plugin_host::Payload;

use super::{DependencyConflict, Live};
use crate::control::{AddOutcome, ControlError, TaskStatus};
use crate::error::TaskError;
use crate::output::Output;
use crate::report::TaskReport;

/// A handle on a task of a run, which answers during the run and after it. Cheap
/// to clone.
#[derive(Clone)]
pub struct TaskHandle {
    id: Arc<str>,
    live: Arc<Live>,
    outcome: AddOutcome,
    conflict: Option<Arc<DependencyConflict>>,
}

impl fmt::Debug for TaskHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, live, outcome, .. } = self;
        let run = &live.run_id;
        f.debug_struct("TaskHandle")
            .field("run", run)
            .field("id", id)
            .field("outcome", outcome)
            .finish()
    }
}

impl TaskHandle {
    pub(super) fn new(id: Arc<str>, live: Arc<Live>) -> Self {
        Self { id, live, outcome: AddOutcome::Added, conflict: None }
    }

    /// The same, with what came of its submission.
    pub(super) fn with(
        self,
        outcome: AddOutcome,
        conflict: Option<Arc<DependencyConflict>>,
    ) -> Self {
        Self { outcome, conflict, ..self }
    }

    /// The task's id.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// Whether the task was held when it was submitted, until what it waits for
    /// comes.
    pub fn was_held(&self) -> bool {
        self.outcome == AddOutcome::Held
    }

    /// What did not fit of the tasks it was submitted with: what they are held
    /// for, which [`Coordinator::resolve_dependency_conflict`] takes, or what they
    /// were admitted without.
    ///
    /// [`Coordinator::resolve_dependency_conflict`]: super::Coordinator::resolve_dependency_conflict
    pub fn conflict(&self) -> Option<&DependencyConflict> {
        self.conflict.as_deref()
    }

    /// Where the task is.
    ///
    /// # Errors
    ///
    /// There is no such task, or the run was interrupted.
    pub async fn status(&self) -> Result<TaskStatus, ControlError> {
        match self.live.control.status(&self.id).await {
            Err(ControlError::Over) => {
                let report = self.live.ending().await.map_err(|_| ControlError::Over)?;
                let known = report.tasks.iter().map(|task| &*task.id);
                report
                    .task(&self.id)
                    .map(TaskStatus::from)
                    .ok_or_else(|| ControlError::unknown(&self.id, known))
            }
            status => status,
        }
    }

    /// Waits for the end of the task. Any number may wait, before and after it.
    ///
    /// # Errors
    ///
    /// Why it has no result, or why that cannot be read from the store. Its kind is `interrupted` when the run was, and may
    /// be resumed, and `not-added` when the task was held and is not in the run
    /// after all, or never was.
    pub async fn result(&self) -> Result<Payload, Box<TaskError>> {
        let output = self.ending().await?;
        let payload = output.load().await;
        payload.map_err(|error| TaskError::unreadable(&self.id, &error).0)
    }

    async fn ending(&self) -> Result<Output, Box<TaskError>> {
        match self.live.control.wait(&self.id).await {
            Ok(ending) => ending,
            Err(ControlError::Over) => match self.live.ending().await {
                Ok(report) => match report.task(&self.id) {
                    Some(task) => ending(task),
                    None => Err(TaskError::new("not-added", "it is not in the run").into()),
                },
                Err(interrupted) => {
                    Err(TaskError::new("interrupted", interrupted.to_string()).into())
                }
            },
            Err(error) => Err(TaskError::new("not-added", error.to_string()).into()),
        }
    }

    /// Cancels the task, with the items of its fan-out. What depends on it is
    /// skipped, unless its `on_failure` is `continue`. A task that is finished
    /// stays as it is, and one that is held is given up.
    ///
    /// # Errors
    ///
    /// There is no such task, or the run is over.
    pub async fn cancel(&self) -> Result<(), ControlError> {
        match self.live.control.cancel_task(&self.id).await {
            Err(error @ ControlError::UnknownTask { .. }) => {
                let given_up = self.live.control.resolve(&self.id, false).await;
                given_up.map_err(|_| error)
            }
            cancelled => cancelled,
        }
    }
}

/// How a task of a finished run has ended.
fn ending(task: &TaskReport) -> Result<Output, Box<TaskError>> {
    match (&task.output, &task.error) {
        (Some(output), None) => Ok(output.clone()),
        (_, Some(error)) => Err(error.clone().into()),
        (None, None) => {
            Err(TaskError::new("host", format!("it has {}", task.status.as_str())).into())
        }
    }
}

impl From<&TaskReport> for TaskStatus {
    fn from(task: &TaskReport) -> Self {
        Self {
            task_id: task.id.clone(),
            state: task.status.as_str(),
            attempts: task.attempts,
            agent: task.agent.clone(),
            question: None,
            items: task.items,
            error: task.error.clone(),
            cached: task.cached,
            reused: task.reused,
        }
    }
}
