//! Large results of a run that is recorded: they are in the store, and whoever
//! needs them sees what they would see in memory.

use consort_engine::coordinator::Opening;
use consort_engine::output::Form;
use consort_engine::retry::Again;
use consort_engine::{Coordinator, Output, Payload, Retry};

use super::*;

/// Everything that is done with results, where most are of 100 to 300 KB.
const FLOW: &str = r#"
agents: {E: {adapter: echo}, S: {adapter: scripted}}
tasks:
  - task_id: text
    description: "0123456789"
    transform: [{transformer: jq, config: {filter: ". * 30000"}}]
  - task_id: doc
    description: x
    transform: [{transformer: jq, config: {filter: '{items: ["a", "b"], pad: ("é\n" * 90000)}'}}]
  - task_id: when
    description: 'has {{ results.text | length }}'
    depends_on: [text]
    when: results.text | length == 300000
  - {task_id: never, description: never, depends_on: [text], when: results.text | length < 5, on_failure: continue}
  - {task_id: each, description: 'for {{ item }}', depends_on: [doc], for_each: results.doc.items, transform: [{transformer: jq, config: {filter: ". * 30000"}}]}
  - task_id: both
    type: collaborative_task
    depends_on: [each]
    steps:
      - {task_id: one, agent: S, description: one, transform: [{transformer: jq, config: {filter: ". * 30000"}}]}
      - {task_id: two, agent: S, description: two, depends_on: [one], transform: [{transformer: jq, config: {filter: ". * 30000"}}]}
  - task_id: joined
    agent: E
    description: 'of {{ results.each | map(attribute="length") | length }}'
    depends_on: [each, {task: both, transform: [{transformer: jq, config: {filter: 'map_values(length)'}}]}]
  - {task_id: review, type: approval, description: 'Is {{ results.text | length }} enough?', depends_on: [text]}
  - {task_id: delivered, description: poll forever, transform: [{transformer: jq, config: {filter: '{n: length, pad: .}'}}]}
  - task_id: after
    agent: E
    description: '{{ results.delivered.n }} and {{ results.review.pad | length }}'
    depends_on: [joined, review, delivered, when]
  - {task_id: cached, description: same, cache: {key: large}, depends_on: [{task: text}], transform: [{transformer: jq, config: {filter: ". * 30000"}}]}
"#;

/// What is delivered for the two tasks that wait for somebody.
fn deliver() -> impl Fn(&RunControl, &RunEvent) + Send + Sync + 'static {
    let handle = tokio::runtime::Handle::current();
    move |control, event| {
        let (task, result) = match event {
            RunEvent::Asked { task, .. } => {
                (task, Payload::Json(json!({"pad": "p".repeat(100_000)}).to_string().into()))
            }
            RunEvent::TaskStarted { task, .. } if &**task == "delivered" => {
                (task, Payload::Text("d".repeat(200_000).into()))
            }
            _ => return,
        };
        let (control, task) = (control.clone(), task.clone());
        handle.spawn(async move { control.process_result(&task, result).await });
    }
}

impl Lab {
    /// A run in which what is waited for is delivered.
    async fn delivered(&self, text: &str) -> Report {
        let mut run = prepared(text).await;
        self.record(&mut run, text);
        with(run, deliver()).await
    }

    fn past(&self, report: &Report) -> Report {
        let reader = self.store.reader().expect("a reader");
        let past = PastRun::read(&reader, &report.run_id).expect("a run");
        past.into_report().expect("it is over")
    }
}

/// Every result as JSON, by the task's id.
fn outputs(report: &Report) -> Value {
    let report = serde_json::to_value(report).expect("a report is JSON");
    let tasks = report["tasks"].as_object().expect("tasks by id");
    tasks.iter().map(|(id, task)| (id.clone(), task["output"].clone())).collect()
}

/// Fails without printing megabytes.
fn check_same(one: &Report, other: &Report) {
    let (one, other) = (outputs(one), outputs(other));
    let ids = |all: &Value| all.as_object().expect("by id").keys().cloned().collect::<Vec<_>>();
    assert_eq!(ids(&one), ids(&other));
    for id in ids(&one) {
        let start = |value: &Value| value.to_string().chars().take(200).collect::<String>();
        let (one, other) = (&one[&id], &other[&id]);
        assert!(one == other, "{id}: {} is not {}", start(one), start(other));
    }
}

fn output<'a>(report: &'a Report, task: &str) -> &'a Output {
    report.task(task).expect("a task").output.as_ref().expect("it has a result")
}

