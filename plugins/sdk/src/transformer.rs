//! A *transformer* reshapes a result on its way to those who wait for it.

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use crate::bindings::checked::exports::consort::result_transformer::check::Complaint;
pub use crate::bindings::transformer::exports::consort::result_transformer::transformer::TransformContext;
use crate::failure::Failure;
use crate::payload::Payload;

/// Turns one value into another; exported with
/// [`export_transformer!`](crate::export_transformer).
pub trait Transformer {
    /// Called once for each use, on a fresh instance. Must be a pure function
    /// of its arguments: the host may call it again, or keep the result.
    fn transform(value: Payload, context: TransformContext) -> Result<Payload, Failure>;
}

/// A transformer that can tell before a run whether it can use a configuration;
/// exported with [`export_checked_transformer!`](crate::export_checked_transformer).
pub trait CheckedTransformer: Transformer {
    /// What is wrong with a configuration, a JSON object that fits the manifest's
    /// schema; nothing if `transform` can use it. Must be a pure function.
    fn check(config: &str) -> Vec<Complaint>;
}

impl Complaint {
    /// The complaints that come of an attempt to use the part of a configuration
    /// that a JSON Pointer leads to, such as `/filter`.
    pub fn of<T>(path: &str, used: Result<T, Failure>) -> Vec<Self> {
        let complaint = |failure: Failure| Self {
            path: path.to_owned(),
            message: failure.message().to_owned(),
            hint: None,
        };
        used.err().map(complaint).into_iter().collect()
    }
}

impl TransformContext {
    /// The configuration written where the transformer is used, as a type of
    /// the plugin's own; `InvalidInput` when it does not fit.
    pub fn parse_config<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        crate::config::parse(&self.config)
    }

    /// The producing task's `metadata` as JSON.
    pub fn metadata(&self) -> Result<Value, Failure> {
        crate::payload::parse("the task's metadata", &self.metadata)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::testing::context;

    #[derive(Deserialize)]
    struct Config {
        suffix: String,
    }

    struct Append;

    impl Transformer for Append {
        fn transform(value: Payload, context: TransformContext) -> Result<Payload, Failure> {
            let config: Config = context.parse_config()?;
            Ok(Payload::Text(value.to_text()?.into_owned() + &config.suffix))
        }
    }

    #[test]
    fn a_transformer_reads_its_configuration() {
        let value = Payload::Text("dry".into());
        let transformed = Append::transform(value, context(r#"{"suffix": " run"}"#));
        assert_eq!(transformed, Ok(Payload::Text("dry run".into())));
    }

    #[test]
    fn a_configuration_that_does_not_fit_is_invalid_input() {
        let failure = Append::transform(Payload::Text(String::new()), context("{}")).unwrap_err();
        assert!(matches!(failure, Failure::InvalidInput(_)), "{failure:?}");
        assert!(failure.message().contains("missing field `suffix`"), "{failure:?}");
    }
}
