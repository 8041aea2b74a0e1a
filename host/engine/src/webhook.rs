//! A *webhook* is where an operator wants to hear of runs: a URL that takes
//! messages as [Standard Webhooks](https://www.standardwebhooks.com) has them.
//!
//! A message is sent until it is taken, refused, or given up. It has the same
//! `webhook-id` each time, from the first try of one process to the last of
//! another, so that a receiver can drop what it has.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use consort_core::retry::{RetryPolicy, random};
use consort_plugin_host::egress::{Answer, EgressClient, Post, PostError, SigningKey};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::{Instant, sleep};
use url::Url;

use crate::notice::Topic;

/// A webhook, checked.
#[derive(Debug, Clone)]
pub(crate) struct Webhook {
    /// What it is called; it has no other by that name beside it.
    pub(crate) name: Arc<str>,
    pub(crate) url: Url,
    pub(crate) topics: Vec<Topic>,
    /// None: messages are not signed.
    pub(crate) key: Option<SigningKey>,
    pub(crate) headers: HeaderMap,
    /// Of one try.
    pub(crate) timeout: Duration,
    pub(crate) retry: RetryPolicy,
    pub(crate) give_up_after: Duration,
}

/// A message to a webhook.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    /// The same for the same notice, always.
    pub(crate) id: String,
    pub(crate) body: Bytes,
    /// What decides the random share of waits.
    pub(crate) seed: u64,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was taken.
    Delivered,
    /// The receiver will not have it, and why.
    Refused(String),
    /// The receiver was not there, or not able to take it, as often as it was
    /// tried; why the last time.
    Unreachable(String),
    /// The receiver wants no more, or there is none any more.
    Gone(String),
}

/// What one try came to.
#[derive(Debug, PartialEq, Eq)]
enum Try {
    Over(Outcome),
    /// Why, and how long to wait at least, if the receiver says.
    Again(String, Option<Duration>),
}

impl Webhook {
    /// Sends a message until that is decided; gives how many tries it took.
    /// `failed` hears of each that is followed by another: how many there were,
    /// why, and how long it waits.
    pub(crate) async fn deliver(
        &self,
        client: &EgressClient,
        letter: &Letter,
        failed: impl Fn(u32, &str, Duration),
    ) -> (u32, Outcome) {
        let begun = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            let post = self.post(letter, crate::now() / 1_000);
            let (why, asked) = match judge(client.post(post).await) {
                Try::Over(outcome) => return (tries, outcome),
                Try::Again(why, asked) => (why, asked),
            };
            let asked = asked.map(|wait| wait.as_millis().min(u64::MAX.into()) as u64);
            let wait = self.retry.delay(tries, random(letter.seed, tries, 0), asked);
            let wait = Duration::from_millis(wait);
            let too_late = begun.elapsed().saturating_add(wait) > self.give_up_after;
            if tries >= self.retry.max_attempts || too_late {
                return (tries, Outcome::Unreachable(why));
            }
            failed(tries, &why, wait);
            sleep(wait).await;
        }
    }

    /// One try, at that time in seconds since the epoch.
    fn post(&self, letter: &Letter, timestamp: i64) -> Post {
        let mut headers = self.headers.clone();
        let mut set = |name: &'static str, value: &str| {
            // All of these are visible ASCII.
            headers.extend(
                HeaderValue::from_str(value)
                    .ok()
                    .map(|value| (HeaderName::from_static(name), value)),
            );
        };
        set("content-type", "application/json");
        set("webhook-id", &letter.id);
        set("webhook-timestamp", &timestamp.to_string());
        if let Some(key) = &self.key {
            set("webhook-signature", &key.sign(&letter.id, timestamp, &letter.body));
        }
        let (url, body) = (self.url.clone(), letter.body.clone());
        Post { url, headers, body, timeout: self.timeout }
    }
}

/// What an answer, or none, means.
fn judge(answer: Result<Answer, PostError>) -> Try {
    let Answer { status, retry_after } = match answer {
        Ok(answer) => answer,
        Err(PostError::Denied(why)) => return Try::Over(Outcome::Refused(why)),
        Err(error) => return Try::Again(error.to_string(), None),
    };
    let said = format!("the receiver answered {status}");
    match status {
        200..300 => Try::Over(Outcome::Delivered),
        300..400 => Try::Over(Outcome::Refused(format!(
            "{said}, and redirects are not followed; configure the URL that it leads to"
        ))),
        410 => Try::Over(Outcome::Gone(format!("{said}: it wants no more"))),
        429 | 500.. => Try::Again(said, retry_after.and_then(|text| wait(&text, crate::now()))),
        _ => Try::Over(Outcome::Refused(said)),
    }
}

/// What `retry-after` says: seconds, or a date.
fn wait(text: &str, now: i64) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_millisecond();
    Some(Duration::from_millis((at - now).max(0).unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, retry_after: Option<&str>) -> Try {
        judge(Ok(Answer { status, retry_after: retry_after.map(str::to_owned) }))
    }

    #[test]
    fn an_answer_is_final_or_asks_for_another_try() {
        assert_eq!(answer(204, None), Try::Over(Outcome::Delivered));
        assert!(matches!(answer(410, None), Try::Over(Outcome::Gone(_))));
        for status in [302, 400, 401, 404, 408, 422] {
            assert!(matches!(answer(status, None), Try::Over(Outcome::Refused(_))), "{status}");
        }
        for status in [429, 500, 503] {
            assert!(matches!(answer(status, None), Try::Again(_, None)), "{status}");
        }
        let wait = Some(Duration::from_secs(7));
        assert!(matches!(answer(429, Some("7")), Try::Again(_, asked) if asked == wait));
        let denied = judge(Err(PostError::Denied("no".to_owned())));
        assert_eq!(denied, Try::Over(Outcome::Refused("no".to_owned())));
        let broken = judge(Err(PostError::Transport("refused".to_owned())));
        assert_eq!(broken, Try::Again("refused".to_owned(), None));
    }

    #[test]
    fn a_wait_is_seconds_or_until_a_date() {
        let now = 1_445_412_470_000; // ten seconds earlier
        assert_eq!(wait(" 120 ", now), Some(Duration::from_secs(120)));
        let date = "Wed, 21 Oct 2015 07:28:00 GMT";
        assert_eq!(wait(date, now), Some(Duration::from_secs(10)));
        assert_eq!(wait(date, now + 60_000), Some(Duration::ZERO));
        assert_eq!(wait("soon", now), None);
    }
}
