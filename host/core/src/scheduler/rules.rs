//! What the scheduler knows about tasks: the plan without names and texts.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::graph::{DependencyGraph, TaskIx};
use crate::plan::{
    Agent, AgentIx, Batching, Budget, ConflictRule, Deadline, OnFailure, Plan, Task, Timeouts, Work,
};
use crate::rate::Rate;
use crate::retry::RetryPolicy;

/// A *resource class*: ready tasks that compete for the same capacity, that is
/// attempts by one agent that take the same number of slots. A class without
/// room never holds up another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClassIx(pub u32);

/// What an attempt of a class takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassLimits {
    /// Of this agent's attempts, one; an index into [`Submission::agents`].
    pub agent: u32,
    /// Of the run's slots, this many; at least one and at most all of them.
    pub slots: u32,
    /// Tasks of the same [`Facts::kind`] are started together, which takes no
    /// more than one attempt does.
    pub batching: Option<Batching>,
}

/// What bounds the attempts of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentLimits {
    /// How many may run at once; `u32::MAX` for no limit.
    pub concurrency: u32,
    /// How often they may start. Going on with one does not count, and those
    /// that start together count as one.
    pub rate: Option<Rate>,
}

impl Default for AgentLimits {
    /// No limits.
    fn default() -> Self {
        Self { concurrency: u32::MAX, rate: None }
    }
}

/// The tasks of a run, ready to be scheduled.
#[derive(Debug, Clone, Default)]
pub struct Submission {
    /// Who waits for whom.
    pub graph: DependencyGraph,
    /// One entry for each task of the graph.
    pub tasks: Vec<TaskRules>,
    /// What bounds each agent.
    pub agents: Vec<AgentLimits>,
    /// The classes; a [`ClassIx`] is an index into this. Class n is agent n
    /// with one slot and nothing started together, for each agent; others come
    /// after.
    pub classes: Vec<ClassLimits>,
    /// When the run must be over, milliseconds since the epoch.
    pub deadline: Option<i64>,
    /// What the run may spend.
    pub budget: Budget,
    /// What happens to an added task that does not fit.
    pub on_conflict: ConflictRule,
    /// More tasks will come: the run goes on until it is closed, even without
    /// any.
    pub open: bool,
}

/// The rules one task is scheduled by.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TaskRules {
    /// Who does it.
    pub work: Doer,
    /// The class of its first attempt, if that may be started together with
    /// others; like that of its first agent but for the batching.
    pub batch: Option<ClassIx>,
    /// Whether the engine is asked about it when its dependencies are finished:
    /// because it has a `when` or a `for_each`, or may have been done before.
    pub decide: bool,
    /// Whether the same is asked about each of its items, when it fans out.
    pub decide_items: bool,
    /// Of its items, when it fans out, how many may be ready or running at
    /// once; `u32::MAX` for no limit.
    pub max_parallel: u32,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// When it is tried again.
    pub retry: RetryPolicy,
    /// What its failure means for others.
    pub on_failure: OnFailure,
    /// What prioritizers see. The scheduler itself looks at the deadline, and
    /// at the priority when there are no scores.
    pub facts: Facts,
}

/// Who does a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Doer {
    /// The class of each of its agents, in order; never empty.
    Agents(Box<[ClassIx]>),
    /// Nobody: it has succeeded when its dependencies have.
    Join,
    /// A person.
    Person,
}

impl Doer {
    /// The class of each agent; empty if no agent does it.
    pub fn agents(&self) -> &[ClassIx] {
        match self {
            Self::Agents(classes) => classes,
            Self::Join | Self::Person => &[],
        }
    }
}

/// What prioritizers see of a task and never changes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Facts {
    /// The task's type, a number in the run's table of names.
    pub kind: u32,
    /// 1 to 10.
    pub priority: u8,
    /// When it must be finished, milliseconds since the epoch.
    pub deadline: Option<i64>,
    /// Expected milliseconds.
    pub expected: u64,
    /// Expected milliseconds from its start to the end of the run.
    pub remaining_path: u64,
    /// Tasks that wait for it.
    pub dependents: u32,
    /// Edges on the longest path to it.
    pub depth: u32,
}

