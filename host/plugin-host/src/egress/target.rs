//! A *target* is where a request goes, in the one spelling that is both checked
//! and sent: what [`Url`] makes of it, without a dot at the end of the host.

use std::borrow::Cow;
use std::net::IpAddr;

use http::{Method, Uri};
use url::{Host, Url};

use super::rule::Scheme;

/// Where a request goes.
#[derive(Debug, Clone)]
pub(super) struct Target {
    url: Url,
    scheme: Scheme,
    host: Host<String>,
    port: u16,
}

impl Target {
    /// Reads the URI a guest asked for; the error says why it is refused.
    pub(super) fn parse(uri: &Uri) -> Result<Self, &'static str> {
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            _ => return Err("the scheme is neither http nor https"),
        };
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            return Err("the URL contains a user name; send an authorization header instead");
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        // `*` of `OPTIONS *` would run into the host.
        if authority.is_empty() || !(path.starts_with('/') || path.starts_with('?')) {
            return Err("the URL needs a host and a path that starts with /");
        }
        let mut url = Url::parse(&format!("{}://{authority}{path}", scheme.as_str()))
            .map_err(|_| "the URL cannot be read")?;
        url.set_fragment(None);
        Self::strip_trailing_dot(&mut url)?;
        let host = url.host().ok_or("the URL has no host")?.to_owned();
        let port = url.port().unwrap_or(scheme.default_port());
        if port == 0 {
            return Err("port 0 cannot be connected to");
        }
        Ok(Self { scheme, host, port, url })
    }

    /// `example.com.` is `example.com`, for rules, connections and certificates
    /// alike.
    fn strip_trailing_dot(url: &mut Url) -> Result<(), &'static str> {
        let Some(Host::Domain(name)) = url.host() else {
            return Ok(());
        };
        let stripped = name.strip_suffix('.').unwrap_or(name);
        if stripped.split('.').any(str::is_empty) {
            return Err("the host has an empty label");
        }
        if stripped.len() < name.len() {
            let stripped = stripped.to_owned();
            url.set_host(Some(&stripped)).map_err(|_| "the host cannot be read")?;
        }
        Ok(())
    }

    pub(super) fn scheme(&self) -> Scheme {
        self.scheme
    }

    pub(super) fn host(&self) -> &Host<String> {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn path(&self) -> &str {
        self.url.path()
    }

    pub(super) fn query(&self) -> Option<&str> {
        self.url.query()
    }

    /// The address, when the host is one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self.host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
        }
    }

    /// Whether the host is `localhost` or a name below it, which always mean
    /// this machine (RFC 6761).
    pub(super) fn is_localhost(&self) -> bool {
        matches!(&self.host, Host::Domain(name) if is_localhost(name))
    }

    /// The request as people would write it. Without the query, which is where
    /// keys and personal data hide.
    pub(super) fn describe(&self, method: &Method) -> String {
        let mut shown = self.url.clone();
        shown.set_query(None);
        shorten(format!("{method} {shown}"))
    }

    pub(super) fn into_url(self) -> Url {
        self.url
    }

    /// Bytes of the URL, as counted against limits.
    pub(super) fn len(&self) -> u64 {
        self.url.as_str().len() as u64
    }
}

pub(super) fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let Some(below) = name.len().checked_sub("localhost".len()) else {
        return false;
    };
    name.is_char_boundary(below)
        && name[below..].eq_ignore_ascii_case("localhost")
        && (below == 0 || name[..below].ends_with('.'))
}

/// Cuts what goes into records and logs to a length people still read.
pub(super) fn shorten(mut text: String) -> String {
    const LONGEST: usize = 300;
    if text.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Why servers could disagree about which resource a path names, or `None` when
/// they cannot. Asked only where a rule restricts the path.
pub(super) fn ambiguity(path: &str) -> Option<&'static str> {
    /// No honest path is encoded more often than this.
    const MOST_ENCODINGS: usize = 4;

    if path.contains("//") {
        return Some("an empty segment");
    }
    let slashes = path.matches('/').count();
    let mut decoded = Cow::Borrowed(path);
    for _ in 0..MOST_ENCODINGS {
        if decoded.contains('\\') || decoded.matches('/').count() > slashes {
            return Some("an encoded slash");
        }
        if decoded.chars().any(char::is_control) {
            return Some("a control character");
        }
        // Some servers cut parameters off a segment before they look at it.
        let dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
        if decoded.split('/').any(dots) {
            return Some("a dot segment");
        }
        match decode(&decoded) {
            Some(next) => decoded = Cow::Owned(next),
            None => return None,
        }
    }
    Some("a character encoded many times")
}

/// Decodes percent-encoding once; `None` when there is none.
pub(super) fn decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |offset: usize| bytes.get(at + offset).and_then(|b| (*b as char).to_digit(16));
        match (bytes[at], hex(1), hex(2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    (decoded.len() < bytes.len()).then(|| String::from_utf8_lossy(&decoded).into_owned())
}
