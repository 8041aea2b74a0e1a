//! Tasks that wait for a person.

use consort_engine::ControlError;

use super::*;

const REVIEW: &str = "
- {task_id: draft, description: a draft}
- {task_id: review, type: approval, description: 'Is \"{{ results.draft }}\" good?', depends_on: [draft]}
- {task_id: publish, description: 'published {{ results.review }}', depends_on: [review]}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_the_result() {
    for (answer, published) in [
        (json!(true), "published true"),
        (json!({"approved": true, "by": "me"}), r#"published {"approved":true,"by":"me"}"#),
        (json!("with a note"), "published with a note"),
    ] {
        let report = with(prepared(REVIEW).await, move |control, event| {
            if let RunEvent::Asked { task, question, until } = event {
                assert_eq!((&*question.prompt, *until), ("Is \"a draft\" good?", None));
                let (control, task, answer) = (control.clone(), task.to_string(), answer.clone());
                tokio::spawn(async move {
                    let status = control.status(&task).await.expect("a task");
                    assert_eq!(status.state, "asking");
                    assert_eq!(
                        status.question.as_ref().map(|question| &*question.prompt),
                        Some("Is \"a draft\" good?")
                    );
                    control.answer(&task, answer).await.expect("it waits");
                });
            }
        })
        .await;
        let publish = serde_json::to_value(report.task("publish").unwrap()).unwrap();
        assert_eq!(publish["output"], published);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_no_fails_the_task() {
    for (answer, message) in [
        (json!(false), "it was refused"),
        (json!({"approved": false, "comment": "too long"}), "it was refused: too long"),
    ] {
        let mut run = prepared(REVIEW).await;
        run.answer("review", answer);
        let report = with(run, |_, _| {}).await;
        assert_eq!(summary(&report)[1], format!("review failed 0 - refused: {message}"));
        assert_eq!(report.status, Status::Failed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_longer_than_the_task_says() {
    let report = run("
- {task_id: review, type: approval, description: 'ok?', timeouts: {total: 0.1}, on_failure: continue}
- {task_id: after, depends_on: [review], description: on}
")
    .await;
    assert_eq!(
        summary(&report),
        [
            "review failed 0 - total-timeout: not finished within 0.1 s, which is 'timeouts.total'",
            r#"after succeeded 1 scripted "on""#,
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_cannot_be_put_fails_the_task() {
    let report = run("[{task_id: review, type: approval, description: '{{ inputs.who }}?'}]").await;
    assert_eq!(
        summary(&report),
        [
            "review failed 0 - template: the description could not be filled in: `inputs.who` is undefined (line 1 of the template)"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_are_answered_one_by_one_or_all_at_once() {
    let mut run = prepared("
- {task_id: each, type: approval, for_each: [a, b, c], description: '{{ item }}?', on_failure: continue}
")
    .await;
    run.answer("each[1]", json!(false));
    run.answer("each", json!("fine"));
    let report = with(run, |_, _| {}).await;
    assert_eq!(summary(&report)[0], r#"each succeeded 0 - ["fine",null,"fine"]"#);
    assert_eq!(summary(&report)[2], "each[1] failed 0 - refused: it was refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_asks_goes_on_with_the_answer() {
    let workflow = "[{task_id: a, description: ask}, {task_id: b, depends_on: [a], description: 'in {{ results.a }}'}]";
    let report = with(prepared(workflow).await, |control, event| {
        if let RunEvent::Asked { task, question, .. } = event {
            assert!(question.by_agent && &*question.prompt == "which city?");
            let (control, task) = (control.clone(), task.to_string());
            tokio::spawn(async move {
                let wrong = control.answer(&task, json!(3)).await.expect_err("it is no text");
                assert!(matches!(wrong, ControlError::Misfit { .. }), "{wrong}");
                control.answer(&task, json!("Oslo")).await.expect("it waits");
            });
        }
    })
    .await;
    assert_eq!(
        summary(&report),
        [r#"a succeeded 1 scripted "Oslo""#, r#"b succeeded 1 scripted "in Oslo""#]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_nobody_will_answer_fails_the_task() {
    let report = with(prepared("[{task_id: a, description: ask}]").await, |control, event| {
        if let RunEvent::Asked { task, .. } = event {
            let (control, task) = (control.clone(), task.to_string());
            tokio::spawn(async move {
                control.refuse(&task, "nobody is there").await.expect("it waits");
            });
        }
    })
    .await;
    let said = &summary(&report)[0];
    assert!(
        said.starts_with("a failed 1 scripted needs-input: the agent asks 'which city?'"),
        "{said}"
    );
}
