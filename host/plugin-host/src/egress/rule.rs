//! A *rule* says which requests somebody allows: by scheme, host, port, method
//! and path prefix. The operator's allow-list, a manifest's capabilities and the
//! reach of a secret are all lists of rules.
//!
//! The short form is `[METHOD[,METHOD…] ][scheme://]host[:port][/path]`:
//!
//! | rule | allows |
//! |---|---|
//! | `api.example.com` | `http` on port 80 and `https` on port 443, any method, any path |
//! | `https://api.example.com/v1` | `https` on port 443, `/v1` and everything below it |
//! | `GET,HEAD https://*.example.com:8443` | reading from any subdomain, on that port |
//! | `http://127.0.0.1:*` | any port of the loopback address, which it *names* |
//! | `*` | every public host |

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Method;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::{Host, Url};

use super::address::canonical;
use super::target::{Target, ambiguity};

/// Which requests are allowed. See the short form for what is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Both schemes when `None`.
    pub scheme: Option<Scheme>,
    /// Whom to talk to.
    pub host: HostPattern,
    /// On which ports.
    pub port: Ports,
    /// Every method when `None`, except `CONNECT` and `TRACE`, which are always
    /// refused.
    pub methods: Option<Vec<Method>>,
    /// Where on that host.
    pub path: PathPrefix,
}

/// A URL scheme that egress speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Without encryption.
    Http,
    /// With TLS.
    Https,
}

/// The hosts of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// `*`: every host, except that no private address is named by it.
    Any,
    /// `*.example.com`: every name below `example.com`, not itself.
    Below(String),
    /// `api.example.com`: this name, in lower case and ASCII.
    Name(String),
    /// An address, which it *names*: the only kind of pattern that opens a
    /// private address, next to `localhost`.
    Address(IpAddr),
}

/// The ports of a rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ports {
    /// The scheme's own: 80 or 443.
    #[default]
    SchemeDefault,
    /// `*`: every port.
    Any,
    /// This port.
    Only(u16),
}

/// A path and everything below it: `/v1` covers `/v1` and `/v1/chat`, but not
/// `/v1x`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPrefix(String);

/// A rule that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{rule}' is not an egress rule: {reason}")]
pub struct InvalidRule {
    /// What was written.
    pub rule: String,
    /// What is wrong with it, and what to write instead.
    pub reason: String,
}

/// What a rule says about one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Allows,
    /// It is about something else.
    Silent,
    /// It would allow the request if the path could be read in one way only.
    Ambiguous(&'static str),
}

impl Rule {
    /// Allows every request to the scheme, host and port of `url`; `None` for a
    /// URL that egress does not speak.
    pub fn origin(url: &Url) -> Option<Self> {
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return None,
        };
        Some(Self {
            scheme: Some(scheme),
            host: HostPattern::of(&url.host()?.to_owned()),
            port: Ports::Only(url.port_or_known_default()?),
            methods: None,
            path: PathPrefix::root(),
        })
    }

    /// Judges one request.
    pub(super) fn verdict(&self, method: &Method, target: &Target) -> Verdict {
        let method_fits = self
            .methods
            .as_ref()
            .is_none_or(|methods| methods.contains(method));
        let fits = self.scheme.is_none_or(|scheme| scheme == target.scheme())
            && self.host.matches(target.host())
            && self.port.matches(target.scheme(), target.port())
            && method_fits;
        if fits {
            self.path.verdict(target.path())
        } else {
            Verdict::Silent
        }
    }
}

impl Scheme {
    /// As in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port of a URL that has none.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl HostPattern {
    pub(super) fn of(host: &Host<String>) -> Self {
        match host {
            Host::Domain(name) => Self::Name(name.trim_end_matches('.').to_owned()),
            Host::Ipv4(address) => Self::Address(IpAddr::V4(*address)),
            Host::Ipv6(address) => Self::Address(canonical(IpAddr::V6(*address))),
        }
    }

    fn matches(&self, host: &Host<String>) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::Name(name), Host::Domain(host)) => name == host,
            (Self::Below(parent), Host::Domain(host)) => host
                .strip_suffix(parent.as_str())
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|below| !below.is_empty()),
            (Self::Address(address), Host::Ipv4(host)) => *address == IpAddr::V4(*host),
            (Self::Address(address), Host::Ipv6(host)) => *address == canonical(IpAddr::V6(*host)),
            _ => false,
        }
    }

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
                "'*' stands for a whole host or goes before a name, as in *.example.com".to_owned(),
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
    fn matches(self, scheme: Scheme, port: u16) -> bool {
        match self {
            Self::SchemeDefault => port == scheme.default_port(),
            Self::Any => true,
            Self::Only(only) => port == only,
        }
    }

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
    /// Every path.
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// The longest prefix that covers `path` and can be written as a rule.
    pub(super) fn covering(path: &str) -> Self {
        Self::parse(path).unwrap_or_else(|_| Self::root())
    }

    /// As URLs spell it: percent-encoded, without a slash at the end except for
    /// the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn verdict(&self, path: &str) -> Verdict {
        if self.0 == "/" {
            return Verdict::Allows;
        }
        let below = path.strip_prefix(self.0.as_str());
        if !below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            return Verdict::Silent;
        }
        ambiguity(path).map_or(Verdict::Allows, Verdict::Ambiguous)
    }

    fn parse(text: &str) -> Result<Self, String> {
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
        let invalid = |reason| InvalidRule {
            rule: text.to_owned(),
            reason,
        };
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
        return (
            host,
            rest.strip_prefix(':')
                .or((!rest.is_empty()).then_some(rest)),
        );
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
        let scheme = match self
            .scheme
            .as_deref()
            .map(str::to_ascii_lowercase)
            .as_deref()
        {
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
            path: self
                .path
                .as_deref()
                .map_or_else(|| Ok(PathPrefix::root()), PathPrefix::parse)?,
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
        return Err(
            "an empty list of methods allows nothing; leave it out to allow all".to_owned(),
        );
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
