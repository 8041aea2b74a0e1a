//! The *model* of a run: what the scheduler may do and must do, said in the
//! simplest way, which is to look at every task after every step.
//!
//! It knows the plan, the events and the actions, and nothing of the
//! scheduler's own state. Where the scheduler keeps heaps, timers and counters,
//! the model searches.
//!
//! * `facts`: what does not change about a task.
//! * `events`, `actions`: what happens to it; whether that may be.
//! * `closing`: what must have happened by the end of a step.
//! * `dispatch`: what must start, in which order.
//! * `recovery`: what must be asked again.

mod actions;
mod closing;
mod dispatch;
mod events;
mod facts;
mod recovery;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use consort_core::graph::TaskIx;
use consort_core::plan::{Budget, ConflictRule, Plan};
use consort_core::scheduler::{
    Action, AgentLimits, ClassLimits, Decision, Delivery, End, Event, NewTask, Reason, Status,
    Stop, Submission, Timeout,
};

use facts::Facts;

/// A promise that was broken.
type Checked = Result<(), String>;

/// Breaks off with a message unless something holds.
macro_rules! ensure {
    ($holds:expr, $($message:tt)+) => {
        if !$holds {
            return Err(format!($($message)+));
        }
    };
}
use ensure;

/// Where the model takes a task to be.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Blocked,
    Deciding,
    /// Decided; something must come of it in the same step.
    Decided(Decision),
    Ready,
    Running,
    /// Its attempt has ended; something must come of it in the same step.
    Ended(End),
    Backoff,
    Remote,
    Person,
    /// A person has answered.
    Answered(bool),
    /// It was done elsewhere while nothing ran for it; something must come of it
    /// in the same step.
    Delivered(Delivery),
    Items,
    Over(Status, Reason),
}

/// A place in line. The greatest starts first.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
struct Rank {
    resume: bool,
    score: f64,
    /// Negative, so that the earlier is greater.
    arrival: i64,
}

#[derive(Debug, Clone)]
struct Task {
    facts: Facts,
    stage: Stage,
    unblocked_at: Option<i64>,
    ready_at: i64,
    /// Since when it waits for others, once its score is known.
    lined_up_at: i64,
    /// When the next attempt, or the next look, is due.
    due_at: i64,
    rank: Option<Rank>,
    asked: bool,
    agent: usize,
    tries: u32,
    attempts: u32,
    resume: bool,
    /// Its attempt goes on with what was pending.
    resumed: bool,
    started_at: i64,
    alive_at: i64,
    /// The last sign of life before this step.
    alive_before: i64,
    aborted: Option<Stop>,
    /// The start it runs by, which it may have in common with others.
    start: u64,
    /// Somebody asked for its end.
    cancelled: bool,
    /// The scheduler was told the time when it was too late for it.
    expired: bool,
    owner: Option<usize>,
    items: Vec<usize>,
}

impl Task {
    fn new(facts: Facts) -> Self {
        Self {
            facts,
            stage: Stage::Blocked,
            unblocked_at: None,
            ready_at: 0,
            lined_up_at: 0,
            due_at: 0,
            rank: None,
            asked: false,
            agent: 0,
            tries: 0,
            attempts: 0,
            resume: false,
            resumed: false,
            started_at: 0,
            alive_at: 0,
            alive_before: 0,
            aborted: None,
            start: 0,
            cancelled: false,
            expired: false,
            owner: None,
            items: Vec::new(),
        }
    }

    /// The class it waits in, or the like of which it runs in.
    fn class(&self) -> Option<usize> {
        let first = self.facts.batch.filter(|_| self.attempts == 0);
        first.or(self.facts.class(self.agent))
    }

    fn over(&self) -> Option<(Status, Reason)> {
        match self.stage {
            Stage::Over(status, reason) => Some((status, reason)),
            _ => None,
        }
    }
}

/// Why everything is being stopped.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Halt {
    Failed(usize),
    Cancelled,
    Deadline,
    Budget,
}

/// What is known of a run.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    now: i64,
    slots: u32,
    agents: Vec<AgentLimits>,
    /// When attempts of each agent have started.
    log: Vec<Vec<i64>>,
    classes: Vec<ClassLimits>,
    deadline: Option<i64>,
    budget: Budget,
    on_conflict: ConflictRule,
    tasks: Vec<Task>,
    paused: bool,
    /// Tasks whose scores have been asked for.
    scoring: Option<Vec<usize>>,
    arrivals: i64,
    starts: u64,
    /// When each class was first passed over, in starts.
    passed: BTreeMap<usize, u64>,
    spent: (u64, f64),
    /// Causes for an end of everything that have come up.
    causes: Vec<Halt>,
    halt: Option<Halt>,
    names: BTreeMap<Arc<str>, usize>,
    unanswered: BTreeMap<u64, NewTask>,
    held: BTreeMap<u64, NewTask>,
    /// What happens to additions that do not fit, by key.
    rules: BTreeMap<u64, ConflictRule>,
    /// More tasks may come.
    open: bool,
    ended: bool,
    step: Step,
}

