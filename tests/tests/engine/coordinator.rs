//! The coordinator: tasks come to a run that is open, and results, failures and
//! events come back.

use consort_engine::control::{AddOutcome, ControlError};
use consort_engine::coordinator::{ExecuteError, Missed, Opening, Resolution, SubmitError};
use consort_engine::{Consequence, Coordinator, Origin, Payload, TaskError, TaskHandle};
use consort_store::{Options, Store};

use super::*;

/// A coordinator of a workflow in YAML, recorded if there is a store.
async fn open(workflow: &str, store: Option<&Store>) -> Coordinator {
    let workflow =
        Origin { text: workflow.into(), format: Format::Yaml, name: "test.yaml".to_owned() };
    let opening = Opening { workflow: Some(workflow), store: store.cloned(), ..Opening::default() };
    Coordinator::open(&ENGINE, opening).await.expect("a run")
}

/// One in memory, with nothing but the host's agents.
async fn simple() -> Coordinator {
    Coordinator::open(&ENGINE, Opening::default()).await.expect("a run")
}

fn text(payload: &Payload) -> &str {
    match payload {
        Payload::Text(text) | Payload::Json(text) => text,
        Payload::Blob { .. } => panic!("these tests have no bytes"),
    }
}

/// Waits until a task is in a state that it will be in.
async fn until(task: &TaskHandle, state: &str) {
    while task.status().await.expect("a task").state != state {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_come_one_by_one_and_a_run_without_any_goes_on() {
    let coordinator = simple().await;
    assert_eq!(coordinator.progress().await.unwrap().tasks, 0);
    let first = json!({"task_id": "first", "description": "one"});
    let result = coordinator.execute_task(first).await.expect("a result");
    assert_eq!(text(&result), "one");
    let progress = coordinator.progress().await.unwrap();
    assert!(progress.open && progress.finished == 1 && progress.share == 1.0, "{progress:?}");
    let tasks = coordinator
        .submit_tasks(vec![
            json!({"task_id": "last", "depends_on": ["group"], "description": "{{ results.group.b }}!"}),
            json!({"task_id": "group", "type": "collaborative_task", "depends_on": ["first"], "steps": [
                {"task_id": "a", "description": "{{ results.first }}"},
                {"task_id": "b", "description": "then {{ results.a }}",
                 "resources": {"slots": 3},
                 "transform": [{"transformer": "jq", "config": {"filter": ". + \"?\""}}]},
            ]}),
        ])
        .await
        .expect("tasks");
    assert_eq!(tasks.iter().map(|task| &**task.id()).collect::<Vec<_>>(), ["last", "group"]);
    assert_eq!(text(&tasks[0].result().await.expect("a result")), "then one?!");
    let failing = json!({"task_id": "failing", "description": "refuse"});
    let error = coordinator.execute_task(failing).await.unwrap_err();
    assert!(matches!(&error, ExecuteError::Task(error) if error.kind == "permanent"), "{error}");
    let report = coordinator.finish().await.expect("a report");
    assert_eq!(report.status, Status::Succeeded, "a failure reaches those that depend on it");
    assert_eq!(report.tasks.len(), 6);
    // The handles answer when the run is over.
    assert_eq!(text(&tasks[0].result().await.expect("a result")), "then one?!");
    assert_eq!(coordinator.status("failing").await.unwrap().state, "failed");
    let late = coordinator.submit_task(json!({"task_id": "late"})).await;
    assert!(matches!(late, Err(SubmitError::Closed)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_valid_is_said_as_the_compiler_says_it_and_nothing_of_it_is_added() {
    let coordinator = simple().await;
    let submitted = coordinator
        .submit_tasks(vec![
            json!({"task_id": "good", "description": "x"}),
            json!({"task_id": "bad", "agnet": "x"}),
            json!({"task_id": "worse", "agent": "nobody", "depends_on": ["worse"]}),
            json!({"task_id": "worst", "transform": [{"transformer": "jq", "config": {}}]}),
        ])
        .await;
    let SubmitError::Invalid(problems) = submitted.unwrap_err() else { panic!("not valid") };
    let codes: Vec<_> = problems.iter().map(|problem| (problem.code, &*problem.path)).collect();
    assert!(codes.contains(&("unknown-field", "[1].agnet")), "{codes:?}");
    assert!(codes.contains(&("unknown-agent", "[2].agent")), "{codes:?}");
    let config = json!({"task_id": "t", "transform": [{"transformer": "jq", "config": {}}]});
    let SubmitError::Invalid(problems) = coordinator.submit_task(config).await.unwrap_err() else {
        panic!("the configuration does not fit");
    };
    assert_eq!((problems[0].code, &*problems[0].path), ("bad-config", "t.transform[0].config"));
    let nothing = coordinator.submit_task(json!("text")).await.unwrap_err();
    assert_eq!(nothing.to_string(), "this is not a task");
    assert_eq!(coordinator.progress().await.unwrap().tasks, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_from_outside_completes_a_task_that_runs() {
    let coordinator = simple().await;
    let tasks = coordinator
        .submit_tasks(vec![
            json!({"task_id": "a", "description": "sleep 60000",
                   "transform": [{"transformer": "jq", "config": {"filter": ".n + 1"}}]}),
            json!({"task_id": "b", "depends_on": ["a"], "description": "got {{ results.a }}"}),
        ])
        .await
        .expect("tasks");
    let too_early = coordinator.process_result("b", Payload::Text("x".into())).await;
    let blocked = ControlError::Undeliverable { task: "b".into(), state: "blocked" };
    assert_eq!(too_early, Err(blocked));
    until(&tasks[0], "running").await;
    let broken = coordinator.process_result("a", Payload::Json("{".into())).await;
    assert!(matches!(broken, Err(ControlError::Misfit { .. })), "{broken:?}");
    let done = coordinator.process_result("a", Payload::Json(r#"{"n": 41}"#.into())).await;
    assert_eq!(done, Ok(Consequence::Completed));
    assert_eq!(text(&tasks[0].result().await.unwrap()), "42");
    assert_eq!(text(&tasks[1].result().await.unwrap()), "got 42");
    let again = coordinator.process_result("a", Payload::Text("x".into())).await.unwrap_err();
    assert_eq!(again.to_string(), "nothing can be delivered for task 'a': it is succeeded");
    let unknown = coordinator.process_result("aa", Payload::Text("x".into())).await.unwrap_err();
    assert_eq!(unknown.to_string(), "there is no task 'aa'; did you mean 'a'?");
    let report = coordinator.finish().await.unwrap();
    assert_eq!(report.task("a").unwrap().attempts, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_that_a_transformer_does_not_take_is_a_failed_attempt() {
    let coordinator = simple().await;
    let task = coordinator
        .submit_task(json!({"task_id": "a", "description": "sleep 60000",
            "transform": [{"transformer": "jq", "config": {"filter": ".n + 1"}}]}))
        .await
        .expect("a task");
    until(&task, "running").await;
    let done = coordinator.process_result("a", Payload::Json(r#"{"n": {}}"#.into())).await;
    assert_eq!(done, Ok(Consequence::Failed));
    let error = task.result().await.unwrap_err();
    assert_eq!(error.function.as_deref(), Some("transform"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn remote_work_is_told_to_stop_when_its_result_comes_from_outside() {
    let coordinator = simple().await;
    let mut events = coordinator.subscribe();
    let task = coordinator.submit_task(json!({"task_id": "a", "description": "poll forever"}));
    let task = task.await.expect("a task");
    until(&task, "waiting").await;
    let done = coordinator.process_result("a", Payload::Text("called back".into())).await;
    assert_eq!(done, Ok(Consequence::Completed));
    assert_eq!(text(&task.result().await.unwrap()), "called back");
    coordinator.finish().await.unwrap();
    let mut seen = Vec::new();
    while let Some(happening) = events.next().await {
        let line = serde_json::to_value(happening.expect("nothing is missed")).unwrap();
        assert!(line["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{line}");
        seen.push(match line["event"].as_str().unwrap() {
            "log" => line["message"].as_str().unwrap().to_owned(),
            event => event.to_owned(),
        });
    }
    let all = ["added", "task_started", "delivered", "task_finished", "run_finished"];
    for wanted in all.iter().chain(&["told to stop"]) {
        assert!(seen.iter().any(|event| event == wanted), "{wanted}: {seen:?}");
    }
    assert!(coordinator.subscribe().next().await.is_none(), "nothing happens any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_are_answered_by_results() {
    let coordinator = simple().await;
    let tasks = coordinator
        .submit_tasks(vec![
            json!({"task_id": "city", "description": "ask"}),
            json!({"task_id": "ok", "type": "approval", "description": "Go on?",
                   "schema": {"type": "object"}}),
            json!({"task_id": "no", "type": "approval", "description": "Go on?"}),
        ])
        .await
        .expect("tasks");
    for task in &tasks {
        until(task, "asking").await;
    }
    let result = |text: &str| Payload::Json(text.into());
    assert_eq!(
        coordinator.process_result("city", result(r#"{"found": 1}"#)).await,
        Ok(Consequence::Completed)
    );
    assert_eq!(text(&tasks[0].result().await.unwrap()), r#"{"found": 1}"#);
    let misfit = coordinator.process_result("ok", result("3")).await;
    assert!(matches!(misfit, Err(ControlError::Misfit { .. })), "{misfit:?}");
    assert_eq!(coordinator.process_result("ok", result("{}")).await, Ok(Consequence::Completed));
    let gone = TaskError::new("gone", "nobody is there");
    assert_eq!(
        coordinator.handle_task_failure("no", gone.clone(), true).await,
        Ok(Consequence::Failed)
    );
    assert_eq!(tasks[2].result().await, Err(Box::new(gone)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_from_outside_is_retried_then_handed_on_then_tolerated() {
    let coordinator = open("agents: {A: {adapter: scripted}, B: {adapter: scripted}}", None).await;
    let task = coordinator
        .submit_task(json!({"task_id": "a", "agent": "A", "description": "sleep 60000",
            "retry_policy": {"max_attempts": 2, "backoff": "none"},
            "on_failure": {"fallback": ["B"]}}))
        .await
        .expect("a task");
    let lost = || TaskError::new("worker-lost", "the worker has gone");
    for (agent, attempt) in [("A", 1), ("B", 2)] {
        // The second failure makes no retry sensible, so the next agent has its turn.
        while task.status().await.unwrap().attempts < attempt {
            tokio::task::yield_now().await;
        }
        until(&task, "running").await;
        let decided = coordinator.handle_task_failure("a", lost(), attempt == 1).await.unwrap();
        let next = if attempt == 1 { "A" } else { "B" };
        let Consequence::Retrying { agent: by, .. } = decided else {
            panic!("{agent}: {decided:?}")
        };
        assert_eq!(&*by, next);
    }
    while task.status().await.unwrap().attempts < 3 {
        tokio::task::yield_now().await;
    }
    until(&task, "running").await;
    let decided = coordinator.handle_task_failure("a", lost(), false).await.unwrap();
    assert_eq!(decided, Consequence::Failed, "those that depend on it would be skipped");
    let failed = task.result().await.unwrap_err();
    assert_eq!((&*failed.kind, &*failed.message), ("worker-lost", "the worker has gone"));
    // That the first agent failed is not forgotten.
    let causes: Vec<_> = failed.causes.iter().map(|cause| cause.agent.as_deref()).collect();
    assert_eq!(causes, [Some("A")]);
    let tasks = coordinator
        .submit_tasks(vec![
            json!({"task_id": "b", "agent": "A", "description": "sleep 60000", "on_failure": "continue"}),
            json!({"task_id": "c", "agent": "A", "description": "sleep 60000", "on_failure": "fail"}),
        ])
        .await
        .expect("tasks");
    until(&tasks[0], "running").await;
    until(&tasks[1], "running").await;
    let decided = coordinator.handle_task_failure("b", lost(), true).await;
    assert_eq!(decided, Ok(Consequence::Tolerated));
    let decided = coordinator.handle_task_failure("c", lost(), true).await;
    assert_eq!(decided, Ok(Consequence::RunFailed));
    assert_eq!(coordinator.finish().await.unwrap().status, Status::Failed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conflicts_are_resolved_as_the_caller_says() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("runs.db"), Options::default()).unwrap();
    let coordinator = open("{}", Some(&store)).await;
    let run = coordinator.run_id().to_string();
    let saved = || check_saved(&store, &run);
    let task =
        |id: &str, on: &[&str]| json!({"task_id": id, "depends_on": on, "description": "tell"});
    let conflict = |error| match error {
        SubmitError::Conflict(conflict) => conflict,
        other => panic!("no conflict: {other}"),
    };
    // All or nothing, with the reason of each.
    let error = coordinator
        .submit_tasks(vec![task("a", &[]), task("b", &["a", "missing"]), task("c", &["c"])])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("c"), "{error}");
    let error = coordinator.submit_tasks(vec![task("a", &[]), task("b", &["missing"])]).await;
    let rejected = conflict(error.unwrap_err());
    let said: Vec<_> = rejected
        .conflicts
        .iter()
        .map(|one| (&*one.task_id, one.outcome, one.problems[0].code))
        .collect();
    assert_eq!(
        said,
        [
            ("a", AddOutcome::Rejected, "not-alone"),
            ("b", AddOutcome::Rejected, "missing-dependency"),
        ]
    );
    assert_eq!(coordinator.progress().await.unwrap().tasks, 0);
    // Dropped, nothing is there; admitted, it is there without the edge.
    let none = coordinator.resolve_dependency_conflict(&rejected, Resolution::Drop).await.unwrap();
    assert!(none.is_empty());
    let both = coordinator.resolve_dependency_conflict(&rejected, Resolution::Admit).await.unwrap();
    let given: Value = serde_json::from_str(text(&both[1].result().await.unwrap())).unwrap();
    assert_eq!(given["given"], json!([]));
    saved();
    // A name that is taken is replaced.
    let taken = conflict(coordinator.submit_task(task("a", &[])).await.unwrap_err());
    assert_eq!(taken.conflicts[0].problems[0].code, "duplicate-id");
    let other = Resolution::Replace(vec![task("a2", &["a"])]);
    let replaced = coordinator.resolve_dependency_conflict(&taken, other).await.unwrap();
    assert_eq!(&**replaced[0].id(), "a2");
    // Held, it waits for what comes; cancelled, it is given up.
    let waiting = conflict(coordinator.submit_task(task("w", &["later"])).await.unwrap_err());
    let held = coordinator.resolve_dependency_conflict(&waiting, Resolution::Hold).await.unwrap();
    assert!(held[0].was_held());
    assert_eq!(held[0].status().await.unwrap().state, "held");
    saved();
    let group =
        json!({"task_id": "g", "type": "collaborative_task", "steps": [task("s", &["never"])]});
    let group = conflict(coordinator.submit_task(group).await.unwrap_err());
    let group = coordinator.resolve_dependency_conflict(&group, Resolution::Hold).await.unwrap();
    let in_conflict = group[0].conflict().expect("it is held").clone();
    let admitted = coordinator.resolve_dependency_conflict(&in_conflict, Resolution::Admit).await;
    assert_eq!(admitted.unwrap().len(), 2);
    assert!(
        text(&group[0].result().await.unwrap()).contains("\"s\":{"),
        "it has its step's result"
    );
    saved();
    coordinator.submit_task(task("later", &[])).await.unwrap();
    let given: Value = serde_json::from_str(text(&held[0].result().await.unwrap())).unwrap();
    assert_eq!(given["given"], json!(["later"]));
    let error = conflict(coordinator.submit_task(task("x", &["y"])).await.unwrap_err());
    let x = coordinator.resolve_dependency_conflict(&error, Resolution::Hold).await.unwrap();
    let waits = tokio::spawn({
        let x = x[0].clone();
        async move { x.result().await }
    });
    x[0].cancel().await.unwrap();
    assert_eq!(waits.await.unwrap().unwrap_err().kind, "not-added");
    let report = coordinator.finish().await.unwrap();
    assert_eq!(report.status, Status::Succeeded);
    assert!(report.task("x").is_none());
    saved();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_subscriber_is_told_what_it_has_missed_and_holds_nobody_up() {
    let coordinator = simple().await;
    let mut slow = coordinator.subscribe();
    let tasks = (0..2_000).map(|n| json!({"task_id": format!("t{n}"), "description": "x"}));
    coordinator.submit_tasks(tasks.collect()).await.expect("tasks");
    coordinator.finish().await.unwrap();
    let first = slow.next().await.expect("something has happened");
    assert!(matches!(first, Err(Missed(missed)) if missed > 1_000), "{first:?}");
    let mut heard = 0;
    while let Some(happening) = slow.next().await {
        happening.expect("nothing more is missed");
        heard += 1;
    }
    assert_eq!(heard, 4_096);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_durable_run_is_suspended_and_resumed_with_all_that_was_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("runs.db"), Options::default()).unwrap();
    let coordinator = open("on_conflict: hold", Some(&store)).await;
    let run = coordinator.run_id().to_string();
    coordinator
        .submit_tasks(vec![
            json!({"task_id": "done", "description": "x"}),
            json!({"task_id": "slow", "description": "poll forever"}),
            json!({"task_id": "held", "depends_on": ["later"], "description": "{{ results.later }}"}),
        ])
        .await
        .expect("tasks");
    coordinator.task("done").result().await.unwrap();
    until(&coordinator.task("slow"), "waiting").await;
    coordinator.process_result("slow", Payload::Text("from outside".into())).await.unwrap();
    let report = {
        let handle = coordinator.task("held");
        let waits = tokio::spawn(async move { handle.result().await });
        coordinator.suspend().await;
        check_saved(&store, &run);
        assert_eq!(waits.await.unwrap().unwrap_err().kind, "interrupted");
        let submitted = coordinator.submit_task(json!({"task_id": "lost"})).await;
        assert!(matches!(submitted, Err(SubmitError::Interrupted(why)) if why.is_suspended()));
        let resumed = Coordinator::resume(&ENGINE, &store, &run).await.expect("a run");
        assert_eq!(text(&resumed.task("slow").result().await.unwrap()), "from outside");
        assert_eq!(resumed.status("held").await.unwrap().state, "held");
        assert!(resumed.progress().await.unwrap().open);
        resumed.submit_task(json!({"task_id": "later", "description": "here"})).await.unwrap();
        assert_eq!(text(&resumed.task("held").result().await.unwrap()), "here");
        resumed.finish().await.expect("a report")
    };
    assert_eq!((report.status, report.tasks.len()), (Status::Succeeded, 4));
    assert_eq!(report.task("slow").unwrap().attempts, 1);
}

/// What `consort resume` does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_run_that_is_resumed_as_any_other_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("runs.db"), Options::default()).unwrap();
    let coordinator = open("{}", Some(&store)).await;
    let run = coordinator.run_id().to_string();
    let task = coordinator.submit_task(json!({"task_id": "a", "description": "sleep 50"}));
    until(&task.await.unwrap(), "running").await;
    coordinator.suspend().await;
    let run = ENGINE.resume(&store, &run).await.expect("a run");
    let report = run
        .execute(Map::new(), Arc::new(Nobody), CancellationToken::new())
        .await
        .expect("a report");
    assert_eq!(summary(&report), [r#"a succeeded 1 scripted "slept""#]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_in_memory_that_nobody_can_hear_of_is_cancelled() {
    let coordinator = simple().await;
    let mut events = coordinator.subscribe();
    let task = coordinator.submit_task(json!({"task_id": "a", "description": "sleep 60000"}));
    let task = task.await.unwrap();
    until(&task, "running").await;
    drop((coordinator, task));
    let mut last = None;
    while let Some(happening) = events.next().await {
        last = Some(happening.unwrap());
    }
    let last = serde_json::to_value(last.expect("something has happened")).unwrap();
    assert_eq!((&last["event"], &last["status"]), (&json!("run_finished"), &json!("cancelled")));
}
