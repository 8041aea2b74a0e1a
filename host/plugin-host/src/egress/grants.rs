//! *Grants* are what one call may reach; *capabilities* are what its plugin
//! asked for. A request needs both.

use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

use super::rule::Rule;
use super::secret::SecretGrant;

/// What the operator lets one call reach, and with which secrets.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    /// The operator's allow-list. Any rule of it is enough.
    pub operator: Vec<Rule>,
    /// Where the invocation's agent answers: what a manifest that asks for
    /// `endpoint` gets. The operator's rules must allow it all the same.
    pub endpoint: Option<Url>,
    /// The secrets whose placeholders the call was given.
    pub secrets: Vec<SecretGrant>,
}

impl Grants {
    /// Nothing may be reached.
    pub fn none() -> Self {
        Self::default()
    }
}

/// One HTTP capability in a plugin's manifest.
///
/// In JSON: the string `"endpoint"`, a rule as an object such as
/// `{"host": "auth.example.com", "path": "/token"}`, or a rule in its short
/// form such as `"POST https://auth.example.com/token"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpCapability {
    /// The scheme, host and port of the invocation's endpoint, with any path.
    Endpoint,
    /// What the rule allows.
    Rule(Rule),
}

const ENDPOINT: &str = "endpoint";

impl Serialize for HttpCapability {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Endpoint => to.serialize_str(ENDPOINT),
            Self::Rule(rule) => rule.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for HttpCapability {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct CapabilityVisitor;

        impl<'de> Visitor<'de> for CapabilityVisitor {
            type Value = HttpCapability;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"endpoint\" or an egress rule")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                if text == ENDPOINT {
                    return Ok(HttpCapability::Endpoint);
                }
                text.parse().map(HttpCapability::Rule).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Rule::deserialize(de::value::MapAccessDeserializer::new(map))
                    .map(HttpCapability::Rule)
            }
        }

        from.deserialize_any(CapabilityVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capability_is_endpoint_or_a_rule_in_either_form() {
        let capabilities: Vec<HttpCapability> = serde_json::from_str(
            r#"["endpoint", {"host": "auth.example.com", "path": "/token"}, "auth.example.com/token"]"#,
        )
        .expect("three capabilities");
        assert_eq!(capabilities[0], HttpCapability::Endpoint);
        assert_eq!(capabilities[1], capabilities[2]);
        let back = serde_json::to_string(&capabilities).expect("serialisable");
        let again: Vec<HttpCapability> = serde_json::from_str(&back).expect("own output");
        assert_eq!(again, capabilities);
        assert!(serde_json::from_str::<HttpCapability>(r#"{"hots": "x"}"#).is_err());
    }
}
