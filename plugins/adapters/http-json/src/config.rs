//! The *configuration* of an agent that is spoken to by this adapter; what each
//! field means is in `plugin.json`, where the host reads it.

use std::collections::BTreeMap;
use std::time::Duration;

use consort_plugin_sdk::Failure;
use consort_plugin_sdk::config::seconds;
use consort_plugin_sdk::http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default = "post")]
    method: String,
    #[serde(default = "whole_task")]
    pub(crate) body: Value,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) api_key: Option<String>,
    #[serde(default = "authorization")]
    pub(crate) api_key_header: String,
    pub(crate) answer: Option<String>,
    pub(crate) error: Option<String>,
    #[serde(default)]
    pub(crate) usage: UsagePaths,
    timeout: Option<f64>,
}

/// Where the response says what the work cost.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UsagePaths {
    pub(crate) input_tokens: Option<String>,
    pub(crate) output_tokens: Option<String>,
    pub(crate) cost: Option<String>,
    pub(crate) model: Option<String>,
}

impl Config {
    pub(crate) fn method(&self) -> Result<Method, Failure> {
        match self.method.as_str() {
            "POST" => Ok(Method::Post),
            "PUT" => Ok(Method::Put),
            "PATCH" => Ok(Method::Patch),
            "GET" => Ok(Method::Get),
            "DELETE" => Ok(Method::Delete),
            other => {
                let message = format!("'method' is '{other}'; use POST, PUT, PATCH, GET or DELETE");
                Err(Failure::invalid_input(message).with_code("invalid-config"))
            }
        }
    }

    pub(crate) fn timeout(&self) -> Result<Option<Duration>, Failure> {
        self.timeout.map(|timeout| seconds("timeout", timeout)).transpose()
    }
}

fn post() -> String {
    "POST".into()
}

fn authorization() -> String {
    "authorization".into()
}

fn whole_task() -> Value {
    json!({
        "description": "{{ description }}",
        "input": "{{ input }}",
        "results": "{{ results }}",
    })
}