/// What is known of one step.
#[derive(Debug, Clone, Default)]
struct Step {
    /// Tasks there were before.
    tasks: usize,
    timer: bool,
    /// Whose agents have asked.
    asked: BTreeSet<usize>,
    /// Whose agents were answered after the time was told.
    answered: Vec<usize>,
    scored: Option<Vec<usize>>,
    starts: Vec<Action>,
    cancelled: BTreeSet<usize>,
    subtrees: BTreeSet<usize>,
    /// What was delivered, if it counts.
    delivered: Option<(usize, Delivery)>,
    /// Additions that are not to be held any longer, and whether they are added.
    resolved: BTreeMap<u64, bool>,
    /// Additions of which all are added or none.
    whole: Vec<BTreeSet<u64>>,
    rejected: BTreeSet<u64>,
}

impl Model {
    pub(crate) fn new(plan: &Plan, submission: &Submission, slots: u32, now: i64) -> Self {
        let classes = submission.classes.clone();
        let tasks = (0..plan.tasks.len() as u32)
            .map(|task| Task::new(Facts::planned(plan, TaskIx(task), submission, now)))
            .collect();
        Self {
            now,
            slots,
            agents: plan
                .agents
                .iter()
                .map(|agent| AgentLimits {
                    concurrency: agent.max_concurrency.unwrap_or(u32::MAX),
                    rate: agent.rate_limit,
                })
                .collect(),
            log: vec![Vec::new(); plan.agents.len()],
            classes,
            deadline: plan.deadline.map(|deadline| facts::moment(deadline, now)),
            budget: plan.budget,
            on_conflict: plan.on_conflict,
            tasks,
            paused: false,
            scoring: None,
            arrivals: 0,
            starts: 0,
            passed: BTreeMap::new(),
            spent: (0, 0.0),
            causes: Vec::new(),
            halt: None,
            names: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            held: BTreeMap::new(),
            rules: BTreeMap::new(),
            open: plan.open,
            ended: false,
            step: Step::default(),
        }
    }

    /// Looks at one step of the scheduler.
    pub(crate) fn check(&mut self, now: i64, events: &[Event], actions: &[Action]) -> Checked {
        ensure!(!self.ended, "a step after the end");
        let gap = now - self.now;
        self.now = now;
        self.step = Step { tasks: self.tasks.len(), ..Step::default() };
        for task in &mut self.tasks {
            task.alive_before = task.alive_at;
        }
        if let [Event::Recovered] = events {
            return self.recover(gap, actions);
        }
        for event in events {
            self.event(event);
        }
        for action in actions {
            ensure!(!self.ended, "{action:?} comes after the end of the run");
            self.action(action).map_err(|why| format!("{action:?}: {why}"))?;
        }
        self.close()
    }

    /// The tasks a task waits for.
    fn dependencies(&self, task: usize) -> Vec<usize> {
        let named = self.tasks[task].facts.names.iter();
        let named = named.filter_map(|name| self.names.get(name)).copied();
        self.tasks[task].facts.dependencies.iter().copied().chain(named).collect()
    }

    /// Whether a task is over and those that wait for it are lost.
    fn is_lost(&self, task: usize) -> bool {
        let task = &self.tasks[task];
        task.over()
            .is_some_and(|(status, _)| status != Status::Succeeded && !task.facts.continues())
    }

    /// Whether all that a task waits for has come to a good end.
    fn may_go(&self, task: usize) -> bool {
        let dependencies = self.dependencies(task);
        dependencies.iter().all(|dependency| {
            self.tasks[*dependency].over().is_some() && !self.is_lost(*dependency)
        })
    }

    /// Who says how long a task may take on the whole.
    fn governor(&self, task: usize) -> usize {
        self.tasks[task].owner.unwrap_or(task)
    }

    /// The moment at which a limit of a task is reached.
    fn limit(&self, task: usize, limit: Timeout) -> Option<i64> {
        let governor = &self.tasks[self.governor(task)];
        let task = &self.tasks[task];
        let timeouts = &task.facts.timeouts;
        let pending = task.stage == Stage::Remote || (task.stage == Stage::Ready && task.resume);
        let at_work = matches!(
            task.stage,
            Stage::Running | Stage::Ended(_) | Stage::Person | Stage::Answered(_)
        ) || pending;
        match limit {
            Timeout::Deadline => governor.facts.deadline,
            Timeout::Total => {
                let total = governor.facts.timeouts.total?;
                Some(governor.unblocked_at? + total as i64)
            }
            Timeout::Queue if task.stage == Stage::Ready => {
                Some(task.ready_at + timeouts.queue? as i64)
            }
            Timeout::Attempt if at_work => Some(task.started_at + timeouts.attempt as i64),
            Timeout::Idle if matches!(task.stage, Stage::Running | Stage::Ended(_)) => {
                Some(task.alive_before + timeouts.idle? as i64)
            }
            Timeout::Queue | Timeout::Attempt | Timeout::Idle => None,
        }
    }

    fn is_past(&self, task: usize, limit: Timeout) -> bool {
        self.limit(task, limit).is_some_and(|at| at <= self.now)
    }
}
