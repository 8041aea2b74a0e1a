//! How inputs are *written down*: version 1 of the body of a journal's entry, a
//! JSON list of what happened in one step.
//!
//! These types belong to files that outlive the program. They change only by
//! fields and variants that older entries can do without; anything else is a new
//! version beside this one. Large payloads are not in the body: they are stored
//! once, by their content, and the body has their hash.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use consort_core::plan::{ConflictRule, Known};
use consort_core::spec::Format;
use consort_plugin_host::{Dependency, Payload};
use consort_store::{Blob, Hash};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::config::PolicyConfig;
use crate::control::Target;
use crate::error::TaskError;
use crate::message::LogLine;
use crate::notices::Subscription;
use crate::output::{self, Archive, INLINE, Kept, Packed, Stored};
use crate::question::Question;
use crate::report::UsageReport;

/// The version of bodies that are written.
pub(super) const VERSION: u16 = 1;

/// One input.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Wire {
    Submitted(Box<WireSubmitted>),
    Recovered,
    /// Numbers with a space between, which JSON would round; none when the
    /// built-in order decides.
    Scored(Option<String>),
    Ended {
        task: u32,
        end: WireEnd,
        /// Fuel, bytes of memory, microseconds, bytes over the network, requests.
        #[serde(default, skip_serializing_if = "is_nothing")]
        used: [u64; 5],
    },
    Used {
        task: u32,
        usage: UsageReport,
    },
    Alive {
        task: u32,
    },
    Logged(Box<LogLine>),
    /// A remote agent has been told to stop.
    Cancelled {
        task: u32,
        attempt: u32,
    },
    Decided {
        task: u32,
        verdict: WireVerdict,
    },
    /// What became of a notification: the webhook's number, the notice's, and
    /// how often it was sent.
    Notified {
        webhook: u32,
        notice: u64,
        tries: u32,
        outcome: WireOutcome,
    },
    Question {
        task: u32,
        question: WireQuestion,
    },
    Answer {
        task: String,
        answer: Value,
    },
    Refuse {
        task: String,
        comment: String,
    },
    Cancel {
        what: Target,
    },
    Pause {
        paused: bool,
    },
    /// Tasks as they were given, in the workflow format.
    Add {
        tasks: Value,
        /// All of them or none.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        whole: bool,
        /// The workflow's, unless given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on_conflict: Option<ConflictRule>,
    },
    /// A task that is held waits no longer.
    Resolve {
        task: String,
        admit: bool,
    },
    /// No more tasks come from outside.
    Close,
    /// What came of a task outside of the run.
    Deliver {
        task: String,
        outcome: WireDelivery,
    },
    /// All of the entry, which is too large for a body: a list like this one,
    /// stored apart.
    Apart(Hash),
    /// A command from the inbox.
    Posted {
        post: i64,
        command: Box<Wire>,
    },
    Timer,
}

/// What a run began with.
#[derive(Serialize, Deserialize)]
pub(super) struct WireSubmitted {
    pub(super) document: WirePayload,
    pub(super) format: Format,
    pub(super) name: String,
    pub(super) known: Known,
    pub(super) policy: PolicyConfig,
    pub(super) slots: u32,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(super) inputs: Map<String, Value>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) answers: BTreeMap<String, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) webhooks: Vec<Subscription>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) earlier: Option<WireEarlier>,
    /// Tasks come while it goes on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) open: bool,
}

/// What the run takes over from an earlier one.
#[derive(Serialize, Deserialize)]
pub(super) struct WireEarlier {
    pub(super) run: String,
    pub(super) results: BTreeMap<Arc<str>, WireLeftover>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) added: Vec<Value>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) fresh: BTreeSet<Arc<str>>,
}

/// What a task of the earlier run came to.
#[derive(Serialize, Deserialize)]
pub(super) struct WireLeftover {
    pub(super) output: WirePayload,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) spawn: Vec<WireSpawn>,
}

/// What became of a notification.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WireOutcome {
    Delivered,
    Refused(String),
    Unreachable(String),
    Gone(String),
}

/// What came of a task outside of the run.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WireDelivery {
    /// As the task's transformers have left it.
    Result(WirePayload),
    Failure {
        error: Box<TaskError>,
        retryable: bool,
    },
}

/// How an attempt ended.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WireEnd {
    Done {
        output: WirePayload,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        cached: bool,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        spawn: Vec<WireSpawn>,
    },
    Pending {
        /// In base64.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        checkpoint: Option<String>,
        /// Milliseconds.
        poll_after: u64,
    },
    Asks {
        question: Question,
        /// In base64.
        checkpoint: String,
    },
    Failed {
        error: Box<TaskError>,
        retry: WireRetry,
    },
    Stopped,
}

