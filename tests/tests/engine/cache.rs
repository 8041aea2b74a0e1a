//! Results that equal tasks share.

use consort_engine::{Origin, PastRun};
use consort_store::{Options, Store};

use super::*;

/// How often agents were asked. `count` counts two.
fn answers(report: &Report) -> u64 {
    let metrics = serde_json::to_value(&report.metrics).expect("it is given");
    metrics["plugins"]["scripted.answers"]["value"].as_u64().unwrap_or_default() / 2
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_tasks_at_once_are_done_once() {
    let tasks: Vec<Value> = (0..20)
        .map(|n| json!({"task_id": format!("t{n}"), "description": "count", "input": "at once", "cache": {}}))
        .collect();
    let report = run(&json!(tasks).to_string()).await;
    assert_eq!(report.metrics.tasks["succeeded"], 20);
    assert_eq!((answers(&report), report.metrics.cached), (1, 19));
    let cached: Vec<bool> = report.tasks.iter().map(|task| task.cached).collect();
    assert_eq!(cached.iter().filter(|cached| !**cached).count(), 1);
    // And runs of the same engine share it.
    let again = run(&json!([&tasks[0]]).to_string()).await;
    assert_eq!((answers(&again), again.metrics.cached), (0, 1));
    let task = serde_json::to_value(&again.tasks[0]).unwrap();
    assert_eq!((&task["cached"], &task["output"]), (&json!(true), &json!("counted")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_differ_by_what_their_agent_sees() {
    let report = run("
agents: {A: {adapter: scripted, config: {reply: x}}, B: {adapter: scripted, config: {reply: y}}}
tasks:
  - {task_id: a, agent: A, description: count, cache: {}, input: differ}
  - {task_id: b, agent: B, description: count, cache: {}, input: differ}
  - {task_id: c, agent: A, description: count, cache: {}, input: {x: 1, y: 2}}
  - {task_id: d, agent: A, description: count, cache: {}, input: {y: 2, x: 1}, depends_on: [c], transform: [{transformer: jq, config: {filter: '. + \"!\"'}}]}
  - {task_id: e, agent: A, description: count, cache: {}, input: differ, metadata: {m: 1}}
  - {task_id: f, agent: A, description: count, input: differ}
")
    .await;
    // What c hands on makes d another task.
    assert_eq!((answers(&report), report.metrics.cached), (6, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_decides_and_a_result_gets_too_old() {
    let report = run("
- {task_id: a, description: count, input: 1, cache: {key: 'of {{ metadata.m }}'}, metadata: {m: 1}}
- {task_id: b, description: count, input: 2, cache: {key: 'of {{ metadata.m }}'}, metadata: {m: 1, n: 2}, depends_on: [a], transform: [{transformer: jq, config: {filter: '. + \"!\"'}}]}
- {task_id: c, description: count, input: 1, cache: {key: 'of {{ metadata.m }}'}, metadata: {m: 2}}
- {task_id: d, description: count, input: 1, cache: {key: 'of {{ metadata.m }}', ttl: 0}, metadata: {m: 1}, depends_on: [b]}
")
    .await;
    assert_eq!(answers(&report), 3);
    let b = report.task("b").unwrap();
    assert!(b.cached && !report.task("d").unwrap().cached);
    // Transformers are the task's own.
    assert_eq!(serde_json::to_value(b).unwrap()["output"], "counted!");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_are_not_kept_and_whoever_waited_does_the_work() {
    let tasks = |n: usize| {
        let task = |n| json!({"task_id": format!("t{n}"), "description": "refuse", "cache": {}, "on_failure": "skip"});
        json!((0..n).map(task).collect::<Vec<_>>()).to_string()
    };
    let report = run(&tasks(3)).await;
    assert_eq!(report.metrics.tasks["failed"], 3);
    assert_eq!(report.metrics.cached, 0);
}

/// Somebody who waits for an equal task holds no slot: with one slot, the one
/// who does the work could not go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_for_an_equal_task_holds_no_slot() {
    let text = "[{task_id: a, description: poll 3, cache: {}}, {task_id: b, description: poll 3, cache: {}}]";
    let report = run_on(engine("concurrency: 1"), text).await;
    assert_eq!(report.metrics.tasks["succeeded"], 2);
    assert_eq!(report.metrics.cached, 1);
}

/// Another process: an engine that has nothing in memory.
async fn in_store(store: &Store, config: &str, text: &str) -> Report {
    let engine = engine(config);
    let mut run = engine.prepare(plan(text).expect("a plan"), "priority").await.expect("plugins");
    let origin = Origin { text: text.into(), format: Format::Yaml, name: "test".to_owned() };
    run.record(store.clone(), origin);
    let stop = CancellationToken::new();
    run.execute(Map::new(), Arc::new(Nobody), stop).await.expect("the store works")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_runs_share_results_across_processes_within_their_namespace() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("runs.db"), Options::default()).unwrap();
    let one = "[{task_id: a, description: count, input: kept, cache: {ttl: 1h}}]";
    let first = in_store(&store, "", one).await;
    assert_eq!((answers(&first), first.metrics.cached), (1, 0));
    let again = in_store(&store, "namespace: default", one).await;
    assert_eq!((answers(&again), again.metrics.cached), (0, 1));
    let other = in_store(&store, "namespace: other", one).await;
    assert_eq!((answers(&other), other.metrics.cached), (1, 0));
    // A run that is not recorded has nothing to do with the store.
    let apart = run_on(engine(""), one).await;
    assert_eq!((answers(&apart), apart.metrics.cached), (1, 0));
    // What a hit was is in the journal as well.
    let past = PastRun::read(&store.reader().unwrap(), &again.run_id).unwrap();
    assert!(past.tasks()[0].cached);
}
