//! The *scheduler*: a state machine that decides what happens next in a run.
//!
//! Events go in with the time they happened, actions come out, and nothing
//! else: no clock, no I/O, no randomness but a seed. The engine runs it live,
//! tests run it with made-up time. Its life, for one task:
//!
//! ```text
//! blocked → ready → running → succeeded | failed | skipped | cancelled
//!             ↑        ↓
//!             └─── parked (back-off, or an agent that works by itself)
//! ```
//!
//! A tick is: take all events that have arrived, ask for the scores of tasks
//! that became ready, and once they are known start the best ready tasks while
//! there is room.

mod event;
mod queue;
mod rules;
mod timers;

pub use event::{Action, End, Event, Park, Retry, State, Status, Stop};
pub use rules::{ClassIx, Facts, Submission, TaskRules};

use crate::graph::{DependencyGraph, TaskIx};
use crate::plan::OnFailure;
use crate::retry::random;
use queue::ReadyQueue;
use timers::Timers;

/// Milliseconds until the first `resume`, at the least.
const MIN_POLL: u64 = 100;

/// What the scheduler is told once.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Attempts that may run at once, over all classes; at least 1.
    pub slots: u32,
    /// Decides the jitter of retries.
    pub seed: u64,
}

/// A run being scheduled.
#[derive(Debug)]
pub struct Scheduler {
    settings: Settings,
    graph: DependencyGraph,
    rules: Vec<TaskRules>,
    tasks: Vec<TaskLife>,
    queue: ReadyQueue,
    timers: Timers,
    /// Ready tasks that have no score yet, in order of arrival.
    unscored: Vec<TaskIx>,
    /// Tasks whose scores have been asked for.
    scoring: Option<Vec<TaskIx>>,
    ready: u32,
    running: u32,
    unfinished: u32,
    /// The run was cancelled.
    cancelled: bool,
    /// The task that made the run fail.
    failed_by: Option<TaskIx>,
    /// Room for walking dependents without recursion.
    stack: Vec<TaskIx>,
}

/// What changes about a task. Times are milliseconds since the epoch.
#[derive(Debug, Clone, Copy)]
struct TaskLife {
    state: State,
    /// Which of its agents has its turn.
    agent: u32,
    /// Attempts by that agent.
    tries: u32,
    /// Attempts by all agents.
    attempts: u32,
    /// The next start goes on with a pending attempt.
    resume: bool,
    ready_at: i64,
    /// When the current attempt is out of time.
    deadline: i64,
    /// The current attempt was told to stop.
    stop: Option<Stop>,
    /// Its entry in the queue; 0 while it has none that stands.
    entry: u64,
}

impl Scheduler {
    /// A scheduler that waits for [`Event::Submit`].
    pub fn new(settings: Settings) -> Self {
        Self {
            settings: Settings { slots: settings.slots.max(1), ..settings },
            graph: DependencyGraph::default(),
            rules: Vec::new(),
            tasks: Vec::new(),
            queue: ReadyQueue::default(),
            timers: Timers::default(),
            unscored: Vec::new(),
            scoring: None,
            ready: 0,
            running: 0,
            unfinished: 0,
            cancelled: false,
            failed_by: None,
            stack: Vec::new(),
        }
    }

    /// Takes the events of one tick, which all happened at `now` (milliseconds
    /// since the epoch), and appends to `actions` what is to be done.
    pub fn step(
        &mut self,
        now: i64,
        events: impl IntoIterator<Item = Event>,
        actions: &mut Vec<Action>,
    ) {
        let open = self.unfinished;
        let mut submitted = false;
        for event in events {
            match event {
                Event::Submit(submission) => {
                    submitted = true;
                    self.submit(now, *submission, actions);
                }
                Event::Scored { scores } => self.scored(scores),
                Event::Ended { task, end } => self.ended(now, task, end, actions),
                Event::Timer => self.fire_timers(now, actions),
                Event::Cancel => self.cancel(actions),
            }
        }
        self.ask_for_scores(actions);
        // A task that has just become ready may be better than those in line:
        // nothing starts until its score is known.
        if self.scoring.is_none() {
            self.start_ready(now, actions);
        }
        if self.unfinished == 0 && (open > 0 || submitted) {
            actions.push(Action::RunEnded { status: self.run_status() });
        }
    }

