//! Whole runs with hostile plugins in them: each fails the task it was given, or
//! loses its say in the order, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use consort_core::plan::compile;
use consort_core::scheduler::Status;
use consort_core::spec::{Format, parse};
use consort_engine::watch::Nobody;
use consort_engine::{CancellationToken, Engine, HostConfig, Operator, Report, Setup};
use consort_plugin_host::EmbeddedPlugin;
use consort_plugin_host::egress::Secret;
use consort_tests::server::Server;
use consort_tests::{guests, modules};
use serde_json::{Map, Value, json};

/// What becomes of a task that is given to the hostile adapter with each of its
/// behaviours as the description: the kind of its error, and the limit if it
/// is one; `ok` for those that find nothing to break.
const ADAPTER: &[(&str, &str)] = &[
    ("endless_loop", "limit fuel or cpu_time"),
    ("endless_recursion", "trap"),
    ("unreachable", "trap"),
    ("panic", "trap"),
    ("out_of_bounds", "trap"),
    ("wrong_function_pointer", "trap"),
    ("exit_success", "exit"),
    ("exit_failure", "exit"),
    ("grow_memory", "limit memory"),
    ("hoard_small_pieces", "limit memory"),
    ("allocate_one_gib", "limit memory"),
    ("huge_text", "limit output"),
    ("huge_json", "limit output"),
    ("huge_blob", "limit output"),
    ("huge_spawn", "limit output"),
    ("huge_checkpoint", "contract"),
    ("huge_question", "limit output"),
    ("huge_failure", "limit output"),
    ("invalid_json", "contract"),
    ("invalid_utf8", "contract"),
    ("deep_json", "contract"),
    ("nan_usage", "ok"),
    ("spawn_nonsense", "ok"),
    ("pending_forever", "timeout"),
    ("throttled_forever", "throttled"),
    ("invalid_failure_detail", "contract"),
    ("log_empty_endlessly", "limit log"),
    ("log_flood", "limit log"),
    ("log_huge", "limit log"),
    ("progress_flood", "limit log"),
    ("progress_nonsense", "ok"),
    ("metrics_flood", "ok"),
    ("metrics_huge_names", "ok"),
    ("count_endlessly", "limit fuel or cpu_time"),
    ("read_config_endlessly", "limit fuel or cpu_time"),
    ("print_flood", "limit log"),
    ("print_one_line", "limit log"),
    ("complain_flood", "limit log"),
    ("read_clock_endlessly", "limit fuel or cpu_time"),
    ("read_random_endlessly", "limit fuel or cpu_time"),
    ("read_random_huge", "trap"),
    ("poll_zero_endlessly", "limit fuel or cpu_time"),
    ("poll_nothing", "trap"),
    ("create_requests_endlessly", "limit fuel or cpu_time"),
    ("sleep_past_deadline", "limit time"),
    ("hoard_headers", "trap"),
    ("hoard_timers", "trap"),
    ("hoard_requests", "trap"),
    ("ask_denied_host", "egress-denied"),
    ("ask_link_local", "egress-denied"),
    ("ask_name_of_private_address", "egress-denied"),
    ("follow_redirect", "egress-denied"),
    ("connect_tunnel", "egress-denied"),
    ("send_secret_elsewhere", "egress-denied"),
    ("send_secret_in_url", "egress-denied"),
    ("read_huge_body", "limit network"),
    ("read_huge_headers", "limit headers"),
    ("send_huge_headers", "limit headers"),
    ("send_endless_body", "limit network"),
    ("send_unfinished_body", "permanent"),
    ("read_trickle", "limit time"),
    ("wait_for_answer", "limit time"),
    ("ask_many_times", "limit requests"),
    ("start_many_requests", "limit requests"),
    ("inject_header", "ok"),
    ("claim_other_host", "ok"),
    ("look_around", "ok"),
    ("open_tcp", "ok"),
    ("open_udp", "ok"),
    ("look_up_name", "ok"),
    ("listen", "ok"),
    ("read_stdin", "ok"),
];

/// The same for the hostile modules that can be loaded.
const MODULES: &[(&str, &str)] = &[
    ("deep_frames", "trap"),
    ("fill_endlessly", "limit fuel or cpu_time"),
    ("forged_drop", "trap"),
    ("forged_handles", "trap"),
    ("four_gib_memory", "limit memory"),
    ("grow_in_start_function", "limit memory"),
    ("grow_table", "limit memory"),
    ("huge_table", "limit memory"),
    ("invalid_case", "contract"),
    ("log_bomb", "limit log"),
    ("log_invalid_level", "trap"),
    ("log_out_of_bounds", "trap"),
    ("many_memories", "limit memory"),
    ("many_tables", "limit memory"),
    ("realloc_out_of_bounds", "contract"),
    ("realloc_unaligned", "contract"),
    ("result_bomb", "limit output"),
    ("result_out_of_bounds", "contract"),
    ("result_unaligned", "contract"),
    ("spin_in_post_return", "limit fuel or cpu_time"),
    ("spin_in_realloc", "limit fuel or cpu_time"),
    ("spin_in_start_function", "limit fuel or cpu_time"),
    ("string_out_of_bounds", "contract"),
    ("trap_in_post_return", "trap"),
    ("trap_in_start_function", "trap"),
    ("wide_memory", "limit memory"),
];

