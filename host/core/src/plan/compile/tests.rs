use super::*;
use crate::plan::{AgentIx, Budget, Deadline, Resources, Timeouts};
use crate::problem::Severity;
use crate::spec::{Format, parse};

/// The first second of 2026.
const NOW: i64 = 1_767_225_600_000;

fn known() -> Known {
    Known {
        adapters: vec!["local".into(), "echo".into()],
        transformers: vec!["jq".into(), "text".into()],
        default_agent: Some("local".into()),
        ..Default::default()
    }
}

fn plan(text: &str) -> Result<Plan, Vec<Problem>> {
    parse(text, Format::guess("", text)).and_then(|document| compile(document, &known(), NOW))
}

/// Each task as `id <- dependency …`; `(x)` is waited for but not passed on.
fn edges(text: &str) -> Vec<String> {
    drawn(&plan(text).unwrap())
}

fn drawn(plan: &Plan) -> Vec<String> {
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
    lines(&plan(text).unwrap_err())
}

fn lines(problems: &[Problem]) -> Vec<String> {
    problems
        .iter()
        .map(|p| {
            let severity = match p.severity {
                Severity::Error => "",
                Severity::Warning => "warning ",
            };
            format!("{severity}{} {p} [{}]", p.code, p.hint.as_deref().unwrap_or(""))
        })
        .collect()
}

/// A file of the specification's examples, compiled for a host with its agents.
fn specified(name: &str) -> Plan {
    let path =
        format!("{}/../../tests/fixtures/specification/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let agents = ["LangchainWorker", "CrewAIWorker", "AutogenWorker"];
    let known = Known { adapters: agents.map(String::from).to_vec(), ..known() };
    let known = Known { default_agent: Some("CrewAIWorker".into()), ..known };
    let plan = compile(parse(&text, Format::Json).unwrap(), &known, NOW).unwrap();
    assert_eq!(plan.warnings, []);
    plan
}

#[test]
fn the_examples_of_the_specification_compile_as_they_stand() {
    let basic = specified("basic-task");
    let settings = &basic.tasks[0].settings;
    assert_eq!((&*settings.kind, settings.priority), ("research", 5));
    assert_eq!(settings.timeouts.attempt, 300_000);
    assert_eq!(settings.url.as_deref(), Some("http://localhost:8080/langchain"));
    let collaborative = specified("collaborative-task");
    assert_eq!(collaborative.tasks[0].work, Work::Join);
    assert_eq!(collaborative.tasks[0].settings.metadata["topic"], "task orchestration");
    assert_eq!(drawn(&collaborative), ["report <- gather write", "gather <-", "write <- gather"]);
    let chain = specified("simple-chain");
    assert_eq!(drawn(&chain), ["research <-", "analysis <- research"]);
    assert_eq!(
        drawn(&specified("complex-workflow")),
        [
            "project <- data_collection preprocessing analysis",
            "data_collection <-",
            "preprocessing <- data_collection",
            "analysis <- preprocessing",
        ]
    );
    let retry = specified("retry-policy").tasks[0].settings.retry;
    assert_eq!((retry.max_attempts, retry.backoff), (3, crate::retry::Backoff::Exponential));
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
            "duplicate-id tasks[2].task_id: the id 'b' is taken [ids are unique in the whole run]",
            "unknown-adapter agents.A.adapter: there is no adapter 'locl' [did you mean 'local'?]",
            "self-dependency tasks[0].depends_on[1]: task 'a' waits for itself [remove this dependency]",
            "missing-dependency tasks[0].depends_on[2]: there is no task 'research' [did you mean 'reserch'?]",
            "unknown-agent tasks[0].agent: there is no agent 'B' [define it under 'agents', in the workflow or in the host's configuration]",
            "out-of-range tasks[1].priority: 11 is not a priority [priorities go from 1 to 10, 10 first]",
            "unknown-transformer tasks[1].transform[0]: there is no transformer 'jqq' [did you mean 'jq'?]",
            "bad-template tasks[2].description: unexpected end of input, expected end of variable block (line 1 of the template) [gaps are written {{ inputs.name }}, with the filters and tests of Jinja; {% raw %} … {% endraw %} keeps braces as they are]",
            "bad-deadline tasks[2].deadline: 'soon' is neither a time nor a duration [write RFC 3339 (2027-01-31T12:00:00Z) or a duration from submission (90s, 1h 30m)]",
            "out-of-range tasks[2].timeout: -1 is not a time in seconds [give a number from 0 to 31622400 (a year)]",
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
    assert_eq!(plan.tasks[0].work, Work::Agents([AgentIx(0), AgentIx(1)].into()));
    assert_eq!(plan.tasks[0].settings.on_failure, OnFailure::Skip);
    assert_eq!(
        (plan.tasks[0].settings.retry.max_attempts, plan.tasks[0].settings.retry.jitter),
        (3, 1.0)
    );
    assert_eq!(plan.tasks[1].settings.on_failure, OnFailure::Continue);
    assert_eq!(plan.tasks[1].settings.deadline, Some(Deadline::After(5_400_000)));
}

#[test]
fn every_field_of_a_task_reaches_the_plan() {
    let text = r#"{
        "name": "all", "deadline": "2h", "on_conflict": "hold", "budget": {"tokens": 9, "cost": 1.5},
        "tasks": [{"task_id": "a", "labels": {"team": "x"}}, {
            "task_id": "b", "type": "work", "description": "do {{ item }} of {{ results.in }}",
            "agent": "echo", "url": "http://e/", "depends_on": [{"task": "a", "as": "in", "transform": ["jq"]}],
            "timeout": 1.5, "timeouts": {"queue": 2, "idle": 1, "total": 4}, "priority": 9,
            "deadline": "2030-01-01T00:00:00Z", "retry_policy": {"max_attempts": 2, "max_delay": 5},
            "input": {"k": [1]}, "metadata": {"m": null}, "labels": {"l": "v"},
            "transform": [{"transformer": "text", "config": {"upper": true}}],
            "when": "results.in", "for_each": ["x", 2], "max_parallel": 3,
            "resources": {"fuel": 1, "memory": 2, "network": {"bytes": 3, "bytes_per_second": 4}, "slots": 5},
            "cache": {"key": "{{ item }}", "ttl": "1m"}, "on_failure": {"fallback": ["local"]},
            "expected_duration": 0.25
        }, {"task_id": "ask", "type": "approval", "description": "go on?"}]}"#;
    let plan = plan(text).unwrap();
    assert_eq!(plan.warnings, []);
    assert_eq!((&*plan.name, plan.deadline), ("all", Some(Deadline::After(7_200_000))));
    assert_eq!(plan.budget, Budget { tokens: Some(9), cost: Some(1.5) });
    assert_eq!(plan.on_conflict, ConflictRule::Hold);
    let task = &plan.tasks[1];
    assert_eq!(task.work, Work::Agents([AgentIx(1), AgentIx(0)].into()));
    let edge = &task.dependencies[0];
    assert_eq!((&*edge.name, edge.task, &*edge.transform[0].plugin), ("in", TaskIx(0), "jq"));
    let settings = &*task.settings;
    assert_eq!((&*settings.kind, settings.url.as_deref()), ("work", Some("http://e/")));
    let timeouts =
        Timeouts { attempt: 1_500, queue: Some(2_000), idle: Some(1_000), total: Some(4_000) };
    assert_eq!((settings.timeouts, settings.priority), (timeouts, 9));
    assert_eq!(settings.deadline, Some(Deadline::At(1_893_456_000_000)));
    assert_eq!((settings.retry.max_attempts, settings.retry.max_delay), (2, 5_000));
    assert_eq!(settings.input, Some(serde_json::json!({"k": [1]})));
    assert_eq!(settings.metadata["m"], serde_json::Value::Null);
    assert_eq!(settings.labels["l"], "v");
    assert_eq!(settings.transform[0].config["upper"], true);
    assert_eq!(&**settings.when.as_ref().unwrap().source(), "results.in");
    let each = settings.for_each.as_ref().unwrap();
    assert_eq!(each.items, Items::Literal(["x".into(), 2.into()].into()));
    assert_eq!(each.max_parallel, Some(3));
    let resources = Resources {
        fuel: Some(1),
        memory: Some(2),
        network_bytes: Some(3),
        network_rate: Some(4),
        slots: Some(5),
    };
    assert_eq!(settings.resources, resources);
    let cache = settings.cache.as_ref().unwrap();
    assert_eq!((&**cache.key.as_ref().unwrap().source(), cache.ttl), ("{{ item }}", Some(60_000)));
    assert_eq!((settings.on_failure, settings.expected), (OnFailure::Fail, 250));
    assert_eq!(plan.tasks[2].work, Work::Approval);
    assert!(plan.tasks[2].settings.timeouts.attempt > 30_000_000_000, "people take their time");
}

