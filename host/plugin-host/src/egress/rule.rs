//! A *rule* says which requests somebody allows: by scheme, host, port, method
//! and path prefix. The operator's allow-list, a manifest's capabilities and the
//! reach of a secret are all lists of rules.

use std::net::IpAddr;

use http::Method;
use url::{Host, Url};

use super::address::canonical;
use super::target::{Target, ambiguity};

/// Which requests are allowed.
///
/// The short form is `[METHOD[,METHOD…] ][scheme://]host[:port][/path]`:
///
/// | rule | allows |
/// |---|---|
/// | `api.example.com` | `http` on port 80 and `https` on port 443, any method, any path |
/// | `https://api.example.com/v1` | `https` on port 443, `/v1` and everything below it |
/// | `GET,HEAD https://*.example.com:8443` | reading from any subdomain, on that port |
/// | `http://127.0.0.1:*` | any port of the loopback address, which it *names* |
/// | `*`, `*:*` | every public host, on the schemes' ports or on any |
///
/// As an object, with the defaults of the short form:
/// `{"scheme": "https", "host": "api.example.com", "port": 443, "methods": ["GET"], "path": "/v1"}`;
/// `port` may be `"*"`.
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
pub struct PathPrefix(pub(super) String);

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
        let method_fits = self.methods.as_ref().is_none_or(|methods| methods.contains(method));
        let fits = self.scheme.is_none_or(|scheme| scheme == target.scheme())
            && self.host.matches(target.host())
            && self.port.matches(target.scheme(), target.port())
            && method_fits;
        if fits { self.path.verdict(target.path()) } else { Verdict::Silent }
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
}

impl Ports {
    fn matches(self, scheme: Scheme, port: u16) -> bool {
        match self {
            Self::SchemeDefault => port == scheme.default_port(),
            Self::Any => true,
            Self::Only(only) => port == only,
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
}
