//! What ends before its time: a task, those that depend on it, or everything.

use std::collections::BTreeSet;

use super::*;

/// Why everything is being stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Halt {
    Failed(TaskIx),
    Cancelled,
    Deadline,
    Budget,
}

impl Halt {
    fn stop(self) -> Stop {
        match self {
            Self::Failed(_) => Stop::RunFailed,
            Self::Cancelled => Stop::Cancelled,
            Self::Deadline => Stop::RunDeadline,
            Self::Budget => Stop::Budget,
        }
    }

    /// Why a task is cancelled that is not finished by itself.
    pub(super) fn reason(self) -> Reason {
        match self {
            Self::Failed(task) => Reason::RunFailed(task),
            Self::Cancelled => Reason::Cancelled,
            Self::Deadline => Reason::RunDeadline,
            Self::Budget => Reason::Budget,
        }
    }
}

impl Scheduler {
    pub(super) fn cancel(&mut self, scope: Scope, actions: &mut Vec<Action>) {
        match scope {
            Scope::Run => self.halt(Halt::Cancelled, actions),
            Scope::Task(task) => self.stop(task, Stop::Cancelled, actions),
            Scope::Subtree(task) => self.cancel_subtree(task, actions),
        }
    }

    fn cancel_subtree(&mut self, root: TaskIx, actions: &mut Vec<Action>) {
        let mut seen = BTreeSet::from([root]);
        let mut order = vec![root];
        let mut at = 0;
        while let Some(&task) = order.get(at) {
            at += 1;
            let mut next: Vec<TaskIx> =
                self.graph.dependents(task).chain(self.items(task)).collect();
            next.sort_unstable();
            order.extend(next.into_iter().filter(|next| seen.insert(*next)));
        }
        for task in order {
            self.stop(task, Stop::Cancelled, actions);
        }
    }

    /// Counts what has been used, and stops everything when it is too much.
    pub(super) fn spend(&mut self, tokens: u64, cost: f64, actions: &mut Vec<Action>) {
        self.spent.tokens = self.spent.tokens.saturating_add(tokens);
        if cost > 0.0 {
            self.spent.cost += cost;
        }
        let over = self.budget.tokens.is_some_and(|most| self.spent.tokens > most)
            || self.budget.cost.is_some_and(|most| self.spent.cost > most);
        if over {
            self.halt(Halt::Budget, actions);
        }
    }

    /// Stops all that is not finished, for the first reason there is.
    pub(super) fn halt(&mut self, halt: Halt, actions: &mut Vec<Action>) {
        let over = self.unfinished == 0 && !self.open && !matches!(halt, Halt::Failed(_));
        if self.halt.is_some() || self.phase != Phase::Live || over {
            return;
        }
        self.halt = Some(halt);
        for task in self.graph.tasks() {
            self.stop(task, halt.stop(), actions);
        }
    }

    /// Stops one task, with its items.
    pub(super) fn stop(&mut self, task: TaskIx, why: Stop, actions: &mut Vec<Action>) {
        if self.state(task) != State::Parked(Park::Items) {
            self.stop_one(task, why, actions);
        } else if self.tasks[task.index()].stop.is_none() {
            self.tasks[task.index()].stop = Some(why);
            self.arm(task);
            for item in self.items(task) {
                self.stop_one(item, why, actions);
            }
        }
    }

    /// What runs is told to stop, once; what does not is finished. What was to
    /// fail for good or was cancelled remains so.
    fn stop_one(&mut self, task: TaskIx, why: Stop, actions: &mut Vec<Action>) {
        let life = &mut self.tasks[task.index()];
        match (life.state, life.stop) {
            (State::Finished(_), _) => {}
            (State::Running, None) => {
                life.stop = Some(why);
                actions.push(Action::Abort { task, why });
                self.arm(task);
            }
            (
                State::Running,
                Some(
                    Stop::Timeout(Timeout::Attempt | Timeout::Idle)
                    | Stop::Delivered(Delivery::Failure { .. }),
                ),
            ) => {
                life.stop = Some(why);
                self.arm(task);
            }
            (State::Running, Some(_)) => {}
            _ => {
                if life.resume {
                    actions.push(Action::CancelRemote { task, why });
                }
                let (status, reason) = self.outcome(why);
                self.finish(task, status, reason, actions);
            }
        }
    }

    /// What becomes of a task that is stopped.
    pub(super) fn outcome(&self, why: Stop) -> (Status, Reason) {
        match (why, self.halt) {
            (Stop::Timeout(timeout), _) => (Status::Failed, Reason::Timeout(timeout)),
            (Stop::Cancelled, _) | (_, None) => (Status::Cancelled, Reason::Cancelled),
            (_, Some(halt)) => (Status::Cancelled, halt.reason()),
        }
    }

    pub(super) fn run_status(&self) -> (Status, RunReason) {
        let succeeded = |task: &TaskLife| task.state == State::Finished(Status::Succeeded);
        match self.halt {
            Some(Halt::Failed(task)) => (Status::Failed, RunReason::Failed(task)),
            Some(Halt::Deadline) => (Status::Failed, RunReason::Deadline),
            Some(Halt::Budget) => (Status::Failed, RunReason::Budget),
            Some(Halt::Cancelled) if !self.tasks.iter().all(succeeded) => {
                (Status::Cancelled, RunReason::Cancelled)
            }
            Some(Halt::Cancelled) | None => (Status::Succeeded, RunReason::Completed),
        }
    }
}
