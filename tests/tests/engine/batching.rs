//! Tasks that are started together, and how often they are.

use std::time::{Duration, Instant};

use super::*;

/// How often the scripted agent was asked to begin something.
fn calls(report: &Report) -> u64 {
    let metrics = serde_json::to_value(&report.metrics).expect("it is given");
    metrics["plugins"]["scripted.calls"]["value"].as_u64().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn similar_tasks_are_one_call_and_have_each_its_own_result() {
    let report = run("
agents: {A: {adapter: scripted, batch: true}}
tasks:
  - {task_id: a, agent: A, description: tell, input: 1}
  - {task_id: b, agent: A, description: 'b of {{ metadata.n }}', metadata: {n: 3}}
  - {task_id: c, agent: A, description: tell, transform: [{transformer: jq, config: {filter: .id}}]}
  - {task_id: other, agent: A, type: other, description: another type}
  - {task_id: alone, agent: A, batch: false, description: alone}
")
    .await;
    assert_eq!(
        summary(&report),
        [
            r#"a succeeded 1 A {"id":"a","key":"a","input":1,"given":[]}"#,
            r#"b succeeded 1 A "b of 3""#,
            r#"c succeeded 1 A "c""#,
            r#"other succeeded 1 A "another type""#,
            r#"alone succeeded 1 A "alone""#,
        ]
    );
    assert_eq!(calls(&report), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_has_no_more_than_its_most_and_waits_for_others() {
    let items = |batch: &str| {
        format!(
            "
agents: {{A: {{adapter: scripted, batch: {batch}}}}}
tasks:
  - {{task_id: a, agent: A, for_each: [1, 2, 3, 4, 5], description: 'item {{{{ item }}}}'}}
"
        )
    };
    assert_eq!(calls(&run(&items("{max: 2}")).await), 3);
    assert_eq!(calls(&run(&items("false")).await), 5);
    let begun = Instant::now();
    let report = run("
agents: {A: {adapter: scripted, batch: {max: 3, linger: 300ms}}}
tasks:
  - {task_id: early, agent: A, description: early}
  - {task_id: before, description: sleep 30}
  - {task_id: late, agent: A, description: late, depends_on: [before]}
")
    .await;
    // One for the task before; it counts as well.
    assert_eq!((calls(&report), report.metrics.tasks["succeeded"]), (2, 3));
    assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_fails_is_tried_again_alone() {
    let report = run("
agents: {A: {adapter: scripted, batch: true}}
tasks:
  - {task_id: a, agent: A, description: fine}
  - {task_id: b, agent: A, description: fail until 3, retry_policy: {max_attempts: 3, backoff: none}}
  - {task_id: c, agent: A, description: refuse, on_failure: continue}
  - {task_id: d, agent: A, description: poll 2}
")
    .await;
    assert_eq!(
        summary(&report),
        [
            r#"a succeeded 1 A "fine""#,
            r#"b succeeded 3 A "fail until 3""#,
            "c failed 1 A permanent: no",
            r#"d succeeded 1 A "polled""#,
        ]
    );
    assert_eq!(calls(&report), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_the_call_is_that_of_all_and_each_is_tried_again_alone() {
    let report = run("
on_failure: continue
agents: {A: {adapter: scripted, batch: true}}
tasks:
  - {task_id: a, agent: A, description: fine}
  - {task_id: b, agent: A, description: again, retry_policy: {max_attempts: 2, backoff: none}}
  - {task_id: c, agent: A, description: lose}
  - {task_id: after, description: x, depends_on: [a, b, c]}
")
    .await;
    let task = |id: &str| report.task(id).unwrap();
    for id in ["a", "c"] {
        let error = task(id).error.as_ref().unwrap();
        assert_eq!((&*error.kind, error.function.as_deref()), ("contract", Some("start-batch")));
        assert!(error.message.contains("it returned 2 answers to 3 calls"), "{}", error.message);
    }
    assert_eq!((task("b").status, task("b").attempts), (Status::Succeeded, 2));
    assert_eq!((task("after").status, report.status), (Status::Succeeded, Status::Succeeded));

    let trap = run("
on_failure: continue
agents: {A: {adapter: scripted, batch: true}}
tasks:
  - {task_id: a, agent: A, description: trap, retry_policy: {max_attempts: 2, backoff: none}}
  - {task_id: b, agent: A, description: fine}
")
    .await;
    let kind = |id: &str| trap.task(id).unwrap().error.as_ref().map(|error| error.kind.clone());
    // Alone, 'trap' is a word like any other.
    assert_eq!((kind("a").as_deref(), kind("b").as_deref()), (None, Some("trap")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_out_of_time_leaves_and_the_others_do_not_notice() {
    let report = run("
on_failure: continue
agents: {A: {adapter: scripted, batch: true}}
tasks:
  - {task_id: a, agent: A, description: sleep 300}
  - {task_id: b, agent: A, description: fine, timeout: 0.05}
")
    .await;
    assert_eq!(
        summary(&report),
        [
            r#"a succeeded 1 A "slept""#,
            "b failed 1 A timeout: no result within 0.05 s, which is the task's 'timeout'",
        ]
    );
    assert_eq!(calls(&report), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_nobody_waits_for_is_stopped() {
    let begun = Instant::now();
    let report = run("
on_failure: continue
agents: {A: {adapter: scripted, batch: true, max_concurrency: 1}}
tasks:
  - {task_id: a, agent: A, description: sleep 60000, timeout: 0.05}
  - {task_id: b, agent: A, description: sleep 60000, timeout: 0.1}
  - {task_id: next, agent: A, type: next, description: x}
")
    .await;
    assert_eq!(report.metrics.tasks, [("failed", 2), ("succeeded", 1)].into());
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_needs_no_call_is_not_in_it_and_equal_tasks_share() {
    let report = run("
on_failure: continue
agents: {A: {adapter: scripted, batch: true}}
tasks:
  - {task_id: a, agent: A, description: shared in a batch, cache: {}}
  - {task_id: b, agent: A, description: shared in a batch, cache: {}}
  - {task_id: c, agent: A, description: '{{ inputs.nothing.at_all }}'}
  - {task_id: d, agent: A, description: fine}
inputs: {nothing: {}}
")
    .await;
    let statuses: Vec<Status> = report.tasks.iter().map(|task| task.status).collect();
    use Status::{Failed, Succeeded};
    assert_eq!(statuses, [Succeeded, Succeeded, Failed, Succeeded], "{:?}", summary(&report));
    assert_eq!((calls(&report), report.metrics.cached), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_with_an_endpoint_of_their_own_are_called_apart() {
    let report = run("
agents: {A: {adapter: scripted, batch: true, url: 'http://127.0.0.1:9/'}}
tasks:
  - {task_id: a, agent: A, description: one}
  - {task_id: b, agent: A, description: two}
  - {task_id: c, agent: A, description: three, url: 'http://127.0.0.2:9/'}
")
    .await;
    assert_eq!((calls(&report), report.metrics.tasks["succeeded"]), (2, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_adapter_that_does_not_batch_is_called_for_each() {
    let report = run("
agents: {A: {adapter: relay, batch: true, max_concurrency: 1}}
tasks:
  - {task_id: a, agent: A, description: one}
  - {task_id: b, agent: A, description: two}
")
    .await;
    assert_eq!(summary(&report), [r#"a succeeded 1 A "one""#, r#"b succeeded 1 A "two""#]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_s_rate_holds_over_its_attempts() {
    let begun = Instant::now();
    let report = run("
agents:
  A: {adapter: scripted, rate_limit: {attempts: 10, per: 1s, burst: 2}}
tasks:
  - {task_id: a, agent: A, for_each: [1, 2, 3, 4, 5], description: 'item {{ item }}'}
  - {task_id: free, description: x}
")
    .await;
    assert_eq!(report.metrics.tasks["succeeded"], 7);
    // Two at once, and three that are 100 ms apart.
    assert!(begun.elapsed() >= Duration::from_millis(290), "{:?}", begun.elapsed());
    let free = report.task("free").unwrap();
    assert!(free.finished < report.task("a").unwrap().finished, "{free:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn added_tasks_are_started_together_too() {
    let report = run("
agents: {A: {adapter: scripted, batch: true}}
tasks:
  - task_id: parent
    agent: A
    description: spawn
    input:
      - {task_id: x, type: part, description: one}
      - {task_id: y, type: part, description: two}
      - {task_id: z, type: part, description: three, batch: false}
")
    .await;
    assert_eq!((calls(&report), report.metrics.tasks["succeeded"]), (3, 4));
}
