//! Policies in whole runs: what they are told reaches them, and one that keeps
//! failing is rested.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use consort_core::plan::{Plan, compile};
use consort_core::problem::Problem;
use consort_core::scheduler::Status;
use consort_core::spec::{Format, parse};
use consort_engine::watch::Nobody;
use consort_engine::{
    CancellationToken, Engine, HostConfig, PolicyConfig, Report, RunEvent, Setup, Watcher,
};
use consort_plugin_host::EmbeddedPlugin;
use consort_tests::guests;
use serde_json::{Map, Value, json};

/// The default plugins, the scripted adapter and the hostile prioritizer.
static PLUGINS: LazyLock<Vec<EmbeddedPlugin>> = LazyLock::new(|| {
    let defaults = consort_default_plugins::DEFAULT_PLUGINS.iter();
    let guests = ["scripted", "hostile-prioritizer"].map(|name| {
        let (component, digest) = guests::component(name);
        EmbeddedPlugin { name, digest, component }
    });
    defaults
        .map(|&(name, digest, component)| EmbeddedPlugin { name, digest, component })
        .chain(guests)
        .collect()
});

/// An engine that runs one task at a time, so that the order shows.
fn engine(more: &str) -> Engine {
    let config = format!("{{default_agent: scripted, concurrency: 1{more}}}");
    Engine::new(Setup {
        config: HostConfig::parse(&config, Format::Yaml).expect("a configuration"),
        embedded: &PLUGINS,
        ..Setup::default()
    })
    .expect("an engine")
}

fn plan(engine: &Engine, workflow: &Value) -> Plan {
    let text = workflow.to_string();
    let document = parse(&text, Format::Json).expect("a document");
    compile(document, engine.known(), consort_engine::now()).expect("a plan")
}

fn policy(plugin: &str, config: Value) -> PolicyConfig {
    let Value::Object(config) = config else { panic!("a configuration is an object") };
    PolicyConfig { plugin: plugin.to_owned(), config }
}

async fn run(
    engine: &Engine,
    workflow: &Value,
    policy: PolicyConfig,
    watcher: Arc<dyn Watcher>,
) -> Report {
    let run = engine.prepare(plan(engine, workflow), policy).await.expect("plugins");
    run.execute(Map::new(), watcher, CancellationToken::new()).await.expect("a run in memory ends")
}

async fn problems(engine: &Engine, policy: PolicyConfig) -> Vec<Problem> {
    let plan = plan(engine, &json!([{"task_id": "a"}]));
    engine.prepare(plan, policy).await.err().expect("the policy is not fine")
}

/// Remembers the tasks in the order they start, and what is said of the policy.
#[derive(Debug, Default)]
struct Order {
    started: Mutex<Vec<String>>,
    rests: Mutex<Vec<Duration>>,
}

impl Watcher for Order {
    fn event(&self, event: &RunEvent) {
        match event {
            RunEvent::TaskStarted { task, .. } => {
                self.started.lock().expect("nobody panics with it").push(task.to_string());
            }
            RunEvent::PolicyRested { plugin, rest } => {
                assert_eq!(&**plugin, "hostile-prioritizer");
                self.rests.lock().expect("nobody panics with it").push(*rest);
            }
            _ => {}
        }
    }
}

/// Urgent work that never ends, so to speak: as soon as one task is done the
/// next is ready. With them, one task of the lowest priority that waits.
fn busy() -> Value {
    let mut tasks = vec![json!({"task_id": "old", "priority": 1, "description": "x"})];
    for i in 0..4 {
        let before: Vec<String> =
            (i > 0).then(|| format!("urgent-{}", i - 1)).into_iter().collect();
        tasks.push(json!({
            "task_id": format!("urgent-{i}"), "priority": 10, "description": "sleep 5",
            "depends_on": before,
        }));
    }
    json!(tasks)
}

/// When the old task had its turn among the urgent ones.
async fn turn_of_the_old(engine: &Engine, policy: PolicyConfig) -> usize {
    let order = Arc::new(Order::default());
    let report = run(engine, &busy(), policy, order.clone()).await;
    assert_eq!(report.metrics.policy.faults, 0, "{:?}", report.metrics.policy);
    let started = order.started.lock().expect("nobody panics with it");
    assert_eq!(started.len(), 5);
    started.iter().position(|task| task == "old").expect("it starts")
}

