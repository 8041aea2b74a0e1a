//! The *jq* transformer runs a jq filter over a result.
//!
//! The language is jq as jaq implements it: integers of any size and decimals
//! keep their digits as long as the filter does not calculate with them. A
//! string that the filter yields becomes text, as with `jq -r`; anything else a
//! JSON document.
//!
//! The filter is a pure function of the value, `$task` (`{task_id, run_id,
//! for_task}`) and `$metadata`: what reaches outside does not exist here
//! (`env`, `$ENV`, `input`, `now`, `localtime`, `halt`, `stderr`, `import`).
//! `debug` writes to the task's log.
//!
//! # Layout
//!
//! `program` compiles a filter, with the functions of `functions`, and runs
//! it; `value` brings payloads in and results out.

use consort_plugin_sdk::{
    CheckedTransformer, Complaint, Failure, Payload, TransformContext, Transformer, config,
};
use serde::Deserialize;

mod functions;
mod program;
mod value;

use program::Program;

/// Runs a jq filter.
pub struct Jq;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    filter: String,
    #[serde(default)]
    on_empty: OnEmpty,
    #[serde(default)]
    multiple: Multiple,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OnEmpty {
    #[default]
    Null,
    Fail,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Multiple {
    #[default]
    Fail,
    First,
    Array,
}

impl Transformer for Jq {
    fn transform(value: Payload, context: TransformContext) -> Result<Payload, Failure> {
        let config: Config = context.parse_config()?;
        let input = value::read("the value", &value)?;
        let metadata =
            value::read("the task's metadata", &Payload::Json(context.metadata.clone()))?;
        let program = Program::compile(&config.filter)?;
        let mut results = program.run(input, value::task(&context), metadata);
        match config.multiple {
            Multiple::Array => value::write_array(results),
            Multiple::First => match results.next() {
                Some(result) => value::write(&result?),
                None => empty(config.on_empty),
            },
            Multiple::Fail => {
                let Some(first) = results.next() else { return empty(config.on_empty) };
                let first = first?;
                match results.next() {
                    None => value::write(&first),
                    Some(second) => {
                        second?;
                        Err(several())
                    }
                }
            }
        }
    }
}

impl CheckedTransformer for Jq {
    fn check(text: &str) -> Vec<Complaint> {
        match config::parse::<Config>(text) {
            Ok(config) => Complaint::of("/filter", Program::compile(&config.filter)),
            Err(failure) => Complaint::of::<()>("", Err(failure)),
        }
    }
}

consort_plugin_sdk::export_checked_transformer!(Jq, "plugin.json");

fn empty(on_empty: OnEmpty) -> Result<Payload, Failure> {
    match on_empty {
        OnEmpty::Null => Ok(Payload::Json("null".into())),
        OnEmpty::Fail => {
            let message = "the filter yielded nothing, and 'on_empty' is \"fail\"";
            Err(Failure::invalid_input(message).with_code("jq-empty"))
        }
    }
}

fn several() -> Failure {
    let message = "the filter yielded more than one result; put it in '[…]', or set 'multiple' to \
                   \"array\" or \"first\"";
    Failure::invalid_input(message).with_code("jq-multiple")
}

#[cfg(test)]
mod tests;
