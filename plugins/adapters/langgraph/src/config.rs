//! The *configuration* of a graph; what each field means is in `plugin.json`,
//! where the host reads it.

use std::collections::BTreeMap;
use std::time::Duration;

use consort_plugin_sdk::config::seconds;
use consort_plugin_sdk::{Failure, Invocation, message, template};
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default = "agent")]
    pub(crate) assistant: String,
    input: Option<Value>,
    pub(crate) answer: Option<String>,
    #[serde(default)]
    pub(crate) extra: Map<String, Value>,
    pub(crate) api_key: Option<String>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    poll_interval: Option<f64>,
    timeout: Option<f64>,
}

impl Config {
    /// The graph's input for a task.
    pub(crate) fn input(&self, call: &Invocation) -> Result<Value, Failure> {
        match &self.input {
            Some(input) => template::fill("input", input, call),
            None => {
                let message = json!({"role": "user", "content": message::user_content(call)?});
                Ok(json!({"messages": [message]}))
            }
        }
    }

    pub(crate) fn poll_interval(&self) -> Result<Duration, Failure> {
        seconds("poll_interval", self.poll_interval.unwrap_or(1.0))
    }

    pub(crate) fn timeout(&self) -> Result<Duration, Failure> {
        seconds("timeout", self.timeout.unwrap_or(30.0))
    }
}

fn agent() -> String {
    "agent".into()
}
