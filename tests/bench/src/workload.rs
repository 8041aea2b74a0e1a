//! Workflows to measure with, and the engine that runs them: the one the
//! `consort` command uses, without the command around it.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use consort_core::plan::compile;
use consort_core::spec::{Format, parse};
use consort_default_plugins::DEFAULT_PLUGINS;
use consort_engine::watch::Nobody;
use consort_engine::{CancellationToken, Engine, HostConfig, Operator, Report, Run, Setup};
use consort_plugin_host::EmbeddedPlugin;
use serde_json::{Map, Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::Failure;

/// Worker threads, of the engine and of the loop it is compared with.
pub(crate) const THREADS: usize = 2;

/// The policy of all workloads.
pub(crate) const POLICY: &str = "priority";

static EMBEDDED: LazyLock<Vec<EmbeddedPlugin>> = LazyLock::new(|| {
    let plugin = |&(name, digest, component)| EmbeddedPlugin { name, digest, component };
    DEFAULT_PLUGINS.iter().map(plugin).collect()
});

pub(crate) fn runtime() -> Result<Runtime, Failure> {
    Ok(Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?)
}

/// The component of a default plugin.
pub(crate) fn component(name: &str) -> Result<&'static [u8], Failure> {
    let found = DEFAULT_PLUGINS.iter().find(|(plugin, ..)| *plugin == name);
    Ok(found.ok_or_else(|| format!("there is no default plugin '{name}'"))?.2)
}

/// `cache` is where compiled code is kept; nowhere if none.
pub(crate) fn engine(config: HostConfig, cache: Option<&Path>) -> Result<Engine, Failure> {
    let embedded: &'static [EmbeddedPlugin] = &EMBEDDED;
    let operator = Operator::Workflow;
    let cache_dir = cache.map(Path::to_owned);
    Ok(Engine::new(Setup { config, embedded, operator, cache_dir, ..Setup::default() })?)
}

/// The description of a task, in engine and bare loop alike.
pub(crate) fn description(task: usize) -> String {
    format!("note number {task}")
}

/// Tasks that do nothing and do not wait for one another.
pub(crate) fn independent(tasks: usize) -> Value {
    let task =
        |i| json!({"task_id": format!("t{i}"), "agent": "echo", "description": description(i)});
    json!({
        "agents": {"echo": {"adapter": "echo"}},
        "tasks": (0..tasks).map(task).collect::<Vec<_>>(),
    })
}

/// Tasks that do nothing, each waiting for the one before. `relay` is the file
/// of an adapter that does not repeat what it was given: the results of others
/// would grow with every hop.
pub(crate) fn chain(tasks: usize, relay: &Path) -> Value {
    let task = |i: usize| {
        let before: Vec<String> = i.checked_sub(1).map(|i| format!("t{i}")).into_iter().collect();
        json!({
            "task_id": format!("t{i}"),
            "agent": "relay",
            "description": description(i),
            "depends_on": before,
        })
    };
    json!({
        "agents": {"relay": {"adapter": relay}},
        "tasks": (0..tasks).map(task).collect::<Vec<_>>(),
    })
}

/// A workflow read, compiled and given its plugins, ready to be run.
pub(crate) async fn prepare(engine: &Engine, workflow: &Value) -> Result<Run, Failure> {
    prepare_text(engine, &workflow.to_string()).await
}

/// The same, from its text.
pub(crate) async fn prepare_text(engine: &Engine, text: &str) -> Result<Run, Failure> {
    let problems = |problems: Vec<_>| format!("the workload is not valid: {problems:?}");
    let document = parse(text, Format::Json).map_err(problems)?;
    let plan = compile(document, engine.known(), consort_engine::now()).map_err(problems)?;
    Ok(engine.prepare(plan, POLICY).await.map_err(problems)?)
}

/// Runs it; an error unless all tasks succeed.
pub(crate) async fn execute(run: Run) -> Result<Report, Failure> {
    let report = run
        .execute(Map::new(), Arc::new(Nobody), CancellationToken::new())
        .await
        .expect("a run in memory ends");
    let succeeded = report.metrics.tasks.get("succeeded").copied().unwrap_or(0) as usize;
    if succeeded != report.tasks.len() {
        let error = report.tasks.iter().find_map(|task| task.error.as_ref());
        return Err(format!(
            "{succeeded} of {} tasks succeeded; the first error: {error:?}",
            report.tasks.len()
        )
        .into());
    }
    Ok(report)
}
