//! The *errors* that servers send: an object `error` with a message, and a code
//! that is a number here, a numeric string there and a word elsewhere, under a
//! status that may well be 200.

use std::time::Duration;

use consort_plugin_sdk::Failure;
use consort_plugin_sdk::http::Response;
use consort_plugin_sdk::http::response::{excerpt, failure_of, said};
use consort_plugin_sdk::http::retry_after::retry_after;
use serde_json::{Value, json};

/// The failure that a response with a bad status means.
pub(crate) fn from_response(response: Response) -> Failure {
    let (status, wait) = (response.status, retry_after(&response.headers));
    let failure = response.into_failure();
    let body: Value = failure
        .problem()
        .and_then(|problem| serde_json::from_str(problem.detail.as_deref()?).ok())
        .unwrap_or_default();
    by_word(&body["body"]["error"], status, wait).unwrap_or(failure)
}

/// The failure in a body that came under a good status, if there is one.
pub(crate) fn in_good_answer(body: &Value) -> Option<Failure> {
    match &body["error"] {
        Value::Null => None,
        error => Some(reported(error)),
    }
}

/// The failure that an error means when its status says nothing. Without a code
/// it is `Transient`: the request was accepted, and then something went wrong.
pub(crate) fn reported(error: &Value) -> Failure {
    let error = if error["error"].is_null() { error } else { &error["error"] };
    let status = status(&error["code"]).or_else(|| status(&error["status"])).unwrap_or(500);
    by_word(error, status, None).unwrap_or_else(|| {
        let message = format!("the server reported an error: {}", excerpt(&said(error)));
        failure_of(status, message, None).with_detail(&json!({"error": error}))
    })
}

fn status(code: &Value) -> Option<u16> {
    let status = match code {
        Value::String(text) => text.parse().ok()?,
        other => u16::try_from(other.as_u64()?).ok()?,
    };
    (400..600).contains(&status).then_some(status)
}

/// Errors whose code or type says more than a status can.
fn by_word(error: &Value, status: u16, wait: Option<Duration>) -> Option<Failure> {
    let words = [error["code"].as_str(), error["type"].as_str()];
    let is = |known: &[&str]| words.iter().flatten().any(|word| known.contains(word));
    let message = excerpt(&said(error));
    let failure = if is(&["exceed_context_size_error", "context_length_exceeded"]) {
        Failure::invalid_input(format!("the task is too long for the model: {message}"))
            .with_code("context-length-exceeded")
    } else if is(&["insufficient_quota", "billing_hard_limit_reached"]) {
        Failure::denied(format!("the account has no quota left: {message}"))
            .with_code("insufficient-quota")
    } else if is(&["content_filter", "content_policy_violation"]) {
        Failure::permanent(format!("the server's content filter refused the task: {message}"))
            .with_code("content-filter")
    } else if is(&["model_not_found"]) {
        Failure::invalid_input(format!("the server does not have this model: {message}"))
            .with_code("model-not-found")
    } else if is(&["rate_limit_exceeded", "rate_limit_error"]) && status != 429 {
        Failure::throttled(format!("the server asks for patience: {message}"), wait)
            .with_code("rate-limited")
    } else {
        return None;
    };
    Some(failure.with_detail(&json!({"status": status, "error": error})))
}