/// A task that an agent wants added.
#[derive(Serialize, Deserialize)]
pub(super) struct WireSpawn {
    /// As the agent wrote it, JSON or not.
    pub(super) task: String,
    /// Who did the task that wants it.
    pub(super) agent: String,
}

/// Whether another attempt makes sense.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WireRetry {
    Yes,
    /// Milliseconds.
    After(u64),
    Never,
}

/// Whether a task is done, and for what.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WireVerdict {
    Run,
    Reused,
    Skip,
    FanOut {
        /// A JSON list.
        items: WirePayload,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        given: Vec<WireDependency>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        taken: Vec<Arc<str>>,
    },
    Broken(Box<TaskError>),
}

/// The result of a dependency.
#[derive(Serialize, Deserialize)]
pub(super) struct WireDependency {
    name: Arc<str>,
    task: Arc<str>,
    value: WirePayload,
}

/// What a person is to be asked.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WireQuestion {
    Asked(Arc<str>),
    Broken(Box<TaskError>),
}

/// A payload.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WirePayload {
    Json(Box<RawValue>),
    Text(Arc<str>),
    /// In base64.
    Blob {
        media_type: Arc<str>,
        data: String,
    },
    /// Stored apart.
    Stored {
        #[serde(rename = "as")]
        form: Form,
        hash: Hash,
        /// How many bytes there are, and how many they are within a JSON document.
        /// Without this, they are to be counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        len: Option<(u64, u64)>,
    },
}

/// What stored bytes are.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Form {
    Json,
    Text,
    Blob { media_type: Arc<str> },
}

