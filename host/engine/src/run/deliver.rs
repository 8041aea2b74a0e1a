//! What comes of tasks *outside* of the run.
//!
//! A result goes the way of an agent's: through the task's transformers, apart
//! from the loop, and only then is it an input. So the delivery that is recorded
//! is the one that counts, and a host that comes back calls no transformer again.

use consort_core::graph::TaskIx;
use consort_core::plan::Work;
use consort_core::scheduler::{Delivery, End, Event, Retry};
use serde_json::Value;

use super::Conductor;
use crate::attempt::{AttemptEnd, Left};
use crate::control::{Command, ControlError};
use crate::delivery::{Delivering, Outcome};
use crate::journal::Input;
use crate::output::{INLINE, Kept, OutputError};
use crate::record::Source;
use crate::report::JsonPayload;
use crate::watch::RunEvent;

impl Conductor {
    /// Makes an input of a delivery, at once or when the transformers of its task
    /// have seen the result, and it is ready to be recorded. `post` is its number in the inbox.
    pub(super) fn prepare_delivery(&mut self, delivery: Delivering, post: Option<i64>) {
        let mut delivery = Delivering { post, ..delivery };
        let Some(task) = self.task_to_prepare_for(&delivery) else {
            return self.take_delivery(delivery);
        };
        self.preparing_post |= post.is_some();
        let (job, control) = (self.job(task), self.control.clone());
        tokio::spawn(async move {
            if let Outcome::Result(Kept::Here(output)) = &delivery.outcome {
                delivery.outcome = match job.transform_result(output.clone()).await {
                    Ok(output) => Outcome::Result(job.stage.keep(output).await),
                    Err((error, retry)) => {
                        Outcome::Failure { error, retryable: retry != Retry::Never }
                    }
                };
            }
            delivery.prepared = true;
            if let Some(control) = control {
                control.hand_back(Command::Deliver(Box::new(delivery))).await;
            }
        });
    }

    /// The task whose transformers are to see a result first, or whose result is
    /// large.
    fn task_to_prepare_for(&mut self, delivery: &Delivering) -> Option<TaskIx> {
        let Outcome::Result(output) = &delivery.outcome else { return None };
        // What does not count is said when its turn comes.
        let task = self.find(&delivery.task).ok()?;
        let counts = self.scheduler.takes(task, Delivery::Result);
        let work = self.task(task);
        let large = self.stage.archive.is_some() && output.len() > INLINE as u64;
        let takes_time = large || !work.settings.transform.is_empty();
        // The result of an approval is its answer, which is needed here.
        (counts && takes_time && work.work != Work::Approval).then_some(task)
    }

    /// A delivery is ready to be recorded.
    pub(super) fn take_delivery(&mut self, mut delivery: Delivering) {
        if let Outcome::Result(output) = &delivery.outcome
            && let Some(error) = self.too_much(output, 0)
        {
            delivery.outcome = Outcome::Failure { error, retryable: false };
        }
        let post = delivery.post;
        let command = Command::Deliver(Box::new(delivery));
        match post {
            None => self.inputs.push(Input::Command(command)),
            Some(post) => {
                self.inputs.push(Input::Posted { post, command });
                self.preparing_post = false;
                self.take_posts();
            }
        }
    }

    /// Tells the scheduler of a delivery, if it counts.
    pub(super) fn deliver(&mut self, delivery: Delivering) {
        let Delivering { task: id, outcome, reply, .. } = delivery;
        match self.accept_delivery(&id, outcome) {
            Ok(task) => self.waiting.for_consequence(task, reply),
            // An answer that nobody waits for any more is no loss.
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    fn accept_delivery(&mut self, id: &str, outcome: Outcome) -> Result<TaskIx, ControlError> {
        let task = self.find(id)?;
        let delivery = outcome.delivery();
        let approval = self.task(task).work == Work::Approval;
        if let (Outcome::Result(output), true) = (&outcome, approval) {
            // The result of an approval is its answer.
            let answer = as_json(output).map_err(|reason| {
                let reasons = vec![reason.to_string()];
                ControlError::Misfit { task: id.to_owned(), reasons }
            })?;
            self.answer(id, answer)?;
            return Ok(task);
        }
        if !self.scheduler.takes(task, delivery) {
            let stopping = self.state_name(task) == "running";
            let state = if stopping { "being stopped" } else { self.state_name(task) };
            return Err(ControlError::Undeliverable { task: self.id(task), state });
        }
        let failure = matches!(outcome, Outcome::Failure { .. });
        self.stage.tell(&RunEvent::Delivered { task: self.id(task), failure });
        let delivered = match outcome {
            Outcome::Result(output) => {
                self.kept += output.held();
                Ok(output)
            }
            Outcome::Failure { error, .. } => Err(error),
        };
        let record = &mut self.records[task.index()];
        record.start(self.now);
        record.live().delivered = Some(delivered);
        record.live().question = None;
        self.events.push(Event::Delivered { task, delivery });
        Ok(task)
    }

    /// An attempt has ended whose task has what was delivered: whatever it came
    /// to, it only has to be over. What it left with an agent is stopped.
    pub(super) fn overtaken(&mut self, task: TaskIx, end: Option<AttemptEnd>) {
        let leave = |conductor: &mut Self, left| conductor.records[task.index()].live().left = left;
        let end = match end {
            Some(AttemptEnd::Pending { left, .. }) => {
                leave(self, left);
                End::Pending { poll_after: 0 }
            }
            Some(AttemptEnd::Asks { checkpoint, .. }) => {
                leave(self, Left { checkpoint: Some(checkpoint), ..Left::default() });
                End::Asked
            }
            Some(AttemptEnd::Done { .. } | AttemptEnd::Failed { .. }) => {
                leave(self, Left::default());
                End::Aborted
            }
            None => {
                self.cancel_remote(task);
                End::Aborted
            }
        };
        self.events.push(Event::Ended { task, end });
    }

    /// A task has come to what was delivered.
    pub(super) fn take_delivered(&mut self, task: TaskIx) {
        let record = &mut self.records[task.index()];
        match record.live.as_mut().and_then(|live| live.delivered.take()) {
            Some(Ok(output)) => {
                record.result = Some(output.into());
                record.error = None;
                record.source = Source::Agent;
            }
            Some(Err(error)) => record.error = Some(error),
            None => {}
        }
    }
}

/// A payload as the answer that it is.
fn as_json(output: &Kept) -> Result<Value, OutputError> {
    let payload = output.to_payload()?;
    Ok(serde_json::to_value(JsonPayload(&payload)).unwrap_or(Value::Null))
}
