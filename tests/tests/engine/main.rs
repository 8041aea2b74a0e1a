//! Whole runs through the engine with real components: what each field of a
//! task does, what each failure means for others, and what the report says.

mod additions;
mod approvals;
mod batching;
mod cache;
mod checks;
mod control;
mod coordinator;
mod fan_out;
mod large;
mod limits;
mod metrics;
mod notify;
mod retry;

use std::sync::{Arc, LazyLock, Mutex};

use consort_core::plan::{Plan, compile, compile_with_needs};
use consort_core::problem::Problem;
use consort_core::scheduler::Status;
use consort_core::spec::{Format, parse};
use consort_engine::watch::Nobody;
use consort_engine::{
    CancellationToken, Engine, HostConfig, Operator, Origin, PastRun, Report, Run, RunControl,
    RunEvent, Setup, Watcher, now,
};
use consort_plugin_host::EmbeddedPlugin;
use consort_plugin_host::egress::Secret;
use consort_store::{Options, Store};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// The default plugins, the scripted adapter, one that does not batch, and a
/// transformer that means harm.
static PLUGINS: LazyLock<Vec<EmbeddedPlugin>> = LazyLock::new(|| {
    let defaults = consort_default_plugins::DEFAULT_PLUGINS.iter();
    let mut plugins: Vec<EmbeddedPlugin> = defaults
        .map(|&(name, digest, component)| EmbeddedPlugin { name, digest, component })
        .collect();
    for name in ["scripted", "relay", "hostile-transformer"] {
        let (component, digest) = consort_tests::guests::component(name);
        plugins.push(EmbeddedPlugin { name, digest, component });
    }
    plugins
});

/// One engine for all tests of this file: compiling is done once.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| engine("concurrency: 64\nsnapshot_every: 1"));

/// An engine that says this in its configuration.
fn engine(config: &str) -> Engine {
    let config = format!("default_agent: scripted\n{config}\n");
    Engine::new(Setup {
        config: HostConfig::parse(&config, Format::Yaml).expect("a configuration"),
        embedded: &PLUGINS,
        operator: Operator::Workflow,
        secrets: [("KEY".to_owned(), Secret::new("s3cret").expect("a secret"))].into(),
        ..Setup::default()
    })
    .expect("an engine")
}

fn plan(text: &str) -> Result<Plan, Vec<Problem>> {
    parse(text, Format::Yaml).and_then(|document| compile(document, ENGINE.known(), now()))
}

async fn run(text: &str) -> Report {
    watch(text, Arc::new(Nobody), CancellationToken::new()).await
}

async fn watch(text: &str, watcher: Arc<dyn Watcher>, stop: CancellationToken) -> Report {
    let run = prepared(text).await;
    run.execute(Map::new(), watcher, stop).await.expect("a run in memory ends")
}

/// Carries a run out on an engine of its own.
async fn run_on(engine: Engine, text: &str) -> Report {
    let run = engine.prepare(plan(text).expect("a plan"), "priority").await.expect("plugins");
    let stop = CancellationToken::new();
    run.execute(Map::new(), Arc::new(Nobody), stop).await.expect("a run in memory ends")
}

async fn prepared(text: &str) -> Run {
    ENGINE.prepare(plan(text).expect("a plan"), "priority").await.expect("plugins")
}

/// A store that runs are recorded in.
struct Lab {
    store: Store,
    _folder: TempDir,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("runs.db");
        let store = Store::open(&path, Options::default()).expect("a store");
        Self { store, _folder: folder }
    }

    /// Records a run of that workflow.
    fn record(&self, run: &mut Run, text: &str) {
        let origin = Origin { text: text.into(), format: Format::Yaml, name: "test".to_owned() };
        run.record(self.store.clone(), origin);
    }
}

/// Whatever is saved of a run is what its entries lead to.
fn check_saved(store: &Store, run: &str) {
    let reader = store.reader().expect("a reader");
    assert!(reader.snapshot(run).expect("a run").is_some(), "something is saved");
    assert_eq!(PastRun::check(&reader, run).expect("a run"), None);
}

/// Does something to a run when something happens in it.
struct When<F>(RunControl, F);

