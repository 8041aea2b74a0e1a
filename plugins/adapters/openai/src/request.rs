//! The *request* for one completion.

use consort_plugin_sdk::http::Request;
use consort_plugin_sdk::{Failure, Invocation};
use serde_json::{Value, json};

use crate::config::Config;
use crate::endpoint::completions;
use crate::messages::messages;

/// The request that asks the model to do the task.
pub(crate) fn build(call: &Invocation, config: &Config) -> Result<Request, Failure> {
    let mut body = config.fields();
    body.insert("messages".into(), messages(call, config.system.as_deref())?);
    if config.stream {
        body.insert("stream".into(), Value::Bool(true));
        body.insert("stream_options".into(), json!({"include_usage": true}));
    }
    let accept =
        if config.stream { "text/event-stream, application/json" } else { "application/json" };
    let mut request = Request::post(completions(call.endpoint()?)?)
        .header("accept", accept)
        .header("idempotency-key", call.idempotency_key.as_str());
    for (name, value) in &config.headers {
        request = request.header(name, value.as_str());
    }
    if let Some(key) = &config.api_key {
        request = request.bearer(key);
    }
    if let Some(timeout) = config.timeout()? {
        request = request.timeout(timeout);
    }
    request.json(&body)
}
