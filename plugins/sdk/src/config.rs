//! *Configuration* is the JSON object the operator wrote for this agent, policy
//! or use of a transformer.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::failure::Failure;

/// How much of the document an error quotes.
const EXCERPT: usize = 48;

/// Reads a configuration into a type of the plugin's own; `InvalidInput` with
/// the part of the document that does not fit.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| {
        let message = format!("the configuration is not valid: {}", describe(text, &error));
        Failure::invalid_input(message).with_code("invalid-config")
    })
}

/// A time that `field` gives in seconds, fractions allowed; `InvalidInput` when
/// it is zero, negative or no time at all.
pub fn seconds(field: &str, seconds: f64) -> Result<Duration, Failure> {
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => {
            let message = format!("'{field}' is {seconds}; use a number of seconds above 0");
            Err(Failure::invalid_input(message).with_code("invalid-config"))
        }
    }
}

/// serde_json's message, with the place as a quotation instead of as numbers:
/// the document is a machine's rendering that nobody has seen.
fn describe(text: &str, error: &serde_json::Error) -> String {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let message = error.to_string();
    let message = message.strip_suffix(&place).unwrap_or(&message);
    let before: usize =
        text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let end = text.floor_char_boundary(before + error.column());
    let start = text.floor_char_boundary(end.saturating_sub(EXCERPT));
    match text.get(start..end) {
        Some(excerpt) if !excerpt.is_empty() => format!("{message}, near '{excerpt}'"),
        _ => message.to_owned(),
    }
}

/// The configuration of the running plugin, for prioritizers, whose calls do
/// not carry it. On targets other than wasm it is
/// [`testing::set_config`](crate::testing::set_config)'s.
pub fn get() -> String {
    #[cfg(target_family = "wasm")]
    {
        crate::bindings::adapter::consort::host::config::get()
    }
    #[cfg(not(target_family = "wasm"))]
    {
        crate::testing::config()
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only the parsing is of interest")]
    struct Config {
        model: String,
        temperature: Option<f64>,
    }

    fn message(text: &str) -> String {
        parse::<Config>(text).unwrap_err().message().to_owned()
    }

    #[test]
    fn errors_quote_the_place() {
        assert_eq!(
            message(r#"{"model":"m","temperature":"hot"}"#),
            r#"the configuration is not valid: invalid type: string "hot", expected f64, near '{"model":"m","temperature":"hot"'"#
        );
        assert!(message("{\n}").contains("missing field `model`"), "{}", message("{\n}"));
        assert!(message("").starts_with("the configuration is not valid: EOF"), "{}", message(""));
    }

    #[test]
    fn a_time_is_above_zero() {
        assert_eq!(seconds("timeout", 0.25), Ok(Duration::from_millis(250)));
        for nonsense in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let failure = seconds("timeout", nonsense).unwrap_err();
            assert_eq!(failure.code(), Some("invalid-config"));
            assert!(failure.message().starts_with("'timeout' is "), "{failure:?}");
        }
    }
}
