//! The *configuration* of a model; what each field means is in `plugin.json`,
//! where the host reads it.

use std::collections::BTreeMap;
use std::time::Duration;

use consort_plugin_sdk::Failure;
use consort_plugin_sdk::config::seconds;
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) model: String,
    pub(crate) system: Option<String>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    seed: Option<i64>,
    stop: Option<Value>,
    #[serde(default)]
    pub(crate) stream: bool,
    json_schema: Option<Value>,
    response_format: Option<Value>,
    pub(crate) api_key: Option<String>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    extra: Map<String, Value>,
    pub(crate) prices: Option<Prices>,
    timeout: Option<f64>,
}

/// US dollars per million tokens.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Prices {
    pub(crate) input_per_million: f64,
    pub(crate) output_per_million: f64,
}

impl Config {
    /// The fields of the request that do not depend on the task.
    pub(crate) fn fields(&self) -> Map<String, Value> {
        let mut fields = self.extra.clone();
        let written = [
            ("model", Some(json!(self.model))),
            ("temperature", self.temperature.map(Value::from)),
            ("top_p", self.top_p.map(Value::from)),
            ("max_tokens", self.max_tokens.map(Value::from)),
            ("max_completion_tokens", self.max_completion_tokens.map(Value::from)),
            ("seed", self.seed.map(Value::from)),
            ("stop", self.stop.clone()),
            ("response_format", self.response_format()),
        ];
        let written = written.into_iter().filter_map(|(name, value)| Some((name, value?)));
        fields.extend(written.map(|(name, value)| (name.to_owned(), value)));
        fields
    }

    fn response_format(&self) -> Option<Value> {
        let Some(schema) = &self.json_schema else {
            return self.response_format.clone();
        };
        Some(json!({
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": true, "schema": schema},
        }))
    }

    /// Whether the answer is to be JSON.
    pub(crate) fn wants_json(&self) -> bool {
        self.response_format().is_some_and(|format| format["type"] != "text")
    }

    pub(crate) fn timeout(&self) -> Result<Option<Duration>, Failure> {
        self.timeout.map(|timeout| seconds("timeout", timeout)).transpose()
    }
}
