//! The attempts of a task: start, end, and another try.

use super::*;
use crate::retry::random;
use queue::{Admit, Popped};

/// Milliseconds until the first `resume`, at the least.
const MIN_POLL: u64 = 100;

/// An attempt that begins or goes on, as [`Action::Start`] says it.
pub(super) struct Begun {
    agent: u32,
    attempt: u32,
    resume: bool,
    pub(super) deadline: i64,
}

impl Begun {
    pub(super) fn start(self, task: TaskIx) -> Action {
        let Self { agent, attempt, resume, deadline } = self;
        Action::Start { task, agent, attempt, resume, deadline }
    }
}

impl Scheduler {
    /// Starts the best ready tasks while there is room.
    pub(super) fn start_ready(&mut self, now: i64, actions: &mut Vec<Action>) {
        let admit = match (self.paused, self.is_scoring()) {
            (true, _) => Admit::Paused,
            (false, true) => Admit::Resumes,
            (false, false) => Admit::All,
        };
        loop {
            let tasks = &self.tasks;
            let stands = |task: TaskIx, entry| tasks[task.index()].entry == entry;
            match self.queue.pop(admit, stands) {
                None => return,
                Some(Popped::One(task)) => {
                    let begun = self.begin(now, task);
                    actions.push(begun.start(task));
                }
                Some(Popped::Group(class, tasks)) => {
                    self.start_batch(now, class, tasks, actions);
                }
            }
        }
    }

    /// Begins an attempt, or goes on with one, that has been given its room.
    pub(super) fn begin(&mut self, now: i64, task: TaskIx) -> Begun {
        self.running += 1;
        self.tasks[task.index()].entry = 0;
        self.set_state(task, State::Running);
        let timeout = self.rules[task.index()].timeouts.attempt;
        let life = &mut self.tasks[task.index()];
        life.alive_at = now;
        life.resumed = std::mem::take(&mut life.resume);
        if !life.resumed {
            life.tries += 1;
            life.attempts += 1;
            life.deadline = now.saturating_add_unsigned(timeout);
        }
        self.order(task)
    }

    /// What a running attempt is asked for with.
    pub(super) fn order(&mut self, task: TaskIx) -> Begun {
        self.arm(task);
        let life = &self.tasks[task.index()];
        let (agent, attempt, resume, own) =
            (life.agent, life.attempts, life.resumed, life.deadline);
        let limit = self.final_limit(task).map(|(at, _)| at);
        let deadline = limit.into_iter().chain(self.deadline).fold(own, i64::min);
        Begun { agent, attempt, resume, deadline }
    }

    pub(super) fn ended(&mut self, now: i64, task: TaskIx, end: End, actions: &mut Vec<Action>) {
        if self.state(task) != State::Running {
            return;
        }
        self.give_back(task);
        let life = &mut self.tasks[task.index()];
        let stop = life.stop.take();
        let end = match (std::mem::take(&mut life.overtaken), end) {
            (true, End::Succeeded | End::Failed(_)) => End::Aborted,
            (_, end) => end,
        };
        if let (End::Pending { .. } | End::Asked, Some(why)) = (end, stop) {
            // It was told to stop just when it left its work to the agent.
            actions.push(Action::CancelRemote { task, why });
        }
        match (end, stop) {
            (_, Some(Stop::Delivered(delivery))) => self.conclude(now, task, delivery, actions),
            (_, Some(why @ Stop::Timeout(Timeout::Total | Timeout::Deadline))) => {
                let (status, reason) = self.outcome(why);
                self.finish(task, status, reason, actions);
            }
            (End::Succeeded, _) => self.finish(task, Status::Succeeded, Reason::Done, actions),
            (End::Failed(retry), None | Some(Stop::Timeout(_))) => {
                self.attempt_failed(now, task, retry, None, actions);
            }
            (End::Pending { poll_after }, None) => self.park_remote(now, task, poll_after),
            (End::Asked, None) => self.park_for_person(now, task),
            (End::Aborted, None) => self.attempt_failed(now, task, Retry::Yes, None, actions),
            (End::Pending { .. } | End::Asked | End::Aborted, Some(Stop::Timeout(why))) => {
                self.attempt_failed(now, task, Retry::Yes, Some(why), actions);
            }
            (End::Failed(_) | End::Pending { .. } | End::Asked | End::Aborted, Some(why)) => {
                let (status, reason) = self.outcome(why);
                self.finish(task, status, reason, actions);
            }
        }
    }

    fn park_remote(&mut self, now: i64, task: TaskIx, poll_after: u64) {
        let life = &mut self.tasks[task.index()];
        life.resume = true;
        life.ready_at = now.saturating_add_unsigned(poll_after.max(MIN_POLL));
        self.set_state(task, State::Parked(Park::Remote));
        self.arm(task);
    }

    /// An attempt whose agent has asked goes on with the answer.
    fn park_for_person(&mut self, now: i64, task: TaskIx) {
        self.tasks[task.index()].resume = true;
        self.give_time(now, task);
        self.set_state(task, State::Parked(Park::Person));
        self.arm(task);
    }

    /// A person, or an attempt that one has answered, has the attempt's time.
    pub(super) fn give_time(&mut self, now: i64, task: TaskIx) {
        let timeout = self.rules[task.index()].timeouts.attempt;
        self.tasks[task.index()].deadline = now.saturating_add_unsigned(timeout);
    }

    /// Another attempt, another agent, or the end. `why` says what the attempt
    /// was too slow for.
    pub(super) fn attempt_failed(
        &mut self,
        now: i64,
        task: TaskIx,
        retry: Retry,
        why: Option<Timeout>,
        actions: &mut Vec<Action>,
    ) {
        let rules = &self.rules[task.index()];
        let life = &mut self.tasks[task.index()];
        let asked = match retry {
            Retry::Yes => Some(None),
            Retry::After(wait) => Some(Some(wait)),
            Retry::Never => None,
        };
        let wait = match asked {
            Some(asked) if life.tries < rules.retry.max_attempts => {
                let dice = random(self.settings.seed, task.0, life.attempts);
                rules.retry.delay(life.tries, dice, asked)
            }
            _ if (life.agent as usize) + 1 < rules.work.agents().len() => {
                life.agent += 1;
                life.tries = 0;
                0
            }
            _ => {
                let reason = why.map_or(Reason::Attempts, Reason::Timeout);
                return self.finish(task, Status::Failed, reason, actions);
            }
        };
        let (at, agent) = (now.saturating_add_unsigned(wait), life.agent);
        life.ready_at = at;
        if let Some((_, limit)) = self.final_limit(task).filter(|(limit, _)| *limit <= now) {
            return self.finish(task, Status::Failed, Reason::Timeout(limit), actions);
        }
        actions.push(Action::Retrying { task, at, agent, why });
        if wait == 0 {
            self.make_ready(now, task);
        } else {
            self.set_state(task, State::Parked(Park::Backoff));
            self.arm(task);
        }
    }
}
