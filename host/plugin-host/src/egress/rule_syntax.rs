//! How rules are written, in configuration and in manifests; [`Rule`] has the
//! forms.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Method;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::{Host, Url};

use super::address::canonical;
use super::rule::{HostPattern, PathPrefix, Ports, Rule, Scheme};
use super::target::ambiguity;

/// A rule that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{rule}' is not an egress rule: {reason}")]
pub struct InvalidRule {
    /// What was written.
    pub rule: String,
    /// What is wrong with it, and what to write instead.
    pub reason: String,
}

impl HostPattern {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if let Some(parent) = text.strip_prefix("*.") {
            return match Self::parse(parent)? {
                Self::Name(parent) => Ok(Self::Below(parent)),
                _ => Err("'*.' goes before a name, as in *.example.com".to_owned()),
            };
        }
        if text.contains('*') {
            return Err(
                "'*' stands for a whole host or goes before a name, as in *.example.com".to_owned()
            );
        }
        if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Ok(Self::Address(canonical(address)));
        }
        let host = Host::parse(text).map_err(|error| format!("host '{text}': {error}"))?;
        let pattern = Self::of(&host);
        match &pattern {
            Self::Address(address) => Err(format!("write the address as {address}")),
            Self::Name(name) if name.is_empty() || name.split('.').any(str::is_empty) => {
                Err(format!("host '{text}' has an empty label"))
            }
            _ => Ok(pattern),
        }
    }
}

impl Ports {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "*" => Ok(Self::Any),
            _ => match text.parse() {
                Ok(port) if port > 0 && text.bytes().all(|b| b.is_ascii_digit()) => {
                    Ok(Self::Only(port))
                }
                _ => Err(format!("port '{text}' is neither 1 to 65535 nor *")),
            },
        }
    }
}

impl PathPrefix {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Err(format!("path '{text}' does not start with /"));
        }
        if let Some(at) = text.find(['?', '#', '\\']) {
            return Err(format!("path '{text}' has a '{}'", &text[at..=at]));
        }
        let trimmed = text.trim_end_matches('/');
        if trimmed.is_empty() {
            return Ok(Self::root());
        }
        if let Some(why) = ambiguity(trimmed) {
            return Err(format!("path '{text}' has {why}"));
        }
        // In the spelling that targets have.
        let url = Url::parse(&format!("http://host{trimmed}")).map_err(|e| e.to_string())?;
        Ok(Self(url.path().to_owned()))
    }
}

impl FromStr for Rule {
    type Err = InvalidRule;

    fn from_str(text: &str) -> Result<Self, InvalidRule> {
        let invalid = |reason| InvalidRule { rule: text.to_owned(), reason };
        let (methods, rest) = match text.trim().rsplit_once(' ') {
            Some((methods, rest)) => (Some(methods.split(',').map(str::trim)), rest),
            None => (None, text.trim()),
        };
        let (scheme, rest) = match rest.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, rest),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => (&rest[..at], Some(&rest[at..])),
            None => (rest, None),
        };
        let (host, port) = split_port(authority);
        let fields = RuleFields {
            scheme: scheme.map(str::to_owned),
            host: host.to_owned(),
            port: port.map(|port| PortField::Text(port.to_owned())),
            methods: methods.map(|methods| methods.map(str::to_owned).collect()),
            path: path.map(str::to_owned),
        };
        fields.build().map_err(invalid)
    }
}

/// Splits `host:port`, where an IPv6 host may stand in brackets or alone.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    if let Some(end) = authority.rfind(']') {
        let (host, rest) = authority.split_at(end + 1);
        return (host, rest.strip_prefix(':').or((!rest.is_empty()).then_some(rest)));
    }
    match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => (authority, None),
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(methods) = &self.methods {
            let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
            write!(f, "{} ", names.join(","))?;
        }
        if let Some(scheme) = self.scheme {
            write!(f, "{}://", scheme.as_str())?;
        }
        write!(f, "{}", self.host)?;
        match self.port {
            Ports::SchemeDefault => {}
            Ports::Any => f.write_str(":*")?,
            Ports::Only(port) => write!(f, ":{port}")?,
        }
        if self.path.0 != "/" {
            f.write_str(&self.path.0)?;
        }
        Ok(())
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Below(parent) => write!(f, "*.{parent}"),
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// A rule as an object: every field but `host` may be left out.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scheme: Option<String>,
    host: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port: Option<PortField>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    methods: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
}

/// `443` or `"*"`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum PortField {
    Number(u64),
    Text(String),
}

impl RuleFields {
    fn build(&self) -> Result<Rule, String> {
        let scheme = match self.scheme.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None | Some("*") => None,
            Some("http") => Some(Scheme::Http),
            Some("https") => Some(Scheme::Https),
            Some(other) => return Err(format!("scheme '{other}' is neither http nor https")),
        };
        if self.host.contains('@') {
            return Err("a user name in the host has no meaning here; leave it out".to_owned());
        }
        let port = match &self.port {
            None => Ports::SchemeDefault,
            Some(PortField::Number(port)) => Ports::parse(&port.to_string())?,
            Some(PortField::Text(port)) => Ports::parse(port)?,
        };
        Ok(Rule {
            scheme,
            host: HostPattern::parse(&self.host)?,
            port,
            methods: self.methods.as_deref().map(parse_methods).transpose()?,
            path: self.path.as_deref().map_or_else(|| Ok(PathPrefix::root()), PathPrefix::parse)?,
        })
    }

    fn of(rule: &Rule) -> Self {
        Self {
            scheme: rule.scheme.map(|scheme| scheme.as_str().to_owned()),
            host: rule.host.to_string(),
            port: match rule.port {
                Ports::SchemeDefault => None,
                Ports::Any => Some(PortField::Text("*".to_owned())),
                Ports::Only(port) => Some(PortField::Number(port.into())),
            },
            methods: rule
                .methods
                .as_ref()
                .map(|methods| methods.iter().map(Method::to_string).collect()),
            path: (rule.path.0 != "/").then(|| rule.path.0.clone()),
        }
    }
}

fn parse_methods(names: &[String]) -> Result<Vec<Method>, String> {
    if names.is_empty() {
        return Err("an empty list of methods allows nothing; leave it out to allow all".to_owned());
    }
    names
        .iter()
        .map(|name| {
            Method::from_bytes(name.to_ascii_uppercase().as_bytes())
                .map_err(|_| format!("'{name}' is not an HTTP method"))
        })
        .collect()
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        RuleFields::of(self).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct RuleVisitor;

        impl<'de> Visitor<'de> for RuleVisitor {
            type Value = Rule;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "an egress rule such as \"https://api.example.com/v1\" or {\"host\": …}",
                )
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Rule, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Rule, A::Error> {
                let fields = RuleFields::deserialize(de::value::MapAccessDeserializer::new(map))?;
                fields.build().map_err(de::Error::custom)
            }
        }

        from.deserialize_any(RuleVisitor)
    }
}
