//! What the scheduler does: whether that may be.

use consort_core::graph::{Conflict, Wanted};
use consort_core::plan::OnFailure;
use consort_core::scheduler::{Retry, RunReason};

use super::facts::By;
use super::*;

impl Model {
    pub(super) fn action(&mut self, action: &Action) -> Checked {
        match action {
            Action::Score { tasks } => {
                ensure!(self.step.scored.is_none(), "asked twice");
                self.step.scored = Some(tasks.iter().map(|task| task.index()).collect());
                Ok(())
            }
            Action::Decide { task } => {
                let task = task.index();
                self.unblock(task)?;
                ensure!(self.tasks[task].facts.decide, "there is nothing to decide");
                self.tasks[task].stage = Stage::Deciding;
                Ok(())
            }
            Action::Ask { task } => self.ask(task.index()),
            Action::Start { .. } | Action::StartBatch { .. } => {
                self.step.starts.push(action.clone());
                Ok(())
            }
            Action::Abort { task, why } => self.abort(task.index(), *why),
            Action::CancelRemote { task, why } => self.cancel_remote(task.index(), *why),
            Action::Retrying { task, at, agent, why } => {
                self.retry(task.index(), *at, *agent as usize, *why)
            }
            Action::FannedOut { task, first, items } => {
                self.fan_out(task.index(), first.index(), *items)
            }
            Action::Added { key, task, without } => self.added(*key, task.index(), without),
            Action::Held { key, conflicts } => {
                ensure!(self.rules[key] == ConflictRule::Hold, "nothing is to be held");
                ensure!(!conflicts.is_empty(), "held for nothing");
                let Some(task) = self.unanswered.remove(key) else {
                    return Err("nobody wanted it added".into());
                };
                self.held.insert(*key, task);
                Ok(())
            }
            Action::Rejected { key, conflicts } => self.rejected(*key, conflicts),
            Action::Finished { task, status, reason } => {
                self.finished(task.index(), *status, *reason)
            }
            Action::RunEnded { status, reason } => self.run_ended(*status, *reason),
        }
    }

    /// A task's dependencies are finished, or an item has its turn.
    fn unblock(&mut self, task: usize) -> Checked {
        ensure!(self.tasks[task].stage == Stage::Blocked, "it is {:?}", self.tasks[task].stage);
        ensure!(self.may_go(task), "its dependencies are not finished");
        if let Some(owner) = self.tasks[task].owner {
            ensure!(self.tasks[owner].stage == Stage::Items, "its task does not wait for it");
        }
        self.tasks[task].unblocked_at = Some(self.now);
        Ok(())
    }

    fn ask(&mut self, task: usize) -> Checked {
        if self.tasks[task].stage != Stage::Decided(Decision::Run) {
            ensure!(!self.tasks[task].facts.decide, "it was to be decided first");
            self.unblock(task)?;
        }
        let task = &mut self.tasks[task];
        ensure!(task.facts.by == By::Person, "no person does it");
        task.stage = Stage::Person;
        task.started_at = self.now;
        Ok(())
    }

    /// Whether there is cause to stop a task.
    pub(super) fn check_stop(&mut self, task: usize, why: Stop) -> Checked {
        match why {
            Stop::Timeout(limit) => {
                ensure!(self.is_past(task, limit), "it has time: {:?}", self.limit(task, limit));
                Ok(())
            }
            Stop::Refused => {
                let refused = self.tasks[task].stage == Stage::Answered(false);
                ensure!(refused && self.tasks[task].resume, "no question was refused");
                Ok(())
            }
            Stop::Cancelled if self.tasks[task].cancelled => Ok(()),
            Stop::Cancelled if self.waits_for_subtree(task) => {
                // It was added before the subtree was cancelled, in the same step.
                self.step.subtrees.insert(task);
                Ok(())
            }
            Stop::Cancelled => self.halted(Halt::Cancelled),
            Stop::RunFailed => {
                let failed = |cause: &&Halt| matches!(cause, Halt::Failed(_));
                let cause = self.halt.or(self.causes.iter().find(failed).copied());
                cause.map_or(Err("nothing has failed".into()), |cause| self.halted(cause))
            }
            Stop::RunDeadline => self.halted(Halt::Deadline),
            Stop::Budget => self.halted(Halt::Budget),
            Stop::Delivered(delivery) => {
                let delivered = self.step.delivered == Some((task, delivery));
                ensure!(delivered, "nothing was delivered");
                Ok(())
            }
        }
    }

