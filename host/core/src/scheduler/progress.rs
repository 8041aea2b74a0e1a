//! What the end of one task means for others.

use super::*;
use crate::plan::OnFailure;

impl Scheduler {
    /// The dependencies of a task are finished.
    pub(super) fn unblock(&mut self, now: i64, task: TaskIx, actions: &mut Vec<Action>) {
        if self.state(task) != State::Blocked {
            return;
        }
        self.tasks[task.index()].unblocked_at = Some(now);
        if self.rules[task.index()].decide {
            self.set_state(task, State::Deciding);
            self.arm(task);
            actions.push(Action::Decide { task });
        } else {
            self.engage(now, task, actions);
        }
    }

    pub(super) fn decided(
        &mut self,
        now: i64,
        task: TaskIx,
        decision: Decision,
        actions: &mut Vec<Action>,
    ) {
        if self.state(task) != State::Deciding {
            return;
        }
        match decision {
            Decision::Run => self.engage(now, task, actions),
            Decision::Done => self.finish(task, Status::Succeeded, Reason::Done, actions),
            Decision::Skip => self.finish(task, Status::Skipped, Reason::Condition, actions),
            Decision::FanOut(items) => self.fan_out(now, task, items, actions),
            Decision::Fail => self.finish(task, Status::Failed, Reason::Undecidable, actions),
        }
    }

    /// Hands a task to who does it.
    pub(super) fn engage(&mut self, now: i64, task: TaskIx, actions: &mut Vec<Action>) {
        match self.rules[task.index()].work {
            Doer::Agents(_) => self.make_ready(now, task),
            Doer::Join => self.finish(task, Status::Succeeded, Reason::Done, actions),
            Doer::Person => {
                self.give_time(now, task);
                self.set_state(task, State::Parked(Park::Person));
                self.arm(task);
                actions.push(Action::Ask { task });
            }
        }
    }

    pub(super) fn answered(
        &mut self,
        now: i64,
        task: TaskIx,
        accepted: bool,
        actions: &mut Vec<Action>,
    ) {
        if self.state(task) != State::Parked(Park::Person) {
            return;
        }
        let asked_by_agent = self.tasks[task.index()].resume;
        if accepted && asked_by_agent {
            self.give_time(now, task);
            self.make_ready(now, task);
        } else if accepted {
            self.finish(task, Status::Succeeded, Reason::Done, actions);
        } else {
            if asked_by_agent {
                actions.push(Action::CancelRemote { task, why: Stop::Refused });
            }
            self.finish(task, Status::Failed, Reason::Refused, actions);
        }
    }

    pub(super) fn set_state(&mut self, task: TaskIx, state: State) {
        let life = &mut self.tasks[task.index()];
        if let State::Ready(class) = std::mem::replace(&mut life.state, state) {
            self.ready -= 1;
            let entry = std::mem::take(&mut life.entry);
            if entry != 0 {
                self.queue.withdraw(class, self.rules[task.index()].facts.kind, entry);
            }
        }
        self.ready += u32::from(matches!(state, State::Ready(_)));
    }

    /// Ends a task for good; what this means for others is drawn later, by
    /// [`settle`](Self::settle).
    pub(super) fn finish(
        &mut self,
        task: TaskIx,
        status: Status,
        reason: Reason,
        actions: &mut Vec<Action>,
    ) {
        debug_assert!(!matches!(self.state(task), State::Finished(_)), "{task:?} finishes twice");
        self.set_state(task, State::Finished(status));
        self.tasks[task.index()].reason = Some(reason);
        self.timers.clear(task);
        self.unfinished -= 1;
        actions.push(Action::Finished { task, status, reason });
        self.finished.push_back(task);
        let timed_out = matches!(reason, Reason::Timeout(Timeout::Total | Timeout::Deadline));
        // An item that is out of its task's time leaves the rest to that task.
        let fails_run = status == Status::Failed
            && !(timed_out && self.is_item(task))
            && self.rules[task.index()].on_failure == OnFailure::Fail
            && self.owner(task).is_none_or(|owner| self.tasks[owner.index()].stop.is_none());
        if fails_run && self.failing.is_none() && self.halt.is_none() {
            self.failing = Some(task);
        }
    }

    /// Draws the consequences of what has finished until there are none. The
    /// run fails after those who depend on the task that failed it are skipped.
    pub(super) fn settle(&mut self, now: i64, actions: &mut Vec<Action>) {
        loop {
            while let Some(task) = self.finished.pop_front() {
                self.item_finished(now, task, actions);
                if self.is_lost(task) {
                    self.skip_dependents(task, actions);
                } else {
                    self.unblock_dependents(now, task, actions);
                }
            }
            let Some(task) = self.failing.take() else { return };
            self.halt(Halt::Failed(task), actions);
        }
    }

    fn unblock_dependents(&mut self, now: i64, task: TaskIx, actions: &mut Vec<Action>) {
        let mut ready = Vec::new();
        self.graph.mark_completed(task, |next| ready.push(next));
        // Edges come newest first; dependents start in the order of the plan.
        ready.sort_unstable();
        for next in ready {
            self.unblock(now, next, actions);
        }
    }

    fn skip_dependents(&mut self, task: TaskIx, actions: &mut Vec<Action>) {
        let reason = Reason::Dependency(self.cause(task));
        let mut lost: Vec<TaskIx> = self.graph.dependents(task).collect();
        lost.sort_unstable();
        for next in lost {
            if self.state(next) == State::Blocked {
                self.finish(next, Status::Skipped, reason, actions);
            }
        }
    }

    /// Whether a task is finished and those that depend on it cannot run.
    pub(super) fn is_lost(&self, task: TaskIx) -> bool {
        match self.state(task) {
            State::Finished(Status::Succeeded) => false,
            State::Finished(_) => self.rules[task.index()].on_failure != OnFailure::Continue,
            _ => false,
        }
    }

    /// The task that is to blame when those that depend on this one are
    /// skipped.
    pub(super) fn cause(&self, task: TaskIx) -> TaskIx {
        match self.tasks[task.index()].reason {
            Some(Reason::Dependency(cause)) => cause,
            _ => task,
        }
    }
}
