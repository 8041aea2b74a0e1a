//! What webhooks are told.

use std::net::TcpListener;
use std::time::Duration;

use consort_engine::{EngineError, Topic};
use consort_tests::receiver::{Receiver, Reply};

use super::*;

const ALL: &str = "[run-finished, task-failed, retrying, fallback, question]";

/// An engine with a webhook, which is configured further by `more`.
fn host(url: &str, more: &str) -> Engine {
    engine(&format!("webhooks: [{{url: '{url}', name: ops, secret: KEY, {more}}}]"))
}

/// A URL where nobody listens.
fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}/hook", listener.local_addr().expect("it is bound"))
}

/// Remembers, as JSON, what webhooks are or are not told.
#[derive(Default)]
struct Told(Mutex<Vec<Value>>);

impl Watcher for Told {
    fn event(&self, event: &RunEvent) {
        if matches!(
            event,
            RunEvent::RunFinished { .. } | RunEvent::Notified { .. } | RunEvent::NotNotified { .. }
        ) {
            self.0.lock().expect("not poisoned").push(json!(event));
        }
    }
}

/// Carries a run out on that engine: the report, and what was told.
async fn tell(engine: &Engine, text: &str) -> (Report, Vec<Value>) {
    let run = engine.prepare(plan(text).expect("a plan"), "priority").await.expect("plugins");
    let told = Arc::new(Told::default());
    let stop = CancellationToken::new();
    let report = run.execute(Map::new(), told.clone(), stop).await.expect("a run in memory ends");
    let told = std::mem::take(&mut *told.0.lock().expect("not poisoned"));
    (report, told)
}

fn notifications(report: &Report) -> (u64, u64) {
    let metrics = report.metrics.notifications.expect("there is a webhook");
    (metrics.delivered, metrics.failed)
}