    /// When to send [`Event::Timer`] at the latest, milliseconds since the
    /// epoch.
    pub fn next_timer(&mut self) -> Option<i64> {
        self.timers.next()
    }

    /// Where a task is.
    pub fn state(&self, task: TaskIx) -> State {
        self.tasks[task.index()].state
    }

    /// When a ready task became ready, milliseconds since the epoch.
    pub fn ready_at(&self, task: TaskIx) -> i64 {
        self.tasks[task.index()].ready_at
    }

    /// The attempt a ready task would start, over all agents, from 1.
    pub fn next_attempt(&self, task: TaskIx) -> u32 {
        let life = &self.tasks[task.index()];
        life.attempts + u32::from(!life.resume)
    }

    /// The class a task competes in at present.
    pub fn class(&self, task: TaskIx) -> ClassIx {
        self.rules[task.index()].classes[self.tasks[task.index()].agent as usize]
    }

    /// What prioritizers may know of a task.
    pub fn facts(&self, task: TaskIx) -> &Facts {
        &self.rules[task.index()].facts
    }

    /// Tasks that are ready.
    pub fn ready_count(&self) -> u32 {
        self.ready
    }

    /// Attempts that are running.
    pub fn running_count(&self) -> u32 {
        self.running
    }

    /// Attempts that may run at once.
    pub fn slots(&self) -> u32 {
        self.settings.slots
    }

    /// Tasks that are not finished.
    pub fn unfinished_count(&self) -> u32 {
        self.unfinished
    }

    fn submit(&mut self, now: i64, submission: Submission, actions: &mut Vec<Action>) {
        let Submission { graph, tasks, classes } = submission;
        assert!(self.rules.is_empty(), "tasks are submitted once");
        assert_eq!(graph.len(), tasks.len(), "each task of the graph has rules");
        self.unfinished = tasks.len() as u32;
        let life = TaskLife {
            state: State::Blocked,
            agent: 0,
            tries: 0,
            attempts: 0,
            resume: false,
            ready_at: now,
            deadline: 0,
            stop: None,
            entry: 0,
        };
        self.tasks = vec![life; tasks.len()];
        self.timers = Timers::new(tasks.len());
        self.queue = ReadyQueue::new(&classes);
        self.rules = tasks;
        self.graph = graph;
        let ready: Vec<TaskIx> = self.graph.ready_tasks().collect();
        for task in ready {
            self.make_ready(now, task, actions);
        }
    }

    /// Puts a task in line; one without work is finished at once, and so on
    /// for those that waited for it alone.
    fn make_ready(&mut self, now: i64, task: TaskIx, actions: &mut Vec<Action>) {
        let mut stack = std::mem::take(&mut self.stack);
        stack.push(task);
        while let Some(task) = stack.pop() {
            let rules = &self.rules[task.index()];
            let life = &mut self.tasks[task.index()];
            if matches!(life.state, State::Finished(_)) {
                continue;
            }
            if rules.classes.is_empty() {
                life.state = State::Finished(Status::Succeeded);
                self.unfinished -= 1;
                let status = Status::Succeeded;
                actions.push(Action::Finished { task, status, because: None });
                self.graph.mark_completed(task, |next| stack.push(next));
                continue;
            }
            life.state = State::Ready(rules.classes[life.agent as usize]);
            life.ready_at = now;
            life.entry = 0;
            self.ready += 1;
            self.unscored.push(task);
        }
        self.stack = stack;
    }

    fn ask_for_scores(&mut self, actions: &mut Vec<Action>) {
        if self.scoring.is_some() {
            return;
        }
        let tasks = &self.tasks;
        self.unscored.retain(|task| matches!(tasks[task.index()].state, State::Ready(_)));
        if self.unscored.is_empty() {
            return;
        }
        let tasks = std::mem::take(&mut self.unscored);
        actions.push(Action::Score { tasks: tasks.clone() });
        self.scoring = Some(tasks);
    }

