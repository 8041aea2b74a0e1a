//! What came of a run: the object that `consort run --json` prints.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use consort_core::scheduler::Status;
use consort_plugin_host::{Consumed, Payload};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize, ser};
use serde_json::value::RawValue;

use crate::error::TaskError;
use crate::output::{Output, OutputError};

/// A finished run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Unique among all runs.
    pub run_id: Arc<str>,
    /// The workflow's name, when it has one.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub name: Arc<str>,
    /// How the run ended.
    pub status: Status,
    /// Why it did not come to an end of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<RunError>,
    /// Every task, in the order of the plan, items after the task that is done
    /// for them; last those that were added.
    #[serde(serialize_with = "tasks_by_id")]
    pub tasks: Vec<TaskReport>,
    /// Tasks that were to be added to the run and were not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_added: Vec<NotAdded>,
    /// Numbers about the run.
    pub metrics: Metrics,
}

/// Why a run did not come to an end of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunError {
    /// `task-failed`, `cancelled`, `run-deadline` or `budget`.
    pub kind: Cow<'static, str>,
    /// One sentence for people.
    pub message: String,
    /// The task that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Arc<str>>,
}

/// A task that was to be added to a run and was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotAdded {
    /// Its id, `?` if it has none.
    pub task_id: Arc<str>,
    /// The task whose agent wanted it; none if it came from outside.
    pub by: Option<Arc<str>>,
    /// Why not.
    pub reason: String,
}

/// A finished task.
#[derive(Debug, Clone, Serialize)]
pub struct TaskReport {
    /// Its id; the key in JSON.
    #[serde(skip)]
    pub id: Arc<str>,
    /// How it ended.
    pub status: Status,
    /// How many attempts it took.
    pub attempts: u32,
    /// Who did it last; none for a task that stands for its steps or its items,
    /// and for a person.
    pub agent: Option<Arc<str>>,
    /// Its result. A large one may be in the store; it is read when the report is
    /// serialised, which fails if that does.
    pub output: Option<Output>,
    /// Why it has none.
    pub error: Option<TaskError>,
    /// When the first attempt began.
    pub started: Option<jiff::Timestamp>,
    /// When it was finished.
    pub finished: Option<jiff::Timestamp>,
    /// What it cost, all attempts together.
    pub usage: Option<UsageReport>,
    /// What the plugin calls made for it have used, all attempts together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceReport>,
    /// Milliseconds that it was ready and waited for its turn, all attempts
    /// together.
    pub queued_ms: u32,
    /// How many items it was done for; they are tasks of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<u32>,
    /// Whether its result is that of an equal task.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
    /// Whether its result is that of the run which this one repeats.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reused: bool,
    /// Its labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// What an agent's work cost. A field the agent did not report is null.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UsageReport {
    /// Tokens read.
    pub input_tokens: Option<u64>,
    /// Tokens written.
    pub output_tokens: Option<u64>,
    /// US dollars.
    pub cost: Option<f64>,
    /// The model that answered.
    pub model: Option<String>,
}

/// Numbers about a run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Metrics {
    /// From submission to the end.
    pub duration_ms: u64,
    /// Tasks by how they ended.
    pub tasks: BTreeMap<&'static str, u32>,
    /// Attempts of all tasks.
    pub attempts: u32,
    /// Tasks whose result was that of an equal task.
    pub cached: u32,
    /// Tasks whose result was that of the run which this one repeats.
    pub reused: u32,
    /// Tasks on the longest chain of dependencies.
    pub longest_chain: u32,
    /// The share of tasks that succeeded among those that succeeded or failed;
    /// none if there are none.
    pub success_rate: Option<f64>,
    /// How long tasks were done, from the first attempt to the end.
    pub execution_ms: Spread,
    /// How long tasks were ready and waited for their turn.
    pub queued_ms: Spread,
    /// What the run's duration was made of.
    pub critical_path: CriticalPath,
    /// Sums over all tasks that reported usage.
    pub usage: UsageTotals,
    /// Sums over all calls of plugins for tasks.
    pub resources: ResourceReport,
    /// What decided the order.
    pub policy: PolicyMetrics,
    /// What webhooks were told; none if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notifications: Option<NotificationMetrics>,
    /// What plugins counted, by plugin and name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub plugins: BTreeMap<String, PluginMetric>,
}

/// How a number is spread over tasks; zero where there are none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Spread {
    /// Their mean.
    pub mean: f64,
    /// Half of them have no more.
    pub p50: u64,
    /// 95 of 100 have no more.
    pub p95: u64,
    /// The largest.
    pub max: u64,
}

/// The chain of tasks that the run's duration was made of: the task that ended
/// last, the dependency of it that ended last, and so on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CriticalPath {
    /// How many tasks there are on it.
    pub tasks: u32,
    /// The tasks, the first one first; only the last thousand.
    pub path: Vec<PathStep>,
}

/// One task of a critical path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PathStep {
    /// The task.
    pub task_id: Arc<str>,
    /// Milliseconds from the end of the step before to its own.
    pub ms: u64,
}

