//! A *completion* is an answer that arrives whole.

use consort_plugin_sdk::Failure;
use consort_plugin_sdk::http::Response;
use consort_plugin_sdk::message::text;
use serde_json::Value;

use crate::error;
use crate::reply::Reply;

/// Reads the response of a request that did not ask for a stream.
pub(crate) fn read(response: Response) -> Result<Reply, Failure> {
    let body: Value = response.json()?;
    if let Some(failure) = error::in_good_answer(&body) {
        return Err(failure);
    }
    let choice = &body["choices"][0];
    let message = &choice["message"];
    if !message.is_object() {
        return Err(Failure::transient("the server answered without a message in it")
            .with_code("malformed-response")
            .with_detail(&body));
    }
    Ok(Reply {
        content: text(&message["content"]),
        refusal: text(&message["refusal"]),
        tool_calls: message["tool_calls"].as_array().cloned().unwrap_or_default(),
        finish_reason: choice["finish_reason"].as_str().map(str::to_owned),
        model: body["model"].as_str().map(str::to_owned),
        usage: body["usage"].clone(),
    })
}