    /// Puts scored tasks into the queue. Without usable scores the built-in
    /// order decides: explicit priority, then arrival.
    fn scored(&mut self, scores: Option<Vec<f64>>) {
        let Some(tasks) = self.scoring.take() else { return };
        let usable =
            scores.filter(|s| s.len() == tasks.len() && !s.iter().any(|score| score.is_nan()));
        for (n, task) in tasks.into_iter().enumerate() {
            let State::Ready(class) = self.tasks[task.index()].state else { continue };
            let score = match &usable {
                Some(scores) => scores[n],
                None => f64::from(self.rules[task.index()].facts.priority),
            };
            self.tasks[task.index()].entry = self.queue.push(class, task, score);
        }
    }

    fn start_ready(&mut self, now: i64, actions: &mut Vec<Action>) {
        while self.running < self.settings.slots {
            let tasks = &self.tasks;
            let next = self.queue.pop(|task, entry| {
                let life = &tasks[task.index()];
                life.entry == entry && matches!(life.state, State::Ready(_))
            });
            let Some(task) = next else { return };
            self.ready -= 1;
            self.running += 1;
            let life = &mut self.tasks[task.index()];
            life.state = State::Running;
            life.stop = None;
            let resume = std::mem::take(&mut life.resume);
            if !resume {
                life.tries += 1;
                life.attempts += 1;
                let timeout = self.rules[task.index()].timeout;
                life.deadline = now.saturating_add_unsigned(timeout);
            }
            self.timers.set(task, life.deadline);
            actions.push(Action::Start {
                task,
                agent: life.agent,
                attempt: life.attempts,
                resume,
                deadline: life.deadline,
            });
        }
    }

    fn ended(&mut self, now: i64, task: TaskIx, end: End, actions: &mut Vec<Action>) {
        if self.tasks[task.index()].state != State::Running {
            return;
        }
        let class = self.class(task);
        self.queue.release(class);
        self.running -= 1;
        self.timers.clear(task);
        let stop = self.tasks[task.index()].stop.take();
        if let (End::Pending { .. }, Some(why)) = (end, stop) {
            // It was told to stop just when it left its work to the agent.
            actions.push(Action::CancelRemote { task, why });
        }
        match (end, stop) {
            (End::Succeeded, _) => self.succeed(now, task, actions),
            (_, Some(Stop::Cancelled)) => self.finish(task, Status::Cancelled, None, actions),
            (_, Some(Stop::RunFailed)) => {
                self.finish(task, Status::Cancelled, self.failed_by, actions);
            }
            (End::Failed(retry), _) => self.attempt_failed(now, task, retry, actions),
            (End::Pending { poll_after }, None) => self.park_remote(now, task, poll_after),
            (End::Pending { .. }, Some(Stop::Timeout)) | (End::Aborted, _) => {
                self.attempt_failed(now, task, Retry::Yes, actions);
            }
        }
    }

    fn succeed(&mut self, now: i64, task: TaskIx, actions: &mut Vec<Action>) {
        self.finish(task, Status::Succeeded, None, actions);
        self.unblock(now, task, actions);
    }

    /// Readies the tasks that waited for this one alone.
    fn unblock(&mut self, now: i64, task: TaskIx, actions: &mut Vec<Action>) {
        let mut ready = Vec::new();
        self.graph.mark_completed(task, |next| ready.push(next));
        // Edges come newest first; dependents start in the order of the plan.
        ready.sort_unstable();
        for next in ready {
            self.make_ready(now, next, actions);
        }
    }

    fn park_remote(&mut self, now: i64, task: TaskIx, poll_after: u64) {
        let life = &mut self.tasks[task.index()];
        life.state = State::Parked(Park::Remote);
        life.resume = true;
        let poll = now.saturating_add_unsigned(poll_after.max(MIN_POLL));
        self.timers.set(task, poll.min(life.deadline));
    }