    fn waits_for_subtree(&self, task: usize) -> bool {
        let mut dependencies = self.dependencies(task).into_iter();
        dependencies.any(|dependency| self.step.subtrees.contains(&dependency))
    }

    /// Everything is stopped for this cause, and no other.
    fn halted(&mut self, cause: Halt) -> Checked {
        ensure!(self.causes.contains(&cause), "{cause:?} has not come up");
        let halt = *self.halt.get_or_insert(cause);
        ensure!(halt == cause, "the run is being stopped for {halt:?}");
        Ok(())
    }

    fn abort(&mut self, task: usize, why: Stop) -> Checked {
        if self.step.asked.remove(&task) {
            // It was told to stop before it asked.
            self.tasks[task].stage = Stage::Ended(End::Asked);
        }
        let stage = self.tasks[task].stage;
        ensure!(matches!(stage, Stage::Running | Stage::Ended(_)), "it is {stage:?}");
        ensure!(self.tasks[task].aborted.is_none(), "it was told to stop before");
        self.check_stop(task, why)?;
        self.tasks[task].aborted = Some(why);
        Ok(())
    }

    fn cancel_remote(&mut self, task: usize, why: Stop) -> Checked {
        match self.tasks[task].stage {
            Stage::Delivered(_) if self.tasks[task].resume => {
                self.tasks[task].resume = false;
                self.check_stop(task, why)
            }
            Stage::Ended(End::Pending { .. } | End::Asked)
                if self.tasks[task].aborted.is_some() =>
            {
                Ok(())
            }
            Stage::Ended(End::Pending { .. } | End::Asked) | Stage::Remote => {
                self.check_stop(task, why)
            }
            Stage::Person | Stage::Answered(_) if self.tasks[task].resume => {
                self.check_stop(task, why)
            }
            Stage::Ready if self.tasks[task].resume => self.check_stop(task, why),
            stage => Err(format!("it is {stage:?}")),
        }
    }

    /// How the last attempt of a task came to nothing, and whether there can be
    /// another by the same agent.
    fn failure(&self, task: usize) -> Result<(Option<Timeout>, Retry), String> {
        let task_state = &self.tasks[task];
        let delivered = match (task_state.stage, task_state.aborted) {
            (Stage::Delivered(delivery), _) if !task_state.resume => Some(delivery),
            (Stage::Ended(_), Some(Stop::Delivered(delivery))) => Some(delivery),
            _ => None,
        };
        match delivered {
            Some(Delivery::Failure { retry }) => {
                return Ok((None, if retry { Retry::Yes } else { Retry::Never }));
            }
            Some(Delivery::Result) => return Err("it was done elsewhere".into()),
            None => {}
        }
        let timeout = match task_state.aborted {
            Some(Stop::Timeout(timeout)) => Some(timeout),
            _ => None,
        };
        match task_state.stage {
            Stage::Ended(End::Failed(retry)) => Ok((None, retry)),
            Stage::Ended(End::Aborted) => Ok((timeout, Retry::Yes)),
            Stage::Ended(End::Pending { .. } | End::Asked) if timeout.is_some() => {
                Ok((timeout, Retry::Yes))
            }
            Stage::Ended(End::Pending { .. }) | Stage::Remote | Stage::Ready
                if self.is_past(task, Timeout::Attempt) =>
            {
                Ok((Some(Timeout::Attempt), Retry::Yes))
            }
            stage => Err(format!("no attempt has failed; it is {stage:?}")),
        }
    }

    fn is_exhausted(&self, task: usize, retry: Retry) -> bool {
        let task = &self.tasks[task];
        retry == Retry::Never || task.tries >= task.facts.retry.max_attempts
    }

