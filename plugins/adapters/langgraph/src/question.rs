//! A *question* is what a graph waits for; its answer goes on with the graph in
//! another run on the same thread.

use consort_plugin_sdk::{Failure, Invocation, Payload, Step};
use serde_json::{Map, Value, json};

use crate::begin::{go_on, start_on};
use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::server::Server;
use crate::state::State;

/// Asks what the graph asks. One interrupt is the question itself; several are
/// an object by their ids, and so must be the answers; a graph that was told to
/// stop before a node takes any answer as leave to go on.
pub(crate) fn ask(state: &State, checkpoint: Checkpoint) -> Result<Step, Failure> {
    let interrupts = state.interrupts();
    match interrupts.as_slice() {
        [] => {
            let prompt =
                format!("the graph waits before '{}'; shall it go on?", state.next.join("', '"));
            checkpoint.needs_input(prompt, None)
        }
        [one] => checkpoint.needs_input(text(&one.value), None),
        several => {
            let id = |at: usize| several[at].id.clone().unwrap_or_else(|| at.to_string());
            let asked: Map<String, Value> = several
                .iter()
                .enumerate()
                .map(|(at, interrupt)| (id(at), interrupt.value.clone()))
                .collect();
            let schema = json!({"type": "object", "required": asked.keys().collect::<Vec<_>>()});
            checkpoint.needs_input(Value::Object(asked).to_string(), Some(schema.to_string()))
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Goes on with the answer, or with the run that already has it.
pub(crate) fn answer(
    call: &Invocation,
    config: &Config,
    server: &Server<'_>,
    checkpoint: Checkpoint,
    answer: &Payload,
) -> Result<Step, Failure> {
    let Checkpoint { thread, run, asked, .. } = checkpoint;
    if !asked {
        return Err(Failure::permanent(format!("run {run} has not asked anything")));
    }
    match server.newest_run(&thread)? {
        None => {
            let message = format!("the server does not know thread {thread} any more");
            Err(Failure::permanent(message).with_code("run-lost"))
        }
        Some(newest) if newest.id != run => go_on(config, &thread, &newest),
        Some(_) => {
            let command = json!({"resume": answer.to_value()?});
            start_on(call, config, server, &thread, ("command", command))
        }
    }
}