impl Submission {
    /// The rules of a plan that is submitted at `now`, milliseconds since the
    /// epoch. The second part is the table of names that [`Facts::kind`] refers
    /// to, which begins with the agents'.
    pub fn new(plan: &Plan, now: i64) -> (Self, Vec<Arc<str>>) {
        let mut names: Vec<_> = plan.agents.iter().map(|agent| agent.name.clone()).collect();
        let mut kinds: HashMap<&str, u32> = HashMap::new();
        let mut classes = Classes::new(&plan.agents);
        let remaining = plan.remaining_paths();
        let depths = plan.graph.depths(&plan.order);
        let mut tasks = Vec::with_capacity(plan.tasks.len());
        for (index, task) in plan.tasks.iter().enumerate() {
            let kind = *kinds.entry(&task.settings.kind).or_insert_with(|| {
                names.push(task.settings.kind.clone());
                names.len() as u32 - 1
            });
            let facts = Facts {
                kind,
                priority: task.settings.priority,
                deadline: task.settings.deadline.map(|deadline| moment(deadline, now)),
                expected: task.settings.expected,
                remaining_path: remaining[index],
                dependents: plan.graph.dependents(TaskIx(index as u32)).count() as u32,
                depth: depths[index],
            };
            let rules = TaskRules::new(task, &plan.agents, facts, |wanted| classes.find(wanted));
            tasks.push(rules);
        }
        let agents = plan.agents.iter().map(|agent| AgentLimits {
            concurrency: agent.max_concurrency.unwrap_or(u32::MAX),
            rate: agent.rate_limit,
        });
        let agents = agents.collect();
        let submission = Self {
            graph: plan.graph.clone(),
            tasks,
            agents,
            classes: classes.limits,
            deadline: plan.deadline.map(|deadline| moment(deadline, now)),
            budget: plan.budget,
            on_conflict: plan.on_conflict,
            open: plan.open,
        };
        (submission, names)
    }
}

impl TaskRules {
    /// The rules of one task. `class` finds the class of those limits, which may
    /// be missing only if it is one that starts tasks together: then this task
    /// is not.
    ///
    /// # Panics
    ///
    /// If there is no class for one of its agents.
    pub fn new(
        task: &Task,
        agents: &[Agent],
        facts: Facts,
        mut class: impl FnMut(ClassLimits) -> Option<ClassIx>,
    ) -> Self {
        let settings = &task.settings;
        let slots = settings.resources.slots.unwrap_or(1).max(1);
        let mut alone = |agent: &AgentIx| {
            class(ClassLimits { agent: agent.0, slots, batching: None })
                .expect("there is a class for every agent of a task")
        };
        let work = match &task.work {
            Work::Agents(agents) => Doer::Agents(agents.iter().map(&mut alone).collect()),
            Work::Join => Doer::Join,
            Work::Approval => Doer::Person,
        };
        let first = match &task.work {
            Work::Agents(agents) => agents.first(),
            Work::Join | Work::Approval => None,
        };
        let batch = first.and_then(|first| {
            let own = agents[first.0 as usize].batch;
            let batching = match settings.batch {
                None => own?,
                Some(true) => own.unwrap_or_default(),
                Some(false) => return None,
            };
            class(ClassLimits { agent: first.0, slots, batching: Some(batching) })
        });
        Self {
            work,
            batch,
            decide: settings.when.is_some() || settings.for_each.is_some(),
            decide_items: false,
            max_parallel: settings
                .for_each
                .as_ref()
                .and_then(|for_each| for_each.max_parallel)
                .unwrap_or(u32::MAX),
            timeouts: settings.timeouts,
            retry: settings.retry,
            on_failure: settings.on_failure,
            facts,
        }
    }
}

/// The classes of a submission while it is being made.
struct Classes {
    limits: Vec<ClassLimits>,
    /// Those that are not of one slot and nothing started together, by agent,
    /// slots and whether tasks are started together: how is the agent's to say.
    shapes: BTreeMap<(u32, u32, bool), ClassIx>,
}

impl Classes {
    /// One for each agent, and one more for each that starts tasks together: not
    /// every task that is added to a run later has one like it in the plan.
    fn new(agents: &[Agent]) -> Self {
        let alone = |agent| ClassLimits { agent, slots: 1, batching: None };
        let limits = (0..agents.len() as u32).map(alone).collect();
        let mut classes = Self { limits, shapes: BTreeMap::new() };
        for (agent, batching) in agents.iter().enumerate().map(|(n, agent)| (n, agent.batch)) {
            if batching.is_some() {
                classes.find(ClassLimits { agent: agent as u32, slots: 1, batching });
            }
        }
        classes
    }

    fn find(&mut self, wanted: ClassLimits) -> Option<ClassIx> {
        let ClassLimits { agent, slots, batching } = wanted;
        if slots == 1 && batching.is_none() {
            return Some(ClassIx(agent));
        }
        Some(*self.shapes.entry((agent, slots, batching.is_some())).or_insert_with(|| {
            self.limits.push(wanted);
            ClassIx(self.limits.len() as u32 - 1)
        }))
    }
}

/// The moment a deadline means for what is submitted at `now`, both
/// milliseconds since the epoch.
pub fn moment(deadline: Deadline, now: i64) -> i64 {
    match deadline {
        Deadline::At(at) => at,
        Deadline::After(span) => now.saturating_add_unsigned(span),
    }
}
