//! Tasks that are added to a run while it goes on.

use consort_engine::ControlError;
use consort_engine::control::AddOutcome;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_adds_tasks_that_depend_on_others_and_on_each_other() {
    let report = run(r#"
- {task_id: a, description: first}
- task_id: b
  depends_on: [a]
  description: spawn
  input:
    - {"task_id": "d", "depends_on": ["c"], "for_each": [1, 2], "description": "{{ item }} {{ results.c }}"}
    - {"task_id": "c", "depends_on": ["a", "b"], "description": "{{ results.a }} and {{ results.b }}"}
    - {"task_id": "e", "type": "collaborative_task", "depends_on": ["a"], "steps": [{"task_id": "f", "description": "step {{ results.a }}"}]}
"#)
    .await;
    let mut lines = summary(&report);
    lines.sort();
    assert_eq!(
        lines,
        [
            r#"a succeeded 1 scripted "first""#,
            r#"b succeeded 1 scripted "spawned""#,
            r#"c succeeded 1 scripted "first and spawned""#,
            r#"d succeeded 0 - ["1 first and spawned","2 first and spawned"]"#,
            r#"d[0] succeeded 1 scripted "1 first and spawned""#,
            r#"d[1] succeeded 1 scripted "2 first and spawned""#,
            r#"e succeeded 0 - {"f":"step first"}"#,
            r#"f succeeded 1 scripted "step first""#,
        ]
    );
    assert_eq!(report.status, Status::Succeeded);
    assert!(report.not_added.is_empty());
}

/// What was not added, and why.
fn not_added(report: &Report) -> Vec<String> {
    let list = report.not_added.iter();
    list.map(|one| {
        format!("{} by {}: {}", one.task_id, one.by.as_deref().unwrap_or("-"), one.reason)
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_not_added_and_the_task_that_wanted_it_has_succeeded() {
    let report = run(r#"
- task_id: a
  description: spawn
  input:
    - {"task_id": "a"}
    - {"task_id": "x", "depends_on": ["nobody"]}
    - {"task_id": "y", "agent": "echo"}
    - {"task_id": "z", "descriptoin": "?"}
    - {"description": "nameless"}
    - 7
    - {"task_id": "e", "depends_on": ["f"]}
    - {"task_id": "f", "depends_on": ["e"]}
    - {"task_id": "a[0]"}
    - {"task_id": "good", "description": "ok"}
"#)
    .await;
    assert_eq!(
        summary(&report),
        [r#"a succeeded 1 scripted "spawned""#, r#"good succeeded 1 scripted "ok""#]
    );
    let list = not_added(&report);
    let said = |id: &str, part: &str| {
        let found = list.iter().any(|one| one.starts_with(id) && one.contains(part));
        assert!(found, "{id}: {part} is not in {list:#?}");
    };
    assert_eq!(list.len(), 9, "{list:#?}");
    said("e by a", "it would wait for itself: e -> f -> e");
    said("f by a", "f");
    said("a[0] by a", "there is a task 'a[0]' in the run already");
    said("a by a", "there is a task 'a' in the run already");
    said("x by a", "it depends on 'nobody', which is not in the run");
    said("y by a", "there is no agent 'echo'");
    said("z by a", "did you mean 'description'?");
    said("? by a", "task_id");
    said("? by a", "a task is an object");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_run_decides_what_happens_to_tasks_that_do_not_fit() {
    let report = run(r#"
on_conflict: hold
tasks:
  - task_id: a
    description: spawn
    input:
      - {"task_id": "x", "depends_on": ["y"], "description": "{{ results.y }}!"}
      - {"task_id": "never", "depends_on": ["nobody"]}
  - {task_id: b, depends_on: [a], description: spawn, input: [{"task_id": "y", "description": "late"}]}
"#)
    .await;
    let mut lines = summary(&report);
    lines.sort();
    assert_eq!(
        lines,
        [
            r#"a succeeded 1 scripted "spawned""#,
            r#"b succeeded 1 scripted "spawned""#,
            r#"x succeeded 1 scripted "late!""#,
            r#"y succeeded 1 scripted "late""#,
        ]
    );
    assert_eq!(not_added(&report), ["never by a: it depends on 'nobody', which is not in the run"]);
    let report = run(r#"
on_conflict: admit
tasks:
  - task_id: a
    description: spawn
    input: [{"task_id": "x", "depends_on": ["a", "nobody"], "description": "tell"}]
"#)
    .await;
    let x = serde_json::to_value(report.task("x").unwrap()).unwrap();
    assert_eq!(x["output"]["given"], json!(["a"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_are_added_from_outside_with_an_answer_for_each() {
    let run = prepared(
        "
tasks:
  - {task_id: a, description: sleep 60000}
  - {task_id: b, type: approval, description: 'enough?'}
",
    )
    .await;
    let control = run.control();
    let ending = tokio::spawn(with(run, |_, _| {}));
    let answer = control
        .add(json!([
            {"task_id": "c", "depends_on": ["b"], "description": "after {{ results.b }}"},
            {"task_id": "d", "depends_on": ["nobody"]},
        ]))
        .await
        .expect("valid tasks");
    let said: Vec<String> = answer
        .iter()
        .map(|one| {
            let conflicts: Vec<&str> =
                one.conflicts.iter().map(|problem| problem.message.as_str()).collect();
            format!("{} {:?} {}", one.task_id, one.outcome, conflicts.join("; "))
        })
        .collect();
    assert_eq!(answer[0].outcome, AddOutcome::Added, "{said:?}");
    assert_eq!(said[1], "d Rejected it depends on 'nobody', which is not in the run");
    let ControlError::Invalid(problems) =
        control.add(json!({"task_id": "g", "agent": "nobody"})).await.unwrap_err()
    else {
        panic!("the agent does not exist");
    };
    assert_eq!((problems[0].code, problems[0].path.as_str()), ("unknown-agent", "agent"));
    assert_eq!(control.status("c").await.unwrap().state, "blocked");
    control.answer("b", json!("all")).await.unwrap();
    control.cancel_task("a").await.unwrap();
    let report = ending.await.unwrap();
    assert_eq!(summary(&report)[2], r#"c succeeded 1 scripted "after all""#);
}
