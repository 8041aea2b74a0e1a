//! What must have happened by the end of a step.

use super::facts::By;
use super::*;

impl Model {
    pub(super) fn close(&mut self) -> Checked {
        self.check_limits()?;
        self.wake();
        for task in std::mem::take(&mut self.step.answered) {
            if self.tasks[task].stage == Stage::Answered(true) {
                self.go_on_with_answer(task);
            }
        }
        for task in 0..self.tasks.len() {
            self.go_on(task).map_err(|why| format!("#{task}: {why}"))?;
        }
        self.release_items()?;
        self.check_additions()?;
        self.check_stops()?;
        self.check_scoring()?;
        self.dispatch()?;
        let stopped = !self.causes.is_empty();
        let over = self.tasks.iter().all(|task| task.over().is_some()) && (!self.open || stopped);
        ensure!(over == self.ended, "the run ends with its last task, and only then");
        Ok(())
    }

    /// Told the time, the scheduler acts on every limit that is reached.
    fn check_limits(&mut self) -> Checked {
        if !self.step.timer {
            return Ok(());
        }
        for task in 0..self.step.tasks {
            let state = &self.tasks[task];
            let stopped = state.aborted.is_some() || state.stage == Stage::Items;
            let late = |limit| self.is_past(task, limit);
            for limit in [Timeout::Total, Timeout::Deadline] {
                ensure!(
                    state.over().is_some() || stopped || !late(limit),
                    "#{task} is {:?} after its {limit:?}",
                    state.stage
                );
            }
            let expired = late(Timeout::Total) || late(Timeout::Deadline);
            ensure!(state.stage != Stage::Ready || !late(Timeout::Queue), "#{task} still waits");
            let idle = state.facts.timeouts.idle.map(|idle| state.alive_at + idle as i64);
            let idle = state.stage == Stage::Running && idle.is_some_and(|at| at <= self.now);
            ensure!(stopped || !(late(Timeout::Attempt) || idle), "#{task} is out of time");
            let done = matches!(state.aborted, Some(Stop::Delivered(_)));
            if state.over().is_none() && self.halt.is_none() && !state.cancelled && !done {
                self.tasks[task].expired |= expired;
            }
        }
        Ok(())
    }

    /// Told the time, the scheduler puts those in line whose wait is over.
    fn wake(&mut self) {
        if !self.step.timer {
            return;
        }
        let mut due: Vec<usize> = (0..self.tasks.len())
            .filter(|task| matches!(self.tasks[*task].stage, Stage::Backoff | Stage::Remote))
            .filter(|task| self.tasks[*task].due_at <= self.now)
            .collect();
        due.sort_by_key(|task| (self.tasks[*task].due_at, *task));
        for task in due {
            self.line_up(task);
        }
    }

    /// Puts a task in line; one that goes on needs no score.
    fn line_up(&mut self, task: usize) {
        let now = self.now;
        let task = &mut self.tasks[task];
        task.stage = Stage::Ready;
        task.ready_at = now;
        task.asked = false;
        task.rank = None;
        if task.resume {
            self.arrivals += 1;
            task.rank = Some(Rank { resume: true, score: 0.0, arrival: -self.arrivals });
        }
    }

    /// The attempt of an agent that asked goes on.
    pub(super) fn go_on_with_answer(&mut self, task: usize) {
        self.tasks[task].started_at = self.now;
        self.line_up(task);
    }

    /// What had to come of a task has come of it.
    fn go_on(&mut self, task: usize) -> Checked {
        let state = &self.tasks[task];
        let by_agents = matches!(state.facts.by, By::Agents(_));
        match state.stage {
            Stage::Blocked if state.owner.is_none() => {
                ensure!(
                    !self.dependencies(task).iter().any(|dependency| self.is_lost(*dependency)),
                    "it is not skipped"
                );
                if self.may_go(task) {
                    ensure!(by_agents && !state.facts.decide, "it is forgotten");
                    self.tasks[task].unblocked_at = Some(self.now);
                    self.line_up(task);
                }
            }
            Stage::Decided(Decision::Run) if by_agents => self.line_up(task),
            Stage::Ended(End::Pending { poll_after }) if state.aborted.is_none() => {
                let state = &mut self.tasks[task];
                state.stage = Stage::Remote;
                state.resume = true;
                state.due_at = self.now + poll_after.max(100) as i64;
            }
            Stage::Ended(End::Asked) if state.aborted.is_none() => self.park_for_person(task),
            Stage::Decided(_) | Stage::Ended(_) | Stage::Answered(_) | Stage::Delivered(_) => {
                return Err(format!("nothing came of {:?}", state.stage));
            }
            Stage::Items => {
                let open = state.items.iter().any(|item| self.tasks[*item].over().is_none());
                ensure!(open, "all items are finished, and it is not");
            }
            _ => {}
        }
        Ok(())
    }

