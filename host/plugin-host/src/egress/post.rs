//! A *post* is a request of the host itself, to a URL that the operator has
//! written down: no rule has to allow it. What he names he may reach, loopback
//! and private addresses included; a *name* that leads to a private address is
//! refused unless the address is opened in [`EgressOptions::private`], as it is
//! for plugins: who answers for a name may be somebody else.
//!
//! [`EgressOptions::private`]: super::EgressOptions::private

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body_util::BodyExt as _;
use tokio::time::timeout;
use url::Url;

use super::client::EgressClient;
use super::fault;
use super::resolve::OnlySpecial;

/// Bytes of an answer that are read, and forgotten, so that the connection can
/// be used again.
const READ: usize = 64 << 10;
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is to be sent.
#[derive(Debug, Clone)]
pub struct Post {
    /// Where to.
    pub url: Url,
    /// All headers but those that concern the connection.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The longest it may take, from looking up the name to the answer's header.
    pub timeout: Duration,
}

/// What came back. Redirects are not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its `retry-after`, as it stands.
    pub retry_after: Option<String>,
}

/// Why nothing came back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// It may not be sent, and how to allow it.
    #[error("{0}")]
    Denied(String),
    /// There was no answer in time.
    #[error("no answer within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// It could not be sent, or the connection broke: what went wrong, each
    /// with what it came of.
    #[error("{0}")]
    Transport(String),
}

impl EgressClient {
    /// Sends a post once.
    ///
    /// # Errors
    ///
    /// Nothing came back; see [`PostError`].
    pub async fn post(&self, post: Post) -> Result<Answer, PostError> {
        let client = self.get().await.map_err(PostError::Transport)?;
        let mut request = reqwest::Request::new(Method::POST, post.url);
        *request.headers_mut() = post.headers;
        *request.body_mut() = Some(post.body.into());
        let exchange = async {
            let response = client.execute(request).await.map_err(failed)?;
            let status = response.status().as_u16();
            let retry_after = response.headers().get(http::header::RETRY_AFTER);
            let retry_after = retry_after.and_then(|value| value.to_str().ok()).map(str::to_owned);
            Ok((Answer { status, retry_after }, response))
        };
        let limit = post.timeout;
        let (answer, response) =
            timeout(limit, exchange).await.map_err(|_| PostError::Timeout(limit))??;
        // The answer is there; its body changes nothing.
        let _ = timeout(PATIENCE, drain(response)).await;
        Ok(answer)
    }
}

/// Reads the beginning of a body.
async fn drain(response: reqwest::Response) {
    let mut body = reqwest::Body::from(response);
    let mut left = READ;
    while let Some(Ok(frame)) = body.frame().await {
        let read = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(read) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

fn failed(error: reqwest::Error) -> PostError {
    match fault::find::<OnlySpecial>(&error) {
        Some(refused) => PostError::Denied(refused.to_string()),
        None => PostError::Transport(fault::causes(&error)),
    }
}