/// What calls of plugins have used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ResourceReport {
    /// Instructions, about.
    pub fuel: u64,
    /// Bytes of memories and tables of the largest call.
    pub peak_memory: u64,
    /// Milliseconds of computing.
    pub cpu_ms: f64,
    /// Bytes sent and received.
    pub network: u64,
    /// HTTP requests.
    pub requests: u64,
}

/// What became of the notifications of a run, over all webhooks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationMetrics {
    /// Those that were taken.
    pub delivered: u64,
    /// Those that were refused or given up.
    pub failed: u64,
}

/// Sums of usage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct UsageTotals {
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// US dollars.
    pub cost: f64,
}

/// What the prioritizer did.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyMetrics {
    /// Its name.
    pub name: Arc<str>,
    /// Its digest.
    pub digest: Arc<str>,
    /// How often it was asked.
    pub ticks: u64,
    /// How often it could not answer, and the built-in order decided.
    pub faults: u64,
    /// How often it was given a rest after several faults in a row.
    pub rests: u64,
    /// How often it was not asked because it rested, and the built-in order
    /// decided.
    pub rested: u64,
    /// What its calls have used, the last one not included while it goes on.
    pub resources: ResourceReport,
    /// The last reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_fault: Option<String>,
}

/// A number that plugins reported.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PluginMetric {
    /// A sum.
    Counter {
        /// So far.
        value: u64,
    },
    /// The last value.
    Gauge {
        /// It.
        value: f64,
    },
    /// Observations.
    Distribution {
        /// How many.
        count: u64,
        /// Their sum.
        sum: f64,
        /// The smallest.
        min: f64,
        /// The largest.
        max: f64,
    },
}

impl Report {
    /// The task of that id.
    pub fn task(&self, id: &str) -> Option<&TaskReport> {
        self.tasks.iter().find(|task| &*task.id == id)
    }
}

impl ResourceReport {
    pub(crate) fn new(used: &Consumed) -> Self {
        Self {
            fuel: used.fuel,
            peak_memory: used.memory,
            cpu_ms: used.cpu_time as f64 / 1_000.0,
            network: used.network,
            requests: used.requests,
        }
    }
}

impl Spread {
    /// Of these numbers, in any order.
    pub(crate) fn of(mut all: Vec<u64>) -> Self {
        let Some(last) = all.len().checked_sub(1) else { return Self::default() };
        all.sort_unstable();
        let at = |share: f64| all[((last as f64) * share).ceil() as usize];
        let sum: f64 = all.iter().map(|one| *one as f64).sum();
        Self { mean: sum / all.len() as f64, p50: at(0.5), p95: at(0.95), max: all[last] }
    }
}

impl UsageReport {
    /// Tokens of both kinds.
    pub(crate) fn tokens(&self) -> u64 {
        self.input_tokens.unwrap_or(0).saturating_add(self.output_tokens.unwrap_or(0))
    }

    /// Adds what another attempt has used.
    pub(crate) fn add(&mut self, more: Self) {
        let sum = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        };
        self.input_tokens = sum(self.input_tokens, more.input_tokens);
        self.output_tokens = sum(self.output_tokens, more.output_tokens);
        self.cost = match (self.cost, more.cost) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
        self.model = more.model.or(self.model.take());
    }
}

impl UsageTotals {
    pub(crate) fn add(&mut self, usage: &UsageReport) {
        self.input_tokens = self.input_tokens.saturating_add(usage.input_tokens.unwrap_or(0));
        self.output_tokens = self.output_tokens.saturating_add(usage.output_tokens.unwrap_or(0));
        self.cost += usage.cost.unwrap_or(0.0);
    }
}

impl Report {
    /// The first task whose result is not to be had, and why not; none if all are.
    /// Reads all results that are in the store, chunk by chunk. Blocks.
    pub fn unreadable(&self) -> Option<(&Arc<str>, OutputError)> {
        self.tasks.iter().find_map(|task| {
            let error = task.output.as_ref()?.write_to(&mut std::io::sink()).err()?;
            Some((&task.id, error))
        })
    }
}

fn tasks_by_id<S: Serializer>(tasks: &[TaskReport], to: S) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(Some(tasks.len()))?;
    for task in tasks {
        map.serialize_entry(&*task.id, task)?;
    }
    map.end()
}

/// A payload as JSON: documents as they are, text as a string, bytes as
/// `{media_type, base64}`.
pub(crate) struct JsonPayload<'a>(pub(crate) &'a Payload);

impl Serialize for JsonPayload<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Payload::Json(text) => {
                let raw: &RawValue = serde_json::from_str(text).map_err(ser::Error::custom)?;
                raw.serialize(to)
            }
            Payload::Text(text) => to.serialize_str(text),
            Payload::Blob { media_type, data } => {
                let mut map = to.serialize_map(Some(2))?;
                map.serialize_entry("media_type", media_type)?;
                let base64 = base64::engine::general_purpose::STANDARD.encode(data);
                map.serialize_entry("base64", &base64)?;
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_that_of_its_numbers() {
        assert_eq!(Spread::of(vec![]), Spread::default());
        assert_eq!(Spread::of(vec![7]), Spread { mean: 7.0, p50: 7, p95: 7, max: 7 });
        let hundred = Spread::of((1..=100).rev().collect());
        assert_eq!(hundred, Spread { mean: 50.5, p50: 51, p95: 96, max: 100 });
    }
}
