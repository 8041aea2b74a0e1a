//! One *attempt* at one task: results of dependencies in, its own result out.
//!
//! Everything an attempt needs is gathered when it starts, so it runs apart
//! from the run loop and can be dropped at any await.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use consort_core::graph::TaskIx;
use consort_core::plan::{Edge, Plan, Task, TransformerUse};
use consort_core::scheduler::Retry;
use consort_plugin_host::{
    Dependency, Invocation, Level, Metric, MetricValue, Observer, Payload, Progress, Step,
    TransformContext,
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::cast::{Cast, CastAgent};
use crate::error::TaskError;
use crate::report::{JsonPayload, PluginMetric, UsageReport};
use crate::watch::{RunEvent, Watcher};

/// Bytes of a checkpoint, as the contract says.
const MAX_CHECKPOINT: usize = 64 << 10;

/// What all attempts of a run share.
pub(crate) struct Stage {
    pub(crate) run_id: Arc<str>,
    pub(crate) plan: Plan,
    pub(crate) cast: Cast,
    pub(crate) inputs: Map<String, Value>,
    pub(crate) watcher: Arc<dyn Watcher>,
    pub(crate) metrics: Mutex<BTreeMap<String, PluginMetric>>,
}

/// An attempt about to run.
pub(crate) struct Attempt {
    pub(crate) stage: Arc<Stage>,
    pub(crate) task: TaskIx,
    /// An index into the task's agents resolved to the cast's.
    pub(crate) agent: u32,
    pub(crate) number: u32,
    /// Results of the dependencies, in the order of the task's edges; none for
    /// those that are only waited for or have no result.
    pub(crate) results: Vec<Option<Payload>>,
    /// Where an earlier call of this attempt left off.
    pub(crate) checkpoint: Option<Bytes>,
    pub(crate) remaining: Duration,
}

/// How an attempt ended, when it was not stopped.
pub(crate) enum AttemptEnd {
    Done { output: Payload, usage: Option<UsageReport> },
    Pending { checkpoint: Bytes, poll_after: Duration },
    Failed { error: Box<TaskError>, retry: Retry },
}

type Failed = (Box<TaskError>, Retry);

fn never(kind: &'static str, message: impl Into<String>) -> Failed {
    (Box::new(TaskError::new(kind, message)), Retry::Never)
}

impl Attempt {
    fn plan_task(&self) -> &Task {
        self.stage.plan.task(self.task)
    }

    fn agent(&self) -> &CastAgent {
        &self.stage.cast.agents[self.agent as usize]
    }

    pub(crate) async fn run(self) -> AttemptEnd {
        match self.perform().await {
            Ok(end) => end,
            Err((error, retry)) => AttemptEnd::Failed { error, retry },
        }
    }

    async fn perform(&self) -> Result<AttemptEnd, Failed> {
        let invocation = self.invocation().await?;
        let agent = self.agent();
        let plugin = agent.adapter.plugin();
        let observer = self.observer(plugin.name());
        let cx = self.stage.cast.agent_call(agent, self.plan_task(), observer);
        let (step, function) = match &self.checkpoint {
            None => (agent.adapter.start(&invocation, &cx).await, "start"),
            Some(checkpoint) => {
                (agent.adapter.resume(&invocation, checkpoint.clone(), None, &cx).await, "resume")
            }
        };
        let step = step.map_err(|error| {
            let (error, retry) = TaskError::from_call(error, plugin, function);
            (Box::new(error), retry)
        })?;
        match step {
            Step::Done(outcome) if !outcome.spawn.is_empty() => Err(never(
                "unsupported",
                format!(
                    "the agent wants to add {} tasks to the run, which this host does not admit",
                    outcome.spawn.len()
                ),
            )),
            Step::Done(outcome) => {
                let uses = &self.plan_task().transform;
                let output = self.transform(outcome.output, uses, self.task, None).await?;
                let usage = outcome.usage.map(|usage| UsageReport {
                    input_tokens: usage.input_tokens,
                    output_tokens: usage.output_tokens,
                    cost: usage.cost,
                    model: usage.model,
                });
                Ok(AttemptEnd::Done { output, usage })
            }
            Step::Pending(pending) if pending.checkpoint.len() > MAX_CHECKPOINT => Err(never(
                "contract",
                format!(
                    "plugin {} returned a checkpoint of {} bytes; at most {MAX_CHECKPOINT} are kept",
                    plugin.name(),
                    pending.checkpoint.len()
                ),
            )),
            Step::Pending(pending) => {
                let update = Progress {
                    fraction: pending.fraction,
                    message: pending.message.clone(),
                    partial: None,
                };
                if update != Progress::default() {
                    let task = &self.plan_task().id;
                    self.stage.watcher.event(&RunEvent::Progress { task, update: &update });
                }
                let consort_plugin_host::Pending { checkpoint, poll_after, .. } = pending;
                Ok(AttemptEnd::Pending { checkpoint, poll_after })
            }
            Step::NeedsInput(question) => Err(never(
                "needs-input",
                format!("the agent asks '{}', and nobody is there to answer", question.prompt),
            )),
        }
    }

    /// Tells the agent to stop what it does by itself.
    pub(crate) async fn cancel(&self) -> Result<(), Failed> {
        let Some(checkpoint) = self.checkpoint.clone() else { return Ok(()) };
        let invocation = self.invocation().await?;
        let agent = self.agent();
        let plugin = agent.adapter.plugin();
        let cx = self.stage.cast.agent_call(agent, self.plan_task(), self.observer(plugin.name()));
        agent.adapter.cancel(&invocation, checkpoint, &cx).await.map_err(|error| {
            let (error, retry) = TaskError::from_call(error, plugin, "cancel");
            (Box::new(error), retry)
        })
    }

    async fn invocation(&self) -> Result<Invocation, Failed> {
        let task = self.plan_task();
        let agent = self.agent();
        let mut dependencies = Vec::new();
        for (edge, result) in task.dependencies.iter().zip(&self.results) {
            if let Some(result) = result {
                dependencies.push(self.dependency(edge, result.clone()).await?);
            }
        }
        let values = || TemplateValues::new(self, &dependencies);
        let description = task.description.render(values).map_err(|reason| {
            never("template", format!("the description could not be filled in: {reason}"))
        })?;
        let stage = &self.stage;
        let endpoint = task.url.as_ref().or(agent.url.as_ref());
        Ok(Invocation {
            run_id: stage.run_id.clone(),
            task_id: task.id.clone(),
            task_type: task.kind.clone(),
            attempt: self.number,
            idempotency_key: format!("{}/{}", stage.run_id, task.id).into(),
            description,
            input: task.input.as_ref().map(payload),
            dependencies,
            metadata: json(&task.metadata),
            agent: agent.name.clone(),
            endpoint: endpoint.cloned(),
            config: agent.config.clone(),
            remaining: self.remaining,
        })
    }

    async fn dependency(&self, edge: &Edge, value: Payload) -> Result<Dependency, Failed> {
        let value = self.transform(value, &edge.transform, edge.task, Some(self.task)).await?;
        let task = self.stage.plan.task(edge.task).id.clone();
        Ok(Dependency { name: edge.name.clone(), task, value })
    }

    /// Passes a value of `from` through transformers, on its way to `to` when
    /// they stand on an edge.
    async fn transform(
        &self,
        mut value: Payload,
        uses: &[TransformerUse],
        from: TaskIx,
        to: Option<TaskIx>,
    ) -> Result<Payload, Failed> {
        let plan = &self.stage.plan;
        for used in uses {
            let Some(transformer) = self.stage.cast.transformer(used) else {
                return Err(never("host", format!("transformer '{}' is not loaded", used.plugin)));
            };
            let plugin = transformer.transformer.plugin();
            let context = TransformContext {
                run_id: self.stage.run_id.clone(),
                task_id: plan.task(from).id.clone(),
                for_task: to.map(|task| plan.task(task).id.clone()),
                metadata: json(&plan.task(from).metadata),
                config: transformer.config.clone(),
            };
            let observer = self.observer(plugin.name());
            let cx = self.stage.cast.transformer_call(transformer, self.plan_task(), observer);
            let transformed = transformer.transformer.transform(value, &context, &cx).await;
            value = transformed.map_err(|error| {
                let (error, retry) = TaskError::from_call(error, plugin, "transform");
                (Box::new(error), retry)
            })?;
        }
        Ok(value)
    }

    fn observer(&self, plugin: &Arc<str>) -> Arc<dyn Observer> {
        Arc::new(Ear {
            stage: self.stage.clone(),
            task: Some(self.plan_task().id.clone()),
            plugin: plugin.clone(),
        })
    }
}

fn payload(value: &Value) -> Payload {
    match value {
        Value::String(text) => Payload::Text(text.as_str().into()),
        other => Payload::Json(other.to_string().into()),
    }
}

fn json(object: &Map<String, Value>) -> Arc<str> {
    if object.is_empty() {
        return "{}".into();
    }
    serde_json::to_string(object).expect("a JSON object has nothing that cannot be written").into()
}

/// What the template of a description sees.
#[derive(Serialize)]
struct TemplateValues<'a> {
    inputs: &'a Map<String, Value>,
    results: BTreeMap<&'a str, Value>,
    metadata: &'a Map<String, Value>,
}

