//! A *plan* is a workflow that has been checked and can run: names resolved to
//! numbers, steps flattened, seconds turned into milliseconds.

mod agents;
mod compile;
mod edges;
mod fields;
mod needs;
mod outline;
mod reads;
mod settings;
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use agents::check_agents;
pub use compile::{Checked, Compiled, check, compile, compile_with_needs};
pub use fields::{check_duration, check_retry};
pub use needs::{AgentNeed, Needs, UrlNeed};

use crate::graph::{DependencyGraph, TaskIx};
use crate::problem::Problem;
use crate::rate::Rate;
use crate::retry::RetryPolicy;
use crate::spec::AgentDoc;
use crate::template::{Expression, Reads, Template};

/// An agent's place in [`Plan::agents`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AgentIx(pub u32);

/// What the host knows besides the document.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Known {
    /// Agents of the host's configuration; the document's own come first.
    pub agents: BTreeMap<String, AgentDoc>,
    /// Adapter plugins by name. Each is also an agent of that name, without
    /// URL or configuration, unless the name is taken.
    pub adapters: Vec<String>,
    /// Transformer plugins by name.
    pub transformers: Vec<String>,
    /// Who does a task that names no agent.
    pub default_agent: Option<String>,
    /// Takes every agent, adapter and transformer that a document names for
    /// known: to look at a workflow without the host it is for.
    pub anything: bool,
}

/// A workflow that can run.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The workflow's name; may be empty.
    pub name: Arc<str>,
    /// Values for templates.
    pub inputs: Map<String, Value>,
    /// Agents that at least one task uses, or may come to use.
    pub agents: Vec<Agent>,
    /// Tasks; a [`TaskIx`] is an index into this.
    pub tasks: Vec<Task>,
    /// Who waits for whom.
    pub graph: DependencyGraph,
    /// A topological order of the graph.
    pub order: Vec<TaskIx>,
    /// When the run must be over; what is unfinished then is cancelled, and the
    /// run has failed.
    pub deadline: Option<Deadline>,
    /// What the run may spend.
    pub budget: Budget,
    /// What happens to a task added to the running workflow that does not fit.
    pub on_conflict: ConflictRule,
    /// What the failure of a task means for others, unless it says.
    pub on_failure: OnFailure,
    /// Tasks are submitted while it runs, by whoever began it, and there may be
    /// none yet. [`Plan::agents`] are then all that there are, but for adapters
    /// that nobody has made an agent of.
    pub open: bool,
    /// What is legal in the document but surely not meant.
    pub warnings: Vec<Problem>,
}

/// What a run may spend on its agents. When either is used up, nothing more
/// starts, what runs is stopped, and the run has failed.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Budget {
    /// Tokens, input and output together.
    pub tokens: Option<u64>,
    /// Cost in the currency of the agents' reports.
    pub cost: Option<f64>,
}

/// What happens to a task added to a live run that waits for a task that is not
/// there, or would close a cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictRule {
    /// It is not added, and whoever adds it learns why.
    #[default]
    Reject,
    /// It is kept back until what it waits for has been added.
    Hold,
    /// It is added without the edge that does not fit.
    Admit,
}

/// Someone who does tasks.
#[derive(Debug, Clone)]
pub struct Agent {
    /// Its name.
    pub name: Arc<str>,
    /// A plugin's name, `name@digest` or a file.
    pub adapter: String,
    /// Where it answers.
    pub url: Option<Arc<str>>,
    /// For the plugin; checked against its schema when the plugin is loaded.
    pub config: Map<String, Value>,
    /// Limits in the plugin host's terms.
    pub limits: Map<String, Value>,
    /// Attempts at once.
    pub max_concurrency: Option<u32>,
    /// How often attempts may start.
    pub rate_limit: Option<Rate>,
    /// How similar tasks are started together; none: they are not, unless a task
    /// says so.
    pub batch: Option<Batching>,
}

/// How similar tasks are started together: those of one agent that have the same
/// `type` and take the same number of slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batching {
    /// Tasks of one start, at the most; at least 1.
    pub max: u32,
    /// Milliseconds that a task waits for others.
    pub linger: u64,
}

impl Default for Batching {
    /// Up to 16 that are ready at the same time.
    fn default() -> Self {
        Self { max: 16, linger: 0 }
    }
}

/// One task.
#[derive(Debug, Clone)]
pub struct Task {
    /// Unique in the plan.
    pub id: Arc<str>,
    /// Who does it.
    pub work: Work,
    /// The instruction.
    pub description: Template,
    /// What it waits for, in the order it says.
    pub dependencies: Box<[Edge]>,
    /// Everything else. Tasks that say the same share it, so that a million
    /// tasks without particular wishes stay small.
    pub settings: Arc<TaskSettings>,
}

/// What a task says about how it is to be done. Times are milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskSettings {
    /// Its `type`.
    pub kind: Arc<str>,
    /// Overrides the agent's.
    pub url: Option<Arc<str>>,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// 1 to 10.
    pub priority: u8,
    /// When it must be finished; what is not by then has failed.
    pub deadline: Option<Deadline>,
    /// When it is tried again.
    pub retry: RetryPolicy,
    /// Its input.
    pub input: Option<Value>,
    /// A JSON object.
    pub metadata: Map<String, Value>,
    /// Words to find it by.
    pub labels: BTreeMap<String, String>,
    /// Applied to its result, in order.
    pub transform: Vec<TransformerUse>,
    /// What its failure means for others.
    pub on_failure: OnFailure,
    /// Its own limits.
    pub resources: Resources,
    /// How long it is expected to take.
    pub expected: u64,
    /// Whether it is done at all; decided when its dependencies are finished.
    pub when: Option<Expression>,
    /// What it is done for, each item by itself.
    pub for_each: Option<ForEach>,
    /// Whether its result may be one that an equal task had.
    pub cache: Option<CacheRule>,
    /// Of an approval, a JSON Schema that the answer must satisfy.
    pub schema: Option<Value>,
    /// Whether it may be started together with similar tasks; the agent's unless
    /// given.
    pub batch: Option<bool>,
}

