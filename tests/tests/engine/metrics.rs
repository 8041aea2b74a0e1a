//! What a run is measured by.

use consort_engine::{Origin, PastRun};
use consort_store::{Options, Store};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_chain_that_took_longest_is_named_with_what_each_step_took() {
    let report = run("
- {task_id: quick, description: quick}
- {task_id: slow, description: sleep 80}
- {task_id: each, description: 'sleep {{ item }}', for_each: [1, 60], depends_on: [slow, quick]}
- {task_id: last, type: collaborative_task, steps: [{task_id: step, description: done}], depends_on: [each]}
- {task_id: skipped, description: never, when: 'false', depends_on: [last]}
")
    .await;
    let path = &report.metrics.critical_path;
    let names: Vec<&str> = path.path.iter().map(|step| &*step.task_id).collect();
    assert_eq!((names.as_slice(), path.tasks), (&["slow", "each[1]", "step"][..], 3));
    assert!(path.path[0].ms >= 80 && path.path[1].ms >= 60, "{path:?}");
    let all: u64 = path.path.iter().map(|step| step.ms).sum();
    assert!(all <= report.metrics.duration_ms, "{all} of {}", report.metrics.duration_ms);
    assert_eq!(report.metrics.success_rate, Some(1.0));
    assert!(report.metrics.execution_ms.max >= 80);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_slot_is_queued_and_failures_count() {
    let text = "
- {task_id: a, description: sleep 60, priority: 9}
- {task_id: b, description: refuse, on_failure: skip}
";
    let report = run_on(engine("concurrency: 1"), text).await;
    assert_eq!(report.metrics.success_rate, Some(0.5));
    let queued = |task: &str| report.task(task).unwrap().queued_ms;
    assert!(queued("b") >= 60 && queued("a") < queued("b"), "{} {}", queued("a"), queued("b"));
    assert_eq!(report.metrics.queued_ms.max, u64::from(queued("b")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_plugins_use_is_counted_by_task_also_when_they_fail_or_share_a_call() {
    let report = run("
agents: {Together: {adapter: scripted, batch: {max: 3}}}
tasks:
  - {task_id: well, description: hello, transform: [{transformer: jq, config: {filter: .}}]}
  - {task_id: alone, description: hello}
  - {task_id: badly, description: refuse, on_failure: skip}
  - {task_id: one, agent: Together, description: one}
  - {task_id: two, agent: Together, description: two}
  - {task_id: ask, type: approval, description: 'good?', on_failure: skip, timeout: 0.001}
")
    .await;
    let used = |task: &str| report.task(task).unwrap().resources.unwrap_or_default();
    for task in ["well", "alone", "badly", "one", "two"] {
        let used = used(task);
        assert!(used.fuel > 1_000 && used.peak_memory >= 65_536, "{task}: {used:?}");
        assert!(used.cpu_ms > 0.0 && (used.network, used.requests) == (0, 0), "{task}: {used:?}");
    }
    assert!(used("well").fuel > used("alone").fuel, "a transformer's use is the task's");
    assert!(report.task("ask").unwrap().resources.is_none());
    let all: u64 = report.tasks.iter().map(|task| used(&task.id).fuel).sum();
    assert_eq!(report.metrics.resources.fuel, all);
    assert!(report.metrics.policy.resources.fuel > 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorded_run_is_measured_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("runs.db"), Options::default()).unwrap();
    let text = "
- {task_id: a, description: fail until 2, retry_policy: {max_attempts: 2, backoff: none}}
- {task_id: b, description: 'poll 2', depends_on: [a]}
- {task_id: c, description: use 7, depends_on: [b]}
";
    let mut run = prepared(text).await;
    let origin = Origin { text: text.into(), format: Format::Yaml, name: "test".to_owned() };
    run.record(store.clone(), origin);
    let stop = CancellationToken::new();
    let report = run.execute(Map::new(), Arc::new(Nobody), stop).await.expect("it is recorded");
    let past = PastRun::read(&store.reader().unwrap(), &report.run_id).unwrap();
    let past = past.into_report().expect("it is over");
    let measured = |report: &Report| {
        let metrics = serde_json::to_value(&report.metrics).unwrap();
        let tasks = report.tasks.iter().map(|task| (task.resources, task.queued_ms));
        (metrics, tasks.collect::<Vec<_>>())
    };
    assert_eq!(measured(&past), measured(&report));
    assert!(report.tasks.iter().all(|task| task.resources.is_some()));
}