/// Modules that never become plugins; `tests/hostile` has what is said of them.
const REFUSED: &[&str] = &[
    "garbage_collected",
    "missing_function",
    "missing_import",
    "nothing",
    "other_import",
    "other_types",
    "other_version",
    "other_world",
    "shared_memory",
    "too_many_memories",
    "two_contracts",
];

#[test]
fn every_hostile_fixture_has_its_task() {
    let behaviours: BTreeSet<&str> = consort_hostile_adapter::BEHAVIOURS
        .iter()
        .flat_map(|group| group.iter().copied())
        .collect();
    let tasks: BTreeSet<&str> = ADAPTER.iter().map(|(name, _)| *name).collect();
    assert_eq!(tasks, behaviours);
    let all: BTreeSet<&str> = modules::MODULES.iter().map(|(name, _)| *name).collect();
    let tasks = MODULES.iter().map(|(name, _)| *name).chain(REFUSED.iter().copied());
    assert_eq!(tasks.collect::<BTreeSet<_>>(), all);
}

/// The default plugins and the hostile ones.
static PLUGINS: LazyLock<Vec<EmbeddedPlugin>> = LazyLock::new(|| {
    let mut plugins: Vec<EmbeddedPlugin> = consort_default_plugins::DEFAULT_PLUGINS
        .iter()
        .map(|&(name, digest, component)| EmbeddedPlugin { name, digest, component })
        .collect();
    for name in ["hostile-adapter", "hostile-prioritizer", "hostile-transformer"] {
        let (component, digest) = guests::component(name);
        plugins.push(EmbeddedPlugin { name, digest, component });
    }
    plugins
});

fn engine(plugins_dir: Option<&Path>) -> Engine {
    Engine::new(Setup {
        config: HostConfig::parse("default_agent: echo", Format::Yaml).expect("a configuration"),
        embedded: &PLUGINS,
        plugins_dir: plugins_dir.map(Path::to_owned),
        operator: Operator::Workflow,
        secrets: [("KEY".to_owned(), Secret::new("s3cret").expect("a secret"))].into(),
        ..Setup::default()
    })
    .expect("an engine")
}

async fn run(engine: &Engine, workflow: &Value, policy: &str) -> Report {
    let text = workflow.to_string();
    let document = parse(&text, Format::Json).expect("a document");
    let plan = compile(document, engine.known(), consort_engine::now()).expect("a plan");
    let run = engine.prepare(plan, policy).await.expect("plugins");
    run.execute(Map::new(), Arc::new(Nobody), CancellationToken::new())
        .await
        .expect("a run in memory ends")
}

/// How a task ended, in the words of the tables above.
fn ended(report: &Report, task: &str) -> String {
    let task = report.task(task).expect("a task of the plan");
    match (&task.error, &task.output) {
        (None, Some(_)) if task.status == Status::Succeeded => "ok".to_owned(),
        (Some(error), None) if task.status == Status::Failed => match &error.limit {
            Some(limit) => {
                assert!(limit.used >= limit.allowed, "{error:?}");
                format!("{} {}", error.kind, limit.name.name_and_unit().0)
            }
            None => error.kind.to_string(),
        },
        other => panic!("neither result nor error: {other:?}"),
    }
}

