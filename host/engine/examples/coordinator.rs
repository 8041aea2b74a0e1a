//! Consort inside a Rust program: tasks are submitted to a run that is open, one
//! of them is done by somebody the run does not call, and the program hears of
//! everything.
//!
//! ```sh
//! cargo run --workspace --example coordinator [STORE]
//! ```
//!
//! With the path of a store the run is recorded: `consort history` shows it.

use std::error::Error;

use consort_core::spec::Format;
use consort_engine::coordinator::{Opening, Resolution, SubmitError};
use consort_engine::{Coordinator, Engine, Origin, Payload, Setup};
use consort_plugin_host::EmbeddedPlugin;
use consort_store::{Options, Store};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = match std::env::args_os().nth(1) {
        Some(path) => Some(Store::open(path.as_ref(), Options::default())?),
        None => None,
    };
    // Tasks may use these agents, those of the host's configuration and its default
    // agent, which is 'local'.
    let workflow = Origin {
        text: json!({"name": "embedded", "agents": {"echo": {"adapter": "echo"}}})
            .to_string()
            .into(),
        format: Format::Json,
        name: "coordinator.rs".to_owned(),
    };
    let opening = Opening { workflow: Some(workflow), store, ..Opening::default() };
    let coordinator =
        Coordinator::open(&engine()?, opening).await.map_err(|problems| problems[0].to_string())?;

    // Whoever wants to hears what happens; nobody waits for it.
    let mut events = coordinator.subscribe();
    let listening = tokio::spawn(async move {
        while let Some(heard) = events.next().await {
            match heard {
                Ok(happening) => println!("{}", serde_json::json!(happening)),
                Err(missed) => println!("{missed}"),
            }
        }
    });

    // A chain of two agents, and a person in the middle.
    let tasks = coordinator
        .submit_tasks(vec![
            json!({"task_id": "summary", "agent": "local",
                   "description": "Summarise: Bees collect nectar. They make honey of it. \
                                   Honey keeps for years."}),
            json!({"task_id": "review", "type": "approval", "depends_on": ["summary"],
                   "description": "Is this good? {{ results.summary.text }}"}),
            json!({"task_id": "report", "agent": "echo", "depends_on": ["summary", "review"],
                   "description": "reviewed by {{ results.review.by }}",
                   "transform": [{"transformer": "jq", "config": {"filter": ".description"}}]}),
        ])
        .await?;

    // The review is done by this program: what it delivers is the task's result.
    tasks[0].result().await?;
    let review = json!({"approved": true, "by": "this program"}).to_string();
    coordinator.process_result("review", Payload::Json(review.into())).await?;
    println!("the report is {:?}", tasks[2].result().await?);

    // A task that does not fit is rejected, and the program decides what to do.
    let early = json!({"task_id": "early", "agent": "echo", "depends_on": ["never"],
                       "description": "it did not wait"});
    match coordinator.submit_task(early).await {
        Err(SubmitError::Conflict(conflict)) => {
            println!("{conflict}; so it is added without that");
            let admitted = coordinator.resolve_dependency_conflict(&conflict, Resolution::Admit);
            admitted.await?[0].result().await?;
        }
        other => println!("this was not expected: {other:?}"),
    }

    let report = coordinator.finish().await?;
    listening.await?;
    println!("{} tasks, and the run has {}", report.tasks.len(), report.status.as_str());
    Ok(())
}

/// An engine with the default plugins and nothing else.
fn engine() -> Result<Engine, Box<dyn Error>> {
    let plugins = consort_default_plugins::DEFAULT_PLUGINS.iter();
    let plugins: Vec<EmbeddedPlugin> = plugins
        .map(|&(name, digest, component)| EmbeddedPlugin { name, digest, component })
        .collect();
    Ok(Engine::new(Setup { embedded: plugins.leak(), ..Setup::default() })?)
}
