//! A *conflict* between tasks that were submitted and the run: they depend on
//! what is not there, on themselves, or bear a name that is taken.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use consort_core::plan::ConflictRule;
use consort_core::problem::Problem;
use serde::Serialize;
use serde_json::Value;

use super::{Coordinator, SubmitError, TaskHandle};
use crate::control::{AddOutcome, AddedTask, ControlError};

/// Tasks that do not fit the run they were submitted to. They were rejected, or
/// some of them are held.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DependencyConflict {
    /// Those in conflict, steps of collaborative tasks included.
    pub conflicts: Vec<TaskConflict>,
    /// All tasks that were submitted together, as they were: a list, or one alone.
    pub tasks: Value,
}

/// Why one task does not fit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskConflict {
    /// The task.
    pub task_id: Arc<str>,
    /// Whether it is in the run all the same, held, or rejected.
    pub outcome: AddOutcome,
    /// The reasons, as the compiler would say them: `missing-dependency`, `cycle`,
    /// `duplicate-id`, or `not-alone` for a task that is only rejected together
    /// with another.
    pub problems: Vec<Problem>,
}

/// What is to be done about a conflict.
#[derive(Debug, Clone, PartialEq)]
pub enum Resolution {
    /// Do without the tasks. Those that are held are given up.
    Drop,
    /// Add them without the dependencies in conflict. A name that is taken stays
    /// taken.
    Admit,
    /// Hold them until what they wait for comes. Cycles and names that are taken
    /// stay conflicts.
    Hold,
    /// Add these tasks instead.
    Replace(Vec<Value>),
}

impl DependencyConflict {
    pub(super) fn new(tasks: Value, added: Vec<AddedTask>) -> Self {
        let conflicts = added.into_iter().filter(|task| !task.conflicts.is_empty());
        let conflicts = conflicts.map(|task| TaskConflict {
            task_id: task.task_id,
            outcome: task.outcome,
            problems: task.conflicts,
        });
        Self { conflicts: conflicts.collect(), tasks }
    }

    /// Those of its tasks that are held.
    fn held(&self) -> impl Iterator<Item = &TaskConflict> {
        self.conflicts.iter().filter(|task| task.outcome == AddOutcome::Held)
    }

    fn is_rejected(&self) -> bool {
        self.conflicts.iter().any(|task| task.outcome == AddOutcome::Rejected)
    }

    /// Those that are held for what none of the others is: what only waits for
    /// them follows.
    fn held_first(&self) -> impl Iterator<Item = &Arc<str>> {
        let held: HashSet<&str> = self.held().map(|task| &*task.task_id).collect();
        let of_them = move |problem: &Problem| {
            problem.word.as_deref().is_some_and(|missing| held.contains(missing))
        };
        self.held()
            .filter(move |task| !task.problems.iter().all(&of_them))
            .map(|task| &task.task_id)
    }
}

impl fmt::Display for DependencyConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.conflicts.first();
        let problem = first.and_then(|task| Some((&task.task_id, task.problems.first()?)));
        match problem {
            Some((task, problem)) => {
                write!(f, "task '{task}' does not fit the run: {}", problem.message)
            }
            None => f.write_str("the tasks do not fit the run"),
        }
    }
}

impl std::error::Error for DependencyConflict {}

impl Coordinator {
    /// Does something about tasks that do not fit, whether they were rejected
    /// ([`SubmitError::Conflict`]) or are held ([`TaskHandle::conflict`]). Returns
    /// handles on those that are in the run now, or held.
    ///
    /// What is held may have fitted meanwhile; nothing happens to it then.
    ///
    /// # Errors
    ///
    /// What is submitted anew conflicts again, or is not valid.
    pub async fn resolve_dependency_conflict(
        &self,
        conflict: &DependencyConflict,
        resolution: Resolution,
    ) -> Result<Vec<TaskHandle>, SubmitError> {
        let anew = |rule| self.submit(conflict.tasks.clone(), Some(rule));
        match resolution {
            Resolution::Admit if conflict.is_rejected() => anew(ConflictRule::Admit).await,
            Resolution::Hold if conflict.is_rejected() => anew(ConflictRule::Hold).await,
            Resolution::Hold => Ok(self.handles_of(conflict)),
            Resolution::Admit => {
                for task in conflict.held_first() {
                    self.let_wait_no_longer(task, true).await?;
                }
                Ok(self.handles_of(conflict))
            }
            Resolution::Drop => {
                self.give_up(conflict).await?;
                Ok(Vec::new())
            }
            Resolution::Replace(tasks) => {
                self.give_up(conflict).await?;
                self.submit_tasks(tasks).await
            }
        }
    }

    async fn give_up(&self, conflict: &DependencyConflict) -> Result<(), SubmitError> {
        for task in conflict.held() {
            self.let_wait_no_longer(&task.task_id, false).await?;
        }
        Ok(())
    }

    async fn let_wait_no_longer(&self, task: &str, admit: bool) -> Result<(), SubmitError> {
        match self.live.control.resolve(task, admit).await {
            // It has not waited any more.
            Ok(()) | Err(ControlError::UnknownTask { .. }) => Ok(()),
            Err(_) => Err(SubmitError::Closed),
        }
    }

    fn handles_of(&self, conflict: &DependencyConflict) -> Vec<TaskHandle> {
        conflict.held().map(|task| self.task(&task.task_id)).collect()
    }
}
