//! A *payload* is one value: a task's input, a dependency's result, an agent's
//! answer. To code that thinks in JSON, text is a JSON string and bytes are an
//! object `{media_type, base64}`.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub use crate::bindings::adapter::consort::types::values::{Blob, Payload};
use crate::failure::Failure;

impl Payload {
    /// Writes any serialisable value as a JSON document; `Permanent` when it
    /// cannot be one (a map whose keys are not strings).
    pub fn json(value: &impl Serialize) -> Result<Self, Failure> {
        serde_json::to_string(value)
            .map(Self::Json)
            .map_err(|error| Failure::permanent(format!("the result is not JSON: {error}")))
    }

    /// The value as JSON; `InvalidInput` when a JSON payload does not parse.
    pub fn to_value(&self) -> Result<Value, Failure> {
        match self {
            Self::Json(text) => parse("the value", text),
            Self::Text(text) => Ok(Value::String(text.clone())),
            Self::Blob(blob) => {
                Ok(json!({"media_type": blob.media_type, "base64": base64(&blob.data)}))
            }
        }
    }

    /// The value as a type of the plugin's own; `InvalidInput` when it does not
    /// fit.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        match self {
            Self::Json(text) => parse("the value", text),
            other => serde_json::from_value(other.to_value()?).map_err(|e| misfit("the value", &e)),
        }
    }

    /// The value as people would read it: text and JSON strings without quotes,
    /// other JSON as written. `InvalidInput` for bytes that are not UTF-8.
    pub fn to_text(&self) -> Result<Cow<'_, str>, Failure> {
        match self {
            Self::Text(text) => Ok(Cow::Borrowed(text)),
            Self::Json(text) if text.trim_start().starts_with('"') => {
                parse::<String>("the value", text).map(Cow::Owned)
            }
            Self::Json(text) => Ok(Cow::Borrowed(text)),
            Self::Blob(blob) => std::str::from_utf8(&blob.data).map(Cow::Borrowed).map_err(|_| {
                Failure::invalid_input(format!("the value is {} and not text", blob.media_type))
            }),
        }
    }
}

/// A JSON string becomes text, everything else a JSON document: the inverse of
/// [`Payload::to_value`] for text and JSON.
impl From<Value> for Payload {
    fn from(value: Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text),
            other => Self::Json(other.to_string()),
        }
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Parses a JSON document; `what` names it in the failure, `InvalidInput`.
pub(crate) fn parse<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| misfit(what, &error))
}

fn misfit(what: &str, error: &serde_json::Error) -> Failure {
    Failure::invalid_input(format!("{what} does not fit: {error}"))
}

/// RFC 4648 base64 with padding.
pub fn base64(data: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(data.len().div_ceil(3) * 4);
    for chunk in data.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            if digit > chunk.len() {
                text.push('=');
            } else {
                text.push(char::from(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize]));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_agrees_with_the_vectors_of_rfc_4648() {
        let vectors =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (data, text) in vectors {
            assert_eq!(base64(data.as_bytes()), text);
        }
    }

    #[test]
    fn values_go_to_json_and_back() {
        for payload in [Payload::Text("a \"b\"".into()), Payload::Json(r#"{"z":1,"a":[2]}"#.into())]
        {
            assert_eq!(Payload::from(payload.to_value().unwrap()), payload);
        }
        let blob = Payload::Blob(Blob { media_type: "image/png".into(), data: vec![1, 2, 3] });
        assert_eq!(blob.to_value().unwrap(), json!({"media_type": "image/png", "base64": "AQID"}));
    }

    #[test]
    fn text_is_what_people_would_read() {
        assert_eq!(Payload::Json(r#" "a\nb""#.into()).to_text().unwrap(), "a\nb");
        assert_eq!(Payload::Json("[1]".into()).to_text().unwrap(), "[1]");
        let bytes = Payload::Blob(Blob { media_type: "image/png".into(), data: vec![0xff] });
        assert_eq!(bytes.to_text().unwrap_err().message(), "the value is image/png and not text");
    }

    #[test]
    fn json_that_does_not_parse_is_invalid_input() {
        let failure = Payload::Json("{".into()).to_value().unwrap_err();
        assert!(matches!(failure, Failure::InvalidInput(_)), "{failure:?}");
    }
}
