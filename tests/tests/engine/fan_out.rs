//! Conditions and fan-outs: what is done at all, and for which items.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_skipped_unless_its_condition_holds() {
    let report = run("
inputs: {n: 3}
tasks:
  - {task_id: a, description: hello}
  - {task_id: long, depends_on: [a], when: results.a | length > inputs.n, description: it is}
  - {task_id: short, depends_on: [a], when: results.a | length <= inputs.n, description: it is}
  - {task_id: after, depends_on: [short]}
  - {task_id: labelled, labels: {k: v}, when: labels.k == 'v' and metadata.m == 1, metadata: {m: 1}, description: yes}
")
    .await;
    assert_eq!(
        summary(&report),
        [
            r#"a succeeded 1 scripted "hello""#,
            r#"long succeeded 1 scripted "it is""#,
            "short skipped 0 - condition: its condition is false: results.a | length <= inputs.n",
            "after skipped 0 - skipped: it depends on 'short', which has no result",
            r#"labelled succeeded 1 scripted "yes""#,
        ]
    );
    assert_eq!(report.status, Status::Succeeded);
    let after = serde_json::to_value(report.task("after").unwrap()).unwrap();
    assert_eq!(after["error"]["cause"], "short");
    let labelled = serde_json::to_value(report.task("labelled").unwrap()).unwrap();
    assert_eq!(labelled["labels"], json!({"k": "v"}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_waited_for_may_be_skipped_and_its_dependents_go_on() {
    let report = run("
- {task_id: a, when: 1 > 2, on_failure: continue}
- task_id: b
  depends_on: [a]
  description: '{% if results.a is defined %}with{% else %}without{% endif %}'
")
    .await;
    assert_eq!(summary(&report)[1], r#"b succeeded 1 scripted "without""#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expression_that_breaks_fails_its_task_with_the_reason() {
    let report = run("
on_failure: continue
inputs: {x: {a: 1}}
tasks:
  - {task_id: a, when: inputs.y.z > 1}
  - {task_id: b, for_each: inputs.x}
  - {task_id: c, for_each: 'range(9)', when: 'inputs.x.b == 1 or true'}
")
    .await;
    assert_eq!(
        summary(&report),
        [
            "a failed 0 - expression: 'when' could not be worked out: `inputs.y.z` is undefined (line 1 of the template)",
            "b failed 0 - expression: 'for_each' is an object, and a list is needed",
            "c failed 0 - expression: 'when' could not be worked out: something in `inputs.x.b == 1 or true` is undefined (line 1 of the template)",
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_done_for_each_item_and_its_result_is_their_list() {
    let report = run("
tasks:
  - {task_id: list, description: '[1, 2, 3]', transform: [{transformer: jq, config: {filter: fromjson}}]}
  - task_id: each
    depends_on: [list]
    for_each: results.list
    max_parallel: 2
    description: '{{ item }} of {{ results.list | length }} at {{ item_index }}'
  - {task_id: reduce, depends_on: [each], description: '{{ results.each[2] }}; {{ results.each | length }}'}
")
    .await;
    assert_eq!(
        summary(&report),
        [
            "list succeeded 1 scripted [1,2,3]",
            r#"each succeeded 0 - ["1 of 3 at 0","2 of 3 at 1","3 of 3 at 2"]"#,
            r#"each[0] succeeded 1 scripted "1 of 3 at 0""#,
            r#"each[1] succeeded 1 scripted "2 of 3 at 1""#,
            r#"each[2] succeeded 1 scripted "3 of 3 at 2""#,
            r#"reduce succeeded 1 scripted "3 of 3 at 2; 3""#,
        ]
    );
    let each = serde_json::to_value(report.task("each").unwrap()).unwrap();
    assert_eq!(each["items"], 3);
    assert!(each["started"].is_string() && each["finished"].is_string());
    assert_eq!(report.metrics.tasks["succeeded"], 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_is_the_input_and_stands_for_the_result_it_is_from() {
    let report = run("
tasks:
  - {task_id: list, description: '[\"x\", {\"y\": 1}]', transform: [{transformer: jq, config: {filter: fromjson}}]}
  - {task_id: style, description: short}
  - {task_id: each, depends_on: [list, style], for_each: results.list, description: tell}
  - {task_id: own, depends_on: [list], for_each: results.list, description: tell, input: mine}
")
    .await;
    let output =
        |id: &str| serde_json::to_value(report.task(id).unwrap()).unwrap()["output"].clone();
    assert_eq!(
        output("each"),
        json!([
            {"id": "each[0]", "key": "each[0]", "input": "x", "given": ["style"]},
            {"id": "each[1]", "key": "each[1]", "input": {"y": 1}, "given": ["style"]},
        ])
    );
    assert_eq!(output("own[1]")["input"], "mine");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transformers_of_a_task_see_its_items_and_those_of_an_edge_the_list() {
    let report = run("
- task_id: each
  for_each: [b, a]
  description: '{{ item }}'
  transform: [{transformer: jq, config: {filter: '. + \"!\"'}}]
- task_id: all
  agent: echo
  depends_on: [{task: each, transform: [{transformer: jq, config: {filter: sort}}]}]
  transform: [{transformer: jq, config: {filter: .dependencies.each}}]
- {task_id: none, for_each: []}
")
    .await;
    assert_eq!(
        summary(&report),
        [
            r#"each succeeded 0 - ["b!","a!"]"#,
            r#"each[0] succeeded 1 scripted "b!""#,
            r#"each[1] succeeded 1 scripted "a!""#,
            r#"all succeeded 1 echo ["a!","b!"]"#,
            "none succeeded 0 - []",
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_s_failure_reaches_as_far_as_on_failure_says() {
    let report = run("
- {task_id: goes_on, for_each: [refuse, fine], description: '{{ item }}', on_failure: continue}
- {task_id: after, depends_on: [goes_on], description: '{{ results.goes_on }}'}
- {task_id: skips, for_each: [refuse, fine], description: '{{ item }}', on_failure: skip}
- {task_id: skipped, depends_on: [skips]}
- {task_id: tries, for_each: [fail until 2], description: '{{ item }}', retry_policy: {max_attempts: 2, backoff: none}}
")
    .await;
    assert_eq!(
        summary(&report),
        [
            r#"goes_on succeeded 0 - [null,"fine"]"#,
            "goes_on[0] failed 1 scripted permanent: no",
            r#"goes_on[1] succeeded 1 scripted "fine""#,
            r#"after succeeded 1 scripted "[null,\"fine\"]""#,
            "skips failed 0 - items: 1 of 2 items have no result, first of all 'skips[0]': no",
            "skips[0] failed 1 scripted permanent: no",
            r#"skips[1] succeeded 1 scripted "fine""#,
            "skipped skipped 0 - skipped: it depends on 'skips', which has no result",
            r#"tries succeeded 0 - ["fail until 2"]"#,
            r#"tries[0] succeeded 2 scripted "fail until 2""#,
        ]
    );
    assert_eq!(report.status, Status::Succeeded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_item_stops_the_run_unless_it_may_fail() {
    let report = run("
- {task_id: each, for_each: [refuse, sleep 60000], description: '{{ item }}'}
- {task_id: other, description: sleep 60000}
")
    .await;
    assert_eq!(report.status, Status::Failed);
    assert_eq!(
        summary(&report)[1..],
        [
            "each[0] failed 1 scripted permanent: no",
            "each[1] cancelled 1 scripted cancelled: the run failed before it was done",
            "other cancelled 1 scripted cancelled: the run failed before it was done",
        ]
    );
    assert_eq!(report.task("each").unwrap().status, Status::Failed);
    let reason = serde_json::to_value(&report.reason).unwrap();
    assert_eq!(reason["kind"], "task-failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_items_of_a_long_list_take_time_in_proportion() {
    let items: Vec<Value> = (0..10_000).map(|n| json!({"n": n, "text": "x".repeat(100)})).collect();
    let workflow = json!({"inputs": {"items": items}, "tasks": [
        {"task_id": "all", "for_each": "inputs.items", "agent": "scripted", "description": "{{ item.n }}"},
        {"task_id": "last", "depends_on": ["all"], "description": "{{ results.all[9999] }}"},
    ]});
    let report = run(&workflow.to_string()).await;
    assert_eq!(report.metrics.tasks["succeeded"], 10_002);
    let last = serde_json::to_value(report.task("last").unwrap()).unwrap();
    assert_eq!(last["output"], "9999");
}
