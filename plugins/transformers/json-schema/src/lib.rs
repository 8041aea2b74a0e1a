//! The *json-schema* transformer lets a result pass that fits a JSON Schema and
//! rejects any other.
//!
//! A result that does not fit is a mismatch of the agent's answer, with code
//! `schema-mismatch` and a detail `{violations: [{path, message, keyword,
//! schema_path}], omitted}`. With `on_mismatch: fail` the task fails for good;
//! with `retry` the attempt fails and the task's retry policy decides.
//!
//! With `parse`, text is read as JSON first: models like to wrap their answer in
//! a code fence and a few words.
//!
//! # Layout
//!
//! `answer` finds the document in an answer, `violations` tells what is
//! wrong with it.

use consort_plugin_sdk::{
    CheckedTransformer, Complaint, Failure, Payload, TransformContext, Transformer, config,
};
use jsonschema::Validator;
use serde::Deserialize;
use serde_json::Value;

mod answer;
mod violations;

use violations::Violations;

/// Rejects what does not fit.
pub struct JsonSchema;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    schema: Value,
    #[serde(default)]
    on_mismatch: OnMismatch,
    #[serde(default)]
    parse: bool,
    #[serde(default = "yes")]
    formats: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OnMismatch {
    #[default]
    Fail,
    Retry,
}

impl OnMismatch {
    fn failure(self, message: String) -> Failure {
        match self {
            Self::Fail => Failure::permanent(message),
            Self::Retry => Failure::transient(message),
        }
        .with_code("schema-mismatch")
    }
}

impl Config {
    fn validator(&self) -> Result<Validator, Failure> {
        jsonschema::options()
            .should_validate_formats(self.formats)
            .build(&self.schema)
            .map_err(|error| violations::schema_failure(&error))
    }
}

impl Transformer for JsonSchema {
    fn transform(value: Payload, context: TransformContext) -> Result<Payload, Failure> {
        let config: Config = context.parse_config()?;
        let validator = config.validator()?;
        let value = if config.parse {
            answer::parse(value).map_err(|problem| config.on_mismatch.failure(problem))?
        } else {
            value
        };
        let instance = value.to_value()?;
        // The common case needs no list of what is wrong.
        if validator.is_valid(&instance) {
            return Ok(value);
        }
        let violations = Violations::of(&validator, &instance);
        let failure = config.on_mismatch.failure(violations.message());
        Err(failure.with_detail(&violations.detail()))
    }
}

impl CheckedTransformer for JsonSchema {
    fn check(text: &str) -> Vec<Complaint> {
        match config::parse::<Config>(text) {
            Ok(config) => Complaint::of("/schema", config.validator()),
            Err(failure) => Complaint::of::<()>("", Err(failure)),
        }
    }
}

consort_plugin_sdk::export_checked_transformer!(JsonSchema, "plugin.json");

#[cfg(test)]
mod tests;