    fn retry(&mut self, task: usize, at: i64, agent: usize, why: Option<Timeout>) -> Checked {
        let (cause, retry) = self.failure(task)?;
        ensure!(cause == why, "its attempt failed for {cause:?}");
        let cancelled = self.tasks[task].cancelled && !self.step.cancelled.contains(&task);
        ensure!(self.halt.is_none() && !cancelled, "it was to be stopped");
        for limit in [Timeout::Total, Timeout::Deadline] {
            ensure!(!self.is_past(task, limit), "it has no time left");
        }
        let exhausted = self.is_exhausted(task, retry);
        let state = &mut self.tasks[task];
        let wait = (at - self.now) as u64;
        if exhausted {
            ensure!(agent == state.agent + 1 && wait == 0, "the next agent should try at once");
            state.tries = 0;
        } else {
            let asked = if let Retry::After(wait) = retry { wait } else { 0 };
            let most = state.facts.retry.max_delay.max(asked);
            ensure!(agent == state.agent && (asked..=most).contains(&wait), "waits {wait}");
        }
        ensure!(state.facts.class(agent).is_some(), "there is no such agent");
        state.agent = agent;
        state.resume = false;
        state.rank = None;
        state.asked = false;
        state.aborted = None;
        state.due_at = at;
        state.ready_at = at;
        state.stage = if wait == 0 { Stage::Ready } else { Stage::Backoff };
        Ok(())
    }

    fn fan_out(&mut self, task: usize, first: usize, items: u32) -> Checked {
        let stage = self.tasks[task].stage;
        ensure!(stage == Stage::Decided(Decision::FanOut(items)), "it is {stage:?}");
        ensure!(first == self.tasks.len(), "numbers are given in order");
        self.tasks[task].stage = Stage::Items;
        for item in first..first + items as usize {
            let mut new = Task::new(self.tasks[task].facts.item());
            new.owner = Some(task);
            new.cancelled = self.tasks[task].cancelled;
            self.tasks.push(new);
            self.tasks[task].items.push(item);
        }
        Ok(())
    }

    fn added(&mut self, key: u64, task: usize, without: &[Conflict]) -> Checked {
        ensure!(task == self.tasks.len(), "numbers are given in order");
        let new = self.unanswered.remove(&key).or_else(|| self.held.remove(&key));
        let Some(new) = new else { return Err("nobody wanted it added".into()) };
        ensure!(!self.names.contains_key(&new.name), "its name is taken");
        let mut wanted = new.depends_on.clone();
        for conflict in without {
            let admit = self.rules[&key] == ConflictRule::Admit
                || self.step.resolved.get(&key) == Some(&true);
            ensure!(admit, "an edge was left out");
            let name = match conflict {
                Conflict::Missing(name) => {
                    // It may have been held for this one, and come with it.
                    let there = self.names.get(name).is_some_and(|task| *task < self.step.tasks);
                    ensure!(!there, "{name} is not missing");
                    name
                }
                Conflict::Cycle(path) => {
                    ensure!(path.last() == path.first() && path.contains(&new.name), "{path:?}");
                    path.first().ok_or("a cycle of nothing")?
                }
                Conflict::Duplicate(_) => return Err("a duplicate was added".into()),
                Conflict::Companion(_) => return Err("it was not to be added alone".into()),
            };
            wanted.retain(|wanted| *wanted != Wanted::Name(name.clone()));
        }
        self.names.insert(new.name, task);
        self.tasks.push(Task::new(Facts::added(&new.rules, &wanted)));
        Ok(())
    }

    fn rejected(&mut self, key: u64, conflicts: &[Conflict]) -> Checked {
        let new = self.unanswered.remove(&key).or_else(|| self.held.remove(&key));
        let Some(new) = new else { return Err("nobody wanted it added".into()) };
        ensure!(!conflicts.is_empty(), "rejected for nothing");
        let rule = self.rules[&key];
        self.step.rejected.insert(key);
        for conflict in conflicts {
            match conflict {
                Conflict::Missing(name) => {
                    ensure!(rule != ConflictRule::Admit, "it was to be admitted");
                    let wanted = Wanted::Name(name.clone());
                    ensure!(new.depends_on.contains(&wanted), "it does not wait for {name}");
                    ensure!(!self.names.contains_key(name), "{name} is not missing");
                }
                Conflict::Cycle(path) => {
                    ensure!(rule != ConflictRule::Admit, "it was to be admitted");
                    ensure!(path.first() == path.last() && path.len() > 1, "{path:?}");
                }
                Conflict::Companion(_) => {
                    let whole = self.step.whole.iter().any(|batch| batch.contains(&key));
                    ensure!(whole && conflicts.len() == 1, "it might have been added alone");
                }
                Conflict::Duplicate(name) => {
                    let all = self.held.values().chain(self.unanswered.values());
                    let taken =
                        self.names.contains_key(name) || all.into_iter().any(|t| t.name == *name);
                    // The other one may have been rejected in the same step.
                    ensure!(*name == new.name && (taken || conflicts.len() == 1), "it is free");
                }
            }
        }
        Ok(())
    }

