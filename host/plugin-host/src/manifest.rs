//! A *manifest* is what a plugin says about itself: a JSON document in a custom
//! section of its `.wasm` file, readable without running it.
//!
//! Its fields are read one by one, so that a mistake is reported with the name
//! of the field it is in.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::egress::HttpCapability;
use crate::limits::LimitSpec;

/// Which contract a plugin exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Speaks to one kind of agent.
    Adapter,
    /// Decides which ready task runs first.
    Prioritizer,
    /// Reshapes a result.
    Transformer,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Adapter => "adapter",
            Self::Prioritizer => "prioritizer",
            Self::Transformer => "transformer",
        })
    }
}

/// What a plugin says about itself.
#[derive(Debug, Clone, Serialize)]
pub struct Manifest {
    /// Letters, digits, `-`, `_` and `.`; at most 64.
    pub name: String,
    /// Its author's version, such as `1.2.0`.
    pub version: String,
    /// Which contract it exports; checked against the component.
    pub kind: Kind,
    /// One line for people.
    pub description: String,
    /// What it asks to be allowed.
    pub capabilities: Capabilities,
    /// A JSON Schema of its configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_schema: Option<Value>,
    /// Whether an adapter is of no use without the URL of its agent.
    pub needs_url: bool,
    /// Limits to use when neither task nor agent says otherwise.
    pub limits: LimitSpec,
}

/// What a plugin asks to be allowed. It gets what the operator allows as well.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Capabilities {
    /// HTTP requests.
    pub http: Vec<HttpCapability>,
}

impl Manifest {
    /// The manifest of a plugin that has none.
    pub(crate) fn absent(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            version: "0.0.0".to_owned(),
            kind,
            description: String::new(),
            capabilities: Capabilities::default(),
            config_schema: None,
            needs_url: false,
            limits: LimitSpec::default(),
        }
    }

    /// Whether the URL of an agent means anything to it: it may send requests.
    pub fn takes_url(&self) -> bool {
        !self.capabilities.http.is_empty()
    }

    /// Reads a manifest. The error names the field.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, String> {
        let mut fields: Map<String, Value> =
            serde_json::from_slice(json).map_err(|e| format!("it is not a JSON object: {e}"))?;
        let manifest = Self {
            name: required(&mut fields, "name")?,
            version: required(&mut fields, "version")?,
            kind: required(&mut fields, "kind")?,
            description: optional(&mut fields, "description")?.unwrap_or_default(),
            capabilities: optional(&mut fields, "capabilities")?.unwrap_or_default(),
            config_schema: optional(&mut fields, "config_schema")?,
            needs_url: optional(&mut fields, "needs_url")?.unwrap_or_default(),
            limits: optional(&mut fields, "limits")?.unwrap_or_default(),
        };
        if let Some(unknown) = fields.keys().next() {
            return Err(format!(
                "unknown field '{unknown}'; the fields are name, version, kind, description, \
                 capabilities, config_schema, needs_url and limits"
            ));
        }
        if !valid_name(&manifest.name) {
            return Err(format!(
                "field 'name': '{}' is not a name; use up to 64 letters, digits, '-', '_' and '.', \
                 not ending in .wasm",
                manifest.name
            ));
        }
        if !matches!(manifest.config_schema, None | Some(Value::Object(_) | Value::Bool(_))) {
            return Err("field 'config_schema': a JSON Schema is an object".to_owned());
        }
        Ok(manifest)
    }
}

/// Names end up in references (`name@digest`), in metric names and in paths.
pub(crate) fn valid_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && !name.ends_with(".wasm")
}

fn optional<T: DeserializeOwned>(
    fields: &mut Map<String, Value>,
    name: &str,
) -> Result<Option<T>, String> {
    match fields.shift_remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            serde_json::from_value(value).map(Some).map_err(|e| format!("field '{name}': {e}"))
        }
    }
}

fn required<T: DeserializeOwned>(fields: &mut Map<String, Value>, name: &str) -> Result<T, String> {
    optional(fields, name)?.ok_or_else(|| format!("field '{name}' is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_all_fields() {
        let manifest = Manifest::parse(
            br#"{"name": "my-agent", "version": "1.2.0", "kind": "adapter",
                "description": "speaks to my agent",
                "capabilities": {"http": ["endpoint"]},
                "config_schema": {"type": "object"}, "needs_url": true,
                "limits": {"fuel": 5}}"#,
        )
        .expect("a valid manifest");
        assert_eq!(manifest.name, "my-agent");
        assert_eq!(manifest.kind, Kind::Adapter);
        assert_eq!(manifest.capabilities.http.len(), 1);
        assert!(manifest.needs_url && manifest.takes_url());
        assert_eq!(manifest.limits.fuel, Some(5));
    }

    #[test]
    fn errors_name_the_field() {
        let cases = [
            (r#"{"version": "1", "kind": "adapter"}"#, "'name' is missing"),
            (r#"{"name": "a", "version": 1, "kind": "adapter"}"#, "'version'"),
            (r#"{"name": "a", "version": "1", "kind": "agent"}"#, "'kind'"),
            (r#"{"name": "a/b", "version": "1", "kind": "adapter"}"#, "'a/b'"),
            (r#"{"name": "a", "version": "1", "kind": "adapter", "limits": {"fule": 1}}"#, "fule"),
            (
                r#"{"name": "a", "version": "1", "kind": "adapter", "capabilites": {}}"#,
                "capabilites",
            ),
            (r#"["a"]"#, "JSON object"),
        ];
        for (json, expected) in cases {
            let error = Manifest::parse(json.as_bytes()).expect_err(json);
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