#[test]
fn what_a_collaborative_task_says_holds_for_its_steps() {
    let text = "
- task_id: check
- task_id: group
  type: collaborative_task
  depends_on: [check]
  agent: echo
  priority: 8
  on_failure: skip
  when: results.check.ok
  steps:
    - {task_id: first, when: inputs.go}
    - {task_id: aside, depends_on: [], priority: 2}
    - {task_id: last, agent: local}
";
    let plan = plan(text).unwrap();
    let said = |id: &str| {
        let task = plan.task(plan.find(id).unwrap());
        let when = task.settings.when.as_ref().map(|when| when.source().to_string());
        let Work::Agents(agents) = &task.work else { panic!("{id} is done by agents") };
        let agent = &*plan.agent(agents[0]).name;
        (agent, task.settings.priority, task.settings.on_failure, when)
    };
    let both = Some("(results.check.ok) and (inputs.go)".to_owned());
    assert_eq!(said("first"), ("echo", 8, OnFailure::Skip, both));
    // It waits for no other step, so it needs the condition and what that reads.
    assert_eq!(said("aside"), ("echo", 2, OnFailure::Skip, Some("results.check.ok".to_owned())));
    assert_eq!(said("last"), ("local", 8, OnFailure::Skip, None));
    assert_eq!(
        drawn(&plan),
        [
            "check <-",
            "group <- first aside last",
            "first <- check",
            "aside <- check",
            "last <- first aside",
        ]
    );
}

#[test]
fn tasks_that_say_the_same_share_their_settings() {
    let text = "
- {task_id: a}
- {task_id: b, depends_on: [a]}
- {task_id: c, priority: 7}
- {task_id: d, priority: 7}
";
    let plan = plan(text).unwrap();
    let same = |a: usize, b: usize| Arc::ptr_eq(&plan.tasks[a].settings, &plan.tasks[b].settings);
    assert_eq!((same(0, 1), same(1, 2), same(2, 3)), (true, false, true));
}