    /// Items have their turn in order, no more at once than may.
    fn release_items(&mut self) -> Checked {
        for parent in 0..self.tasks.len() {
            let state = &self.tasks[parent];
            let items = state.items.clone();
            let waits = |stage: Stage| matches!(stage, Stage::Blocked | Stage::Over(..));
            let active = items.iter().filter(|item| !waits(self.tasks[**item].stage)).count();
            ensure!(active <= state.facts.width, "#{parent} has {active} items at once");
            if state.stage != Stage::Items
                || state.cancelled
                || state.expired
                || self.halt.is_some()
            {
                continue;
            }
            let room = state.facts.width - active;
            let blocked = items.iter().filter(|item| self.tasks[**item].stage == Stage::Blocked);
            for item in blocked.copied().take(room).collect::<Vec<_>>() {
                let by_agents = matches!(self.tasks[item].facts.by, By::Agents(_));
                ensure!(by_agents, "item #{item} is forgotten");
                self.tasks[item].unblocked_at = Some(self.now);
                self.line_up(item);
            }
        }
        Ok(())
    }

    fn check_additions(&self) -> Checked {
        ensure!(self.unanswered.is_empty(), "no answer to {:?}", self.unanswered.keys());
        for key in self.step.resolved.keys() {
            ensure!(!self.held.contains_key(key), "{key} is still held");
        }
        for batch in &self.step.whole {
            let rejected = batch.intersection(&self.step.rejected).count();
            // At the end of the run those that are held are rejected.
            let whole = rejected == 0 || rejected == batch.len() || self.ended;
            ensure!(whole, "a part of {batch:?} was rejected");
        }
        for task in &self.tasks {
            for name in &task.facts.names {
                ensure!(self.names.contains_key(name), "a task waits for {name}, which is missing");
            }
        }
        for task in self.held.values() {
            let missing = task.depends_on.iter().any(|wanted| match wanted {
                consort_core::graph::Wanted::Name(name) => !self.names.contains_key(name),
                consort_core::graph::Wanted::Task(_) => false,
            });
            ensure!(missing, "{} is held for nothing", task.name);
        }
        Ok(())
    }

    /// What was to be stopped is over, or was told to stop.
    fn check_stops(&mut self) -> Checked {
        if let Some((task, delivery)) = self.step.delivered {
            let state = &self.tasks[task];
            let told = state.aborted == Some(Stop::Delivered(delivery));
            ensure!(state.stage != Stage::Running || told, "#{task} is done elsewhere and goes on");
        }
        // Which cause was first shows when something is stopped for it.
        if let [cause] = self.causes[..] {
            self.halt = Some(cause);
        }
        for (number, task) in self.tasks.iter().enumerate() {
            let cancelled = self.step.cancelled.contains(&number);
            if self.causes.is_empty() && !cancelled {
                continue;
            }
            let stopping = match task.stage {
                Stage::Over(..) | Stage::Items => true,
                Stage::Running => task.aborted.is_some(),
                _ => false,
            };
            ensure!(stopping, "#{number} is not stopped: it is {:?}", task.stage);
        }
        Ok(())
    }

    /// All that became ready is asked about, one call at a time.
    fn check_scoring(&mut self) -> Checked {
        let new: BTreeSet<usize> = (0..self.tasks.len())
            .filter(|task| {
                let task = &self.tasks[*task];
                task.stage == Stage::Ready && !task.resume && !task.asked
            })
            .collect();
        let Some(asked) = self.step.scored.take() else {
            ensure!(self.scoring.is_some() || new.is_empty(), "nobody asks about {new:?}");
            return Ok(());
        };
        ensure!(self.scoring.is_none(), "two calls at a time");
        ensure!(asked.len() == new.len(), "asked about {asked:?}, not about {new:?}");
        for task in &asked {
            ensure!(new.contains(task), "asked about {asked:?}, not about {new:?}");
            self.tasks[*task].asked = true;
        }
        self.scoring = Some(asked);
        Ok(())
    }
}
