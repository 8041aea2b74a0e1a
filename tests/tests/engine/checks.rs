//! What plugins say about a document before any of its tasks runs.

use super::*;

/// Everything the engine finds, in the order in which it does.
async fn found(text: &str) -> Vec<String> {
    let document = parse(text, Format::Yaml).unwrap_or_else(|problems| panic!("{problems:?}"));
    let needs = compile_with_needs(document, ENGINE.known(), now()).needs;
    let problems = ENGINE.check(&needs, "priority").await;
    problems.iter().map(|problem| format!("{} {}", problem.code, problem.path)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_compiled_is_found_in_its_place() {
    let text = "
- {task_id: a, transform: [text, {transformer: jq, config: {filter: '.a |'}}]}
- {task_id: a, transform: [{transformer: jq, config: {filter: '.a |'}}]}
- {task_id: b, depends_on: [nobody, {task: a, transform: [{transformer: template, config: {template: '{{'}}]}]}
- {task_id: c, transform: [{transformer: json-schema, config: {schema: {type: strnig}}}, {transformer: hop}]}
";
    assert_eq!(
        found(text).await,
        [
            "bad-config [0].transform[1].config.filter",
            "bad-config [2].depends_on[1].transform[0].config.template",
            "bad-config [3].transform[0].config.schema",
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_are_checked_whether_or_not_anybody_uses_them() {
    let text = "
agents:
  lost: {adapter: http-json}
  told: {adapter: http-json}
  idle: {adapter: openai, config: {api_key: NOT_THERE}}
  deaf: {adapter: echo, url: 'http://agents.example'}
tasks:
  - {task_id: a, agent: lost}
  - {task_id: b, agent: told, url: 'http://agents.example'}
  - {task_id: c, agent: deaf, url: 'http://others.example'}
  - {task_id: d, agent: langgraph}
  - {task_id: e, agent: deaf, url: nonsense, on_failure: {fallback: [told]}}
";
    assert_eq!(
        found(text).await,
        [
            "missing-url agents.lost",
            "useless-url agents.deaf.url",
            "missing-url tasks[3].agent",
            "bad-config agents.idle.config",
            "missing-url agents.idle",
            "useless-url tasks[2].url",
            "bad-url tasks[4].url",
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_check_is_one_more_problem() {
    let uses = ["check_trap", "check_flood", "check_nonsense", "check_spin", "check_huge"];
    let more = (0..50).map(|n| format!("check_trap, n: {n}"));
    let uses = uses
        .into_iter()
        .map(str::to_owned)
        .chain(more)
        .map(|what| format!("{{transformer: hostile-transformer, config: {{do: {what}}}}}"));
    let text = format!("[{{task_id: a, transform: [{}]}}]", uses.collect::<Vec<_>>().join(", "));
    let found = found(&text).await;
    let of = |code: &str| found.iter().filter(|found| found.starts_with(code)).count();
    // After three faults it is not asked again.
    assert_eq!((of("plugin "), of("bad-config "), found.len()), (3, 21, 24), "{found:?}");
    assert_eq!(found[0], "plugin [0].transform[0].config");
    assert_eq!(found[21], "bad-config [0].transform[2].config");
}
