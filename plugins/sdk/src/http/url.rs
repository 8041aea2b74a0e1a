//! A *URL* as far as requests need it: scheme, authority, path and query,
//! without the tables a full implementation carries.

use std::fmt;

use crate::failure::Failure;

/// An absolute `http` or `https` URL, without its fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Host and port as written.
    pub authority: String,
    /// Begins with `/`; no query.
    pub path: String,
    /// With its `?`, or empty.
    pub query: String,
}

impl Url {
    /// Parses an absolute URL; `InvalidInput` for other schemes, for URLs
    /// without a host and for user names in URLs, which belong in a header.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let invalid = |why: &str| {
            Failure::invalid_input(format!("'{text}' is not a usable URL: {why}"))
                .with_code("invalid-url")
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| invalid("it has no scheme"))?;
        let scheme = match scheme {
            s if s.eq_ignore_ascii_case("http") => "http",
            s if s.eq_ignore_ascii_case("https") => "https",
            _ => return Err(invalid("its scheme is neither http nor https")),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.is_empty() {
            return Err(invalid("it has no host"));
        }
        if authority.contains('@') {
            return Err(invalid("it holds a user name; send credentials in a header"));
        }
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(invalid("it holds white space; write it as %20"));
        }
        let (path, query) = split_query(path);
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self { scheme, authority: authority.into(), path: path.into(), query: query.into() })
    }

    /// Resolves what a `Location` header says (RFC 3986, section 5.2).
    pub fn join(&self, location: &str) -> Result<Self, Failure> {
        if location.split(['/', '?', '#']).next().is_some_and(|start| start.contains(':')) {
            return Self::parse(location);
        }
        if location.starts_with("//") {
            return Self::parse(&format!("{}:{location}", self.scheme));
        }
        let (path, query) = split_query(location);
        let path = if path.is_empty() {
            self.path.clone()
        } else if path.starts_with('/') {
            without_dots(path)
        } else {
            let folder = self.path.rfind('/').map_or("/", |slash| &self.path[..=slash]);
            without_dots(&format!("{folder}{path}"))
        };
        Ok(Self { path, query: query.into(), ..self.clone() })
    }

    /// Path and query as they go on the wire.
    pub fn path_and_query(&self) -> String {
        format!("{}{}", self.path, self.query)
    }

    /// Whether both name the same scheme, host and port.
    pub fn same_origin(&self, other: &Self) -> bool {
        self.scheme == other.scheme
            && self.without_default_port().eq_ignore_ascii_case(other.without_default_port())
    }

    fn without_default_port(&self) -> &str {
        let port = if self.scheme == "https" { ":443" } else { ":80" };
        self.authority.strip_suffix(port).unwrap_or(&self.authority)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}{}", self.scheme, self.authority, self.path, self.query)
    }
}

/// Path and query of what follows the authority; the fragment is dropped.
fn split_query(text: &str) -> (&str, &str) {
    let text = &text[..text.find('#').unwrap_or(text.len())];
    text.split_at(text.find('?').unwrap_or(text.len()))
}

/// Resolves `.` and `..` in an absolute path.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    for segment in &segments {
        match *segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    if matches!(segments.last(), Some(&("." | ".."))) {
        kept.push("");
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_resolve_as_rfc_3986_says() {
        let base = Url::parse("http://a/b/c/d;p?q").unwrap();
        let cases = [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g/"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y#s", "http://a/b/c/g?y"),
            ("", "http://a/b/c/d;p"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../../../g", "http://a/g"),
            ("https://z/x", "https://z/x"),
            ("g?to=http://z/", "http://a/b/c/g?to=http://z/"),
        ];
        for (reference, resolved) in cases {
            assert_eq!(base.join(reference).unwrap().to_string(), resolved, "{reference}");
        }
    }

    #[test]
    fn default_ports_do_not_change_the_origin() {
        let url = |text| Url::parse(text).unwrap();
        assert!(url("https://A.example:443/x").same_origin(&url("https://a.example?y")));
        assert!(!url("https://a.example").same_origin(&url("https://a.example:80")));
    }

    #[test]
    fn unusable_urls_say_why() {
        for (text, why) in [
            ("agent.example", "no scheme"),
            ("ftp://agent.example", "neither http nor https"),
            ("http:///path", "no host"),
            ("http://me:secret@agent.example", "user name"),
            ("http://agent.example/a b", "white space"),
        ] {
            let failure = Url::parse(text).unwrap_err();
            assert!(failure.message().contains(why), "{failure:?}");
        }
    }
}
