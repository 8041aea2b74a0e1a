//! The *openai* adapter asks a model for a chat completion, on OpenAI or on any
//! of the many servers that speak its protocol.
//!
//! # Layout
//!
//! - `config`: what the operator can say
//! - `endpoint`: the URL to ask
//! - `messages`: the task in a model's terms
//! - `request`: the body
//! - `completion`: a whole answer; `stream`: one that comes in pieces
//! - `reply`: what an answer means
//! - `error`: the errors servers send, under whatever status

mod completion;
mod config;
mod endpoint;
mod error;
mod messages;
mod reply;
mod request;
mod stream;

use consort_plugin_sdk::http::{Transport, Wasi};
use consort_plugin_sdk::{Adapter, Failure, Invocation, Step};

use crate::config::Config;

/// Speaks chat completions.
pub struct OpenAi;

impl Adapter for OpenAi {
    fn start(call: Invocation) -> Result<Step, Failure> {
        ask(&call, &Wasi)
    }
}

consort_plugin_sdk::export_adapter!(OpenAi, "plugin.json");

/// Asks the model once.
fn ask(call: &Invocation, http: &dyn Transport) -> Result<Step, Failure> {
    let config: Config = call.parse_config()?;
    let response = request::build(call, &config)?.send(http)?;
    if !(200..300).contains(&response.status) {
        return Err(error::from_response(response));
    }
    // Some servers ignore that a stream was asked for, some call it something else.
    let is_stream =
        response.is("text/event-stream") || (config.stream && !response.is("application/json"));
    let reply = if is_stream { stream::read(response)? } else { completion::read(response)? };
    reply::finish(reply, &config)
}

#[cfg(test)]
mod tests;
