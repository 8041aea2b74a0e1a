//! What is done to a run while it goes on.

use consort_engine::ControlError;
use tokio::sync::mpsc::unbounded_channel;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_or_all_that_depend_on_it_are_cancelled() {
    const TEXT: &str = "
- {task_id: a, description: sleep 60000}
- {task_id: b, depends_on: [a]}
- {task_id: c, description: x}
";
    let report = with(prepared(TEXT).await, |control, event| {
        if let RunEvent::TaskStarted { task, .. } = event
            && **task == *"a"
        {
            let control = control.clone();
            tokio::spawn(async move { control.cancel_task("a").await.expect("a task") });
        }
    })
    .await;
    assert_eq!(
        summary(&report),
        [
            "a cancelled 1 scripted cancelled: it was cancelled",
            "b skipped 0 - skipped: it depends on 'a', which has no result",
            r#"c succeeded 1 scripted "x""#,
        ]
    );
    assert_eq!((report.status, report.reason), (Status::Succeeded, None));
    let report = with(prepared(TEXT).await, |control, event| {
        if let RunEvent::TaskStarted { task, .. } = event
            && **task == *"a"
        {
            let control = control.clone();
            tokio::spawn(async move { control.cancel_subtree("a").await.expect("a task") });
        }
    })
    .await;
    assert_eq!(summary(&report)[1], "b cancelled 0 - cancelled: it was cancelled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_cancelled() {
    let run = prepared("[{task_id: a, description: sleep 60000}, {task_id: b, depends_on: [a]}]");
    let report = with(run.await, |control, event| {
        if let RunEvent::TaskStarted { .. } = event {
            let control = control.clone();
            tokio::spawn(async move { control.cancel().await.expect("a run") });
        }
    })
    .await;
    assert_eq!(
        summary(&report),
        [
            "a cancelled 1 scripted cancelled: the run was cancelled",
            "b cancelled 0 - cancelled: the run was cancelled",
        ]
    );
    assert_eq!(report.reason.unwrap().kind, "cancelled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_starts_in_a_pause() {
    let run =
        prepared("[{task_id: a, description: x}, {task_id: b, depends_on: [a], description: y}]");
    let run = run.await;
    let (seen, mut events) = unbounded_channel();
    let control = run.control();
    let paused = control.clone();
    // Before the run begins; carried out when it does.
    let mut pause = Box::pin(async move { paused.pause().await });
    assert!(futures::poll!(&mut pause).is_pending(), "the run has not begun");
    let ending = tokio::spawn(with(run, move |_, event| {
        let word = match event {
            RunEvent::Paused => "paused".to_owned(),
            RunEvent::Resumed => "resumed".to_owned(),
            RunEvent::TaskStarted { task, .. } => format!("{task} started"),
            _ => return,
        };
        let _ = seen.send(word);
    }));
    pause.await.expect("a run");
    while control.status("a").await.expect("a task").state == "running" {
        tokio::task::yield_now().await;
    }
    control.resume().await.expect("a run");
    let report = ending.await.unwrap();
    assert_eq!(report.status, Status::Succeeded);
    let mut words = Vec::new();
    while let Some(word) = events.recv().await {
        words.push(word);
    }
    let place = |word: &str| words.iter().position(|one| one == word).expect(word);
    assert!(
        place("paused") < place("resumed") && place("resumed") < place("b started"),
        "{words:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_make_no_sense_are_refused() {
    let run = prepared("[{task_id: alpha, description: sleep 60000}]").await;
    let control = run.control();
    let ending = tokio::spawn(with(run, |_, _| {}));
    let error = control.answer("alhpa", json!(true)).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no task 'alhpa'; did you mean 'alpha'?");
    let error = control.answer("alpha", json!(true)).await.unwrap_err();
    assert!(matches!(error, ControlError::NotAsked { .. }), "{error}");
    assert!(control.status("alpha[0]").await.is_err());
    control.cancel().await.unwrap();
    ending.await.unwrap();
    assert_eq!(control.cancel().await, Err(ControlError::Over));
    assert_eq!(control.status("alpha").await, Err(ControlError::Over));
}
