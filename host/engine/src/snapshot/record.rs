//! What is saved of a *task*: its record, but for what only the process has that
//! does it.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroI64;
use std::sync::Arc;

use bytes::Bytes;
use consort_core::scheduler::{Status, Stop};
use consort_plugin_host::Payload;
use consort_store::Hash;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use super::as_json;
use crate::attempt::Left;
use crate::error::{Cause, TaskError};
use crate::output::{Archive, Form, Kept, Made, Output, Packed, Stored};
use crate::question::Question;
use crate::record::{Live, Record, Source};
use crate::report::UsageReport;
use crate::tally;

/// Records that there is room for at once, whatever a snapshot says.
const MANY: usize = 1 << 20;

/// What is saved of a record.
#[derive(Serialize, Deserialize)]
struct SavedRecord<'a> {
    #[serde(borrow)]
    result: Option<SavedOutput<'a>>,
    error: Option<SavedError<'a>>,
    usage: Option<Cow<'a, UsageReport>>,
    consumed: [u64; 5],
    queued: u32,
    live: Option<Box<SavedLive<'a>>>,
    started: i64,
    finished: i64,
    attempts: u32,
    agent: Option<u32>,
    status: Option<Status>,
    source: Source,
}

/// What is saved of a task that is not finished.
#[derive(Serialize, Deserialize)]
struct SavedLive<'a> {
    stopped: Option<Stop>,
    #[serde(borrow)]
    checkpoint: Option<Cow<'a, [u8]>>,
    answer: Option<SavedPayload<'a>>,
    #[serde(with = "as_json")]
    earlier: Cow<'a, [Cause]>,
    question: Option<SavedQuestion<'a>>,
    delivered: Option<Result<SavedKept<'a>, Box<SavedError<'a>>>>,
}

/// An error, as JSON: it leaves out what it has not.
#[derive(Serialize, Deserialize)]
struct SavedError<'a>(#[serde(with = "as_json")] Cow<'a, TaskError>);

/// A question, as JSON: its schema may be anything.
#[derive(Serialize, Deserialize)]
struct SavedQuestion<'a>(#[serde(with = "as_json")] Cow<'a, Question>);

/// A result.
#[derive(Serialize, Deserialize)]
enum SavedOutput<'a> {
    #[serde(borrow)]
    Kept(SavedKept<'a>),
    List(Vec<Option<SavedOutput<'a>>>),
    Object(Vec<(Arc<str>, SavedOutput<'a>)>),
}

/// A payload that is here, or in the store.
#[derive(Serialize, Deserialize)]
enum SavedKept<'a> {
    #[serde(borrow)]
    Here(SavedPayload<'a>),
    Stored {
        form: Form,
        hash: Hash,
        /// In bytes, and within a JSON document.
        len: (u64, u64),
    },
}

/// A payload.
#[derive(Serialize, Deserialize)]
enum SavedPayload<'a> {
    #[serde(borrow)]
    Json(Cow<'a, str>),
    Text(Cow<'a, str>),
    Blob {
        media_type: Cow<'a, str>,
        data: Cow<'a, [u8]>,
    },
}

impl<'a> From<&'a Payload> for SavedPayload<'a> {
    fn from(payload: &'a Payload) -> Self {
        match payload {
            Payload::Json(text) => Self::Json(Cow::Borrowed(text)),
            Payload::Text(text) => Self::Text(Cow::Borrowed(text)),
            Payload::Blob { media_type, data } => {
                Self::Blob { media_type: Cow::Borrowed(media_type), data: Cow::Borrowed(data) }
            }
        }
    }
}

impl From<SavedPayload<'_>> for Payload {
    fn from(saved: SavedPayload<'_>) -> Self {
        match saved {
            SavedPayload::Json(text) => Self::Json((&*text).into()),
            SavedPayload::Text(text) => Self::Text((&*text).into()),
            SavedPayload::Blob { media_type, data } => Self::Blob {
                media_type: (&*media_type).into(),
                data: Bytes::from(data.into_owned()),
            },
        }
    }
}

impl<'a> From<&'a Kept> for SavedKept<'a> {
    fn from(kept: &'a Kept) -> Self {
        match kept.pack() {
            Packed::Here(payload) => Self::Here(payload.into()),
            // It has been recorded before the state is saved.
            Packed::Stored { form, hash, len, len_within, unrecorded: _ } => {
                Self::Stored { form: form.clone(), hash, len: (len, len_within) }
            }
        }
    }
}

impl SavedKept<'_> {
    fn load(self, archive: &Arc<Archive>) -> Kept {
        match self {
            Self::Here(payload) => Kept::Here(payload.into()),
            Self::Stored { form, hash, len } => {
                Kept::Stored(Arc::new(Stored::new(form, hash, len, archive.clone())))
            }
        }
    }
}

