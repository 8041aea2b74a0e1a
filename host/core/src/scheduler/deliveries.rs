//! *Deliveries*: what comes of a task outside of the run, from a worker that the
//! run does not call or a service that calls back.
//!
//! There is never more than one attempt at a task, so one that runs is stopped
//! first: the task keeps its room, and comes to what was delivered when the
//! attempt has ended, however it ends.

use super::*;

impl Scheduler {
    /// Whether a delivery for this task counts. A failure does while an attempt is
    /// open, or a person is asked; a result does so too when the task waits for
    /// its first attempt or the next. A task that is being stopped takes neither,
    /// unless it is only its attempt that is out of time.
    pub fn takes(&self, task: TaskIx, delivery: Delivery) -> bool {
        let life = &self.tasks[task.index()];
        match life.state {
            State::Running => {
                matches!(life.stop, None | Some(Stop::Timeout(Timeout::Attempt | Timeout::Idle)))
            }
            State::Parked(Park::Remote | Park::Person) => true,
            State::Ready(_) => life.resume || delivery == Delivery::Result,
            State::Parked(Park::Backoff) => delivery == Delivery::Result,
            State::Blocked | State::Deciding | State::Parked(Park::Items) | State::Finished(_) => {
                false
            }
        }
    }

    pub(super) fn deliver(
        &mut self,
        now: i64,
        task: TaskIx,
        delivery: Delivery,
        actions: &mut Vec<Action>,
    ) {
        if !self.takes(task, delivery) {
            return;
        }
        let why = Stop::Delivered(delivery);
        let life = &mut self.tasks[task.index()];
        if life.state == State::Running {
            life.overtaken = true;
            if life.stop.replace(why).is_none() {
                actions.push(Action::Abort { task, why });
            }
            return self.arm(task);
        }
        if std::mem::take(&mut life.resume) {
            actions.push(Action::CancelRemote { task, why });
        }
        self.conclude(now, task, delivery, actions);
    }

    /// Does to a task of which nothing runs any more what was delivered.
    pub(super) fn conclude(
        &mut self,
        now: i64,
        task: TaskIx,
        delivery: Delivery,
        actions: &mut Vec<Action>,
    ) {
        match delivery {
            Delivery::Result => self.finish(task, Status::Succeeded, Reason::Done, actions),
            Delivery::Failure { .. } if self.rules[task.index()].work == Doer::Person => {
                self.finish(task, Status::Failed, Reason::Refused, actions);
            }
            Delivery::Failure { retry } => {
                let retry = if retry { Retry::Yes } else { Retry::Never };
                self.attempt_failed(now, task, retry, None, actions);
            }
        }
    }
}
