//! A run that a program keeps open, as the command sees it once the program is
//! gone.

use std::path::Path;

use consort_engine::coordinator::Opening;
use consort_engine::{Coordinator, Engine, Setup};
use consort_plugin_host::EmbeddedPlugin;
use consort_store::{Options, Store};
use serde_json::json;

use crate::place::Place;

/// A program that submits tasks and dies: the id of its run.
async fn program(store: &Path) -> String {
    let plugins = consort_default_plugins::DEFAULT_PLUGINS.iter();
    let plugins: Vec<EmbeddedPlugin> = plugins
        .map(|&(name, digest, component)| EmbeddedPlugin { name, digest, component })
        .collect();
    let engine = Engine::new(Setup { embedded: plugins.leak(), ..Setup::default() }).unwrap();
    let store = Some(Store::open(store, Options::default()).unwrap());
    let opening = Opening { store, ..Opening::default() };
    let coordinator = Coordinator::open(&engine, opening).await.unwrap();
    let submitted = coordinator.submit_tasks(vec![
        json!({"task_id": "review", "type": "approval", "description": "Is it good?"}),
        json!({"task_id": "after", "agent": "local", "depends_on": ["review"],
               "description": "Summarise: {{ results.review.by }} said yes."}),
    ]);
    submitted.await.unwrap();
    coordinator.suspend().await;
    coordinator.run_id().to_string()
}

#[test]
fn it_is_seen_as_open_takes_what_is_delivered_and_is_closed_when_it_is_resumed() {
    let place = Place::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let run = runtime.block_on(program(&place.file("runs.db")));
    drop(runtime);
    assert_eq!(place.runs(), std::slice::from_ref(&run));
    let status = place.run(&format!("status {run} --store runs.db --json"), 0).json();
    assert_eq!(status["run"]["status"], "running");
    assert_eq!(status["progress"]["open"], true);
    assert_eq!(status["progress"]["tasks"], 2);
    let words = place.run(&format!("status {run} --store runs.db"), 0);
    assert!(words.out.contains("open to more"), "{}", words.out);
    place.run(&format!("complete {run} after --result x --store runs.db"), 2);
    place.run(&format!("complete {run} review --result {{\"by\":\"Ada\"}} --store runs.db"), 0);
    let report = place.run(&format!("resume {run} --store runs.db --json"), 0).json();
    assert_eq!(report["status"], "succeeded");
    assert_eq!(report["tasks"]["review"]["output"], json!({"by": "Ada"}));
    assert!(report["tasks"]["after"]["output"].to_string().contains("Ada"), "{report:#}");
    let history = place.run(&format!("history {run} --store runs.db --json"), 0);
    let events: Vec<String> = history
        .out
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["event"].to_string())
        .collect();
    for wanted in ["added", "answered", "closed", "run_finished"] {
        assert!(events.contains(&format!("\"{wanted}\"")), "{wanted}: {events:?}");
    }
}
