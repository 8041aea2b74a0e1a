//! The workflow format, as people write it.
//!
//! These types mirror the document and nothing else reads them but the
//! compiler in [`plan`](crate::plan): what the scheduler works on is different.
//! Times are seconds here and milliseconds everywhere after.

mod parse;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) use parse::typed;
pub use parse::{Format, parse, parse_typed};

use crate::retry::Backoff;

/// A whole document: the three shapes a file may have, made one.
#[derive(Debug, Clone, Default)]
pub struct Document {
    /// The workflow's name; empty for a bare list or a single task.
    pub name: String,
    /// Values for templates, overridden by the caller of a run.
    pub inputs: Map<String, Value>,
    /// Agents by name.
    pub agents: BTreeMap<String, AgentDoc>,
    /// What a task does when it fails, unless it says.
    pub on_failure: Option<OnFailureDoc>,
    /// The tasks in order, each with its place in the document.
    pub tasks: Vec<Located<TaskDoc>>,
}

/// A part of the document and the path that leads to it.
#[derive(Debug, Clone)]
pub struct Located<T> {
    /// Such as `tasks[3].steps[0]`.
    pub path: String,
    /// The part.
    pub doc: T,
}

/// The workflow object around the tasks.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkflowDoc {
    #[serde(default)]
    name: String,
    #[serde(default)]
    inputs: Map<String, Value>,
    #[serde(default)]
    agents: Map<String, Value>,
    #[serde(default)]
    tasks: Vec<Value>,
    on_failure: Option<Value>,
}

/// One task, or one step of a collaborative task.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskDoc {
    /// Unique in the run.
    pub task_id: String,
    /// Kind of work; `collaborative_task` has steps.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The instruction, a template.
    pub description: Option<String>,
    /// Who does it.
    pub agent: Option<String>,
    /// Endpoint, overriding the agent's.
    pub url: Option<String>,
    /// What it waits for; absent and empty differ in steps.
    pub depends_on: Option<Vec<DependencyDoc>>,
    /// Seconds an attempt may take.
    pub timeout: Option<f64>,
    /// 1 to 10.
    pub priority: Option<i64>,
    /// RFC 3339, or a duration from submission.
    pub deadline: Option<Value>,
    /// When to try again.
    pub retry_policy: Option<RetryDoc>,
    /// Any JSON.
    pub input: Option<Value>,
    /// Any JSON object.
    pub metadata: Option<Map<String, Value>>,
    /// Transformers of the result, in order.
    #[serde(default)]
    pub transform: Vec<TransformDoc>,
    /// What a failure means for others.
    pub on_failure: Option<OnFailureDoc>,
    /// Limits of its plugin calls.
    pub resources: Option<ResourcesDoc>,
    /// Seconds; an estimate for policies.
    pub expected_duration: Option<f64>,
    /// Steps of a collaborative task, read one by one so that each one's
    /// problems are found.
    pub steps: Option<Vec<Value>>,
    /// Whether this step starts together with the one before it.
    pub parallel: Option<bool>,
}

/// A dependency: an id, or an id with what is to happen on the way.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a task id, or an object {task, as, transform}")]
pub enum DependencyDoc {
    /// Just the id.
    Id(String),
    /// With details.
    Edge(EdgeDoc),
}

/// A dependency with details.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeDoc {
    /// The task waited for.
    pub task: String,
    /// The name its result gets; its id unless given.
    #[serde(rename = "as")]
    pub name: Option<String>,
    /// Transformers applied to its result for this dependent alone.
    #[serde(default)]
    pub transform: Vec<TransformDoc>,
}

/// A transformer's name, or its name and configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a transformer's name, or an object {transformer, config}")]
pub enum TransformDoc {
    /// Without configuration.
    Name(String),
    /// With configuration.
    Configured(ConfiguredTransformDoc),
}

/// A transformer with its configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfiguredTransformDoc {
    /// A plugin's name, `name@digest` or a file.
    pub transformer: String,
    /// Checked against the plugin's schema.
    #[serde(default)]
    pub config: Map<String, Value>,
}

/// When a failed task is tried again. Times are seconds.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryDoc {
    /// Attempts in all.
    pub max_attempts: Option<u32>,
    /// How the wait grows.
    pub backoff: Option<Backoff>,
    /// The first wait.
    pub initial_delay: Option<f64>,
    /// The longest wait.
    pub max_delay: Option<f64>,
    /// `true` for full jitter, `false` for none, or the random share (0 to 1).
    pub jitter: Option<JitterDoc>,
}

/// The random share of a wait.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged, expecting = "true, false, or a share from 0 to 1")]
pub enum JitterDoc {
    /// All or nothing.
    Switch(bool),
    /// Something between.
    Share(f64),
}

/// What the failure of a task means for others.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "'fail', 'skip', 'continue', or an object {fallback: [agent, …]}")]
pub enum OnFailureDoc {
    /// One of the three words.
    Word(OnFailureWord),
    /// Other agents to try.
    Fallback(FallbackDoc),
}

/// A rule without arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailureWord {
    /// The run fails.
    Fail,
    /// Dependents are skipped, the run goes on.
    Skip,
    /// Dependents run without its result.
    Continue,
}

/// Other agents to try before the task has failed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FallbackDoc {
    /// Agents' names, in order.
    pub fallback: Vec<String>,
}

/// Limits of a task's plugin calls.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourcesDoc {
    /// Fuel units.
    pub fuel: Option<u64>,
    /// Bytes.
    pub memory: Option<u64>,
    /// The network.
    pub network: Option<NetworkDoc>,
}

/// Limits of a task's network use.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkDoc {
    /// Bytes in all, both directions.
    pub bytes: Option<u64>,
    /// Bytes a second.
    pub bytes_per_second: Option<u64>,
}

/// An agent, in a workflow or in the host's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentDoc {
    /// A plugin's name, `name@digest` or a file.
    pub adapter: String,
    /// Where it answers.
    pub url: Option<String>,
    /// Checked against the plugin's schema.
    #[serde(default)]
    pub config: Map<String, Value>,
    /// Limits of its plugin calls, in the plugin host's terms.
    #[serde(default)]
    pub limits: Map<String, Value>,
    /// Attempts at once.
    pub max_concurrency: Option<u32>,
}