impl<'a> TemplateValues<'a> {
    fn new(attempt: &'a Attempt, dependencies: &'a [Dependency]) -> Self {
        let value = |payload: &Payload| match payload {
            Payload::Json(text) => serde_json::from_str(text).unwrap_or(Value::Null),
            other => serde_json::to_value(JsonPayload(other)).unwrap_or(Value::Null),
        };
        Self {
            inputs: &attempt.stage.inputs,
            results: dependencies.iter().map(|d| (&*d.name, value(&d.value))).collect(),
            metadata: &attempt.plan_task().metadata,
        }
    }
}

/// Hears a plugin and passes it on.
pub(crate) struct Ear {
    pub(crate) stage: Arc<Stage>,
    pub(crate) task: Option<Arc<str>>,
    pub(crate) plugin: Arc<str>,
}

impl Observer for Ear {
    fn log(&self, level: Level, message: &str) {
        self.stage.watcher.event(&RunEvent::Log {
            task: self.task.as_ref(),
            plugin: &self.plugin,
            level,
            message,
        });
    }

    fn progress(&self, update: Progress) {
        if let Some(task) = &self.task {
            self.stage.watcher.event(&RunEvent::Progress { task, update: &update });
        }
    }

    fn metric(&self, metric: Metric) {
        /// Names a run keeps; a plugin that makes up more only loses its own.
        const MAX_NAMES: usize = 4_096;
        let mut metrics = self.stage.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        if metrics.len() >= MAX_NAMES && !metrics.contains_key(&metric.name) {
            return;
        }
        let number = metrics.entry(metric.name);
        let fresh = match metric.value {
            MetricValue::Count(by) => PluginMetric::Counter { value: by },
            MetricValue::Gauge(value) => PluginMetric::Gauge { value },
            MetricValue::Observe(value) => {
                PluginMetric::Distribution { count: 1, sum: value, min: value, max: value }
            }
        };
        number
            .and_modify(|number| match (number, metric.value) {
                (PluginMetric::Counter { value }, MetricValue::Count(by)) => {
                    *value = value.saturating_add(by);
                }
                (PluginMetric::Gauge { value }, MetricValue::Gauge(new)) => *value = new,
                (
                    PluginMetric::Distribution { count, sum, min, max },
                    MetricValue::Observe(value),
                ) => {
                    *count += 1;
                    *sum += value;
                    *min = min.min(value);
                    *max = max.max(value);
                }
                // The first use of a name decides its kind.
                _ => {}
            })
            .or_insert(fresh);
    }
}
