//! The server as an OpenAI-compatible model that repeats the last message.

use std::io;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::routes::{Body, json_body, streamed};

pub(super) fn answer(request: &[u8]) -> Response<Body> {
    let Ok(request) = serde_json::from_slice::<Value>(request) else {
        let error = json!({"error": {"message": "the body is not JSON", "code": 400}});
        let mut response = json_body(&error);
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return response;
    };
    let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let said = messages.last().and_then(|last| last["content"].as_str()).unwrap_or_default();
    let words: Vec<&str> = said.split_inclusive(' ').collect();
    let model = request["model"].as_str().unwrap_or("parrot");
    let usage = json!({
        "prompt_tokens": words.len(),
        "completion_tokens": words.len(),
        "total_tokens": 2 * words.len(),
    });
    if request["stream"] == true {
        return events(model, &words, &usage);
    }
    json_body(&json!({
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": model,
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": said},
            "finish_reason": "stop",
        }],
        "usage": usage,
    }))
}

fn events(model: &str, words: &[&str], usage: &Value) -> Response<Body> {
    let chunk = |delta: Value, finish: Option<&str>| {
        json!({
            "object": "chat.completion.chunk",
            "model": model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        })
    };
    let mut chunks = vec![chunk(json!({"role": "assistant", "content": null}), None)];
    chunks.extend(words.iter().map(|word| chunk(json!({"content": word}), None)));
    chunks.push(chunk(json!({}), Some("stop")));
    chunks.push(json!({"model": model, "choices": [], "usage": usage}));
    let mut lines: Vec<io::Result<Bytes>> =
        chunks.iter().map(|chunk| Ok(format!("data: {chunk}\n\n").into())).collect();
    lines.push(Ok("data: [DONE]\n\n".into()));
    let mut response = streamed(stream::iter(lines).boxed());
    let event_stream = http::HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert("content-type", event_stream);
    response
}
