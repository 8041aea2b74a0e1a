//! A *webhook* as the operator writes it down: where to, and of what.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use consort_core::plan::{check_duration, check_retry};
use consort_core::problem::Problem;
use consort_core::retry::{Backoff, RetryPolicy};
use consort_core::spec::{DurationDoc, RetryDoc, limits::MAX_URL, optional_duration};
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use url::Url;

use crate::notice::Topic;
use crate::webhook::Webhook;

/// A webhook. Times are seconds or durations such as `10s`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// What it is called in messages, histories and journals; the host of its
    /// URL, with the port if that is given, unless said. A run that is resumed
    /// finds the webhooks it began with by their names.
    #[serde(default)]
    pub name: Option<String>,
    /// Where notifications are sent to, `http` or `https`.
    pub url: String,
    /// The name of the secret that signs them, a key in the form `whsec_` and
    /// base64, or any text, whose bytes are the key; without one they are not
    /// signed.
    #[serde(default)]
    pub secret: Option<String>,
    /// What it wants to hear of, of runs that begin from now on; `run-finished`, `task-failed` and `question`
    /// unless given.
    #[serde(default = "usual_topics")]
    pub events: Vec<Topic>,
    /// More headers to send.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The longest one try may take; 10 s unless given.
    #[serde(default, deserialize_with = "optional_duration")]
    pub timeout: Option<DurationDoc<'static>>,
    /// When a notification is sent again; 10 tries, after 1 s, 2 s, 4 s … up to
    /// a minute, unless said.
    #[serde(default)]
    pub retry: Option<RetryDoc>,
    /// How long after its first try a notification may be sent again; 15 min
    /// unless given.
    #[serde(default, deserialize_with = "optional_duration")]
    pub give_up_after: Option<DurationDoc<'static>>,
}

fn usual_topics() -> Vec<Topic> {
    vec![Topic::RunFinished, Topic::TaskFailed, Topic::Question]
}

/// When a notification is sent again, unless configured.
const USUAL_RETRY: RetryPolicy = RetryPolicy {
    max_attempts: 10,
    backoff: Backoff::Exponential,
    initial_delay: 1_000,
    max_delay: 60_000,
    jitter: 0.1,
};
const USUAL_TIMEOUT: Duration = Duration::from_secs(10);
const USUAL_GIVE_UP_AFTER: Duration = Duration::from_secs(15 * 60);

/// Checks all webhooks of a configuration; they are without their keys.
pub(super) fn check(configs: &[WebhookConfig], problems: &mut Vec<Problem>) -> Vec<Webhook> {
    let mut webhooks: Vec<Webhook> = Vec::new();
    for (n, config) in configs.iter().enumerate() {
        let Some(webhook) = config.check(&format!("webhooks[{n}]"), problems) else { continue };
        if let Some(same) = webhooks.iter().position(|other| other.name == webhook.name) {
            let message = format!("two webhooks are called '{}'", webhook.name);
            problems.push(
                Problem::error("duplicate-name", format!("webhooks[{n}]"), message)
                    .hint(format!("give this one, or webhooks[{same}], a 'name' of its own")),
            );
        }
        webhooks.push(webhook);
    }
    webhooks
}

impl WebhookConfig {
    fn check(&self, path: &str, problems: &mut Vec<Problem>) -> Option<Webhook> {
        let before = problems.len();
        let mut problem = |code, field: &str, message: String, hint: &str| {
            let problem = Problem::error(code, format!("{path}.{field}"), message);
            problems.push(problem.hint(hint));
        };
        let url = match read_url(&self.url) {
            Ok(url) => Some(url),
            Err((message, hint)) => {
                problem("bad-url", "url", message.to_owned(), hint);
                None
            }
        };
        if self.events.is_empty() {
            let message = "a webhook without events is never called".to_owned();
            problem("out-of-range", "events", message, "name some events, or remove the webhook");
        }
        if self.name.as_deref().is_some_and(|name| name.trim().is_empty()) {
            let message = "a name needs letters".to_owned();
            problem("bad-name", "name", message, "give it one, or leave it out");
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            match read_header(name, value) {
                Ok((name, value)) => {
                    headers.insert(name, value);
                }
                Err((message, hint)) => {
                    problem("bad-header", &format!("headers.{name}"), message, hint);
                }
            }
        }
        let mut span = |doc: &Option<DurationDoc<'_>>, field: &str, usual| match doc {
            None => usual,
            Some(doc) => match check_duration(doc, &format!("{path}.{field}")) {
                Ok(0) => {
                    let problem = Problem::error(
                        "out-of-range",
                        format!("{path}.{field}"),
                        "no time is too short",
                    );
                    problems.push(problem.hint("give seconds above 0, or a duration such as 10s"));
                    usual
                }
                Ok(millis) => Duration::from_millis(millis),
                Err(wrong) => {
                    problems.extend(wrong);
                    usual
                }
            },
        };
        let timeout = span(&self.timeout, "timeout", USUAL_TIMEOUT);
        let give_up_after = span(&self.give_up_after, "give_up_after", USUAL_GIVE_UP_AFTER);
        let retry = self
            .retry
            .as_ref()
            .map_or(Ok(USUAL_RETRY), |doc| check_retry(doc, USUAL_RETRY, &format!("{path}.retry")));
        let retry = retry.unwrap_or_else(|wrong| {
            problems.extend(wrong);
            USUAL_RETRY
        });
        let url = url.filter(|_| problems.len() == before)?;
        let name: Arc<str> = match &self.name {
            Some(name) => name.trim().into(),
            None => host(&url).into(),
        };
        let topics = self.events.clone();
        Some(Webhook { name, url, topics, key: None, headers, timeout, retry, give_up_after })
    }
}