impl<'a> From<&'a Output> for SavedOutput<'a> {
    fn from(output: &'a Output) -> Self {
        match output.made() {
            Made::Kept(kept) => Self::Kept(kept.into()),
            Made::List(parts) => {
                Self::List(parts.iter().map(|part| part.as_ref().map(Into::into)).collect())
            }
            Made::Object(parts) => {
                let parts = parts.iter().map(|(name, part)| (name.clone(), part.into()));
                Self::Object(parts.collect())
            }
        }
    }
}

impl SavedOutput<'_> {
    fn load(self, archive: &Arc<Archive>) -> Output {
        match self {
            Self::Kept(kept) => kept.load(archive).into(),
            Self::List(parts) => {
                let parts = parts.into_iter().map(|part| part.map(|part| part.load(archive)));
                Output::of_list(parts.collect())
            }
            Self::Object(parts) => {
                let parts = parts.into_iter().map(|(name, part)| (name, part.load(archive)));
                Output::of_object(parts.collect())
            }
        }
    }
}

impl<'a> From<&'a TaskError> for SavedError<'a> {
    fn from(error: &'a TaskError) -> Self {
        Self(Cow::Borrowed(error))
    }
}

impl From<SavedError<'_>> for Box<TaskError> {
    fn from(SavedError(error): SavedError<'_>) -> Self {
        Self::new(error.into_owned())
    }
}

impl<'a> From<&'a Live> for SavedLive<'a> {
    fn from(live: &'a Live) -> Self {
        // What stops an attempt, and what equal tasks wait for, is gone with the
        // process.
        let Live { stop: _, stopped, left, earlier, question, delivered } = live;
        let Left { checkpoint, answer, lease: _, waited: _ } = left;
        Self {
            stopped: *stopped,
            checkpoint: checkpoint.as_deref().map(Cow::Borrowed),
            answer: answer.as_ref().map(Into::into),
            earlier: Cow::Borrowed(earlier),
            question: question.as_deref().map(|question| SavedQuestion(Cow::Borrowed(question))),
            delivered: delivered.as_ref().map(|delivered| match delivered {
                Ok(output) => Ok(output.into()),
                Err(error) => Err(Box::new((&**error).into())),
            }),
        }
    }
}

impl SavedLive<'_> {
    fn load(self, archive: &Arc<Archive>) -> Live {
        let Self { stopped, checkpoint, answer, earlier, question, delivered } = self;
        Live {
            stop: None,
            stopped,
            left: Left {
                checkpoint: checkpoint.map(|bytes| Bytes::from(bytes.into_owned())),
                answer: answer.map(Into::into),
                ..Left::default()
            },
            earlier: earlier.into_owned(),
            question: question.map(|SavedQuestion(question)| Arc::new(question.into_owned())),
            delivered: delivered.map(|delivered| match delivered {
                Ok(output) => Ok(output.load(archive)),
                Err(error) => Err((*error).into()),
            }),
        }
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let moment = |at: Option<NonZeroI64>| at.map_or(0, NonZeroI64::get);
        let saved = SavedRecord {
            result: self.result.as_ref().map(Into::into),
            error: self.error.as_deref().map(Into::into),
            usage: self.usage.as_deref().map(Cow::Borrowed),
            consumed: tally::list(&self.consumed),
            queued: self.queued,
            live: self.live.as_deref().map(|live| Box::new(live.into())),
            started: moment(self.started),
            finished: moment(self.finished),
            attempts: self.attempts,
            agent: self.agent,
            status: self.status,
            source: self.source,
        };
        saved.serialize(to)
    }
}

impl SavedRecord<'_> {
    fn load(self, archive: &Arc<Archive>) -> Record {
        Record {
            result: self.result.map(|result| result.load(archive)),
            error: self.error.map(Into::into),
            usage: self.usage.map(|usage| Box::new(usage.into_owned())),
            consumed: tally::of_list(self.consumed),
            queued: self.queued,
            live: self.live.map(|live| Box::new(live.load(archive))),
            started: NonZeroI64::new(self.started),
            finished: NonZeroI64::new(self.finished),
            attempts: self.attempts,
            agent: self.agent,
            status: self.status,
            source: self.source,
        }
    }
}

/// Loads records whose large results are in that archive.
pub(super) struct Records<'a>(pub(super) &'a Arc<Archive>);

impl<'de> DeserializeSeed<'de> for Records<'_> {
    type Value = Vec<Record>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Records<'_> {
    type Value = Vec<Record>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
        let mut records = Vec::with_capacity(from.size_hint().unwrap_or_default().min(MANY));
        while let Some(saved) = from.next_element::<SavedRecord<'_>>()? {
            records.push(saved.load(self.0));
        }
        Ok(records)
    }
}
