use super::*;
use crate::spec::{Format, parse};

fn known() -> Known {
    Known {
        adapters: vec!["local".into(), "echo".into()],
        transformers: vec!["jq".into(), "text".into()],
        default_agent: Some("local".into()),
        ..Default::default()
    }
}

fn plan(text: &str) -> Result<Plan, Vec<Problem>> {
    parse(text, Format::guess("", text)).and_then(|document| compile(document, &known()))
}

/// Each task as `id <- dependency …`; `(x)` is waited for but not passed on.
fn edges(text: &str) -> Vec<String> {
    let plan = plan(text).unwrap();
    plan.tasks
        .iter()
        .map(|task| {
            let mut line = format!("{} <-", task.id);
            for edge in &task.dependencies {
                let id = &plan.task(edge.task).id;
                line += &if edge.forward { format!(" {id}") } else { format!(" ({id})") };
            }
            line
        })
        .collect()
}

fn problems(text: &str) -> Vec<String> {
    let problems = plan(text).unwrap_err();
    problems
        .iter()
        .map(|p| format!("{} {p} [{}]", p.code, p.hint.as_deref().unwrap_or("")))
        .collect()
}

#[test]
fn the_complex_workflow_of_the_specification() {
    let text = r#"{"task_id": "project", "type": "collaborative_task", "steps": [
        {"task_id": "data_collection", "agent": "local", "parallel": true},
        {"task_id": "preprocessing", "agent": "echo", "depends_on": ["data_collection"]},
        {"task_id": "analysis", "agent": "local", "depends_on": ["preprocessing"]}]}"#;
    assert_eq!(
        edges(text),
        [
            "project <- data_collection preprocessing analysis",
            "data_collection <-",
            "preprocessing <- data_collection",
            "analysis <- preprocessing",
        ]
    );
}

#[test]
fn steps_run_in_order_and_parallel_ones_together() {
    let text = "
- task_id: before
- task_id: p
  type: collaborative_task
  depends_on: [before]
  steps:
    - task_id: a
    - {task_id: b, parallel: true}
    - task_id: c
    - {task_id: d, depends_on: [a]}
    - task_id: e
- {task_id: after, depends_on: [p]}
";
    assert_eq!(
        edges(text),
        [
            "before <-",
            "p <- a b c d e",
            "a <- before",
            "b <- before",
            "c <- a b",
            "d <- a",
            "e <- c d",
            "after <- p",
        ]
    );
}

#[test]
fn nested_steps_wait_for_what_stands_around_them() {
    let text = "
- task_id: before
- task_id: outer
  type: collaborative_task
  depends_on: [before]
  steps:
    - task_id: first
    - task_id: inner
      type: collaborative_task
      steps:
        - task_id: x
        - {task_id: y, depends_on: []}
    - task_id: last
";
    assert_eq!(
        edges(text),
        [
            "before <-",
            "outer <- first inner last",
            "first <- before",
            "inner <- x y",
            "x <- first",
            "y <- (first)",
            "last <- inner",
        ]
    );
}

#[test]
fn problems_are_found_all_at_once() {
    let text = "
agents:
  A: {adapter: locl}
tasks:
  - {task_id: a, agent: B, depends_on: [b, a, research]}
  - {task_id: b, agent: A, priority: 11, transform: [jqq]}
  - {task_id: b, timeout: -1, deadline: soon, description: '{{ x'}
  - {task_id: reserch, depends_on: [c]}
  - {task_id: c, depends_on: [reserch]}
";
    assert_eq!(
        problems(text),
        [
            "unknown-adapter agents.A.adapter: there is no adapter 'locl' [did you mean 'local'?]",
            "duplicate-id tasks[2].task_id: the id 'b' is taken [tasks[1] has it; ids are unique in the whole run]",
            "self-dependency tasks[0].depends_on[1]: task 'a' waits for itself [remove this dependency]",
            "missing-dependency tasks[0].depends_on[2]: there is no task 'research' [did you mean 'reserch'?]",
            "unknown-agent tasks[0].agent: there is no agent 'B' [define it under 'agents', in the workflow or in the host's configuration]",
            "out-of-range tasks[1].priority: 11 is not a priority [priorities go from 1 to 10, 10 first]",
            "unknown-transformer tasks[1].transform[0]: there is no transformer 'jqq' [did you mean 'jq'?]",
            "bad-template tasks[2].description: unexpected end of input, expected end of variable block (line 1 of the template) []",
            "out-of-range tasks[2].timeout: -1 is not a time in seconds [give a number from 0 to 31622400 (a year)]",
            "bad-deadline tasks[2].deadline: 'soon' is neither a time nor a duration [write RFC 3339 (2027-01-31T12:00:00Z) or a duration from submission (90s, 1h 30m)]",
            "cycle tasks[3].depends_on: these tasks wait for each other: reserch -> c -> reserch [remove one of these dependencies]",
        ]
    );
}

#[test]
fn fallbacks_and_defaults_become_agents() {
    let text = "
on_failure: skip
tasks:
  - {task_id: a, on_failure: {fallback: [echo]}, retry_policy: {max_attempts: 3, jitter: true}}
  - {task_id: b, on_failure: continue, deadline: 1h 30m}
";
    let plan = plan(text).unwrap();
    let names: Vec<_> = plan.agents.iter().map(|agent| &*agent.name).collect();
    assert_eq!(names, ["local", "echo"]);
    assert_eq!(plan.tasks[0].work, Work::Agents(vec![AgentIx(0), AgentIx(1)]));
    assert_eq!(plan.tasks[0].on_failure, OnFailure::Skip);
    assert_eq!((plan.tasks[0].retry.max_attempts, plan.tasks[0].retry.jitter), (3, 1.0));
    assert_eq!(plan.tasks[1].on_failure, OnFailure::Continue);
    assert_eq!(plan.tasks[1].deadline, Some(crate::plan::Deadline::After(5_400_000)));
}
