//! What webhooks have not been told when a process dies.

use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consort_engine::PastRun;
use consort_engine::past::NotificationProgress;
use consort_store::Reader;
use consort_tests::receiver::{Receiver, Reply};
use serde_json::{Value, json};

use crate::place::Place;

const FAILING: &str = r#"{"agents": {"S": {"adapter": "./scripted.wasm"}}, "tasks": [
    {"task_id": "broken", "agent": "S", "description": "refuse", "on_failure": "continue"}
]}"#;

/// In base64.
const KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A receiver that does not take the end of a run until it is opened.
struct Closed {
    receiver: Receiver,
    open: Arc<AtomicBool>,
}

impl Closed {
    async fn start() -> Self {
        let open = Arc::new(AtomicBool::new(false));
        let is_open = open.clone();
        let receiver = Receiver::start(move |message, _, _| {
            let is_end = message.json["type"] == "run-finished";
            Reply::Status(if is_end && !is_open.load(Ordering::SeqCst) { 503 } else { 200 })
        });
        Self { receiver: receiver.await, open }
    }

    fn open(&self) {
        self.open.store(true, Ordering::SeqCst);
    }

    fn configure(&self, place: &Place) {
        let config = json!({"webhooks": [{
            "url": self.receiver.url(),
            "name": "ops",
            "secret": "OPS_KEY",
            "retry": {"max_attempts": 1000, "initial_delay": 0.02, "backoff": "fixed"},
        }], "secrets": {"OPS_KEY": {"file": "ops.key"}}});
        place.write("ops.key", &format!("whsec_{KEY}\n"));
        place.write("consort.yaml", &config.to_string());
    }
}

/// Begins a run and kills its process when it only waits for its webhook.
async fn killed_while_it_waits(place: &Place, closed: &Closed) -> String {
    closed.configure(place);
    place.write("failing.json", FAILING);
    let mut command = place.command("run failing.json --store runs.db --quiet");
    let mut child: Child =
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    closed.receiver.until(3).await;
    let run = place.runs().concat();
    let waits = NotificationProgress { delivered: 1, failed: 0, waiting: 1 };
    let begun = Instant::now();
    // That it was delivered is recorded a little later.
    while notifications(place, &run) != Some(waits) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", notifications(place, &run));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    run
}

fn notifications(place: &Place, run: &str) -> Option<NotificationProgress> {
    let reader = Reader::open(&place.file("runs.db")).unwrap();
    PastRun::read(&reader, run).unwrap().notifications()
}

fn status(place: &Place) -> Value {
    place.run("list --store runs.db --json", 0).json()[0]["status"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_run_whose_end_nobody_heard_of_is_resumed_and_tells_it() {
    let (place, closed) = (Place::new(), Closed::start().await);
    let run = killed_while_it_waits(&place, &closed).await;
    assert_eq!(status(&place), "running", "it is not over for good");
    let told = place.run(&format!("status {run} --store runs.db"), 0);
    assert!(told.out.contains("1 notifications delivered, 0 not, 1 waiting"), "{told:?}");
    closed.open();
    let resumed = place.run(&format!("resume {run} --store runs.db --json"), 0).json();
    assert_eq!(resumed["metrics"]["notifications"], json!({"delivered": 2, "failed": 0}));
    assert_eq!(status(&place), "succeeded");

    let messages = closed.receiver.messages();
    let key = STANDARD.decode(KEY).unwrap();
    assert!(messages.iter().all(|one| one.is_signed(&key)), "{messages:?}");
    let is =
        |about: &str| messages.iter().filter(|one| one.json["type"] == about).collect::<Vec<_>>();
    assert_eq!(is("task-failed").len(), 1, "what was delivered is not sent again");
    let ends = is("run-finished");
    assert!(ends.len() >= 3 && ends.iter().all(|one| one.id() == ends[0].id()), "{ends:?}");
    assert!(ends.iter().all(|one| one.body == ends[0].body), "{ends:?}");
    assert_ne!(ends[0].id(), is("task-failed")[0].id());

    let history = place.run(&format!("history {run} --store runs.db --json"), 0).out;
    let events: Vec<Value> =
        history.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let end = events.iter().find(|event| event["event"] == "run_finished").unwrap();
    assert_eq!(end["elapsed_ms"], resumed["metrics"]["duration_ms"], "waiting is not working");
    let notified: Vec<&Value> = events.iter().filter(|one| one["event"] == "notified").collect();
    let about: Vec<&Value> = notified.iter().map(|event| &event["about"]).collect();
    assert_eq!(about, ["task-failed", "run-finished"], "{history}");
    assert_eq!(notified[1]["id"], ends[0].id());
    let words = place.run(&format!("history {run} --store runs.db"), 0).out;
    assert!(words.contains("ops was told of broken (task-failed)"), "{words}");
}

/// What is given up together follows from what is recorded.
#[test]
fn who_could_not_be_reached_is_remembered() {
    let place = Place::new();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", nobody.local_addr().unwrap());
    drop(nobody);
    let retry = json!({"max_attempts": 3, "initial_delay": 0.02, "backoff": "fixed"});
    let config = json!({"webhooks": [{"url": url, "name": "ops", "retry": retry}]});
    place.write("consort.yaml", &config.to_string());
    place.write(
        "failing.json",
        &FAILING.replace("refuse\"", "refuse\", \"for_each\": \"range(200) | list\""),
    );
    let report = place.run("run failing.json --store runs.db --json", 0).json();
    let told = &report["metrics"]["notifications"];
    assert_eq!((&told["delivered"], &told["failed"]), (&json!(0), &json!(200 + 1)), "{told}");
    let run = report["run_id"].as_str().unwrap();
    let result = place.run(&format!("result {run} --store runs.db --json"), 0).json();
    assert_eq!(result["metrics"]["notifications"], *told);
    let history = place.run(&format!("history {run} --store runs.db"), 0).out;
    assert!(history.contains("ops was not told of"), "{history}");
    assert!(history.contains("that waited behind it are given up, too"), "{history}");
    let settled = NotificationProgress { delivered: 0, failed: 201, waiting: 0 };
    assert_eq!(notifications(&place, run), Some(settled));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_webhook_that_the_host_has_no_more_is_given_up() {
    let (place, closed) = (Place::new(), Closed::start().await);
    let run = killed_while_it_waits(&place, &closed).await;
    place.write("consort.yaml", "");
    let before = closed.receiver.messages().len();
    // Not by mistake.
    place
        .run(&format!("resume {run} --store runs.db"), 2)
        .says(&["has none of that name", "'--give-up-webhook ops' gives up"]);
    let words = format!("resume {run} --store runs.db --give-up-webhook ops --json");
    let resumed = place.run(&words, 0).json();
    assert_eq!(resumed["metrics"]["notifications"], json!({"delivered": 1, "failed": 1}));
    assert_eq!(closed.receiver.messages().len(), before);
    let words = place.run(&format!("history {run} --store runs.db"), 0).out;
    assert!(words.contains("has no webhook 'ops' any more"), "{words}");
    assert_eq!(status(&place), "succeeded");
}