/// Why a payload could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error(transparent)]
    Store(#[from] consort_store::StoreError),
    #[error("the payload {0} is missing")]
    Missing(Hash),
    #[error("the payload {0} is not UTF-8")]
    NotText(Hash),
    #[error("a payload is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// Gives back what was stored apart.
pub(super) type Fetch<'a> = &'a dyn Fn(Hash) -> Result<Option<Bytes>, consort_store::StoreError>;

impl WirePayload {
    /// Writes a payload down; what is large goes to `blobs`.
    pub(super) fn new(payload: &Payload, blobs: &mut Vec<Blob>) -> Self {
        let small = payload.len() <= INLINE;
        match payload {
            Payload::Json(text) if small => match serde_json::from_str(text) {
                Ok(raw) => Self::Json(raw),
                // It has been checked when it came; if not, it is still kept.
                Err(_) => Self::Text(text.clone()),
            },
            Payload::Text(text) if small => Self::Text(text.clone()),
            Payload::Blob { media_type, data } if small => {
                Self::Blob { media_type: media_type.clone(), data: BASE64.encode(data) }
            }
            Payload::Json(text) => Self::stored(Form::Json, text.clone().into(), blobs),
            Payload::Text(text) => Self::stored(Form::Text, text.clone().into(), blobs),
            Payload::Blob { media_type, data } => Self::stored(
                Form::Blob { media_type: media_type.clone() },
                data.clone().into(),
                blobs,
            ),
        }
    }

    fn stored(form: Form, bytes: Shared, blobs: &mut Vec<Blob>) -> Self {
        let blob = Blob::new(bytes.0);
        let hash = blob.hash();
        blobs.push(blob);
        Self::Stored { form, hash, len: None }
    }

    /// Writes a result down. What the store has goes to `blobs` by its hash alone.
    pub(super) fn of(kept: &Kept, blobs: &mut Vec<Blob>) -> Self {
        match kept.pack() {
            Packed::Here(payload) => Self::new(payload, blobs),
            Packed::Stored { form, hash, len, len_within, unrecorded } => {
                blobs.push(match unrecorded {
                    Some(payload) => Blob::hashed(hash, Shared::from(Payload::clone(&payload)).0),
                    None => Blob::stored(hash),
                });
                Self::Stored { form: form.into(), hash, len: Some((len, len_within)) }
            }
        }
    }

    /// The result that was written down. One that was stored apart stays there.
    pub(super) fn keep(self, fetch: Fetch<'_>, archive: &Arc<Archive>) -> Result<Kept, Unreadable> {
        let archive = || archive.clone();
        Ok(match self {
            Self::Stored { form, hash, len: Some(len) } => {
                Kept::Stored(Arc::new(Stored::new(form.into(), hash, len, archive())))
            }
            Self::Stored { hash, .. } => {
                let payload = self.read(fetch)?;
                Kept::Stored(Arc::new(Stored::measured(hash, &payload, archive())))
            }
            small => Kept::Here(small.read(fetch)?),
        })
    }

    /// The payload that was written down.
    pub(super) fn read(self, fetch: Fetch<'_>) -> Result<Payload, Unreadable> {
        Ok(match self {
            Self::Json(raw) => Payload::Json(String::from(Box::<str>::from(raw)).into()),
            Self::Text(text) => Payload::Text(text),
            Self::Blob { media_type, data } => {
                Payload::Blob { media_type, data: BASE64.decode(data)?.into() }
            }
            Self::Stored { form, hash, .. } => {
                let bytes = fetch(hash)?.ok_or(Unreadable::Missing(hash))?;
                let text = |bytes: &Bytes| {
                    let text = std::str::from_utf8(bytes).map_err(|_| Unreadable::NotText(hash));
                    text.map(Arc::<str>::from)
                };
                match form {
                    Form::Json => Payload::Json(text(&bytes)?),
                    Form::Text => Payload::Text(text(&bytes)?),
                    Form::Blob { media_type } => Payload::Blob { media_type, data: bytes },
                }
            }
        })
    }
}

/// Bytes without a copy, whoever owns them.
struct Shared(Bytes);

impl From<Arc<str>> for Shared {
    fn from(text: Arc<str>) -> Self {
        struct Owner(Arc<str>);
        impl AsRef<[u8]> for Owner {
            fn as_ref(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }
        Self(Bytes::from_owner(Owner(text)))
    }
}

impl From<Bytes> for Shared {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl From<Payload> for Shared {
    fn from(payload: Payload) -> Self {
        match payload {
            Payload::Json(text) | Payload::Text(text) => text.into(),
            Payload::Blob { data, .. } => data.into(),
        }
    }
}

impl From<&output::Form> for Form {
    fn from(form: &output::Form) -> Self {
        match form {
            output::Form::Json => Self::Json,
            output::Form::Text => Self::Text,
            output::Form::Blob { media_type } => Self::Blob { media_type: media_type.clone() },
        }
    }
}

impl From<Form> for output::Form {
    fn from(form: Form) -> Self {
        match form {
            Form::Json => Self::Json,
            Form::Text => Self::Text,
            Form::Blob { media_type } => Self::Blob { media_type },
        }
    }
}

impl WireDependency {
    pub(super) fn new(dependency: &Dependency, blobs: &mut Vec<Blob>) -> Self {
        Self {
            name: dependency.name.clone(),
            task: dependency.task.clone(),
            value: WirePayload::new(&dependency.value, blobs),
        }
    }

    pub(super) fn read(self, fetch: Fetch<'_>) -> Result<Dependency, Unreadable> {
        Ok(Dependency { name: self.name, task: self.task, value: self.value.read(fetch)? })
    }
}

fn is_nothing(used: &[u64; 5]) -> bool {
    *used == [0; 5]
}

/// A checkpoint as text.
pub(super) fn checkpoint(bytes: &Bytes) -> String {
    BASE64.encode(bytes)
}

/// A checkpoint from text.
pub(super) fn read_checkpoint(text: &str) -> Result<Bytes, Unreadable> {
    Ok(BASE64.decode(text)?.into())
}

/// Scores as text, from which exactly the same numbers are read.
pub(super) fn scores(scores: &[f64]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(scores.len() * 8);
    for score in scores {
        // Writing to a string does not fail.
        let _ = write!(text, "{}{score}", if text.is_empty() { "" } else { " " });
    }
    text
}

/// Scores from text; what is no number is none, which no usable score is.
pub(super) fn read_scores(text: &str) -> Vec<f64> {
    text.split_ascii_whitespace().map(|score| score.parse().unwrap_or(f64::NAN)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(payload: &Payload) -> (Payload, usize) {
        let mut blobs = Vec::new();
        let text = serde_json::to_string(&WirePayload::new(payload, &mut blobs)).expect("JSON");
        let wire: WirePayload = serde_json::from_str(&text).expect("a payload");
        let find =
            |hash| Ok(blobs.iter().find(|b| b.hash() == hash).and_then(|b| b.bytes().cloned()));
        (wire.read(&find).expect("readable"), blobs.len())
    }

    #[test]
    fn payloads_come_back_as_they_were_whatever_their_size() {
        let long = "x".repeat(INLINE + 1);
        for (payload, stored) in [
            (Payload::Text("a \"quoted\" line\n".into()), 0),
            (Payload::Json("{ \"a\": [1, 2.50] }".into()), 0),
            (
                Payload::Blob {
                    media_type: "image/png".into(),
                    data: Bytes::from_static(b"\0\xff"),
                },
                0,
            ),
            (Payload::Text(long.clone().into()), 1),
            (Payload::Json(format!("\"{long}\"").into()), 1),
            (Payload::Blob { media_type: "a/b".into(), data: long.clone().into_bytes().into() }, 1),
        ] {
            assert_eq!(through(&payload), (payload, stored));
        }
    }

    #[tokio::test]
    async fn a_large_result_stays_where_it_is() {
        let archive = Archive::at("nowhere.db".as_ref());
        let payload = Payload::Text("\n".repeat(INLINE + 1).into());
        let kept = archive.keep(payload.clone()).await;
        let mut blobs = Vec::new();
        let text = serde_json::to_string(&WirePayload::of(&kept, &mut blobs)).expect("JSON");
        let hash = blobs[0].hash();
        let len = "[65537,131076]";
        let expected = format!(r#"{{"stored":{{"as":"text","hash":"{hash}","len":{len}}}}}"#);
        assert_eq!(text, expected);
        let read = |text: &str, fetch: Fetch<'_>| {
            let wire: WirePayload = serde_json::from_str(text).expect("a payload");
            wire.keep(fetch, &archive).expect("readable")
        };
        let unread = read(&text, &|_| panic!("nobody needs it"));
        // Once it is recorded, it is spoken of by its hash.
        kept.let_go();
        for kept in [&kept, &unread] {
            let mut blobs = Vec::new();
            WirePayload::of(kept, &mut blobs);
            assert_eq!(blobs, [Blob::stored(hash)]);
        }
        // As it was written before its lengths were.
        let older = expected.replace(&format!(r#","len":{len}"#), "");
        let bytes = || Bytes::from("\n".repeat(INLINE + 1));
        let older = read(&older, &|_| Ok(Some(bytes())));
        let text = serde_json::to_string(&WirePayload::of(&older, &mut blobs)).expect("JSON");
        assert_eq!(text, expected);
    }

    #[test]
    fn a_payload_that_is_gone_is_an_error() {
        let hash = Blob::new(Bytes::new()).hash();
        let wire = WirePayload::Stored { form: Form::Text, hash, len: None };
        let error = wire.read(&|_| Ok(None)).expect_err("nothing is stored");
        assert!(error.to_string().ends_with("is missing"), "{error}");
    }

    /// What is written must be read for ever, and what was written before a field
    /// was there.
    #[test]
    fn what_comes_from_outside_is_spelled_like_this() {
        let read = |text: &str| {
            let wire: Wire = serde_json::from_str(text).expect("an input");
            serde_json::to_string(&wire).expect("JSON")
        };
        for text in [
            r#"{"add":{"tasks":{"task_id":"a"}}}"#,
            r#"{"add":{"tasks":[],"whole":true,"on_conflict":"hold"}}"#,
            r#"{"resolve":{"task":"a","admit":true}}"#,
            r#""close""#,
            r#"{"deliver":{"task":"a","outcome":{"result":{"json":{"n":1}}}}}"#,
            r#"{"deliver":{"task":"a","outcome":{"result":{"text":"done"}}}}"#,
            r#"{"posted":{"post":7,"command":"close"}}"#,
        ] {
            assert_eq!(read(text), text);
        }
        let failure = r#"{"deliver":{"task":"a","outcome":{"failure":{"error":{"kind":"lost","message":"gone"},"retryable":true}}}}"#;
        assert_eq!(read(failure), failure);
    }

    #[test]
    fn what_became_of_notifications_is_written_down_like_this() {
        for (outcome, text) in [
            (WireOutcome::Delivered, r#""delivered""#),
            (WireOutcome::Refused("no".to_owned()), r#"{"refused":"no"}"#),
            (WireOutcome::Unreachable("away".to_owned()), r#"{"unreachable":"away"}"#),
            (WireOutcome::Gone("410".to_owned()), r#"{"gone":"410"}"#),
        ] {
            let wire = Wire::Notified { webhook: 1, notice: 7, tries: 2, outcome };
            let expected =
                format!(r#"{{"notified":{{"webhook":1,"notice":7,"tries":2,"outcome":{text}}}}}"#);
            assert_eq!(serde_json::to_string(&wire).expect("JSON"), expected);
            let read: Wire = serde_json::from_str(&expected).expect("it is read");
            assert_eq!(serde_json::to_string(&read).expect("JSON"), expected);
        }
    }

    #[test]
    fn scores_are_exact() {
        let all = [0.1 + 0.2, -0.0, 1e300, 5e-324, f64::MAX, 7.0];
        let read = read_scores(&scores(&all));
        assert!(read.iter().zip(&all).all(|(a, b)| a.to_bits() == b.to_bits()), "{read:?}");
        assert_eq!(read_scores(&scores(&[])), [0.0; 0]);
    }
}