const GOOD: usize = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_good_tasks_finish_among_all_hostile_ones() {
    let server = Server::start_counting().await;
    let folder = tempfile::tempdir().expect("a place for files");
    for (name, _) in MODULES {
        let file = folder.path().join(format!("{name}.wasm"));
        std::fs::write(file, modules::component(name)).expect("a file");
    }

    let limits = json!({
        "fuel": 200_000_000, "memory": 64 << 20, "cpu_time": 3_000, "network": 1 << 20,
        "network_rate": 1 << 30, "requests": 16, "log": 64 << 10,
    });
    let hostile = |limits: &Value| {
        json!({
            "adapter": "hostile-adapter",
            "url": server.url("/"),
            "config": {"api_key": "KEY"},
            "limits": limits,
        })
    };
    let mut impatient = limits.clone();
    impatient["time"] = 1_000.into();
    let mut agents = Map::new();
    agents.insert("hostile".into(), hostile(&limits));
    agents.insert("impatient".into(), hostile(&impatient));
    let mut tasks = Vec::new();
    for i in 0..GOOD {
        tasks.push(json!({"task_id": format!("good-{i}"), "description": format!("good {i}")}));
    }
    for (behaviour, expected) in ADAPTER {
        let waits = *expected == "limit time";
        tasks.push(json!({
            "task_id": behaviour,
            "agent": if waits { "impatient" } else { "hostile" },
            "description": behaviour,
            "input": {
                "url": "http://inside.example:8080/",
                "to": "http://denied.example/",
                "elsewhere": "http://denied.example/",
            },
            "timeout": if *expected == "timeout" { 1 } else { 300 },
            "on_failure": "skip",
        }));
        // And one that waits for it, to be skipped.
        tasks.push(json!({
            "task_id": format!("after-{behaviour}"),
            "description": "never",
            "depends_on": [behaviour],
            "on_failure": "skip",
        }));
    }
    for (module, _) in MODULES {
        agents.insert((*module).into(), json!({"adapter": module, "limits": limits}));
        tasks.push(json!({"task_id": module, "agent": module, "on_failure": "skip"}));
    }

    let workflow = json!({"agents": agents, "tasks": tasks});
    let report = run(&engine(Some(folder.path())), &workflow, "priority").await;

    for i in 0..GOOD {
        assert_eq!(ended(&report, &format!("good-{i}")), "ok");
    }
    let mut wrong = BTreeMap::new();
    for (name, expected) in ADAPTER.iter().chain(MODULES) {
        let ended = ended(&report, name);
        let either = expected.strip_prefix("limit ").unwrap_or("").split(" or ");
        let is_expected =
            ended == *expected || either.into_iter().any(|limit| ended == format!("limit {limit}"));
        if !is_expected {
            let error = report.task(name).and_then(|task| task.error.as_ref());
            wrong
                .insert(*name, format!("{ended}, not {expected}: {:?}", error.map(|e| &e.message)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (behaviour, expected) in ADAPTER {
        let after = report.task(&format!("after-{behaviour}")).expect("a task of the plan");
        let status = if *expected == "ok" { Status::Succeeded } else { Status::Skipped };
        assert_eq!(after.status, status, "after {behaviour}");
    }
}

/// Whatever a policy does, the run finishes, in the built-in order if need be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_finish_under_every_hostile_policy() {
    let engine = engine(None);
    for behaviour in consort_hostile_prioritizer::BEHAVIOURS {
        // Ten roots, then ten that wait for one each.
        let tasks: Vec<Value> = (0..20)
            .map(|i: usize| {
                let before = i.checked_sub(10).map(|i| format!("t{i}"));
                json!({
                    "task_id": format!("t{i}"),
                    "type": behaviour,
                    "description": "x",
                    "depends_on": before.into_iter().collect::<Vec<_>>(),
                })
            })
            .collect();
        let workflow = json!({"tasks": tasks});
        let running = run(&engine, &workflow, "hostile-prioritizer");
        let report = tokio::time::timeout(Duration::from_secs(300), running)
            .await
            .unwrap_or_else(|_| panic!("a run under '{behaviour}' did not finish"));
        assert_eq!(report.status, Status::Succeeded, "{behaviour}");
        let policy = &report.metrics.policy;
        let harmless = ["infinite", "hoard_between_calls"].contains(behaviour);
        assert_eq!(policy.faults == 0, harmless, "{behaviour}: {policy:?}");
        assert_eq!(policy.last_fault.is_none(), harmless, "{behaviour}");
    }
}

/// Transformers fail the task whose result they were to reshape.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_transformers_fail_their_task_alone() {
    let expected = [
        ("spin", "limit fuel"),
        ("trap", "trap"),
        ("panic", "trap"),
        ("invalid_json", "contract"),
        ("huge_value", "limit output"),
        ("fail", "permanent"),
        ("throttle", "throttled"),
        ("ask_the_network", "egress-denied"),
    ];
    let names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, consort_hostile_transformer::BEHAVIOURS);
    let mut tasks = vec![json!({"task_id": "good", "description": "x"})];
    for name in names {
        tasks.push(json!({
            "task_id": name,
            "description": "x",
            "transform": [{"transformer": "hostile-transformer", "config": {"do": name}}],
            "resources": {"fuel": 200_000_000},
            "on_failure": "skip",
        }));
    }
    let report = run(&engine(None), &json!({"tasks": tasks}), "priority").await;
    assert_eq!(ended(&report, "good"), "ok");
    for (name, expected) in expected {
        assert_eq!(ended(&report, name), expected, "{name}");
        let error = report.task(name).and_then(|task| task.error.as_ref()).expect("an error");
        assert_eq!(error.plugin.as_deref(), Some("hostile-transformer"));
        assert_eq!(error.function.as_deref(), Some("transform"));
    }
}