const FAILING: &str = "
- {task_id: a, description: refuse, on_failure: continue}
- {task_id: b, description: refuse, depends_on: [a], on_failure: continue}
- {task_id: c, description: refuse, depends_on: [b], on_failure: continue}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_is_told_in_order_and_signed() {
    let receiver = Receiver::start(|_, _, _| Reply::Status(204)).await;
    let engine = host(&receiver.url(), &format!("events: {ALL}, headers: {{X-Team: a}}"));
    let text = "
name: night
agents: {A: {adapter: scripted}, B: {adapter: scripted}}
tasks:
  - {task_id: flaky, description: fail until 2, retry_policy: {max_attempts: 2, backoff: none}}
  - {task_id: hopeless, agent: A, description: refuse, depends_on: [review], on_failure: {fallback: [B]}}
  - {task_id: review, type: approval, description: 'Go on?', schema: {type: boolean}, timeouts: {total: 0.05},
     depends_on: [flaky], on_failure: continue}
";
    let (report, _) = tell(&engine, text).await;
    assert_eq!(report.status, Status::Failed);
    assert_eq!(
        receiver.summary(),
        [
            "retrying flaky",
            "question review",
            "task-failed review",
            "fallback hopeless",
            "task-failed hopeless",
            "run-finished"
        ]
    );
    let messages = receiver.messages();
    for message in &messages {
        assert!(message.is_signed(b"s3cret"), "{message:?}");
        assert!(!message.is_signed(b"another"), "{message:?}");
        assert_eq!(message.header("content-type"), "application/json");
        assert_eq!(message.header("x-team"), "a");
        assert_eq!(message.json["data"]["name"], "night");
        assert_eq!(message.json["data"]["run_id"], *report.run_id);
    }
    let ids: std::collections::BTreeSet<&str> = messages.iter().map(|one| one.id()).collect();
    assert_eq!(ids.len(), messages.len());
    let data = |n: usize| &messages[n].json["data"];
    assert_eq!(data(0)["error"]["kind"], "transient");
    assert_eq!((&data(0)["attempts"], &data(0)["agent"]), (&json!(1), &json!("scripted")));
    let question = json!({"prompt": "Go on?", "schema": {"type": "boolean"}, "by_agent": false});
    assert_eq!(data(1)["question"], question);
    assert!(data(1)["until"].is_string(), "{}", data(1));
    assert_eq!(data(2)["error"]["kind"], "total-timeout");
    assert_eq!(data(3)["agent"], "B");
    let causes = json!([{"kind": "permanent", "message": "no", "agent": "A"}]);
    assert_eq!(data(4)["error"]["causes"], causes);
    let end = data(5);
    assert_eq!(end["status"], "failed");
    assert_eq!(end["tasks"], json!({"failed": 2, "succeeded": 1}));
    assert_eq!(end["duration_ms"], report.metrics.duration_ms);
    assert_eq!(end["error"]["task"], "hopeless");
    assert_eq!(end["error"]["causes"].as_array().map(Vec::len), Some(2), "{end:#}");
    assert_eq!(notifications(&report), (6, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_sent_until_it_is_taken_and_the_run_s_time_does_not_count_that() {
    let receiver = Receiver::start(|_, before, _| match before {
        0 => Reply::Status(503),
        1 => Reply::After(429, 1),
        _ => Reply::Status(200),
    })
    .await;
    let engine = host(&receiver.url(), "retry: {initial_delay: 0.01}");
    let begun = std::time::Instant::now();
    let (report, told) = tell(&engine, "- {task_id: a, description: fine}").await;
    assert!(begun.elapsed() >= Duration::from_secs(1), "retry-after is honoured");
    let messages = receiver.messages();
    assert_eq!(receiver.summary(), ["run-finished"; 3]);
    assert!(messages.iter().all(|one| one.id() == messages[0].id() && one.is_signed(b"s3cret")));
    assert!(messages.iter().all(|one| one.body == messages[0].body));
    let events: Vec<&Value> = told.iter().map(|event| &event["event"]).collect();
    assert_eq!(events, ["run_finished", "not_notified", "not_notified", "notified"]);
    assert_eq!(told[0]["notifications"], 1);
    assert_eq!(told[0]["elapsed_ms"], report.metrics.duration_ms);
    assert!(told[2]["wait_ms"].as_u64() >= Some(1_000), "{}", told[2]);
    assert_eq!((&told[3]["tries"], &told[3]["webhook"]), (&json!(3), &json!("ops")));
    assert_eq!(notifications(&report), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_is_gone_hears_no_more() {
    let receiver = Receiver::start(|_, _, _| Reply::Status(410)).await;
    let (report, told) = tell(&host(&receiver.url(), ""), FAILING).await;
    assert_eq!(receiver.summary(), ["task-failed a"]);
    assert_eq!(notifications(&report), (0, 4));
    // It may be told before or after the end of the run.
    let refused: Vec<&Value> =
        told.iter().filter(|event| event["event"] == "not_notified").collect();
    assert_eq!(refused.len(), 1);
    assert!(refused[0]["why"].as_str().unwrap().contains("410"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_receiver_refuses_is_not_sent_again_and_the_next_is() {
    for status in [302, 400, 404] {
        let receiver =
            Receiver::start(move |_, _, all| Reply::Status(if all == 0 { status } else { 200 }));
        let receiver = receiver.await;
        let (report, _) = tell(&host(&receiver.url(), ""), FAILING).await;
        let all = ["task-failed a", "task-failed b", "task-failed c", "run-finished"];
        assert_eq!(receiver.summary(), all, "{status}");
        assert_eq!(notifications(&report), (3, 1), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_is_down_is_given_up() {
    let config = "retry: {max_attempts: 2, backoff: none}";
    let (report, told) = tell(&host(&nowhere(), config), FAILING).await;
    assert_eq!(report.status, Status::Succeeded);
    assert_eq!(notifications(&report), (0, 4));
    let given_up: Vec<&Value> = told.iter().filter(|event| event["wait_ms"].is_null()).collect();
    let last = given_up.last().unwrap();
    assert_eq!((&last["about"], &last["tries"]), (&json!("run-finished"), &json!(2)), "{last}");
    assert!(last["why"].as_str().unwrap().to_lowercase().contains("refused"), "{last}");
    let others: u64 = given_up.iter().filter_map(|event| event["others"].as_u64()).sum();
    let notified = given_up.iter().filter(|event| event["event"] == "not_notified").count();
    assert_eq!(others + notified as u64, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_longer_than_configured() {
    let receiver = Receiver::start(|_, _, _| Reply::Never).await;
    let config = "timeout: 0.05, retry: {max_attempts: 1}";
    let (report, told) =
        tell(&host(&receiver.url(), config), "- {task_id: a, description: x}").await;
    assert_eq!(notifications(&report), (0, 1));
    assert_eq!(told[1]["why"], "no answer within 0.05 s");
    let receiver = Receiver::start(|_, _, _| Reply::After(503, 3_600)).await;
    let (report, told) = tell(&host(&receiver.url(), ""), "- {task_id: a, description: x}").await;
    assert_eq!((notifications(&report), receiver.messages().len()), ((0, 1), 1));
    assert_eq!(told[1]["why"], "the receiver answered 503", "an hour is longer than 15 min");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_are_told_what_each_wants_and_wait_for_none_of_the_others() {
    let (quick, slow) = (
        Receiver::start(|_, _, _| Reply::Status(200)).await,
        Receiver::start(|_, before, _| Reply::Status(if before < 2 { 500 } else { 200 })).await,
    );
    let engine = engine(&format!(
        "webhooks: [{{url: '{}', events: [task-failed]}},
                    {{url: '{}', events: [run-finished], retry: {{initial_delay: 0}}}}]",
        quick.url(),
        slow.url()
    ));
    let (report, _) = tell(&engine, FAILING).await;
    assert_eq!(quick.summary(), ["task-failed a", "task-failed b", "task-failed c"]);
    assert_eq!(slow.summary(), ["run-finished"; 3]);
    assert_eq!(notifications(&report), (4, 0));
    assert!(quick.messages().iter().all(|one| one.header("webhook-signature").is_empty()));
}

/// With nobody there, what waits is only numbers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_failures_are_given_up_together() {
    let text = "
- task_id: many
  description: refuse
  for_each: range(2000) | list
  on_failure: continue
";
    let (report, _) =
        tell(&host(&nowhere(), "retry: {max_attempts: 3, initial_delay: 0.2}"), text).await;
    let failed = report.tasks.iter().filter(|task| task.status == Status::Failed).count() as u64;
    assert!(failed >= 2_000, "{failed}");
    assert_eq!(notifications(&report), (0, failed + 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_says_what_it_came_of() {
    let dead = nowhere();
    let report = run(&format!(
        "
agents: {{A: {{adapter: http-json, url: '{dead}'}}, B: {{adapter: scripted}}}}
tasks:
  - {{task_id: both, agent: A, description: refuse, on_failure: {{fallback: [B]}}}}
"
    ))
    .await;
    assert_eq!(report.status, Status::Failed, "{:?}", summary(&report));
    let error = report.task("both").unwrap().error.as_ref().unwrap();
    assert_eq!((&*error.kind, &*error.message), ("permanent", "no"));
    let agents: Vec<Option<&str>> =
        error.causes.iter().map(|cause| cause.agent.as_deref()).collect();
    assert_eq!(agents, [Some("A"), Some("A")], "{error:?}");
    assert_eq!(error.causes[0].kind, "transient");
    assert_eq!(error.causes[1].kind, "network");
    assert!(error.causes[1].message.to_lowercase().contains("refused"), "{error:?}");
    let report = run("- {task_id: items, description: refuse, for_each: [1]}").await;
    let error = report.task("items").unwrap().error.as_ref().unwrap();
    assert_eq!(error.causes[0].task.as_deref(), Some("items[0]"), "{error:?}");
    assert_eq!((&*error.causes[0].kind, &*error.causes[0].message), ("permanent", "no"));
}

#[test]
fn a_secret_that_is_not_there_or_no_key_is_named() {
    let problems = |config: &str| {
        let setup = Setup {
            config: HostConfig::parse(config, Format::Yaml).expect("a configuration"),
            embedded: &PLUGINS,
            secrets: [("KEY".to_owned(), Secret::new("whsec_?").expect("a secret"))].into(),
            ..Setup::default()
        };
        match Engine::new(setup) {
            Err(EngineError::Invalid { problems }) => problems,
            other => panic!("{:?}", other.err()),
        }
    };
    let wrong = problems("webhooks: [{url: 'http://a/', secret: KEYS}]");
    assert_eq!((wrong[0].code, &*wrong[0].path), ("unknown-secret", "webhooks[0].secret"));
    assert_eq!(wrong[0].hint.as_deref(), Some("did you mean 'KEY'?"));
    let wrong = problems("webhooks: [{url: 'http://a/', events: [question], secret: KEY}]");
    assert_eq!((wrong[0].code, &*wrong[0].path), ("bad-secret", "webhooks[0].secret"));
    assert!(wrong[0].message.contains("base64"), "{}", wrong[0].message);
    assert_eq!(Topic::Question.as_str(), "question");
}
