//! What must start, and in which order: a search through all that is ready, as
//! often as something starts.

use consort_core::scheduler::Member;

use super::*;

/// Starts of others after which slots are reserved for a class.
const RESERVE_AFTER: u64 = 64;

impl Model {
    pub(super) fn dispatch(&mut self) -> Checked {
        let mut expected = Vec::new();
        while let Some(task) = self.next() {
            expected.push(self.start_with_others(task));
        }
        let actual = std::mem::take(&mut self.step.starts);
        ensure!(actual == expected, "started {actual:?} instead of {expected:?}");
        Ok(())
    }

    fn needs(&self, class: usize) -> u32 {
        self.classes[class].slots.min(self.slots)
    }

    /// The classes of running attempts, one for those that were started together.
    fn running(&self) -> impl Iterator<Item = usize> + '_ {
        let running = self.tasks.iter().filter(|task| task.stage == Stage::Running);
        let starts = running.filter_map(|task| Some((task.start, task.facts.class(task.agent)?)));
        starts.collect::<BTreeMap<_, _>>().into_values()
    }

    /// Whether the agent of a class may have one more attempt at once.
    fn is_free(&self, class: usize) -> bool {
        let agent = self.classes[class].agent;
        let running = self.running().filter(|class| self.classes[*class].agent == agent).count();
        (running as u32) < self.agents[agent as usize].concurrency
    }

    /// Whether the rate of an agent allows a start: counted from each start
    /// there was, as many intervals have passed since as starts, but for the
    /// burst. A start counts as what it may have been: as early as just after
    /// the millisecond before.
    fn is_allowed(&self, agent: u32) -> bool {
        let Some(rate) = self.agents[agent as usize].rate else { return true };
        let unit = i128::from(rate.attempts);
        let log = &self.log[agent as usize];
        log.iter().enumerate().all(|(n, at)| {
            let since = (log.len() - n) as i128 - i128::from(rate.burst - 1);
            i128::from(*at) * unit - (unit - 1) + since * i128::from(rate.per)
                <= i128::from(self.now) * unit
        })
    }

    /// Ready tasks with a rank, and their classes.
    fn line(&self) -> impl Iterator<Item = (Rank, usize, usize)> + '_ {
        self.tasks
            .iter()
            .enumerate()
            .filter(|(_, task)| task.stage == Stage::Ready)
            .filter_map(|(number, task)| Some((task.rank?, number, task.class()?)))
    }

    pub(super) fn waits_in(&self, class: usize) -> bool {
        self.line().any(|(_, _, other)| other == class)
    }

    /// The tasks that a task is started together with, best first.
    fn group(&self, task: usize) -> Vec<usize> {
        let kind = self.tasks[task].facts.kind;
        let class = self.tasks[task].class();
        let similar = |other: usize| self.tasks[other].facts.kind == kind;
        let mut group: Vec<(Rank, usize)> = self
            .line()
            .filter(|(_, other, its)| Some(*its) == class && similar(*other))
            .map(|(rank, other, _)| (rank, other))
            .collect();
        group.sort_by(|a, b| b.0.partial_cmp(&a.0).expect("scores are numbers"));
        group.into_iter().map(|(_, task)| task).collect()
    }

    /// Whether a task waits for similar ones.
    fn gathers(&self, task: usize, class: usize) -> bool {
        let Some(batching) = self.classes[class].batching else { return false };
        let group = self.group(task);
        let oldest = group.iter().map(|task| self.tasks[*task].lined_up_at).min();
        let lingers = oldest.is_some_and(|since| since + batching.linger as i64 > self.now);
        lingers && group.len() < batching.max as usize
    }

    fn best(&self, among: impl Fn(usize) -> bool) -> Option<(Rank, usize, usize)> {
        let may = |(rank, task, class): &(Rank, usize, usize)| {
            among(*class)
                && self.is_free(*class)
                && (rank.resume || self.is_allowed(self.classes[*class].agent))
                && !self.gathers(*task, *class)
        };
        let line = self.line().filter(may);
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
            !self.paused
                && self.starts - since > RESERVE_AFTER
                && self.best(|other| other == *class).is_some()
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

    /// Starts a task and those that are started with it, and says so as the
    /// scheduler must.
    fn start_with_others(&mut self, task: usize) -> Action {
        self.starts += 1;
        let class = self.tasks[task].class().expect("it is in line");
        let agent = self.classes[class].agent as usize;
        if !self.tasks[task].resume {
            self.log[agent].push(self.now);
        }
        self.passed.remove(&class);
        let Some(batching) = self.classes[class].batching else { return self.start(task) };
        let mut group = self.group(task);
        group.truncate(batching.max as usize);
        if group.len() == 1 {
            return self.start(task);
        }
        let starts = group.into_iter().map(|task| match self.start(task) {
            Action::Start { task, deadline, .. } => Member { task, deadline },
            other => unreachable!("{other:?} is not a start"),
        });
        Action::StartBatch { members: starts.collect() }
    }

    fn start(&mut self, task: usize) -> Action {
        let now = self.now;
        let start = self.starts;
        let state = &mut self.tasks[task];
        state.resumed = std::mem::take(&mut state.resume);
        if !state.resumed {
            state.tries += 1;
            state.attempts += 1;
            state.started_at = now;
        }
        state.start = start;
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