const LARGE: [&str; 11] = [
    "text",
    "doc",
    "each",
    "each[0]",
    "each[1]",
    "both",
    "one",
    "two",
    "delivered",
    "cached",
    "review",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_needs_a_large_result_sees_what_it_would_see_in_memory() {
    let in_memory = with(prepared(FLOW).await, deliver()).await;
    assert_eq!(in_memory.status, Status::Succeeded, "{:?}", in_memory.reason);
    let lab = Lab::new();
    let recorded = lab.delivered(FLOW).await;
    check_same(&in_memory, &recorded);
    let past = lab.past(&recorded);
    check_same(&in_memory, &past);
    for task in LARGE {
        assert!(output(&in_memory, task).here().is_some(), "{task}");
        // The result of an approval is its answer.
        let here = task == "review";
        for report in [&recorded, &past] {
            let output = output(report, task);
            assert_eq!(output.here().is_some(), here, "{task}");
            let same = self::output(&in_memory, task);
            assert_eq!((output.len(), output.form()), (same.len(), same.form()), "{task}");
            assert!(output.to_payload().unwrap() == *same.here().unwrap(), "{task}");
            assert!(output.load().await.unwrap() == *same.here().unwrap(), "{task}");
        }
    }
    for task in ["when", "joined", "after"] {
        assert!(output(&recorded, task).here().is_some(), "{task} is small");
    }
    assert_eq!(output(&recorded, "both").form(), Form::Json);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_takes_large_results_over_and_does_not_need_the_earlier_run() {
    let lab = Lab::new();
    let first = lab.delivered(FLOW).await;
    let again = Again::From(vec!["joined".to_owned(), "two".to_owned()]);
    let retry = Retry::plan(&lab.store.reader().unwrap(), &first.run_id, &again).unwrap();
    let run = ENGINE.retry(&lab.store, retry).await.expect("plugins");
    let stop = CancellationToken::new();
    let second = run.execute(Map::new(), Arc::new(Nobody), stop).await.expect("the store works");
    assert!(second.metrics.reused >= 9, "{}", second.metrics.reused);
    check_same(&first, &second);
    let size = |lab: &Lab| lab.store.reader().unwrap().size().unwrap().blobs;
    let blobs = size(&lab);
    let gone = lab.store.gc(end_of(&lab, &first) + 1, false).await.unwrap();
    assert_eq!((gone.runs, size(&lab)), (1, blobs));
    check_same(&second, &lab.past(&second));
}

/// When a run ended.
fn end_of(lab: &Lab, report: &Report) -> i64 {
    let run = lab.store.reader().expect("a reader").run(&report.run_id).expect("a run");
    run.ended_at.expect("it is over")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_in_the_store_do_not_count_as_results_in_memory() {
    let engine = engine("results: 20000");
    let filter = |n: usize| format!("[{{transformer: jq, config: {{filter: '. * {n}'}}}}]");
    let text = format!(
        "
on_failure: continue
tasks:
  - {{task_id: large, description: '0123456789', transform: {}}}
  - {{task_id: small, description: '0123456789', transform: {}, depends_on: [large]}}
  - {{task_id: too-much, description: '0123456789', transform: {}, depends_on: [small]}}
  - {{task_id: more, description: '0123456789', transform: {}, depends_on: [too-much]}}
",
        filter(10_000),
        filter(1_500),
        filter(1_000),
        filter(10_000),
    );
    let statuses =
        |report: &Report| -> Vec<Status> { report.tasks.iter().map(|task| task.status).collect() };
    use Status::{Failed, Succeeded};
    let in_memory = run_on(engine.clone(), &text).await;
    assert_eq!(statuses(&in_memory), [Failed, Succeeded, Failed, Failed]);
    let lab = Lab::new();
    let mut run = engine.prepare(plan(&text).expect("a plan"), "priority").await.expect("plugins");
    let name = "test".to_owned();
    let origin = Origin { text: text.as_str().into(), format: Format::Yaml, name };
    run.record(lab.store.clone(), origin);
    let recorded = with(run, |_, _| {}).await;
    assert_eq!(statuses(&recorded), [Succeeded, Succeeded, Failed, Succeeded]);
    let error = recorded.task("too-much").unwrap().error.as_ref().unwrap();
    assert_eq!(error.kind, "results");
    assert!(error.message.contains("has in memory"), "{}", error.message);
    assert_eq!(statuses(&lab.past(&recorded)), statuses(&recorded));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_for_a_task_gets_its_payload() {
    let lab = Lab::new();
    let opening = Opening { store: Some(lab.store.clone()), ..Opening::default() };
    let run = Coordinator::open(&ENGINE, opening).await.expect("a run");
    let large = |description: &str| {
        let transform = json!([{"transformer": "jq", "config": {"filter": ". * 10000"}}]);
        json!({"task_id": "a", "description": description, "transform": transform})
    };
    let task = run.submit_task(large("0123456789")).await.expect("it fits");
    let is_as_expected = |payload: Payload| {
        let value = serde_json::to_value(Output::from(payload)).expect("a result");
        assert!(value == "0123456789".repeat(10_000));
    };
    is_as_expected(task.result().await.unwrap());
    run.suspend().await;
    let run = Coordinator::resume(&ENGINE, &lab.store, run.run_id()).await.expect("it goes on");
    is_as_expected(run.task("a").result().await.unwrap());
    run.finish().await.expect("the store works");
    is_as_expected(run.task("a").result().await.unwrap());
}
