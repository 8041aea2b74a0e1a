//! An *answer* is what a response under a good status means: a result, or the
//! error that some agents report that way.

use consort_plugin_sdk::http::response::{excerpt, failure_of, said};
use consort_plugin_sdk::path::find;
use consort_plugin_sdk::{Failure, Payload, Step, Usage};
use serde_json::{Value, json};

use crate::config::{Config, UsagePaths};

/// Reads a response's body.
pub(crate) fn read(config: &Config, body: &str) -> Result<Step, Failure> {
    let needs_json = config.answer.is_some() || config.error.is_some();
    let document: Value = match serde_json::from_str(body) {
        Ok(document) => document,
        Err(_) if !needs_json => return Ok(Step::text(body)),
        Err(error) => {
            let message = format!("the agent's answer is not JSON: {error}");
            return Err(Failure::transient(message)
                .with_code("malformed-response")
                .with_detail(&json!({"body": excerpt(body)})));
        }
    };
    if let Some(error) = config.error.as_deref().and_then(|path| find(&document, path))
        && is_something(error)
    {
        return Err(reported(error));
    }
    let path = config.answer.as_deref().unwrap_or_default();
    let Some(answer) = find(&document, path) else {
        return Err(Failure::permanent(format!("the agent's answer has nothing at '{path}'"))
            .with_code("no-answer")
            .with_detail(&json!({"body": excerpt(body)})));
    };
    let step = Step::done(Payload::from(answer.clone()));
    let usage = usage(&config.usage, &document);
    Ok(if usage.is_unknown() { step } else { step.with_usage(usage) })
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    }
}

/// An error that came under a good status. When it names the HTTP status it
/// should have had, that decides the case.
fn reported(error: &Value) -> Failure {
    let message = format!("the agent reported an error: {}", excerpt(&said(error)));
    let status =
        ["code", "status", "status_code"].iter().find_map(|field| http_status(&error[field]));
    let failure = match status {
        Some(status) => failure_of(status, message, None),
        None => Failure::permanent(message).with_code("agent-error"),
    };
    failure.with_detail(&json!({"error": error}))
}

fn http_status(value: &Value) -> Option<u16> {
    let status = match value {
        Value::String(text) => text.parse().ok()?,
        other => u16::try_from(other.as_u64()?).ok()?,
    };
    (400..600).contains(&status).then_some(status)
}

fn usage(paths: &UsagePaths, document: &Value) -> Usage {
    let at = |path: &Option<String>| path.as_deref().and_then(|path| find(document, path));
    Usage {
        input_tokens: at(&paths.input_tokens).and_then(Value::as_u64),
        output_tokens: at(&paths.output_tokens).and_then(Value::as_u64),
        cost: at(&paths.cost).and_then(Value::as_f64),
        model: at(&paths.model).and_then(Value::as_str).map(str::to_owned),
    }
}
