//! The *http-json* adapter speaks to agents that take one JSON document over
//! HTTP and answer with one: it fills in a template, sends it to the agent's
//! URL, and reads the answer by a path.
//!
//! # Layout
//!
//! - `config`: what the operator can say
//! - `answer`: what the response means

mod answer;
mod config;

use consort_plugin_sdk::http::{Method, Request, Transport, Wasi};
use consort_plugin_sdk::{Adapter, Failure, Invocation, Step, template};

use crate::config::Config;

/// Speaks JSON over HTTP.
pub struct HttpJson;

impl Adapter for HttpJson {
    fn start(call: Invocation) -> Result<Step, Failure> {
        ask(&call, &Wasi)
    }
}

consort_plugin_sdk::export_adapter!(HttpJson, "plugin.json");

/// Asks the agent once.
fn ask(call: &Invocation, http: &dyn Transport) -> Result<Step, Failure> {
    let config: Config = call.parse_config()?;
    let response = request(call, &config)?.send(http)?.success()?;
    answer::read(&config, &response.text()?)
}

fn request(call: &Invocation, config: &Config) -> Result<Request, Failure> {
    let mut request = Request::new(config.method()?, call.endpoint()?)
        .header("accept", "application/json, text/plain;q=0.5, */*;q=0.1")
        .header("idempotency-key", call.idempotency_key.as_str());
    for (name, value) in &config.headers {
        request = request.header(name, value.as_str());
    }
    if let Some(key) = &config.api_key {
        request = if config.api_key_header.eq_ignore_ascii_case("authorization") {
            request.bearer(key)
        } else {
            request.header(&config.api_key_header, key.as_str())
        };
    }
    if let Some(timeout) = config.timeout()? {
        request = request.timeout(timeout);
    }
    match request.method() {
        Method::Get | Method::Head | Method::Delete => Ok(request),
        Method::Post | Method::Put | Method::Patch => {
            request.json(&template::fill("body", &config.body, call)?)
        }
    }
}

#[cfg(test)]
mod tests;
