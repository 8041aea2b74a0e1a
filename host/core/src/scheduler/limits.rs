//! What is due when: timeouts, deadlines, and the ends of waits.
//!
//! Each task has one timer, set to the nearest moment at which something may be
//! due. What it is, is found out when the timer fires, so that a sign of life
//! costs no more than to remember when it came.

use super::*;

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// Out of time.
    Timeout(Timeout),
    /// The next attempt, or the next look at a pending one.
    Ready,
}

impl Scheduler {
    /// Sets a task's timer to what is due next.
    pub(super) fn arm(&mut self, task: TaskIx) {
        match self.due(task) {
            Some((at, _)) => self.timers.set(task, at),
            None => self.timers.clear(task),
        }
    }

    /// The moment from which a task fails whatever it does. That of an item is
    /// its task's.
    pub(super) fn final_limit(&self, task: TaskIx) -> Option<(i64, Timeout)> {
        let task = self.owner(task).unwrap_or(task);
        let rules = &self.rules[task.index()];
        let deadline = rules.facts.deadline.map(|at| (at, Timeout::Deadline));
        let total = self.tasks[task.index()].unblocked_at.zip(rules.timeouts.total);
        let total = total.map(|(from, span)| (from.saturating_add_unsigned(span), Timeout::Total));
        match (deadline, total) {
            (Some(deadline), Some(total)) => {
                Some(if total.0 < deadline.0 { total } else { deadline })
            }
            (deadline, total) => deadline.or(total),
        }
    }

    /// What is due next about a task. Of what is due at the same moment, what
    /// ends more comes first.
    fn due(&self, task: TaskIx) -> Option<(i64, Due)> {
        let life = &self.tasks[task.index()];
        let timeouts = &self.rules[task.index()].timeouts;
        if matches!(life.state, State::Finished(_)) {
            return None;
        }
        let attempt = Some((life.deadline, Due::Timeout(Timeout::Attempt)));
        let after = |from: i64, span: Option<u64>, timeout| {
            span.map(|span| (from.saturating_add_unsigned(span), Due::Timeout(timeout)))
        };
        let whole = match life.stop {
            Some(Stop::Timeout(Timeout::Attempt | Timeout::Idle)) | None if !self.is_item(task) => {
                self.final_limit(task).map(|(at, timeout)| (at, Due::Timeout(timeout)))
            }
            _ => None,
        };
        let (first, second) = match life.state {
            State::Ready(_) => (
                after(life.ready_at, timeouts.queue, Timeout::Queue),
                attempt.filter(|_| life.resume),
            ),
            State::Running if life.stop.is_none() => {
                (attempt, after(life.alive_at, timeouts.idle, Timeout::Idle))
            }
            State::Parked(Park::Person) => (attempt, None),
            State::Parked(Park::Backoff) => (Some((life.ready_at, Due::Ready)), None),
            State::Parked(Park::Remote) => (attempt, Some((life.ready_at, Due::Ready))),
            _ => (None, None),
        };
        [whole, first, second].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    pub(super) fn fire_timers(&mut self, now: i64, actions: &mut Vec<Action>) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.halt(Halt::Deadline, actions);
        }
        while let Some(task) = self.timers.pop_due(now) {
            match self.due(task) {
                Some((at, _)) if at > now => self.arm(task),
                Some((_, due)) => self.fire(now, task, due, actions),
                None => {}
            }
            self.settle(now, actions);
        }
    }

    fn fire(&mut self, now: i64, task: TaskIx, due: Due, actions: &mut Vec<Action>) {
        match (due, self.state(task)) {
            (Due::Ready, _) => self.make_ready(now, task),
            (
                Due::Timeout(why @ (Timeout::Attempt | Timeout::Idle)),
                State::Ready(_) | State::Parked(Park::Remote),
            ) => {
                // An attempt that is pending ends here, in line or not.
                self.set_state(task, State::Parked(Park::Remote));
                self.tasks[task.index()].resume = false;
                actions.push(Action::CancelRemote { task, why: Stop::Timeout(why) });
                self.attempt_failed(now, task, Retry::Yes, Some(why), actions);
            }
            (Due::Timeout(why), _) => self.stop(task, Stop::Timeout(why), actions),
        }
    }
}
