//! What the scheduler knows about tasks: the plan without names and texts.

use std::collections::HashMap;

use crate::graph::{DependencyGraph, TaskIx};
use crate::plan::{Deadline, OnFailure, Plan, Work};
use crate::retry::RetryPolicy;

/// A *resource class*: ready tasks that compete for the same capacity, today
/// that of one agent. A class that is full never holds up another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClassIx(pub u32);

/// The tasks of a run, ready to be scheduled.
#[derive(Debug)]
pub struct Submission {
    /// Who waits for whom.
    pub graph: DependencyGraph,
    /// One entry for each task of the graph.
    pub tasks: Vec<TaskRules>,
    /// For each class, how many of its attempts may run at once.
    pub classes: Vec<u32>,
}

/// The rules one task is scheduled by. Times are milliseconds.
#[derive(Debug, Clone)]
pub struct TaskRules {
    /// The class of each of its agents, in order; none for a task that only
    /// stands for its steps.
    pub classes: Box<[ClassIx]>,
    /// How long an attempt may take.
    pub timeout: u64,
    /// When it is tried again.
    pub retry: RetryPolicy,
    /// What its failure means for others.
    pub on_failure: OnFailure,
    /// What prioritizers see and the scheduler does not care about.
    pub facts: Facts,
}

/// What prioritizers see of a task and never changes.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// The task's type, a number in the run's table of names.
    pub kind: u32,
    /// 1 to 10.
    pub priority: u8,
    /// Milliseconds since the epoch.
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
    /// epoch. Class n is the plan's agent n; the second part is the table of
    /// names that [`Facts::kind`] refers to, which begins with the agents'.
    pub fn new(plan: &Plan, now: i64) -> (Self, Vec<std::sync::Arc<str>>) {
        let mut names: Vec<_> = plan.agents.iter().map(|agent| agent.name.clone()).collect();
        let mut kinds: HashMap<std::sync::Arc<str>, u32> = HashMap::new();
        let remaining = plan.remaining_paths();
        let depths = plan.graph.depths(&plan.order);
        let mut tasks = Vec::with_capacity(plan.tasks.len());
        for (index, task) in plan.tasks.iter().enumerate() {
            let kind = *kinds.entry(task.kind.clone()).or_insert_with(|| {
                names.push(task.kind.clone());
                names.len() as u32 - 1
            });
            tasks.push(TaskRules {
                classes: match &task.work {
                    Work::Agents(agents) => agents.iter().map(|agent| ClassIx(agent.0)).collect(),
                    Work::Join => Box::default(),
                },
                timeout: task.timeout,
                retry: task.retry,
                on_failure: task.on_failure,
                facts: Facts {
                    kind,
                    priority: task.priority,
                    deadline: task.deadline.map(|deadline| match deadline {
                        Deadline::At(at) => at,
                        Deadline::After(span) => now.saturating_add_unsigned(span),
                    }),
                    expected: task.expected,
                    remaining_path: remaining[index],
                    dependents: plan.graph.dependents(TaskIx(index as u32)).count() as u32,
                    depth: depths[index],
                },
            });
        }
        let classes =
            plan.agents.iter().map(|agent| agent.max_concurrency.unwrap_or(u32::MAX)).collect();
        (Self { graph: plan.graph.clone(), tasks, classes }, names)
    }
}
