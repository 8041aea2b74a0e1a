//! Tasks come *in*.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use consort_core::plan::ConflictRule;
use consort_core::problem::Problem;
use consort_plugin_host::Payload;
use serde_json::Value;

use super::{Coordinator, DependencyConflict, TaskHandle};
use crate::control::{AddOutcome, AddedTask, ControlError, Terms};
use crate::error::TaskError;
use crate::run::Interrupted;

/// Tasks that were not accepted; none of them was.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SubmitError {
    /// They are not valid in themselves, for these reasons.
    #[error("{}", sentence(.0))]
    Invalid(Vec<Problem>),
    /// They do not fit the run, under its rule.
    #[error(transparent)]
    Conflict(DependencyConflict),
    /// The run is closed, or over.
    #[error("the run takes no more tasks: it is closed")]
    Closed,
    /// The run was interrupted. It may be resumed, and then it may have the tasks.
    #[error(transparent)]
    Interrupted(Arc<Interrupted>),
}

/// A task that was to be submitted and waited for, and has no result.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ExecuteError {
    /// It was not accepted.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// It has not succeeded.
    #[error(transparent)]
    Task(#[from] Box<TaskError>),
}

/// The first of some problems, and how many there are.
fn sentence(problems: &[Problem]) -> String {
    match problems {
        [] => "the tasks are not valid".to_owned(),
        [problem] => problem.to_string(),
        [first, others @ ..] => format!("{first} (and {} more problems)", others.len()),
    }
}

impl Coordinator {
    /// Submits a task in the task format, which may be a collaborative one. What
    /// it depends on may be in the run already, finished or not. When this
    /// returns the task is in the run, or held; of a durable run that is on disk.
    ///
    /// # Errors
    ///
    /// See [`SubmitError`].
    pub async fn submit_task(&self, task: Value) -> Result<TaskHandle, SubmitError> {
        let mut handles = self.submit(task, None).await?;
        Ok(handles.remove(0))
    }

    /// Submits tasks, all or none. They may depend on each other in any order.
    /// Those that do not fit the run are treated as its `on_conflict` says:
    /// everything is rejected (the default), they are held until what they wait
    /// for comes, or admitted without the dependencies in conflict. The handles
    /// are in the order of the tasks, and say which.
    ///
    /// # Errors
    ///
    /// See [`SubmitError`].
    pub async fn submit_tasks(&self, tasks: Vec<Value>) -> Result<Vec<TaskHandle>, SubmitError> {
        self.submit(Value::Array(tasks), None).await
    }

    /// Submits a task and waits for its result.
    ///
    /// # Errors
    ///
    /// It was not accepted, or has no result.
    pub async fn execute_task(&self, task: Value) -> Result<Payload, ExecuteError> {
        Ok(self.submit_task(task).await?.result().await?)
    }

    /// Adds a task or a list of them, under the run's rule unless one is given.
    pub(super) async fn submit(
        &self,
        tasks: Value,
        on_conflict: Option<ConflictRule>,
    ) -> Result<Vec<TaskHandle>, SubmitError> {
        if self.live.closed.load(Ordering::Relaxed) {
            return Err(SubmitError::Closed);
        }
        let ids = ids(&tasks)?;
        let control = &self.live.control;
        let drafts = control.drafting().draft(tasks.clone()).map_err(SubmitError::Invalid)?;
        let mut problems = Vec::new();
        drafts.iter().for_each(|draft| self.live.cast.check(&draft.task, &mut problems));
        if !problems.is_empty() {
            return Err(SubmitError::Invalid(problems));
        }
        let terms = Terms { whole: true, on_conflict };
        let added = match control.add_drafts(tasks.clone(), drafts, terms).await {
            Ok(added) => added,
            Err(ControlError::Invalid(problems)) => return Err(SubmitError::Invalid(problems)),
            Err(_) => {
                return Err(match self.live.ending().await {
                    Ok(_) => SubmitError::Closed,
                    Err(interrupted) => SubmitError::Interrupted(interrupted),
                });
            }
        };
        if added.iter().any(|task| task.outcome == AddOutcome::Rejected) {
            let over = |problem: &Problem| problem.code == "over";
            if added.iter().all(|task| task.conflicts.iter().any(over)) {
                return Err(SubmitError::Closed);
            }
            return Err(SubmitError::Conflict(DependencyConflict::new(tasks, added)));
        }
        Ok(self.handles(tasks, &ids, added))
    }

    /// A handle for each of the tasks, without their steps.
    fn handles(&self, tasks: Value, ids: &[Arc<str>], added: Vec<AddedTask>) -> Vec<TaskHandle> {
        let outcome = |id: &Arc<str>| {
            let task = added.iter().find(|task| task.task_id == *id);
            task.map_or(AddOutcome::Added, |task| task.outcome)
        };
        let handles = ids.iter().map(|id| {
            let handle = TaskHandle::new(id.clone(), self.live.clone());
            (handle, outcome(id))
        });
        let handles: Vec<(TaskHandle, AddOutcome)> = handles.collect();
        let conflict = added
            .iter()
            .any(|task| !task.conflicts.is_empty())
            .then(|| Arc::new(DependencyConflict::new(tasks, added)));
        handles
            .into_iter()
            .map(|(handle, outcome)| handle.with(outcome, conflict.clone()))
            .collect()
    }
}

/// The ids of a task or a list of them.
fn ids(tasks: &Value) -> Result<Vec<Arc<str>>, SubmitError> {
    let list = match tasks {
        Value::Array(tasks) => tasks.as_slice(),
        task => std::slice::from_ref(task),
    };
    if let Some(place) = list.iter().position(|task| !task.is_object()) {
        let path = if tasks.is_array() { format!("[{place}]") } else { String::new() };
        let problem = Problem::error("wrong-type", path, "this is not a task");
        return Err(SubmitError::Invalid(vec![
            problem.hint("a task is an object with a 'task_id'"),
        ]));
    }
    // One without an id is not valid, which the compiler says better.
    let id = |task: &Value| task["task_id"].as_str().unwrap_or_default().into();
    Ok(list.iter().map(id).collect())
}
