//! The *scheduler*: a state machine that decides what happens next in a run.
//!
//! Events go in with the time they happened, actions come out, and nothing
//! else: no clock, no I/O, no randomness but a seed. The engine runs it live,
//! tests run it with made-up time. Its life, for one task:
//!
//! ```text
//! blocked → deciding → ready → running → succeeded | failed | skipped | cancelled
//!                        ↑        ↓
//!                        └─── parked (back-off, an agent that works by itself,
//!                                     a person, the items of a fan-out)
//! ```
//!
//! A tick is: take all events that have arrived, ask for the scores of tasks
//! that became ready, and once they are known start the best ready tasks while
//! there is room.
//!
//! One idea a module, in the order of a task's life:
//!
//! * `rules`, `event`, `action`: what goes in and what comes out.
//! * `additions`: tasks for the live run.
//! * `progress`: what the end of one task means for others.
//! * `fan_out`: a task that is done for items.
//! * `scores`, `queue`, `groups`: who of those that are ready is next.
//! * `attempts`, `batches`: start, end, and another try.
//! * `deliveries`: what comes of a task outside of the run.
//! * `limits`, `timers`: what is due when.
//! * `stop`: what ends before its time.
//! * `recovery`: what is asked again of an engine that was gone.
//!
//! **Invariants:** a task gets one [`Action::Finished`], and the run one
//! [`Action::RunEnded`], last, though an open run only when it is closed or
//! stopped; a start gets one end; nothing recurses, and no
//! event costs more than the tasks it changes, unless it ends the run.

mod action;
mod additions;
mod attempts;
mod batches;
mod deliveries;
mod event;
mod fan_out;
mod groups;
mod limits;
mod progress;
mod queue;
mod recovery;
mod rules;
mod scores;
mod stop;
mod timers;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

pub use action::{Action, Member, Park, Reason, RunReason, State, Status, Stop, Timeout};
pub use event::{Addition, Decision, Delivery, End, Event, NewTask, Retry, Scope};
pub use rules::{AgentLimits, ClassIx, ClassLimits, Doer, Facts, Submission, TaskRules, moment};

use crate::graph::{Additions, DependencyGraph, TaskIx};
pub use crate::graph::{Conflict, Wanted};
use crate::plan::Budget;
use attempts::Begun;
use batches::Batches;
use fan_out::Fan;
use queue::ReadyQueue;
use scores::Scores;
use stop::Halt;
use timers::Timers;

/// What the scheduler is told once.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Settings {
    /// Slots that attempts may hold at once, over all classes; at least 1.
    pub slots: u32,
    /// Decides the jitter of retries.
    pub seed: u64,
}

/// A run being scheduled.
///
/// Serialised, it is all that the events so far have led to: what is deserialised
/// goes on as it would have. The form is that of this version alone, and is not
/// checked: whatever else is deserialised may panic later.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Scheduler {
    settings: Settings,
    graph: DependencyGraph,
    rules: Vec<TaskRules>,
    tasks: Vec<TaskLife>,
    fans: Vec<Fan>,
    additions: Additions<TaskRules>,
    scores: Scores,
    queue: ReadyQueue,
    batches: Batches,
    timers: Timers,
    /// When the run must be over.
    deadline: Option<i64>,
    budget: Budget,
    /// What has been used of the budget.
    spent: Spent,
    ready: u32,
    running: u32,
    unfinished: u32,
    paused: bool,
    /// More tasks may come though all are finished.
    open: bool,
    /// Why everything is being stopped.
    halt: Option<Halt>,
    /// A task whose failure is to stop everything.
    failing: Option<TaskIx>,
    /// Finished tasks whose consequences have not been drawn yet.
    finished: VecDeque<TaskIx>,
    phase: Phase,
    /// When the last events happened.
    seen: i64,
}

/// How far the run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    Unsubmitted,
    Live,
    Over,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Spent {
    tokens: u64,
    cost: f64,
}