/// How long a task may take, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// An attempt, from its start.
    pub attempt: u64,
    /// Waiting in line, each time it is ready.
    pub queue: Option<u64>,
    /// A running attempt without a sign of life: progress, a log message, or an
    /// answer to a poll.
    pub idle: Option<u64>,
    /// The task as a whole, from when its dependencies are finished.
    pub total: Option<u64>,
}

/// What a task is done for, each item by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct ForEach {
    /// The items.
    pub items: Items,
    /// How many may be ready or running at once.
    pub max_parallel: Option<u32>,
}

/// Where the items of a fan-out come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Items {
    /// The document.
    Literal(Arc<[Value]>),
    /// An expression that gives a list when the task's dependencies are
    /// finished.
    Expression(Expression),
}

/// When a task's result may be one that an equal task had.
#[derive(Debug, Clone, PartialEq)]
pub struct CacheRule {
    /// What makes tasks equal; their agent, its configuration and their whole
    /// input unless given.
    pub key: Option<Template>,
    /// How long a result may be used, in milliseconds; for ever unless given.
    pub ttl: Option<u64>,
}

/// Who does a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// The first agent, or else the next.
    Agents(Arc<[AgentIx]>),
    /// Nobody: it stands for its steps, and its result is an object of theirs.
    Join,
    /// A person, who answers the question in its description.
    Approval,
}

/// A dependency.
#[derive(Debug, Clone)]
pub struct Edge {
    /// The task waited for.
    pub task: TaskIx,
    /// The name its result gets.
    pub name: Arc<str>,
    /// Whether the result is passed on, or only waited for.
    pub forward: bool,
    /// Applied to the result on the way.
    pub transform: Box<[TransformerUse]>,
}

/// A transformer and how it is to be used.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TransformerUse {
    /// A plugin's name, `name@digest` or a file.
    pub plugin: String,
    /// Checked against the plugin's schema when it is loaded.
    pub config: Map<String, Value>,
}

/// When a task should be finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// Milliseconds since the Unix epoch.
    At(i64),
    /// Milliseconds after submission.
    After(u64),
}

/// What the failure of a task means for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum OnFailure {
    /// The run fails: what runs is cancelled, nothing more is started.
    #[default]
    Fail,
    /// Dependents are skipped, the run goes on.
    Skip,
    /// Dependents run without its result.
    Continue,
}

/// Limits a task sets for its plugin calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resources {
    /// Fuel units.
    pub fuel: Option<u64>,
    /// Bytes.
    pub memory: Option<u64>,
    /// Bytes over the network.
    pub network_bytes: Option<u64>,
    /// Bytes a second over the network.
    pub network_rate: Option<u64>,
    /// Slots an attempt takes while it runs; 1 unless given.
    pub slots: Option<u32>,
}

impl Plan {
    /// The task of that id.
    pub fn find(&self, id: &str) -> Option<TaskIx> {
        self.tasks.iter().position(|task| &*task.id == id).map(|index| TaskIx(index as u32))
    }

    /// The task at that index.
    pub fn task(&self, task: TaskIx) -> &Task {
        &self.tasks[task.index()]
    }

    /// The agent at that index.
    pub fn agent(&self, agent: AgentIx) -> &Agent {
        &self.agents[agent.0 as usize]
    }

    /// The tasks that nobody waits for, whose results are the run's.
    pub fn last_tasks(&self) -> impl Iterator<Item = &Task> {
        let is_last = |task: &TaskIx| self.graph.dependents(*task).next().is_none();
        self.graph.tasks().filter(is_last).map(|task| self.task(task))
    }

    /// The inputs that templates and expressions of tasks read by their names.
    /// None if one of them reads `inputs` as a whole, and so perhaps any.
    pub fn inputs_read(&self) -> Option<BTreeSet<String>> {
        let mut inputs = BTreeSet::new();
        for reads in self.tasks.iter().flat_map(Task::reads) {
            if reads.all_inputs {
                return None;
            }
            inputs.extend(reads.inputs);
        }
        Some(inputs)
    }

    /// Every transformer the plan uses, on tasks and on edges.
    pub fn transformers(&self) -> impl Iterator<Item = &TransformerUse> {
        self.tasks.iter().flat_map(|task| {
            let edges = task.dependencies.iter().flat_map(|edge| &edge.transform);
            task.settings.transform.iter().chain(edges)
        })
    }

    /// For each task, the longest path to the end of the run by expected
    /// durations, in milliseconds, the task's own included.
    pub fn remaining_paths(&self) -> Vec<u64> {
        let durations: Vec<u64> = self.tasks.iter().map(|task| task.settings.expected).collect();
        self.graph.remaining_paths(&self.order, &durations)
    }
}

impl Task {
    /// What its template and its expressions read.
    pub fn reads(&self) -> impl Iterator<Item = Reads> {
        let settings = &self.settings;
        let items = settings.for_each.as_ref().and_then(|for_each| match &for_each.items {
            Items::Expression(items) => Some(items.reads()),
            Items::Literal(_) => None,
        });
        let key = settings.cache.as_ref().and_then(|cache| cache.key.as_ref());
        let when = settings.when.as_ref().map(Expression::reads);
        let all = [Some(self.description.reads()), when, items, key.map(Template::reads)];
        all.into_iter().flatten()
    }
}
