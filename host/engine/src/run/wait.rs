//! Who *waits* for what becomes of tasks. Nothing of it is recorded: whoever
//! waits is gone when the host is.

use std::collections::HashMap;
use std::sync::Arc;

use consort_core::graph::TaskIx;
use consort_core::plan::OnFailure;
use consort_core::scheduler::Status;

use super::Conductor;
use crate::control::Reply;
use crate::delivery::Consequence;
use crate::error::TaskError;
use crate::output::Output;

/// How a task has ended: its result, or why it has none.
pub(crate) type Ending = Result<Output, Box<TaskError>>;

/// Who waits for what becomes of tasks.
#[derive(Default)]
pub(super) struct Waiting {
    /// For the ends of tasks, by their ids; they may not be in the run yet.
    ends: HashMap<Arc<str>, Vec<Reply<Ending>>>,
    /// For what follows from deliveries.
    consequences: HashMap<TaskIx, Vec<Reply<Consequence>>>,
}

impl Waiting {
    pub(super) fn for_consequence(&mut self, task: TaskIx, reply: Reply<Consequence>) {
        if !reply.is_closed() {
            self.consequences.entry(task).or_default().push(reply);
        }
    }

    /// Tells what follows from a delivery, if there was one.
    pub(super) fn settle(&mut self, task: TaskIx, consequence: Consequence) {
        for reply in self.consequences.remove(&task).into_iter().flatten() {
            // Whoever delivered it may have gone.
            let _ = reply.send(Ok(consequence.clone()));
        }
    }

    fn end(&mut self, id: &str, ending: &Ending) {
        for reply in self.ends.remove(id).into_iter().flatten() {
            // Whoever waited may have gone.
            let _ = reply.send(Ok(ending.clone()));
        }
    }
}

impl Conductor {
    /// Answers when a task has ended, which it may have already.
    pub(super) fn wait_for(&mut self, id: String, reply: Reply<Ending>) {
        let ending = match self.find(&id) {
            Ok(task) => match self.records[task.index()].status {
                Some(status) => Ok(self.ending(task, status)),
                None => return self.waiting.ends.entry(id.into()).or_default().push(reply),
            },
            Err(_) if self.additions.is_held(&id) => {
                return self.waiting.ends.entry(id.into()).or_default().push(reply);
            }
            Err(error) => Err(error),
        };
        // An answer that nobody waits for any more is no loss.
        let _ = reply.send(ending);
    }

    /// A task has ended.
    pub(super) fn tell_those_who_wait(&mut self, task: TaskIx, status: Status) {
        if !self.waiting.consequences.is_empty() {
            let consequence = match (status, self.task(task).settings.on_failure) {
                (Status::Succeeded, _) => Consequence::Completed,
                (Status::Failed, OnFailure::Continue) => Consequence::Tolerated,
                (Status::Failed, OnFailure::Skip) => Consequence::Failed,
                (Status::Failed, OnFailure::Fail) => Consequence::RunFailed,
                (Status::Cancelled | Status::Skipped, _) => Consequence::Cancelled,
            };
            self.waiting.settle(task, consequence);
        }
        if !self.waiting.ends.is_empty() {
            let (id, ending) = (self.id(task), self.ending(task, status));
            self.waiting.end(&id, &ending);
        }
    }

    /// A task that was held is not added after all.
    pub(super) fn tell_those_who_wait_in_vain(&mut self, id: &str, why: &str) {
        // Another of the same id may be there, or come.
        if self.waiting.ends.is_empty() || self.additions.is_held(id) || self.find(id).is_ok() {
            return;
        }
        let error = TaskError::new("not-added", format!("it is not in the run: {why}"));
        self.waiting.end(id, &Err(error.into()));
    }

    fn ending(&self, task: TaskIx, status: Status) -> Ending {
        let record = &self.records[task.index()];
        match (&record.result, &record.error) {
            (Some(result), _) if status == Status::Succeeded => Ok(result.clone()),
            (_, Some(error)) => Err(error.clone()),
            (_, None) => Err(TaskError::new("host", format!("it has {}", status.as_str())).into()),
        }
    }
}
