//! A *job* is one task of a run, or one item of its fan-out, with the results
//! it works on: all that is needed to fill in its texts.
//!
//! Everything is gathered when the job begins, so it runs apart from the run
//! loop and can be dropped at any await.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use consort_core::graph::TaskIx;
use consort_core::plan::{Edge, Plan, Task, TransformerUse};
use consort_core::template::Shared;
use consort_plugin_host::{Dependency, Observer, Payload, TransformContext};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::draft::Draft;
use crate::error::{Failed, TaskError, never};
use crate::output::Output;
use crate::report::JsonPayload;
use crate::stage::{Ear, Pulse, Stage};
use crate::tally::Tally;

/// A task of the plan, or one that was added to the run.
#[derive(Clone)]
pub(crate) enum TaskRef {
    Planned(TaskIx),
    Added(Arc<Draft>),
}

impl TaskRef {
    pub(crate) fn of<'a>(&'a self, plan: &'a Plan) -> &'a Task {
        match self {
            Self::Planned(task) => plan.task(*task),
            Self::Added(draft) => &draft.task,
        }
    }
}

/// One task, or one item of its fan-out.
pub(crate) struct Job {
    pub(crate) stage: Arc<Stage>,
    pub(crate) task: TaskRef,
    /// The task's, or `task[n]` for an item.
    pub(crate) id: Arc<str>,
    pub(crate) works_on: WorksOn,
    pub(crate) pulse: Option<Arc<Pulse>>,
    pub(crate) tally: Arc<Tally>,
}

/// What a job works on.
pub(crate) enum WorksOn {
    /// The results of the dependencies, in the order of the task's edges; none
    /// for those that are only waited for or have no result.
    Results(Vec<Option<TaskResult>>),
    /// An item, and the results as the fan-out found them.
    Item { fan: Arc<Fan>, index: u32 },
}

/// The result of a task.
pub(crate) struct TaskResult {
    pub(crate) task: TaskRef,
    pub(crate) value: Output,
}

/// What the items of a fan-out share.
#[derive(Default)]
pub(crate) struct Fan {
    pub(crate) items: Arc<[Value]>,
    pub(crate) given: Arc<Given>,
    /// Names of the results that the items were taken from. An item stands for
    /// them: they are seen by its templates and not passed on to its agent.
    pub(crate) taken: Vec<Arc<str>>,
}

/// The results of dependencies, after the transformers of their edges.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) dependencies: Vec<Dependency>,
    /// The same for templates; made when first needed.
    results: OnceLock<Shared>,
    /// Those that were loaded: others who need them now get the same.
    lent: Vec<Arc<Payload>>,
}

impl Given {
    pub(crate) fn new(dependencies: Vec<Dependency>) -> Self {
        Self { dependencies, ..Self::default() }
    }

    fn results(&self) -> &Shared {
        self.results.get_or_init(|| {
            let value = |payload: &Payload| match payload {
                Payload::Json(text) => serde_json::from_str(text).unwrap_or(Value::Null),
                other => serde_json::to_value(JsonPayload(other)).unwrap_or(Value::Null),
            };
            let results = self.dependencies.iter();
            let results: BTreeMap<&str, Value> =
                results.map(|given| (&*given.name, value(&given.value))).collect();
            Shared::new(results)
        })
    }
}

/// What the texts of a task see.
#[derive(Serialize)]
pub(crate) struct TemplateValues<'a> {
    inputs: &'a Shared,
    results: &'a Shared,
    metadata: &'a Map<String, Value>,
    labels: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_index: Option<u32>,
}

impl Job {
    pub(crate) fn task(&self) -> &Task {
        self.task.of(&self.stage.plan)
    }

    /// The item it is done for, and its place in the list.
    pub(crate) fn item(&self) -> Option<(&Value, u32)> {
        match &self.works_on {
            WorksOn::Results(_) => None,
            WorksOn::Item { fan, index } => Some((fan.items.get(*index as usize)?, *index)),
        }
    }