    fn finished(&mut self, task: usize, status: Status, reason: Reason) -> Checked {
        let stage = self.tasks[task].stage;
        ensure!(self.tasks[task].over().is_none(), "it was finished before");
        ensure!(stage != Stage::Running, "its attempt runs");
        let open = self.tasks[task].items.iter().any(|item| self.tasks[*item].over().is_none());
        ensure!(!open, "not all of its items are finished");
        let expected = match reason {
            Reason::Done => Status::Succeeded,
            Reason::Condition | Reason::Dependency(_) => Status::Skipped,
            Reason::Cancelled | Reason::RunFailed(_) | Reason::RunDeadline | Reason::Budget => {
                Status::Cancelled
            }
            Reason::Attempts
            | Reason::Timeout(_)
            | Reason::Undecidable
            | Reason::Items(_)
            | Reason::Refused => Status::Failed,
        };
        ensure!(status == expected, "the reason does not fit");
        match reason {
            Reason::Done => self.check_done(task)?,
            Reason::Attempts => {
                let (why, retry) = self.failure(task)?;
                ensure!(why.is_none() && self.is_exhausted(task, retry), "there are attempts left");
                let next = self.tasks[task].facts.class(self.tasks[task].agent + 1);
                ensure!(next.is_none(), "there are agents left");
            }
            Reason::Timeout(limit) => self.check_timeout(task, limit)?,
            Reason::Condition => ensure!(stage == Stage::Decided(Decision::Skip), "{stage:?}"),
            Reason::Undecidable => ensure!(stage == Stage::Decided(Decision::Fail), "{stage:?}"),
            Reason::Refused => {
                let failed = matches!(stage, Stage::Delivered(Delivery::Failure { .. }));
                let person = self.tasks[task].facts.by == By::Person;
                ensure!(stage == Stage::Answered(false) || (failed && person), "{stage:?}");
            }
            Reason::Items(item) => {
                ensure!(self.tasks[item.index()].owner == Some(task), "it is not its item");
                let result = self.tasks[item.index()].over().map(|(status, _)| status);
                ensure!(result != Some(Status::Succeeded), "that item has a result");
                let fatal = self.halt == Some(Halt::Failed(item.index()));
                ensure!(fatal || !self.tasks[task].facts.continues(), "it was to go on");
            }
            Reason::Dependency(cause) => {
                ensure!(stage == Stage::Blocked, "it is {stage:?}");
                let blamed = self.dependencies(task).into_iter().any(|dependency| {
                    let over = self.tasks[dependency].over();
                    let inherited = matches!(over, Some((_, Reason::Dependency(c))) if c == cause);
                    self.is_lost(dependency) && (dependency == cause.index() || inherited)
                });
                ensure!(blamed, "{cause:?} is not to blame");
            }
            Reason::Cancelled => self.check_stop(task, Stop::Cancelled)?,
            Reason::RunFailed(by) => self.halted(Halt::Failed(by.index()))?,
            Reason::RunDeadline => self.halted(Halt::Deadline)?,
            Reason::Budget => self.halted(Halt::Budget)?,
        }
        self.leave_line(task);
        self.tasks[task].stage = Stage::Over(status, reason);
        let governed = self.tasks[task]
            .owner
            .is_some_and(|owner| self.tasks[owner].expired || self.tasks[owner].cancelled);
        let timed_out = matches!(reason, Reason::Timeout(Timeout::Total | Timeout::Deadline));
        let by_owner = self.tasks[task].owner.is_some() && timed_out;
        if status == Status::Failed
            && self.tasks[task].facts.on_failure == OnFailure::Fail
            && !governed
            && !by_owner
        {
            self.causes.push(Halt::Failed(task));
        }
        Ok(())
    }