/// A URL, or what is wrong with it and what to do.
fn read_url(text: &str) -> Result<Url, (&'static str, &'static str)> {
    const EXAMPLE: &str = "write a URL such as https://ops.example.com/consort";
    if text.len() > MAX_URL {
        return Err(("the URL has more than 8 KiB", "shorten it"));
    }
    let url = Url::parse(text).map_err(|_| ("this is no URL", EXAMPLE))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(("the scheme is neither http nor https", EXAMPLE));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err((
            "the URL contains a user name or a password",
            "remove them, and send an 'authorization' header with 'headers'",
        ));
    }
    if url.fragment().is_some() {
        return Err(("the part after '#' is never sent", "remove it"));
    }
    if url.port() == Some(0) {
        return Err((
            "port 0 cannot be connected to",
            "name the port that the receiver listens on",
        ));
    }
    Ok(url)
}

/// The host of a URL, with the port if it is given.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// A header, or what is wrong with it and what to do.
fn read_header(
    name: &str,
    value: &str,
) -> Result<(HeaderName, HeaderValue), (String, &'static str)> {
    let read: HeaderName = name
        .parse()
        .map_err(|_| (format!("'{name}' is no name of a header"), "use letters, digits and '-'"))?;
    let ours = [CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING, UPGRADE];
    if ours.contains(&read) || read.as_str().starts_with("webhook-") {
        return Err((format!("the header '{name}' is Consort's to send"), "remove it"));
    }
    let value = HeaderValue::from_str(value).map_err(|_| {
        ("its value has characters that no header may have".to_owned(), "use visible ASCII")
    })?;
    Ok((read, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use consort_core::spec::{Format, parse_typed};

    fn checked(text: &str) -> Result<Vec<Webhook>, Vec<Problem>> {
        let configs: Vec<WebhookConfig> = parse_typed(text, Format::Yaml)?;
        let mut problems = Vec::new();
        let webhooks = check(&configs, &mut problems);
        if problems.is_empty() { Ok(webhooks) } else { Err(problems) }
    }

    #[test]
    fn what_is_not_said_is_as_usual() {
        let webhooks = checked("[{url: 'https://ops.example.com:444/consort?a=b'}]").expect("fine");
        let webhook = &webhooks[0];
        assert_eq!(&*webhook.name, "ops.example.com:444");
        assert_eq!(webhook.topics, [Topic::RunFinished, Topic::TaskFailed, Topic::Question]);
        assert_eq!((webhook.timeout, webhook.retry), (USUAL_TIMEOUT, USUAL_RETRY));
        let webhooks = checked(
            "[{url: 'http://localhost/', name: ops, events: [retrying], headers: {X-Team: a},
               timeout: 3s, retry: {max_attempts: 2}, give_up_after: 1m}]",
        );
        let webhook = &webhooks.expect("fine")[0];
        assert_eq!((&*webhook.name, &webhook.topics[..]), ("ops", &[Topic::Retrying][..]));
        assert_eq!((webhook.timeout.as_secs(), webhook.give_up_after.as_secs()), (3, 60));
        assert_eq!(webhook.retry, RetryPolicy { max_attempts: 2, ..USUAL_RETRY });
        assert_eq!(webhook.headers["x-team"], "a");
    }

    #[test]
    fn mistakes_have_a_place_and_a_remedy() {
        for (text, code, path) in [
            ("[{}]", "missing-field", "[0]"),
            ("[{url: nowhere}]", "bad-url", "webhooks[0].url"),
            ("[{url: 'ftp://a/'}]", "bad-url", "webhooks[0].url"),
            ("[{url: 'http://a:b@c/'}]", "bad-url", "webhooks[0].url"),
            ("[{url: 'http://c/#d'}]", "bad-url", "webhooks[0].url"),
            ("[{url: 'http://c/', events: [task-faild]}]", "unknown-value", "[0].events[0]"),
            ("[{url: 'http://c/', events: []}]", "out-of-range", "webhooks[0].events"),
            ("[{url: 'http://c/', name: ' '}]", "bad-name", "webhooks[0].name"),
            ("[{url: 'http://c/', headers: {'a b': c}}]", "bad-header", "webhooks[0].headers.a b"),
            (
                "[{url: 'http://c/', headers: {webhook-id: c}}]",
                "bad-header",
                "webhooks[0].headers.webhook-id",
            ),
            (
                "[{url: 'http://c/', headers: {a: \"b\\nc\"}}]",
                "bad-header",
                "webhooks[0].headers.a",
            ),
            ("[{url: 'http://c/', timeout: soon}]", "bad-duration", "webhooks[0].timeout"),
            ("[{url: 'http://c/', give_up_after: 0}]", "out-of-range", "webhooks[0].give_up_after"),
            (
                "[{url: 'http://c/', retry: {max_attempts: 0}}]",
                "out-of-range",
                "webhooks[0].retry.max_attempts",
            ),
            ("[{url: 'http://c/a'}, {url: 'http://c/b'}]", "duplicate-name", "webhooks[1]"),
        ] {
            let problems = checked(text).expect_err(text);
            let problem = &problems[0];
            assert_eq!((problem.code, problem.path.as_str()), (code, path), "{problems:?}");
            assert!(problem.hint.is_some(), "{problem:?}");
        }
    }
}