/// What changes about a task. Times are milliseconds since the epoch.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct TaskLife {
    state: State,
    /// Which of its agents has its turn.
    agent: u32,
    /// Attempts by that agent.
    tries: u32,
    /// Attempts by all agents.
    attempts: u32,
    /// The fan-out it has or is an item of, an index.
    fan: Option<u32>,
    /// The batch that its running attempt is a member of.
    batch: Option<u32>,
    /// Why it is finished, once it is.
    reason: Option<Reason>,
    /// The current attempt, or all items, were told to stop.
    stop: Option<Stop>,
    /// The current attempt was overtaken by a delivery: what it comes to does not
    /// count.
    overtaken: bool,
    /// The next start goes on with a pending attempt.
    resume: bool,
    /// The current attempt goes on with what was pending.
    resumed: bool,
    /// When its dependencies were finished; none while they are not.
    unblocked_at: Option<i64>,
    /// When it became ready, or, in a back-off or with an agent that works by
    /// itself, when it will be.
    ready_at: i64,
    /// When the current attempt, or a person, is out of time.
    deadline: i64,
    /// The last sign of life of the current attempt.
    alive_at: i64,
    /// Its entry in the queue; 0 while it has none that stands.
    entry: u64,
}

impl TaskLife {
    const NEW: Self = Self {
        state: State::Blocked,
        agent: 0,
        tries: 0,
        attempts: 0,
        fan: None,
        batch: None,
        reason: None,
        stop: None,
        overtaken: false,
        resume: false,
        resumed: false,
        unblocked_at: None,
        ready_at: 0,
        deadline: 0,
        alive_at: 0,
        entry: 0,
    };
}

impl Scheduler {
    /// A scheduler that waits for [`Event::Submit`].
    pub fn new(settings: Settings) -> Self {
        Self {
            settings: Settings { slots: settings.slots.max(1), ..settings },
            graph: DependencyGraph::default(),
            rules: Vec::new(),
            tasks: Vec::new(),
            fans: Vec::new(),
            additions: Additions::new(crate::plan::ConflictRule::Reject),
            scores: Scores::default(),
            queue: ReadyQueue::default(),
            batches: Batches::default(),
            timers: Timers::default(),
            deadline: None,
            budget: Budget::default(),
            spent: Spent::default(),
            ready: 0,
            running: 0,
            unfinished: 0,
            paused: false,
            open: false,
            halt: None,
            failing: None,
            finished: VecDeque::new(),
            phase: Phase::Unsubmitted,
            seen: 0,
        }
    }

    /// Takes the events of one tick, which all happened at `now` (milliseconds
    /// since the epoch), and appends to `actions` what is to be done.
    ///
    /// # Panics
    ///
    /// If the engine breaks the rules of [`Event`]: tasks are submitted twice,
    /// or a task, class or agent is named that does not exist.
    pub fn step(
        &mut self,
        now: i64,
        events: impl IntoIterator<Item = Event>,
        actions: &mut Vec<Action>,
    ) {
        self.queue.advance(now);
        for event in events {
            self.take(now, event, actions);
            self.settle(now, actions);
        }
        self.seen = now;
        if self.phase != Phase::Live {
            return;
        }
        self.ask_for_scores(actions);
        self.start_ready(now, actions);
        if self.unfinished == 0 && (!self.open || self.halt.is_some()) {
            self.reject_held(actions);
            let (status, reason) = self.run_status();
            self.phase = Phase::Over;
            actions.push(Action::RunEnded { status, reason });
        }
    }

    fn take(&mut self, now: i64, event: Event, actions: &mut Vec<Action>) {
        match event {
            Event::Submit(submission) => self.submit(now, *submission, actions),
            Event::Add(addition) => self.add(now, *addition, actions),
            Event::Scored { scores } => self.scored(scores),
            Event::Decided { task, decision } => self.decided(now, task, decision, actions),
            Event::Ended { task, end } => self.ended(now, task, end, actions),
            Event::Alive { task } => self.tasks[task.index()].alive_at = now,
            Event::Answered { task, accepted } => self.answered(now, task, accepted, actions),
            Event::Delivered { task, delivery } => self.deliver(now, task, delivery, actions),
            Event::Resolve { key, admit } => self.resolve(now, key, admit, actions),
            Event::Spent { tokens, cost } => self.spend(tokens, cost, actions),
            Event::Timer => self.fire_timers(now, actions),
            Event::Cancel { scope } => self.cancel(scope, actions),
            Event::Recovered => self.recover(now, actions),
            Event::Pause => self.paused = true,
            Event::Resume => self.paused = false,
            Event::Close => self.open = false,
        }
    }