/// Nine levels of priority are worth 9 × `ageing`; an urgent task takes 5 ms.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ageing_decides_how_long_urgent_work_may_keep_others_waiting() {
    let engine = engine("");
    for plugin in ["priority", "deadline"] {
        let never = policy(plugin, json!({}));
        assert_eq!(turn_of_the_old(&engine, never).await, 4, "{plugin}");
        let soon = policy(plugin, json!({"ageing": 0.0001}));
        assert_eq!(turn_of_the_old(&engine, soon).await, 1, "{plugin}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_host_configuration_names_a_policy_and_tells_it_what_to_do() {
    let engine = engine(", policy: {plugin: priority, config: {ageing: 0.0001}}");
    assert_eq!(engine.policy().plugin, "priority");
    assert_eq!(turn_of_the_old(&engine, engine.policy()).await, 1);
    let plain = self::engine(", policy: critical-path");
    let report = run(&plain, &busy(), plain.policy(), Arc::new(Nobody)).await;
    assert_eq!(&*report.metrics.policy.name, "critical-path");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_policy_is_told_is_checked_like_any_configuration() {
    let engine = engine("");
    for (plugin, config, path) in [
        ("priority", json!({"ageing": 0}), "policy.config.ageing"),
        ("deadline", json!({"ageing": "soon"}), "policy.config.ageing"),
        ("priority", json!({"aging": 5}), "policy.config"),
        ("critical-path", json!({"ageing": 5}), "policy.config"),
    ] {
        let problems = problems(&engine, policy(plugin, config)).await;
        assert_eq!((problems[0].code, problems[0].path.as_str()), ("bad-config", path), "{plugin}");
        assert!(problems[0].hint.as_ref().is_some_and(|hint| hint.contains(plugin)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_is_not_there_is_said_to_be_missing() {
    let engine = engine("");
    let file = problems(&engine, "./no/such.wasm".into()).await.remove(0);
    assert_eq!((file.code, file.path.as_str()), ("missing-plugin", "policy"));
    assert_eq!(file.message, "there is no plugin file './no/such.wasm'");
    let place = std::env::current_dir().expect("there is one").join("no/such.wasm");
    let hint = file.hint.expect("a remedy");
    assert!(
        hint.contains(&*place.to_string_lossy()) && hint.contains("working directory"),
        "{hint}"
    );
    let name = problems(&engine, "critical-pat".into()).await.remove(0);
    assert_eq!(
        (name.code, name.message.as_str()),
        ("missing-plugin", "no plugin named 'critical-pat'")
    );
    assert!(name.hint.expect("a remedy").contains("did you mean 'critical-path'"));
}

/// Each task is ready when the one before it is done: a tick for each of them.
fn chain(tasks: usize) -> Value {
    let task = |i: usize| {
        let before: Vec<String> = i.checked_sub(1).map(|i| format!("t{i}")).into_iter().collect();
        json!({"task_id": format!("t{i}"), "description": "x", "depends_on": before})
    };
    json!((0..tasks).map(task).collect::<Vec<_>>())
}

/// Were it asked each time, the policy that sleeps would take 100 × 0.2 s.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_keeps_failing_is_rested_and_the_run_goes_on_without_it() {
    let engine = engine(", limits: {defaults: {time: 200}}");
    for behaviour in ["trap", "not_a_number", "sleep"] {
        let watcher = Arc::new(Order::default());
        let hostile = policy("hostile-prioritizer", json!({"do": behaviour}));
        let report = run(&engine, &chain(100), hostile, watcher.clone()).await;
        assert_eq!(report.status, Status::Succeeded, "{behaviour}");
        let policy = &report.metrics.policy;
        assert_eq!((policy.ticks, policy.faults), (3, 3), "{behaviour}: {policy:?}");
        assert_eq!((policy.rests, policy.rested), (1, 97), "{behaviour}: {policy:?}");
        let rests = watcher.rests.lock().expect("nobody panics with it");
        assert_eq!(*rests, [Duration::from_secs(30)], "{behaviour}");
    }
}
