//! What happens to tasks.

use consort_core::scheduler::Scope;

use super::*;

impl Model {
    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::Submit(_) => {}
            Event::Add(addition) => {
                let rule = addition.on_conflict.unwrap_or(self.on_conflict);
                for task in &addition.tasks {
                    self.unanswered.insert(task.key, task.clone());
                    self.rules.insert(task.key, rule);
                }
                if addition.whole {
                    let keys = addition.tasks.iter().map(|task| task.key);
                    self.step.whole.push(keys.collect());
                }
            }
            Event::Scored { scores } => self.scored(scores.as_deref()),
            Event::Decided { task, decision } => {
                self.change(*task, Stage::Deciding, Stage::Decided(*decision));
            }
            Event::Ended { task, end } => {
                self.change(*task, Stage::Running, Stage::Ended(*end));
                if *end == End::Asked && !self.step.timer {
                    self.park_for_person(task.index());
                }
            }
            Event::Answered { task, accepted } => {
                self.change(*task, Stage::Person, Stage::Answered(*accepted));
                let state = &self.tasks[task.index()];
                if state.stage == Stage::Answered(true) && state.resume {
                    // In line before or after those whose time has come.
                    match self.step.timer {
                        true => self.step.answered.push(task.index()),
                        false => self.go_on_with_answer(task.index()),
                    }
                }
            }
            Event::Alive { task } => self.tasks[task.index()].alive_at = self.now,
            Event::Spent { tokens, cost } => {
                self.spent = (self.spent.0 + tokens, self.spent.1 + cost);
                let tokens = self.budget.tokens.is_some_and(|most| self.spent.0 > most);
                if tokens || self.budget.cost.is_some_and(|most| self.spent.1 > most) {
                    self.causes.push(Halt::Budget);
                }
            }
            Event::Timer => {
                self.step.timer = true;
                if self.deadline.is_some_and(|deadline| deadline <= self.now) {
                    self.causes.push(Halt::Deadline);
                }
            }
            Event::Cancel { scope } => self.cancel(*scope),
            Event::Delivered { task, delivery } => self.deliver(task.index(), *delivery),
            Event::Resolve { key, admit } => {
                self.step.resolved.insert(*key, *admit);
            }
            Event::Close => self.open = false,
            Event::Pause => self.paused = true,
            Event::Resume => self.paused = false,
            // It comes alone; see `recovery`.
            Event::Recovered => {}
        }
    }

    /// An attempt that has ended with a question waits for a person, who has as
    /// much time as it had.
    pub(super) fn park_for_person(&mut self, task: usize) {
        let now = self.now;
        let number = task;
        let task = &mut self.tasks[task];
        if task.stage == Stage::Ended(End::Asked) && task.aborted.is_none() {
            task.stage = Stage::Person;
            task.resume = true;
            task.started_at = now;
            self.step.asked.insert(number);
        }
    }

    /// It comes alone, so the task is where the scheduler has it.
    fn deliver(&mut self, task: usize, delivery: Delivery) {
        let state = &self.tasks[task];
        let attempt_is_late =
            matches!(state.aborted, Some(Stop::Timeout(Timeout::Attempt | Timeout::Idle)));
        let counts = match state.stage {
            Stage::Running => state.aborted.is_none() || attempt_is_late,
            Stage::Remote | Stage::Person => true,
            Stage::Ready => state.resume || delivery == Delivery::Result,
            Stage::Backoff => delivery == Delivery::Result,
            _ => false,
        };
        if !counts {
            return;
        }
        self.step.delivered = Some((task, delivery));
        if self.tasks[task].stage != Stage::Running {
            self.leave_line(task);
            self.tasks[task].stage = Stage::Delivered(delivery);
        } else if attempt_is_late {
            self.tasks[task].aborted = Some(Stop::Delivered(delivery));
        }
    }

    fn change(&mut self, task: TaskIx, from: Stage, to: Stage) {
        let task = &mut self.tasks[task.index()];
        if task.stage == from {
            task.stage = to;
        }
    }

    fn scored(&mut self, scores: Option<&[f64]>) {
        let Some(asked) = self.scoring.take() else { return };
        let usable = scores
            .filter(|scores| scores.len() == asked.len() && scores.iter().all(|s| !s.is_nan()));
        for (n, task) in asked.into_iter().enumerate() {
            let task = &mut self.tasks[task];
            if task.stage == Stage::Ready {
                self.arrivals += 1;
                let score = usable.map_or(task.facts.priority, |scores| scores[n]);
                task.rank = Some(Rank { resume: false, score, arrival: -self.arrivals });
                task.lined_up_at = task.ready_at;
            }
        }
    }

    fn cancel(&mut self, scope: Scope) {
        match scope {
            Scope::Run => self.causes.push(Halt::Cancelled),
            Scope::Task(task) => self.mark_cancelled(task.index()),
            Scope::Subtree(task) => {
                self.step.subtrees.insert(task.index());
                self.mark_cancelled(task.index());
                self.spread_subtrees();
            }
        }
    }

    fn mark_cancelled(&mut self, task: usize) {
        for task in self.tasks[task].items.iter().copied().chain([task]).collect::<Vec<_>>() {
            if self.tasks[task].over().is_none() {
                self.tasks[task].cancelled = true;
                self.step.cancelled.insert(task);
            }
        }
    }

    /// Whatever waits for something in a subtree belongs to it.
    fn spread_subtrees(&mut self) {
        loop {
            let inside = |task: &usize| self.step.subtrees.contains(task);
            let next: Vec<usize> = (0..self.tasks.len())
                .filter(|task| !inside(task))
                .filter(|task| {
                    let owned = self.tasks[*task].owner.as_ref().is_some_and(inside);
                    owned || self.dependencies(*task).iter().any(inside)
                })
                .collect();
            if next.is_empty() {
                return;
            }
            for task in next {
                self.step.subtrees.insert(task);
                self.mark_cancelled(task);
            }
        }
    }
}
