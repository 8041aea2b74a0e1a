//! A *request* is built step by step and sent through redirects.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::failure::Failure;
use crate::http::url::Url;
use crate::http::{Headers, Response, Transport};

/// How many redirects are followed before giving up.
pub const MAX_REDIRECTS: usize = 5;

/// Headers that say nothing about who asks. Only these survive a redirect to
/// another origin: a secret may stand in a header of any name.
const ANONYMOUS: &[&str] = &[
    "accept",
    "accept-language",
    "content-encoding",
    "content-language",
    "content-type",
    "user-agent",
];

/// What is to be done with the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read it.
    Get,
    /// Read its headers.
    Head,
    /// Have it process the body.
    Post,
    /// Replace it with the body.
    Put,
    /// Change it as the body says.
    Patch,
    /// Delete it.
    Delete,
}

impl Method {
    /// As it is written on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// One HTTP request.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout: Option<Duration>,
}

impl Request {
    /// A request without headers, body and timeout.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Headers::default(),
            body: Vec::new(),
            timeout: None,
        }
    }

    /// A GET request.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::Get, url)
    }

    /// A POST request.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new(Method::Post, url)
    }

    /// Sets a header, replacing headers of the same name.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.set(name, value.into());
        self
    }

    /// Sends a token, usually a secret's placeholder, as `Authorization: Bearer`.
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Sets a body and its media type.
    pub fn body(self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut request = self.header("content-type", media_type);
        request.body = body.into();
        request
    }

    /// Sets a body of plain text.
    pub fn text(self, body: impl Into<String>) -> Self {
        self.body("text/plain; charset=utf-8", body.into())
    }

    /// Sets a JSON body; `Permanent` when the value cannot be JSON.
    pub fn json(self, body: &impl Serialize) -> Result<Self, Failure> {
        let body = serde_json::to_vec(body)
            .map_err(|error| Failure::permanent(format!("the request is not JSON: {error}")))?;
        Ok(self.body("application/json", body))
    }

    /// Gives up (`Transient`, code `timeout`) when the response, body included,
    /// takes longer, redirects not counted together. Without it only the
    /// attempt's own time limits the request.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The URL as given.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The headers set so far.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The body's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// Sends the request, following at most [`MAX_REDIRECTS`] redirects, each
    /// checked by the host as a request of its own. On a redirect to another
    /// origin only headers that cannot carry a secret are sent on. Any status
    /// that is not a redirect is `Ok`: see [`Response::success`].
    pub fn send(&self, transport: &dyn Transport) -> Result<Response, Failure> {
        let mut request = Cow::Borrowed(self);
        for _ in 0..=MAX_REDIRECTS {
            let response = transport.exchange(&request)?;
            match request.redirected(&response)? {
                Some(next) => request = Cow::Owned(next),
                None => return Ok(response),
            }
        }
        let message = format!("{self} was redirected more than {MAX_REDIRECTS} times");
        Err(Failure::permanent(message).with_code("too-many-redirects"))
    }

    /// The request that a redirect asks for; none when the response is not one.
    fn redirected(&self, response: &Response) -> Result<Option<Self>, Failure> {
        let keeps_method = match response.status {
            301 | 302 => self.method != Method::Post,
            303 => matches!(self.method, Method::Get | Method::Head),
            307 | 308 => true,
            _ => return Ok(None),
        };
        let Some(location) = response.headers.get("location") else {
            return Ok(None);
        };
        let here = Url::parse(&self.url)?;
        let there = here.join(location)?;
        let mut next = self.clone();
        next.url = there.to_string();
        if !keeps_method {
            next.method = Method::Get;
            next.body.clear();
            next.headers.retain(|name| !name.starts_with("content-"));
        }
        if !there.same_origin(&here) {
            next.headers.retain(|name| ANONYMOUS.contains(&name));
        }
        Ok(Some(next))
    }
}

/// Method and URL without its query, which may hold more than logs should.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.url.find(['?', '#']).unwrap_or(self.url.len());
        write!(f, "{} {}", self.method.as_str(), &self.url[..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeAgent;

    fn redirect(status: u16, to: &str) -> Vec<Request> {
        let agent = FakeAgent::new().reply_with(status, &[("location", to)], "").reply(200, "here");
        let response = Request::post("https://agent.example/a/b?q=1")
            .bearer("secret")
            .header("x-api-key", "secret")
            .text("body")
            .send(&agent)
            .unwrap();
        assert_eq!(response.status, 200);
        agent.requests()
    }

    #[test]
    fn a_redirect_within_the_origin_keeps_everything() {
        let requests = redirect(307, "../c");
        assert_eq!(requests[1].url, "https://agent.example/c");
        assert_eq!(requests[1].method, Method::Post);
        assert_eq!(requests[1].body, b"body");
        assert_eq!(requests[1].headers.get("authorization"), Some("Bearer secret"));
    }

    #[test]
    fn a_redirect_to_another_origin_drops_what_may_be_secret() {
        for elsewhere in
            ["https://other.example/", "http://agent.example/", "https://agent.example:8443/"]
        {
            let requests = redirect(308, elsewhere);
            let kept: Vec<_> = requests[1].headers.iter().map(|(name, _)| name).collect();
            assert_eq!(kept, ["content-type"], "to {elsewhere}");
        }
    }

    #[test]
    fn a_post_that_sees_other_becomes_a_get_without_body() {
        for status in [301, 302, 303] {
            let requests = redirect(status, "/result");
            assert_eq!(requests[1].method, Method::Get);
            assert!(requests[1].body.is_empty());
            assert_eq!(requests[1].headers.get("content-type"), None);
        }
    }

    #[test]
    fn the_sixth_redirect_is_refused() {
        let mut agent = FakeAgent::new();
        for _ in 0..6 {
            agent = agent.reply_with(302, &[("location", "/again")], "");
        }
        let failure = Request::get("http://agent.example/").send(&agent).unwrap_err();
        assert_eq!(failure.code(), Some("too-many-redirects"));
        assert_eq!(agent.requests().len(), 6);
    }

    #[test]
    fn messages_do_not_show_the_query() {
        let request = Request::get("https://agent.example/a?key=secret");
        assert_eq!(request.to_string(), "GET https://agent.example/a");
    }
}