    fn submit(&mut self, now: i64, submission: Submission, actions: &mut Vec<Action>) {
        let Submission { graph, tasks, agents, classes, deadline, budget, on_conflict, open } =
            submission;
        assert!(self.phase == Phase::Unsubmitted, "tasks are submitted once");
        assert_eq!(graph.len(), tasks.len(), "each task of the graph has rules");
        self.phase = Phase::Live;
        self.unfinished = tasks.len() as u32;
        self.tasks = vec![TaskLife::NEW; tasks.len()];
        self.timers.grow(tasks.len());
        self.queue = ReadyQueue::new(now, self.settings.slots, &agents, &classes);
        self.additions = Additions::new(on_conflict);
        self.rules = tasks;
        self.graph = graph;
        self.deadline = deadline;
        self.budget = budget;
        self.open = open;
        for task in self.graph.tasks() {
            if self.graph.is_ready(task) {
                self.unblock(now, task, actions);
            } else if self.rules[task.index()].facts.deadline.is_some() {
                self.arm(task);
            }
        }
    }

    /// When to send [`Event::Timer`] at the latest, milliseconds since the
    /// epoch.
    pub fn next_timer(&self) -> Option<i64> {
        let live = self.phase == Phase::Live;
        let run = self.deadline.filter(|_| live && self.halt.is_none());
        let room = self.queue.next_wake().filter(|_| live);
        self.timers.next().into_iter().chain(run).chain(room).min()
    }

    /// How many tasks there are, items and additions included.
    pub fn task_count(&self) -> usize {
        self.tasks.len()
    }

    /// Where a task is.
    pub fn state(&self, task: TaskIx) -> State {
        self.tasks[task.index()].state
    }

    /// Why a task is finished, once it is.
    pub fn reason(&self, task: TaskIx) -> Option<Reason> {
        self.tasks[task.index()].reason
    }

    /// When a ready task became ready, milliseconds since the epoch.
    pub fn ready_at(&self, task: TaskIx) -> i64 {
        self.tasks[task.index()].ready_at
    }

    /// When the rate of its agent lets a ready task start, milliseconds since the
    /// epoch; none if that is not what it waits for.
    pub fn allowed_at(&self, task: TaskIx) -> Option<i64> {
        match self.tasks[task.index()] {
            TaskLife { state: State::Ready(class), resume: false, .. } => {
                self.queue.allowed_at(class)
            }
            _ => None,
        }
    }

    /// The attempt a ready task would start, over all agents, from 1.
    pub fn next_attempt(&self, task: TaskIx) -> u32 {
        let life = &self.tasks[task.index()];
        life.attempts + u32::from(!life.resume)
    }

    /// The agent whose turn it is with a task, an index into
    /// [`Submission::agents`]; none for a task without agents.
    pub fn agent(&self, task: TaskIx) -> Option<u32> {
        let turn = self.tasks[task.index()].agent as usize;
        let class = self.rules[task.index()].work.agents().get(turn)?;
        Some(self.queue.agent(*class))
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

    /// Tasks that are not finished.
    pub fn unfinished_count(&self) -> u32 {
        self.unfinished
    }

    /// Slots that attempts may hold at once.
    pub fn slots(&self) -> u32 {
        self.settings.slots
    }

    /// Slots that attempts hold.
    pub fn slots_in_use(&self) -> u32 {
        self.queue.in_use()
    }

    /// Whether the run goes on when all tasks are finished, until it is closed.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether the run is paused.
    pub fn is_paused(&self) -> bool {
        self.paused
    }
}

#[cfg(test)]
mod tests;