impl<F: Fn(&RunControl, &RunEvent) + Send + Sync> Watcher for When<F> {
    fn event(&self, event: &RunEvent) {
        self.1(&self.0, event);
    }
}

/// Carries a run out, with somebody who does something to it.
async fn with(run: Run, does: impl Fn(&RunControl, &RunEvent) + Send + Sync + 'static) -> Report {
    let watcher = Arc::new(When(run.control(), does));
    run.execute(Map::new(), watcher, CancellationToken::new()).await.expect("a run in memory ends")
}

/// One line a task: id, status, attempts, agent, and its output or error.
fn summary(report: &Report) -> Vec<String> {
    let report = serde_json::to_value(report).expect("a report is JSON");
    let tasks = report["tasks"].as_object().expect("tasks by id");
    tasks
        .iter()
        .map(|(id, task)| {
            let end = match &task["error"] {
                Value::Null => task["output"].to_string(),
                error => format!("{}: {}", error["kind"], error["message"]).replace('"', ""),
            };
            let agent = task["agent"].as_str().unwrap_or("-");
            format!(
                "{id} {} {} {agent} {end}",
                task["status"].as_str().expect("a status"),
                task["attempts"]
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_are_forwarded_and_templates_filled_in() {
    let report = run("
inputs: {topic: bees}
tasks:
  - {task_id: a, description: 'about {{ inputs.topic }}', metadata: {n: 3}}
  - task_id: b
    agent: echo
    description: 'compare {{ results.first }} and {{ metadata.m }}'
    metadata: {m: 4}
    depends_on: [{task: a, as: first}]
  - task_id: c
    agent: echo
    description: x
    depends_on: [{task: b, transform: [{transformer: jq, config: {filter: '.dependencies | keys'}}]}]
    transform: [{transformer: jq, config: {filter: '.dependencies.b'}}]
")
    .await;
    assert_eq!(
        summary(&report),
        [
            r#"a succeeded 1 scripted "about bees""#,
            r#"b succeeded 1 echo {"description":"compare about bees and 4","dependencies":{"first":"about bees"}}"#,
            r#"c succeeded 1 echo ["first"]"#,
        ]
    );
    assert_eq!(report.status, Status::Succeeded);
    assert_eq!(report.metrics.longest_chain, 3);
    assert!(report.metrics.policy.ticks >= 3 && report.metrics.policy.faults == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collaborative_task_ends_with_its_steps_results() {
    let report = run("
task_id: project
type: collaborative_task
steps:
  - {task_id: x, description: one, parallel: true}
  - {task_id: y, description: two, depends_on: [x]}
")
    .await;
    assert_eq!(summary(&report)[0], r#"project succeeded 0 - {"x":"one","y":"two"}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_are_retried_then_handed_to_the_next_agent() {
    let report = run("
agents: {A: {adapter: scripted}, B: {adapter: scripted}}
tasks:
  - {task_id: flaky, description: fail until 3, retry_policy: {max_attempts: 3, backoff: none}}
  - {task_id: slow, description: throttle until 2, retry_policy: {max_attempts: 2, initial_delay: 0}}
  - {task_id: other, agent: A, description: refuse as A, on_failure: {fallback: [B]}}
  - {task_id: never, description: refuse, on_failure: continue, retry_policy: {max_attempts: 5}}
")
    .await;
    assert_eq!(
        summary(&report),
        [
            r#"flaky succeeded 3 scripted "fail until 3""#,
            r#"slow succeeded 2 scripted "throttle until 2""#,
            r#"other succeeded 2 B "refuse as A""#,
            "never failed 1 scripted permanent: no",
        ]
    );
    let error = report.task("never").unwrap().error.as_ref().unwrap();
    assert_eq!(
        (error.code.as_deref(), error.function.as_deref()),
        (Some("refused"), Some("start"))
    );
    assert_eq!(error.plugin.as_deref(), Some("scripted"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_reach_as_far_as_on_failure_says() {
    let skip = run("
on_failure: skip
tasks:
  - {task_id: a, description: refuse}
  - {task_id: b, depends_on: [a]}
  - {task_id: c, description: fine}
")
    .await;
    assert_eq!(
        summary(&skip),
        [
            "a failed 1 scripted permanent: no",
            "b skipped 0 - skipped: it depends on 'a', which has no result",
            r#"c succeeded 1 scripted "fine""#,
        ]
    );
    assert_eq!(skip.status, Status::Succeeded);
    let fail = run("
- {task_id: a, description: refuse}
- {task_id: b, description: sleep 60000}
- {task_id: c, depends_on: [b]}
")
    .await;
    assert_eq!(
        summary(&fail),
        [
            "a failed 1 scripted permanent: no",
            "b cancelled 1 scripted cancelled: the run failed before it was done",
            "c cancelled 0 - cancelled: the run failed with 'a' before it was started",
        ]
    );
    assert_eq!(fail.status, Status::Failed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_ends_when_its_timeout_is_over() {
    let report = run("
- task_id: a
  description: sleep 60000
  timeout: 0.05
  retry_policy: {max_attempts: 2, backoff: none}
")
    .await;
    assert_eq!(
        summary(&report),
        ["a failed 2 scripted timeout: no result within 0.05 s, which is the task's 'timeout'"]
    );
}

/// Keeps what was logged and stops the run when a task reports progress.
struct Stopper {
    stop: CancellationToken,
    log: Mutex<Vec<String>>,
}

impl Watcher for Stopper {
    fn event(&self, event: &RunEvent) {
        match event {
            RunEvent::Progress { .. } => self.stop.cancel(),
            RunEvent::Log { plugin, message, .. } => {
                self.log
                    .lock()
                    .expect("nobody panics with it")
                    .push(format!("{plugin}: {message}"));
            }
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pending_work_is_polled_and_told_to_stop_when_the_run_is_cancelled() {
    let done = run("[{task_id: a, description: poll 3}]").await;
    assert_eq!(summary(&done), [r#"a succeeded 1 scripted "polled""#]);

    let stop = CancellationToken::new();
    let stopper = Arc::new(Stopper { stop: stop.clone(), log: Mutex::default() });
    let report = watch("[{task_id: a, description: poll forever}]", stopper.clone(), stop).await;
    assert_eq!(summary(&report), ["a cancelled 1 scripted cancelled: the run was cancelled"]);
    assert_eq!(report.status, Status::Cancelled);
    assert_eq!(*stopper.log.lock().unwrap(), ["scripted: told to stop"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_remote_agent_is_told_to_stop_when_the_attempt_is_out_of_time() {
    let stopper = Arc::new(Stopper { stop: CancellationToken::new(), log: Mutex::default() });
    let text = "[{task_id: a, description: poll forever, timeout: 0.3}]";
    let report = watch(text, stopper.clone(), CancellationToken::new()).await;
    assert_eq!(
        summary(&report),
        ["a failed 1 scripted timeout: no result within 0.3 s, which is the task's 'timeout'"]
    );
    assert_eq!(*stopper.log.lock().unwrap(), ["scripted: told to stop"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_cannot_be_filled_in_is_said() {
    let report = run("
on_failure: continue
tasks: [{task_id: c, description: '{{ inputs.x }}'}]
")
    .await;
    assert_eq!(
        summary(&report),
        [
            "c failed 1 scripted template: the description could not be filled in: `inputs.x` is undefined (line 1 of the template)",
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_of_plugins_are_summed_up() {
    let report = run("[{task_id: a, description: count}, {task_id: b, description: count}]").await;
    let metrics = serde_json::to_value(&report.metrics).unwrap();
    assert_eq!(
        metrics["plugins"],
        json!({
            "scripted.answers": {"kind": "counter", "value": 4},
            "scripted.calls": {"kind": "counter", "value": 2},
        })
    );
    assert_eq!(metrics["tasks"], json!({"succeeded": 2}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_never_sees_a_secret() {
    let report = run("
agents: {A: {adapter: scripted, url: 'http://127.0.0.1:1/', config: {key: KEY}}}
tasks: [{task_id: a, agent: A, description: key}]
")
    .await;
    let output = summary(&report).remove(0);
    assert!(output.contains("consort-secret-") && !output.contains("s3cret"), "{output}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn configurations_are_checked_before_anything_runs() {
    let text = "
agents:
  A: {adapter: scripted, config: {key: MISSING, reply: 3, rpely: x}, limits: {fule: 3}}
  B: {adapter: scripted, url: 'ftp://example.com'}
  C: {adapter: ./missing.wasm}
tasks:
  - {task_id: a, agent: A}
  - {task_id: b, agent: B, url: nonsense}
  - {task_id: c, agent: C, transform: [{transformer: jq, config: {}}]}
";
    let document = parse(text, Format::Yaml).unwrap();
    let needs = compile_with_needs(document, ENGINE.known(), now()).needs;
    let problems = ENGINE.check(&needs, "priority").await;
    let codes: Vec<String> =
        problems.iter().map(|problem| format!("{} {}", problem.code, problem.path)).collect();
    assert_eq!(
        codes,
        [
            "bad-config agents.A.config.reply",
            "bad-config agents.A.config",
            "bad-limit agents.A.limits",
            "unknown-secret agents.A.config.key",
            "bad-url agents.B.url",
            "missing-plugin agents.C.adapter",
            "bad-url tasks[1].url",
            "bad-config tasks[2].transform[0].config",
        ]
    );
    let unknown = ENGINE.prepare(plan("[{task_id: a}]").unwrap(), "critical-pat").await;
    let problem = unknown.err().unwrap().remove(0);
    assert!(
        problem.hint.as_ref().is_some_and(|hint| hint.contains("critical-path")),
        "{problem:?}"
    );
    let wrong_kind = ENGINE.prepare(plan("[{task_id: a}]").unwrap(), "echo").await;
    assert_eq!(wrong_kind.err().unwrap()[0].path, "policy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_policy_runs_the_same_graph() {
    for policy in ["priority", "critical-path", "deadline"] {
        let text = "
- {task_id: a, priority: 1, deadline: 10s}
- {task_id: b, priority: 9, expected_duration: 5}
- {task_id: c, depends_on: [a, b]}
";
        let run = ENGINE.prepare(plan(text).unwrap(), policy).await.expect("plugins");
        let report = run
            .execute(Map::new(), Arc::new(Nobody), CancellationToken::new())
            .await
            .expect("a run in memory ends");
        assert_eq!(report.status, Status::Succeeded);
        assert_eq!(&*report.metrics.policy.name, policy);
        assert_eq!(report.metrics.policy.faults, 0, "{:?}", report.metrics.policy);
    }
}

/// The fuel each task was given, read from the error of running out of it.
async fn fuel_given(engine: &Engine, text: &str) -> Vec<u64> {
    let document = parse(text, Format::Yaml).expect("a document");
    let plan = compile(document, engine.known(), now()).expect("a plan");
    let run = engine.prepare(plan, "priority").await.expect("plugins");
    let report = run
        .execute(Map::new(), Arc::new(Nobody), CancellationToken::new())
        .await
        .expect("a run in memory ends");
    let allowed = |task: &consort_engine::report::TaskReport| {
        let error = task.error.as_ref().expect("too little fuel");
        let limit = error.limit.as_ref().expect("a broken limit");
        assert!(limit.used >= limit.allowed && error.kind == "limit", "{error:?}");
        limit.allowed
    };
    report.tasks.iter().map(allowed).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_come_from_the_task_then_its_agent_then_the_host_and_end_at_the_ceiling() {
    let text = "
on_failure: continue
agents:
  A: {adapter: scripted, limits: {fuel: 700}}
  B: {adapter: scripted}
tasks:
  - {task_id: own, agent: A, resources: {fuel: 900}}
  - {task_id: agents, agent: A}
  - {task_id: hosts, agent: B}
  - {task_id: greedy, agent: B, resources: {fuel: 5000000}}
";
    let config = "limits: {defaults: {fuel: 500}, ceiling: {fuel: 1000}}";
    let engine = Engine::new(Setup {
        config: HostConfig::parse(config, Format::Yaml).expect("a configuration"),
        embedded: &PLUGINS,
        ..Setup::default()
    })
    .expect("an engine");
    assert_eq!(fuel_given(&engine, text).await, [900, 700, 500, 1_000]);
}
