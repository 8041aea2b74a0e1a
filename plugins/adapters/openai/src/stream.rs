//! A *stream* is an answer that arrives in pieces, as server-sent events. Every
//! piece of text is shown at once; the result is put together from all.

use consort_plugin_sdk::Failure;
use consort_plugin_sdk::host;
use consort_plugin_sdk::http::{Event, Response};
use consort_plugin_sdk::message::text;
use serde_json::{Value, json};

use crate::error;
use crate::reply::Reply;

/// The most tool calls an answer may hold.
const MAX_TOOL_CALLS: usize = 1024;

/// Reads the response of a request that asked for a stream. One that ends before
/// the model has said why it stopped is `Transient`: the connection broke, or
/// something in between gave up.
pub(crate) fn read(response: Response) -> Result<Reply, Failure> {
    let mut reply = Reply::default();
    let mut is_done = false;
    for event in response.events() {
        let event = event.map_err(|failure| failure.context("the answer broke off"))?;
        if event.data.trim() == "[DONE]" {
            is_done = true;
            break;
        }
        add(&mut reply, &parse(&event)?);
    }
    if is_done || reply.finish_reason.is_some() {
        // Some servers number the calls from 1.
        reply.tool_calls.retain(|call| !call.is_null());
        return Ok(reply);
    }
    Err(Failure::transient("the answer broke off before its end").with_code("stream-cut"))
}

fn parse(event: &Event) -> Result<Value, Failure> {
    let chunk: Option<Value> = serde_json::from_str(&event.data).ok();
    let failure = match &chunk {
        Some(chunk) => error::in_good_answer(chunk),
        None => None,
    };
    match (failure, chunk) {
        (Some(failure), _) => Err(failure),
        (None, Some(chunk)) if event.name != "error" => Ok(chunk),
        (None, chunk) if event.name == "error" => {
            Err(error::reported(&chunk.unwrap_or_else(|| Value::String(event.data.clone()))))
        }
        _ => Err(Failure::transient("the server sent a piece of an answer that is not JSON")
            .with_code("malformed-response")),
    }
}

/// Adds one piece. The one with the usage has no choices.
fn add(reply: &mut Reply, chunk: &Value) {
    if chunk["usage"].is_object() {
        reply.usage = chunk["usage"].clone();
    }
    if reply.model.is_none() {
        reply.model = chunk["model"].as_str().map(str::to_owned);
    }
    let choice = &chunk["choices"][0];
    if let Some(reason) = choice["finish_reason"].as_str() {
        reply.finish_reason = Some(reason.to_owned());
    }
    let delta = &choice["delta"];
    let content = text(&delta["content"]);
    if !content.is_empty() {
        reply.content.push_str(&content);
        host::report_partial(content);
    }
    reply.refusal.push_str(&text(&delta["refusal"]));
    for piece in delta["tool_calls"].as_array().into_iter().flatten() {
        add_tool_call(&mut reply.tool_calls, piece);
    }
}

/// Adds a piece of a tool call: the first has id and name, all have a part of
/// the arguments.
fn add_tool_call(calls: &mut Vec<Value>, piece: &Value) {
    let last = calls.len().saturating_sub(1);
    let index = piece["index"].as_u64().map_or(last, |index| index as usize);
    if index >= MAX_TOOL_CALLS {
        return;
    }
    if calls.len() <= index {
        calls.resize(index + 1, Value::Null);
    }
    let call = &mut calls[index];
    if call.is_null() {
        *call = json!({"id": "", "type": "function",
            "function": {"name": "", "arguments": ""}});
    }
    append(&mut call["id"], &piece["id"]);
    append(&mut call["function"]["name"], &piece["function"]["name"]);
    append(&mut call["function"]["arguments"], &piece["function"]["arguments"]);
}

fn append(whole: &mut Value, part: &Value) {
    if let (Value::String(whole), Value::String(part)) = (whole, part) {
        whole.push_str(part);
    }
}
