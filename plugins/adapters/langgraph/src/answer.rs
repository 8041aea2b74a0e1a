//! The *answer* is what the task gets from a graph's final state, and *usage* what
//! the messages in it say that they cost.

use consort_plugin_sdk::path::find;
use consort_plugin_sdk::{Failure, Payload, Step, Usage, message};
use serde_json::{Value, json};

use crate::config::Config;

/// Reads the values of a graph that has come to its end.
pub(crate) fn finish(config: &Config, values: &Value) -> Result<Step, Failure> {
    let step = Step::done(output(config, values)?);
    let usage = usage(values);
    Ok(if usage.is_unknown() { step } else { step.with_usage(usage) })
}

fn output(config: &Config, values: &Value) -> Result<Payload, Failure> {
    let Some(path) = &config.answer else {
        return Ok(match messages(values).last() {
            Some(last) => Payload::Text(message::text(&last["content"])),
            None => Payload::from(values.clone()),
        });
    };
    find(values, path).cloned().map(Payload::from).ok_or_else(|| {
        let keys: Vec<&String> =
            values.as_object().into_iter().flat_map(|map| map.keys()).collect();
        Failure::permanent(format!("the graph's final state has nothing at '{path}'"))
            .with_code("no-answer")
            .with_detail(&json!({"fields": keys}))
    })
}

/// What all messages of models cost together; the thread is the task's own, so
/// they are, too. The model is that of the last.
fn usage(values: &Value) -> Usage {
    let mut usage = Usage::UNKNOWN;
    for message in messages(values).iter().filter(|message| message["type"] == "ai") {
        let cost = &message["usage_metadata"];
        add(&mut usage.input_tokens, &cost["input_tokens"]);
        add(&mut usage.output_tokens, &cost["output_tokens"]);
        let about = &message["response_metadata"];
        let model = about["model_name"].as_str().or(about["model"].as_str());
        usage.model = model.map(str::to_owned).or(usage.model);
    }
    usage
}

fn add(sum: &mut Option<u64>, tokens: &Value) {
    if let Some(tokens) = tokens.as_u64() {
        *sum = Some(sum.unwrap_or(0).saturating_add(tokens));
    }
}

fn messages(values: &Value) -> &[Value] {
    values["messages"].as_array().map_or(&[], Vec::as_slice)
}
