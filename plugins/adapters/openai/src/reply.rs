//! A *reply* is what the model said, whole, however it arrived; this says what
//! it means for the task.

use consort_plugin_sdk::host::{self, Level};
use consort_plugin_sdk::{Failure, Payload, Step, Usage};
use serde_json::{Value, json};

use crate::config::{Config, Prices};

/// What the model said.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) content: String,
    pub(crate) refusal: String,
    pub(crate) tool_calls: Vec<Value>,
    pub(crate) finish_reason: Option<String>,
    pub(crate) model: Option<String>,
    /// The API's `usage` object, or null.
    pub(crate) usage: Value,
}

/// Turns a reply into the task's result.
pub(crate) fn finish(reply: Reply, config: &Config) -> Result<Step, Failure> {
    let usage = usage(&reply, config);
    let detail = json!({"finish_reason": reply.finish_reason, "usage": reply.usage,
        "content": reply.content});
    let problem = |message: &str, code: &str| {
        Err(Failure::permanent(message).with_code(code).with_detail(&detail))
    };
    if reply.finish_reason.as_deref() == Some("content_filter") {
        return problem("the server's content filter stopped the answer", "content-filter");
    }
    if reply.content.is_empty() && !reply.refusal.is_empty() {
        return problem(&format!("the model refused: {}", reply.refusal), "refused");
    }
    let is_cut = reply.finish_reason.as_deref() == Some("length");
    let is_empty = reply.content.is_empty() && reply.tool_calls.is_empty();
    if is_cut && (is_empty || config.wants_json()) {
        let message = "the answer was cut at its longest; raise 'max_tokens'";
        return problem(message, "answer-truncated");
    }
    if is_cut {
        host::log(Level::Warn, "the answer was cut at its longest; raise 'max_tokens' for more");
    }
    if is_empty && reply.finish_reason.is_none() {
        return Err(Failure::transient("the server answered without an answer in it")
            .with_code("malformed-response"));
    }
    Ok(Step::done(output(reply, config.wants_json())?).with_usage(usage))
}

/// Text, JSON where it was asked for, or the tools that the model wants called.
fn output(reply: Reply, wants_json: bool) -> Result<Payload, Failure> {
    if !reply.tool_calls.is_empty() {
        let mut output = json!({"tool_calls": reply.tool_calls});
        if !reply.content.is_empty() {
            output["content"] = Value::String(reply.content);
        }
        return Payload::json(&output);
    }
    if !wants_json {
        return Ok(Payload::Text(reply.content));
    }
    match serde_json::from_str::<Value>(&reply.content) {
        Ok(_) => Ok(Payload::Json(reply.content)),
        Err(error) => Err(Failure::transient(format!("the model's answer is not JSON: {error}"))
            .with_code("malformed-answer")
            .with_detail(&json!({"content": reply.content}))),
    }
}

fn usage(reply: &Reply, config: &Config) -> Usage {
    let tokens = |names: [&str; 2]| names.iter().find_map(|name| reply.usage[name].as_u64());
    let input_tokens = tokens(["prompt_tokens", "input_tokens"]);
    let output_tokens = tokens(["completion_tokens", "output_tokens"]);
    let reported = reply.usage["cost"].as_f64();
    let computed = || price(config.prices?, input_tokens?, output_tokens?);
    Usage {
        input_tokens,
        output_tokens,
        cost: reported.or_else(computed),
        model: Some(reply.model.clone().unwrap_or_else(|| config.model.clone())),
    }
}

fn price(prices: Prices, input_tokens: u64, output_tokens: u64) -> Option<f64> {
    let cost = input_tokens as f64 * prices.input_per_million
        + output_tokens as f64 * prices.output_per_million;
    Some(cost / 1e6)
}
