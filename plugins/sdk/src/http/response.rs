//! A *response* is a status, headers, and a body that may still be arriving.

use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::http::lines::Lines;
use crate::http::retry_after::retry_after;
use crate::http::sse::Events;

/// How much of an error's body is quoted in a message, and kept in its detail.
const QUOTED: usize = 300;
const KEPT: usize = 4096;

/// Header fields in the order they came, names in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// The first value of this name, whatever its case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Sets a value, replacing all of this name.
    pub fn set(&mut self, name: &str, value: String) {
        self.0.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self.0.push((name.to_ascii_lowercase(), value));
    }

    /// Keeps the fields whose name the predicate accepts.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.0.retain(|(name, _)| keep(name));
    }

    /// All fields, name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<N: AsRef<str>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        Self(fields.into_iter().map(|(n, v)| (n.as_ref().to_ascii_lowercase(), v.into())).collect())
    }
}

/// A body as it arrives: pieces of any size, then possibly one failure.
pub type Chunks = Box<dyn Iterator<Item = Result<Vec<u8>, Failure>>>;

/// One HTTP response.
pub struct Response {
    /// The status code, such as 200.
    pub status: u16,
    /// The header fields.
    pub headers: Headers,
    chunks: Chunks,
}

impl Response {
    /// A response with a body that comes in these pieces.
    pub fn new(
        status: u16,
        headers: Headers,
        chunks: impl Iterator<Item = Result<Vec<u8>, Failure>> + 'static,
    ) -> Self {
        Self { status, headers, chunks: Box::new(chunks) }
    }

    /// Whether the media type of the body is this one, parameters aside.
    pub fn is(&self, media_type: &str) -> bool {
        let written = self.headers.get("content-type").unwrap_or_default();
        written.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(media_type)
    }

    /// Lets a 2xx pass and turns every other status into the failure it means
    /// (see [`failure_of`]). The message quotes what the body says; the detail
    /// is `{status, body}`.
    pub fn success(self) -> Result<Self, Failure> {
        if (200..300).contains(&self.status) { Ok(self) } else { Err(self.into_failure()) }
    }

    /// The failure that this status and body mean, as [`Self::success`] says.
    pub fn into_failure(self) -> Failure {
        let Self { status, headers, chunks } = self;
        let body = beginning(chunks);
        let body: Value = serde_json::from_str(&body).unwrap_or(Value::String(body));
        let wait = retry_after(&headers);
        let said = said(&body);
        let message = if said.is_empty() {
            format!("the agent answered with HTTP status {status}")
        } else {
            format!("the agent answered with HTTP status {status}: {}", excerpt(&said))
        };
        failure_of(status, message, wait).with_detail(&json!({"status": status, "body": body}))
    }

    /// The whole body.
    pub fn bytes(self) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        for chunk in self.chunks {
            body.append(&mut chunk?);
        }
        Ok(body)
    }

    /// The whole body as text; bytes that are not UTF-8 become U+FFFD.
    pub fn text(self) -> Result<String, Failure> {
        self.bytes().map(|body| {
            String::from_utf8(body)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
        })
    }

    /// The whole body as JSON. A body that does not parse is `Transient`: a
    /// truncated or garbled answer under a good status is a server in trouble.
    pub fn json<T: DeserializeOwned>(self) -> Result<T, Failure> {
        let body = self.bytes()?;
        serde_json::from_slice(&body).map_err(|error| {
            let quoted = excerpt(&String::from_utf8_lossy(&body));
            Failure::transient(format!("the agent's answer is not the JSON expected: {error}"))
                .with_code("malformed-response")
                .with_detail(&json!({"body": quoted}))
        })
    }

    /// The body line by line, while it arrives.
    pub fn lines(self) -> Lines {
        Lines::new(self.chunks)
    }

    /// The body as server-sent events, while it arrives.
    pub fn events(self) -> Events {
        Events::new(self.lines())
    }
}

/// Everything but the body, which may not have arrived.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

/// The failure that a status means, with the code `http-STATUS`. `wait` is what
/// [`retry_after`] found.
///
/// | status | failure |
/// |---|---|
/// | 401, 403, 407 | `Denied` |
/// | 429, and 503 with `wait` | `Throttled` |
/// | 408, 425, 5xx | `Transient` |
/// | 400, 413, 414, 422, 431 | `InvalidInput` |
/// | others | `Permanent` |
pub fn failure_of(status: u16, message: String, wait: Option<Duration>) -> Failure {
    let failure = match status {
        401 | 403 | 407 => Failure::denied(message),
        429 => Failure::throttled(message, wait),
        503 if wait.is_some() => Failure::throttled(message, wait),
        408 | 425 | 500.. => Failure::transient(message),
        400 | 413 | 414 | 422 | 431 => Failure::invalid_input(message),
        _ => Failure::permanent(message),
    };
    failure.with_code(format!("http-{status}"))
}

