//! Limits of time and money.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_timeout_says_which_it_is_and_how_long() {
    let report = run("
on_failure: continue
agents: {One: {adapter: scripted, max_concurrency: 1}}
tasks:
  - {task_id: silent, description: sleep 60000, timeouts: {idle: 0.1}}
  - {task_id: alive, description: beat 20 for 400, timeouts: {idle: 0.25}}
  - {task_id: often, description: fail until 99, timeouts: {total: 0.2}, retry_policy: {max_attempts: 99, backoff: fixed, initial_delay: 0.05}}
  - {task_id: late, description: sleep 60000, deadline: 200ms}
  - {task_id: first, agent: One, description: sleep 400, priority: 10}
  - {task_id: second, agent: One, description: x, priority: 1, timeouts: {queue: 0.1}}
")
    .await;
    let summary = summary(&report);
    assert_eq!(
        [&summary[0], &summary[1], &summary[3], &summary[5]],
        [
            "silent failed 1 scripted idle-timeout: no sign of life for 0.1 s, which is 'timeouts.idle'",
            r#"alive succeeded 1 scripted "alive""#,
            "late failed 1 scripted deadline: not finished by its deadline, 0.2 s after the run began",
            "second failed 0 - queue-timeout: not started within 0.1 s, which is 'timeouts.queue'",
        ]
    );
    let often = report.task("often").unwrap().error.as_ref().unwrap();
    assert_eq!(often.kind, "total-timeout");
    assert!(often.message.starts_with("not finished within 0.2 s"), "{}", often.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_to_polls_are_signs_of_life() {
    let report = run("[{task_id: a, description: poll 8, timeouts: {idle: 0.3}}]").await;
    assert_eq!(summary(&report), [r#"a succeeded 1 scripted "polled""#]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_over_time_fails_with_what_is_unfinished() {
    let report = run("
deadline: 200ms
tasks:
  - {task_id: quick, description: x}
  - {task_id: slow, description: sleep 60000}
  - {task_id: never, depends_on: [slow]}
")
    .await;
    assert_eq!(
        summary(&report),
        [
            r#"quick succeeded 1 scripted "x""#,
            "slow cancelled 1 scripted run-deadline: the run's deadline is over, 0.2 s after the run began",
            "never cancelled 0 - run-deadline: the run's deadline is over, 0.2 s after the run began",
        ]
    );
    assert_eq!(report.status, Status::Failed);
    assert_eq!(report.reason.unwrap().kind, "run-deadline");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_that_is_used_up_ends_the_run() {
    let report = run("
budget: {tokens: 100}
tasks:
  - {task_id: a, description: use 60}
  - {task_id: b, description: use 60, depends_on: [a]}
  - {task_id: c, depends_on: [b]}
")
    .await;
    assert_eq!(report.status, Status::Failed);
    assert_eq!(report.task("a").unwrap().usage.as_ref().unwrap().input_tokens, Some(60));
    assert_eq!(
        summary(&report)[2],
        "c cancelled 0 - budget: the run's budget is used up: 120 of 100 tokens"
    );
    assert_eq!(report.reason.unwrap().message, "the run's budget is used up: 120 of 100 tokens");
    assert_eq!(report.metrics.usage.input_tokens, 120);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_failed_attempt_used_counts() {
    let report = run("
budget: {tokens: 100}
tasks:
  - task_id: a
    description: use 60
    retry_policy: {max_attempts: 9, backoff: none}
    on_failure: {fallback: [other]}
    transform: [{transformer: jq, config: {filter: error}}]
agents: {other: {adapter: scripted}}
")
    .await;
    let task = report.task("a").unwrap();
    assert_eq!(task.usage.as_ref().unwrap().input_tokens, Some(120));
    assert_eq!(report.reason.unwrap().kind, "budget");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_results_of_a_run_are_bounded_together() {
    let text = "x".repeat(600);
    let workflow = format!(
        "
on_failure: continue
tasks:
  - {{task_id: a, description: {text}}}
  - {{task_id: b, description: {text}, depends_on: [a], retry_policy: {{max_attempts: 3}}}}
  - {{task_id: c, description: short, depends_on: [b]}}
"
    );
    let report = run_on(engine("results: 1000"), &workflow).await;
    let ends: Vec<_> = report.tasks.iter().map(|task| (task.status, task.attempts)).collect();
    assert_eq!(ends, [(Status::Succeeded, 1), (Status::Failed, 1), (Status::Succeeded, 1)]);
    let error = report.task("b").unwrap().error.as_ref().unwrap();
    assert_eq!(error.kind, "results");
    assert!(error.message.contains("more than 1000 bytes"), "{}", error.message);
}