    /// Another attempt, another agent, or the end.
    fn attempt_failed(&mut self, now: i64, task: TaskIx, retry: Retry, actions: &mut Vec<Action>) {
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
            _ if (life.agent as usize) + 1 < rules.classes.len() => {
                life.agent += 1;
                life.tries = 0;
                0
            }
            _ => return self.fail(now, task, actions),
        };
        let at = now.saturating_add_unsigned(wait);
        actions.push(Action::Retrying { task, at, agent: life.agent });
        if wait == 0 {
            self.make_ready(now, task, actions);
        } else {
            life.state = State::Parked(Park::Backoff);
            self.timers.set(task, at);
        }
    }

    /// The task has failed for good.
    fn fail(&mut self, now: i64, task: TaskIx, actions: &mut Vec<Action>) {
        self.finish(task, Status::Failed, None, actions);
        match self.rules[task.index()].on_failure {
            OnFailure::Continue => self.unblock(now, task, actions),
            OnFailure::Skip => self.skip_dependents(task, actions),
            OnFailure::Fail => {
                self.skip_dependents(task, actions);
                if self.failed_by.is_none() {
                    self.failed_by = Some(task);
                    self.stop_all(Stop::RunFailed, Some(task), actions);
                }
            }
        }
    }

    /// Skips every task that can no longer have all its dependencies.
    fn skip_dependents(&mut self, task: TaskIx, actions: &mut Vec<Action>) {
        let mut stack = vec![task];
        while let Some(at) = stack.pop() {
            let mut next: Vec<TaskIx> = self.graph.dependents(at).collect();
            next.retain(|next| self.tasks[next.index()].state == State::Blocked);
            next.sort_unstable();
            next.dedup();
            for next in next {
                self.finish(next, Status::Skipped, Some(task), actions);
                stack.push(next);
            }
        }
    }

    fn cancel(&mut self, actions: &mut Vec<Action>) {
        if !std::mem::replace(&mut self.cancelled, true) {
            self.stop_all(Stop::Cancelled, None, actions);
        }
    }

    /// Stops what runs and cancels what has not started.
    fn stop_all(&mut self, why: Stop, because: Option<TaskIx>, actions: &mut Vec<Action>) {
        for index in 0..self.tasks.len() {
            let task = TaskIx(index as u32);
            let life = &mut self.tasks[index];
            match life.state {
                State::Finished(_) => {}
                State::Running => {
                    life.stop = Some(why);
                    self.timers.clear(task);
                    actions.push(Action::Abort { task, why });
                }
                State::Blocked | State::Ready(_) | State::Parked(_) => {
                    if life.resume {
                        actions.push(Action::CancelRemote { task, why });
                    }
                    self.finish(task, Status::Cancelled, because, actions);
                }
            }
        }
    }

    fn fire_timers(&mut self, now: i64, actions: &mut Vec<Action>) {
        while let Some(task) = self.timers.pop_due(now) {
            let life = &mut self.tasks[task.index()];
            match life.state {
                State::Running if life.stop.is_none() => {
                    life.stop = Some(Stop::Timeout);
                    actions.push(Action::Abort { task, why: Stop::Timeout });
                }
                State::Parked(Park::Backoff) => self.make_ready(now, task, actions),
                State::Parked(Park::Remote) if now < life.deadline => {
                    let deadline = life.deadline;
                    self.make_ready(now, task, actions);
                    self.timers.set(task, deadline);
                }
                State::Parked(Park::Remote) => self.remote_timeout(now, task, actions),
                State::Ready(_) if life.resume => {
                    self.ready -= 1;
                    self.remote_timeout(now, task, actions);
                }
                State::Running | State::Ready(_) | State::Blocked | State::Finished(_) => {}
            }
        }
    }

    /// An attempt that was pending is out of time.
    fn remote_timeout(&mut self, now: i64, task: TaskIx, actions: &mut Vec<Action>) {
        let life = &mut self.tasks[task.index()];
        life.resume = false;
        // Whatever comes next, its place in the queue no longer stands.
        life.state = State::Blocked;
        actions.push(Action::CancelRemote { task, why: Stop::Timeout });
        self.attempt_failed(now, task, Retry::Yes, actions);
    }

    fn finish(
        &mut self,
        task: TaskIx,
        status: Status,
        because: Option<TaskIx>,
        actions: &mut Vec<Action>,
    ) {
        let life = &mut self.tasks[task.index()];
        if let State::Ready(_) = life.state {
            self.ready -= 1;
        }
        life.state = State::Finished(status);
        self.timers.clear(task);
        self.unfinished -= 1;
        actions.push(Action::Finished { task, status, because });
    }

    fn run_status(&self) -> Status {
        let all_succeeded =
            self.tasks.iter().all(|task| task.state == State::Finished(Status::Succeeded));
        match (self.failed_by, self.cancelled) {
            (Some(_), _) => Status::Failed,
            (None, true) if !all_succeeded => Status::Cancelled,
            (None, _) => Status::Succeeded,
        }
    }
}

#[cfg(test)]
mod tests;
