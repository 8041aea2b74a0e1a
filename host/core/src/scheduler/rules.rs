//! What the scheduler knows about tasks: the plan without names and texts.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::graph::{DependencyGraph, TaskIx};
use crate::plan::{AgentIx, Budget, ConflictRule, Deadline, OnFailure, Plan, Task, Timeouts, Work};
use crate::retry::RetryPolicy;

/// A *resource class*: ready tasks that compete for the same capacity, that is
/// attempts by one agent that take the same number of slots. A class without
/// room never holds up another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClassIx(pub u32);

/// What an attempt of a class takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassLimits {
    /// Of this agent's attempts, one; an index into [`Submission::agents`].
    pub agent: u32,
    /// Of the run's slots, this many; at least one and at most all of them.
    pub slots: u32,
}

/// The tasks of a run, ready to be scheduled.
#[derive(Debug, Clone, Default)]
pub struct Submission {
    /// Who waits for whom.
    pub graph: DependencyGraph,
    /// One entry for each task of the graph.
    pub tasks: Vec<TaskRules>,
    /// For each agent, how many attempts may run at once; `u32::MAX` for no
    /// limit.
    pub agents: Vec<u32>,
    /// The classes; a [`ClassIx`] is an index into this. Class n is agent n
    /// with one slot, for each agent; other numbers of slots come after.
    pub classes: Vec<ClassLimits>,
    /// When the run must be over, milliseconds since the epoch.
    pub deadline: Option<i64>,
    /// What the run may spend.
    pub budget: Budget,
    /// What happens to an added task that does not fit.
    pub on_conflict: ConflictRule,
}

/// The rules one task is scheduled by.
#[derive(Debug, Clone)]
pub struct TaskRules {
    /// Who does it.
    pub work: Doer,
    /// Whether it has a `when` or a `for_each`, which are asked about when its
    /// dependencies are finished.
    pub decide: bool,
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, Copy)]
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
        let mut classes = Classes::new(plan.agents.len() as u32);
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
            tasks.push(TaskRules::new(task, facts, |agent, slots| classes.find(agent, slots)));
        }
        let agents =
            plan.agents.iter().map(|agent| agent.max_concurrency.unwrap_or(u32::MAX)).collect();
        let submission = Self {
            graph: plan.graph.clone(),
            tasks,
            agents,
            classes: classes.limits,
            deadline: plan.deadline.map(|deadline| moment(deadline, now)),
            budget: plan.budget,
            on_conflict: plan.on_conflict,
        };
        (submission, names)
    }
}

impl TaskRules {
    /// The rules of one task. `class` finds the class of an agent's attempts
    /// that take so many slots.
    pub fn new(task: &Task, facts: Facts, mut class: impl FnMut(AgentIx, u32) -> ClassIx) -> Self {
        let settings = &task.settings;
        let slots = settings.resources.slots.unwrap_or(1).max(1);
        Self {
            work: match &task.work {
                Work::Agents(agents) => {
                    Doer::Agents(agents.iter().map(|agent| class(*agent, slots)).collect())
                }
                Work::Join => Doer::Join,
                Work::Approval => Doer::Person,
            },
            decide: settings.when.is_some() || settings.for_each.is_some(),
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
    /// Those of more than one slot.
    shapes: BTreeMap<(AgentIx, u32), ClassIx>,
}

impl Classes {
    fn new(agents: u32) -> Self {
        let limits = (0..agents).map(|agent| ClassLimits { agent, slots: 1 }).collect();
        Self { limits, shapes: BTreeMap::new() }
    }

    fn find(&mut self, agent: AgentIx, slots: u32) -> ClassIx {
        if slots == 1 {
            return ClassIx(agent.0);
        }
        *self.shapes.entry((agent, slots)).or_insert_with(|| {
            self.limits.push(ClassLimits { agent: agent.0, slots });
            ClassIx(self.limits.len() as u32 - 1)
        })
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
