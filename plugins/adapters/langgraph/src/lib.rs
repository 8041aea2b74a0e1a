//! The *langgraph* adapter has a graph on a LangGraph server do the task. A run
//! goes on at the server while nobody waits for it: `start` begins one and leaves
//! its name behind, `resume` asks how far it has got, `cancel` stops it.
//!
//! The thread a run is on has a name that follows from the task, so a start that
//! is repeated finds the run that is already there.
//!
//! # Layout
//!
//! - `config`: what the operator can say
//! - `server`: the requests of the API; `run`, `state`: what it answers with
//! - `thread_id`: the names of a task's threads
//! - `checkpoint`: what is left behind between two calls
//! - `begin`: finding a run or starting one
//! - `standing`: how far a run has got; `poll`: what that means for the task
//! - `question`: what a graph asks, and the answer's way back
//! - `failed`: what a graph's exception means
//! - `answer`: the result and the cost in a final state

mod answer;
mod begin;
mod checkpoint;
mod config;
mod failed;
mod poll;
mod question;
mod run;
mod server;
mod standing;
mod state;
mod thread_id;

use consort_plugin_sdk::host::{self, Level};
use consort_plugin_sdk::http::{Transport, Wasi};
use consort_plugin_sdk::{Adapter, Failure, Invocation, Payload, Step};

use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::server::Server;

/// Speaks the API of LangGraph's servers.
pub struct LangGraph;

impl Adapter for LangGraph {
    fn start(call: Invocation) -> Result<Step, Failure> {
        start(&call, &Wasi)
    }

    fn resume(
        call: Invocation,
        checkpoint: Vec<u8>,
        answer: Option<Payload>,
    ) -> Result<Step, Failure> {
        resume(&call, &checkpoint, answer, &Wasi)
    }

    fn cancel(call: Invocation, checkpoint: Vec<u8>) -> Result<(), Failure> {
        cancel(&call, &checkpoint, &Wasi)
    }
}

consort_plugin_sdk::export_adapter!(LangGraph, "plugin.json");

fn start(call: &Invocation, http: &dyn Transport) -> Result<Step, Failure> {
    let config: Config = call.parse_config()?;
    let server = Server::new(call, &config, http)?;
    begin::find_or_start(call, &config, &server)
}

fn resume(
    call: &Invocation,
    checkpoint: &[u8],
    answer: Option<Payload>,
    http: &dyn Transport,
) -> Result<Step, Failure> {
    let config: Config = call.parse_config()?;
    let server = Server::new(call, &config, http)?;
    let checkpoint = Checkpoint::read(checkpoint)?;
    match answer {
        Some(answer) => question::answer(call, &config, &server, checkpoint, &answer),
        None => poll::poll(call, &config, &server, checkpoint),
    }
}

/// Stops the run, without waiting until it has stopped: some servers take long
/// to say so.
fn cancel(call: &Invocation, checkpoint: &[u8], http: &dyn Transport) -> Result<(), Failure> {
    let config: Config = call.parse_config()?;
    let server = Server::new(call, &config, http)?;
    let Checkpoint { thread, mut run, asked, .. } = Checkpoint::read(checkpoint)?;
    // The run that asked has ended; one that got the answer may be there.
    if asked && let Some(newest) = server.newest_run(&thread)? {
        run = newest.id;
    }
    let is_stopped = server.cancel(&thread, &run)?;
    let what = if is_stopped { "told to stop" } else { "there was nothing to stop" };
    host::log(Level::Info, &format!("run {run} on thread {thread}: {what}"));
    Ok(())
}

#[cfg(test)]
mod tests;