/// As much of an error's body as is worth keeping; a body that breaks off is
/// still an answer.
fn beginning(chunks: Chunks) -> String {
    let mut body = Vec::new();
    for chunk in chunks.map_while(Result::ok) {
        body.extend(chunk);
        if body.len() > KEPT {
            break;
        }
    }
    let text = String::from_utf8_lossy(&body);
    text[..text.floor_char_boundary(KEPT)].to_owned()
}

/// What an error's body says to people, in the places where servers put it.
pub fn said(body: &Value) -> String {
    let message = match body {
        Value::String(text) => Some(text),
        _ => ["/error/message", "/message", "/error", "/detail", "/errors/0/message", "/title"]
            .iter()
            .find_map(|place| match body.pointer(place) {
                Some(Value::String(text)) => Some(text),
                _ => None,
            }),
    };
    match message {
        Some(text) => text.trim().to_owned(),
        None => body.to_string(),
    }
}

/// The beginning of a text, on one line.
pub fn excerpt(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() <= QUOTED {
        line
    } else {
        format!("{}…", &line[..line.floor_char_boundary(QUOTED)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Request;
    use crate::testing::FakeAgent;

    fn failure(status: u16, headers: &[(&str, &str)], body: &str) -> Failure {
        let agent = FakeAgent::new().reply_with(status, headers, body);
        Request::get("http://agent.example/").send(&agent).unwrap().success().unwrap_err()
    }

    #[test]
    fn a_status_decides_the_case() {
        let case = |status| match failure(status, &[], "") {
            Failure::Transient(_) => "transient",
            Failure::Throttled(_) => "throttled",
            Failure::Permanent(_) => "permanent",
            Failure::InvalidInput(_) => "invalid-input",
            Failure::Denied(_) => "denied",
            Failure::Other(_) => "other",
        };
        for (statuses, expected) in [
            (&[401, 403, 407][..], "denied"),
            (&[429], "throttled"),
            (&[408, 425, 500, 502, 503, 504, 529], "transient"),
            (&[400, 413, 422], "invalid-input"),
            (&[404, 405, 409, 410, 304], "permanent"),
        ] {
            for &status in statuses {
                assert_eq!(case(status), expected, "{status}");
            }
        }
    }

    #[test]
    fn an_unavailable_agent_that_says_when_is_throttled() {
        let Failure::Throttled(throttle) = failure(503, &[("Retry-After", "2")], "") else {
            panic!("expected a throttle");
        };
        assert_eq!(throttle.retry_after, Some(2000));
    }

    #[test]
    fn the_message_quotes_what_the_body_says() {
        for (body, quoted) in [
            (r#"{"error":{"code":400,"message":"too long","type":"x"}}"#, ": too long"),
            (r#"{"error":"NotFound","message":"no such thing"}"#, ": no such thing"),
            (r#"{"error":"NotFound"}"#, ": NotFound"),
            (r#"{"detail":"bad body"}"#, ": bad body"),
            (r#"{"odd":1}"#, r#": {"odd":1}"#),
            ("Internal\nServer Error", ": Internal Server Error"),
            ("", ""),
        ] {
            assert_eq!(
                failure(500, &[], body).message(),
                format!("the agent answered with HTTP status 500{quoted}")
            );
        }
    }

    #[test]
    fn the_detail_keeps_status_and_body() {
        let failure = failure(500, &[], "Internal Server Error");
        assert_eq!(failure.code(), Some("http-500"));
        assert_eq!(
            failure.problem().unwrap().detail.as_deref(),
            Some(r#"{"status":500,"body":"Internal Server Error"}"#)
        );
    }

    #[test]
    fn a_garbled_answer_under_a_good_status_is_transient() {
        let agent = FakeAgent::new().reply(200, "{malformed json");
        let response = Request::get("http://agent.example/").send(&agent).unwrap();
        let failure = response.json::<Value>().unwrap_err();
        assert!(matches!(failure, Failure::Transient(_)), "{failure:?}");
        assert_eq!(failure.code(), Some("malformed-response"));
    }

    #[test]
    fn media_types_compare_without_parameters() {
        let headers = [("Content-Type", "Text/Event-Stream; charset=utf-8")].into_iter().collect();
        let response = Response::new(200, headers, std::iter::empty());
        assert!(response.is("text/event-stream"));
        assert!(!response.is("application/json"));
    }
}