    /// A class that nobody waits in any more is no longer passed over.
    pub(super) fn leave_line(&mut self, task: usize) {
        let state = &mut self.tasks[task];
        if let (Stage::Ready, Some(_)) = (state.stage, state.rank.take())
            && let Some(class) = state.class()
            && !self.waits_in(class)
        {
            self.passed.remove(&class);
        }
    }

    fn check_done(&self, task: usize) -> Checked {
        let state = &self.tasks[task];
        ensure!(!state.expired, "it was out of time for good");
        let failed = matches!(state.aborted, Some(Stop::Delivered(Delivery::Failure { .. })));
        match (state.stage, &state.facts.by) {
            (Stage::Ended(_), _) if state.aborted == Some(Stop::Delivered(Delivery::Result)) => {}
            (Stage::Ended(_), _) if failed => return Err("it has failed elsewhere".into()),
            (Stage::Delivered(Delivery::Result), _) => {
                ensure!(!state.resume, "its agent goes on");
            }
            (Stage::Ended(End::Succeeded), _) => {}
            (Stage::Answered(true), _) => ensure!(!state.resume, "its agent has the answer"),
            (Stage::Decided(Decision::Run), By::Nobody) | (Stage::Decided(Decision::Done), _) => {}
            (Stage::Blocked, By::Nobody) => {
                ensure!(!state.facts.decide && self.may_go(task), "its time has not come");
            }
            (Stage::Items, _) => {
                let status = |item: &usize| self.tasks[*item].over().map(|(status, _)| status);
                let all = state.items.iter().all(|item| status(item) == Some(Status::Succeeded));
                let stopped = state.cancelled || self.halt.is_some();
                ensure!(all || (state.facts.continues() && !stopped), "an item has no result");
            }
            (stage, _) => return Err(format!("it is {stage:?}")),
        }
        Ok(())
    }

    fn check_timeout(&self, task: usize, limit: Timeout) -> Checked {
        let state = &self.tasks[task];
        if let (Stage::Ended(_), Timeout::Attempt | Timeout::Idle) = (state.stage, limit) {
            let (why, retry) = self.failure(task)?;
            ensure!(why == Some(limit), "its attempt failed for {why:?}");
            ensure!(self.is_exhausted(task, retry), "there are attempts left");
            ensure!(state.facts.class(state.agent + 1).is_none(), "there are agents left");
            return Ok(());
        }
        ensure!(self.is_past(task, limit), "it has time: {:?}", self.limit(task, limit));
        Ok(())
    }

    fn run_ended(&mut self, status: Status, reason: RunReason) -> Checked {
        self.ended = true;
        ensure!(self.tasks.iter().all(|task| task.over().is_some()), "not all is finished");
        ensure!(self.held.is_empty() && self.unanswered.is_empty(), "additions are forgotten");
        let good = |task: &Task| matches!(task.stage, Stage::Over(Status::Succeeded, _));
        let expected = match reason {
            RunReason::Completed => {
                let failed = |cause: &Halt| matches!(cause, Halt::Failed(_));
                ensure!(!self.causes.iter().any(failed), "a task has failed");
                let all_good = self.tasks.iter().all(good);
                let stopped = self.halt.is_some_and(|halt| halt != Halt::Cancelled || !all_good);
                ensure!(!stopped, "it was stopped for {:?}", self.halt);
                Status::Succeeded
            }
            RunReason::Failed(task) => {
                self.halted(Halt::Failed(task.index()))?;
                Status::Failed
            }
            RunReason::Cancelled => {
                self.halted(Halt::Cancelled)?;
                ensure!(!self.tasks.iter().all(good), "all have succeeded");
                Status::Cancelled
            }
            RunReason::Deadline => {
                self.halted(Halt::Deadline)?;
                Status::Failed
            }
            RunReason::Budget => {
                self.halted(Halt::Budget)?;
                Status::Failed
            }
        };
        ensure!(status == expected, "the reason does not fit");
        Ok(())
    }
}
