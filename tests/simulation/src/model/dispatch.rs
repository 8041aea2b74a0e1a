//! What must start, and in which order: a search through all that is ready, as
//! often as something starts.

use super::*;

/// Starts of others after which slots are reserved for a class.
const RESERVE_AFTER: u64 = 64;

impl Model {
    pub(super) fn dispatch(&mut self) -> Checked {
        let mut expected = Vec::new();
        while let Some(task) = self.next() {
            expected.push(self.start(task));
        }
        let actual = std::mem::take(&mut self.step.starts);
        ensure!(actual == expected, "started {actual:?} instead of {expected:?}");
        Ok(())
    }

    fn needs(&self, class: usize) -> u32 {
        self.classes[class].slots.min(self.slots)
    }

    /// The classes of running attempts.
    fn running(&self) -> impl Iterator<Item = usize> + '_ {
        let running = self.tasks.iter().filter(|task| task.stage == Stage::Running);
        running.filter_map(|task| task.facts.class(task.agent))
    }

    fn has_room(&self, class: usize) -> bool {
        let agent = self.classes[class].agent;
        let running = self.running().filter(|class| self.classes[*class].agent == agent).count();
        (running as u32) < self.agents[agent as usize]
    }

    /// Ready tasks with a rank, and their classes.
    fn line(&self) -> impl Iterator<Item = (Rank, usize, usize)> + '_ {
        self.tasks
            .iter()
            .enumerate()
            .filter(|(_, task)| task.stage == Stage::Ready)
            .filter_map(|(number, task)| Some((task.rank?, number, task.facts.class(task.agent)?)))
    }

    pub(super) fn waits_in(&self, class: usize) -> bool {
        self.line().any(|(_, _, other)| other == class)
    }

    fn best(&self, among: impl Fn(usize) -> bool) -> Option<(Rank, usize, usize)> {
        let line = self.line().filter(|(_, _, class)| among(*class) && self.has_room(*class));
        line.max_by(|a, b| a.0.partial_cmp(&b.0).expect("scores are numbers"))
    }

    /// The task that must start next.
    fn next(&mut self) -> Option<usize> {
        let free = self.slots - self.running().map(|class| self.needs(class)).sum::<u32>();
        if free == 0 {
            return None;
        }
        let may_start = |rank: Rank| rank.resume || !(self.paused || self.scoring.is_some());
        let mut passed: Vec<(u64, usize)> =
            self.passed.iter().map(|(class, since)| (*since, *class)).collect();
        passed.sort_unstable();
        let reserved = passed.into_iter().find(|(since, class)| {
            !self.paused && self.starts - since > RESERVE_AFTER && self.has_room(*class)
        });
        if let Some((_, class)) = reserved {
            let (rank, task, _) = self.best(|other| other == class)?;
            return (may_start(rank) && self.needs(class) <= free).then_some(task);
        }
        let (rank, task, class) = self.best(|_| true)?;
        if !may_start(rank) {
            return None;
        }
        if self.needs(class) <= free {
            return Some(task);
        }
        let (rank, task, _) = match self.best(|class| self.needs(class) <= free) {
            Some(best) => best,
            None => {
                self.passed.entry(class).or_insert(self.starts);
                return None;
            }
        };
        let starts = may_start(rank);
        self.passed.entry(class).or_insert(self.starts);
        starts.then_some(task)
    }

    /// Starts a task, and says so as the scheduler must.
    fn start(&mut self, task: usize) -> Action {
        self.starts += 1;
        let now = self.now;
        let state = &mut self.tasks[task];
        if let Some(class) = state.facts.class(state.agent) {
            self.passed.remove(&class);
        }
        state.resumed = std::mem::take(&mut state.resume);
        if !state.resumed {
            state.tries += 1;
            state.attempts += 1;
            state.started_at = now;
        }
        state.stage = Stage::Running;
        state.rank = None;
        state.alive_at = now;
        state.alive_before = now;
        self.order(task)
    }

    /// The words in which a running attempt must be asked for.
    pub(super) fn order(&self, task: usize) -> Action {
        let governor = self.governor(task);
        let limits = [
            self.limit(governor, Timeout::Total),
            self.limit(governor, Timeout::Deadline),
            self.deadline,
        ];
        let state = &self.tasks[task];
        let own = state.started_at + state.facts.timeouts.attempt as i64;
        Action::Start {
            task: TaskIx(task as u32),
            agent: state.agent as u32,
            attempt: state.attempts,
            resume: state.resumed,
            deadline: limits.into_iter().flatten().fold(own, i64::min),
        }
    }
}