    /// The results of its dependencies, each through the transformers of its
    /// edge.
    pub(crate) async fn given(&self) -> Result<Arc<Given>, Failed> {
        let results = match &self.works_on {
            WorksOn::Item { fan, .. } => return Ok(fan.given.clone()),
            WorksOn::Results(results) => results,
        };
        let mut given = Given::default();
        for (edge, result) in self.task().dependencies.iter().zip(results) {
            if let Some(result) = result {
                let dependency = self.dependency(edge, result, &mut given.lent).await?;
                given.dependencies.push(dependency);
            }
        }
        Ok(Arc::new(given))
    }

    async fn dependency(
        &self,
        edge: &Edge,
        result: &TaskResult,
        lent: &mut Vec<Arc<Payload>>,
    ) -> Result<Dependency, Failed> {
        let from = result.task.of(&self.stage.plan);
        let leased = result.value.lease().await;
        let (value, lease) = leased.map_err(|error| TaskError::unreadable(&from.id, &error))?;
        // A transformer's answer stands for it from there on.
        lent.extend(lease.filter(|_| edge.transform.is_empty()));
        let value = self.transform(value, &edge.transform, (from, &from.id), true).await?;
        Ok(Dependency { name: edge.name.clone(), task: from.id.clone(), value })
    }

    /// Passes what the task came to through its transformers.
    pub(crate) async fn transform_result(&self, output: Payload) -> Result<Payload, Failed> {
        let task = self.task();
        self.transform(output, &task.settings.transform, (task, &self.id), false).await
    }

    /// Passes a value of a task through transformers; `on_edge` when that task
    /// is a dependency and the value on its way to this job.
    pub(crate) async fn transform(
        &self,
        mut value: Payload,
        uses: &[TransformerUse],
        (from, from_id): (&Task, &Arc<str>),
        on_edge: bool,
    ) -> Result<Payload, Failed> {
        for used in uses {
            let Some(transformer) = self.stage.cast.transformer(used) else {
                return Err(never("host", format!("transformer '{}' is not loaded", used.plugin)));
            };
            let plugin = transformer.transformer.plugin();
            let context = TransformContext {
                run_id: self.stage.run_id.clone(),
                task_id: from_id.clone(),
                for_task: on_edge.then(|| self.id.clone()),
                metadata: json(&from.settings.metadata),
                config: transformer.config.clone(),
            };
            let observer = self.observer(plugin.name());
            let cx = self.stage.cast.transformer_call(&transformer, self.task(), observer);
            let transformed = transformer.transformer.transform(value, &context, &cx).await;
            value =
                transformed.map_err(|error| TaskError::from_call(error, plugin, "transform"))?;
        }
        Ok(value)
    }

    /// What its texts see.
    pub(crate) fn values<'a>(&'a self, given: &'a Given) -> TemplateValues<'a> {
        let settings = &self.task().settings;
        let item = self.item();
        TemplateValues {
            inputs: &self.stage.inputs,
            results: given.results(),
            metadata: &settings.metadata,
            labels: &settings.labels,
            item: item.map(|(item, _)| item),
            item_index: item.map(|(_, index)| index),
        }
    }

    /// Its description, filled in.
    pub(crate) fn description(&self, given: &Given) -> Result<Arc<str>, Failed> {
        self.task().description.render(|| self.values(given)).map_err(|reason| {
            never("template", format!("the description could not be filled in: {reason}"))
        })
    }

    pub(crate) fn observer(&self, plugin: &Arc<str>) -> Arc<dyn Observer> {
        Arc::new(Ear {
            stage: self.stage.clone(),
            task: Some(self.id.clone()),
            plugin: plugin.clone(),
            pulse: self.pulse.clone(),
            tally: self.tally.clone(),
        })
    }
}

/// A JSON object as its text.
pub(crate) fn json(object: &Map<String, Value>) -> Arc<str> {
    if object.is_empty() {
        return "{}".into();
    }
    serde_json::to_string(object).expect("a JSON object has nothing that cannot be written").into()
}
