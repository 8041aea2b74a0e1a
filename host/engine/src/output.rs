//! An *output* is what a task came to, as a run holds it.
//!
//! A small one is here. In a run that is recorded a large one is in the store,
//! where recording it has put it, and not in memory: whoever needs it loads it,
//! apart from the run loop, and it is gone again when nobody needs it any more.
//! What is made of such results, that of a collaborative task or of a fan-out, is
//! put together then as well.
//!
//! * `kept`: a payload that is here or in the store.
//! * `stored`: one in the store; it may be at hand all the same.
//! * `gathered`: what consists of the outputs of others.
//! * `embed`: how a payload stands within a JSON document.
//! * `archive`: where payloads of the store are read.
//! * `recent`: those that were needed last, for those who need them next.

mod archive;
mod embed;
mod gathered;
mod kept;
mod recent;
mod stored;

use std::io::{self, Write};
use std::sync::Arc;

use consort_plugin_host::Payload;
use consort_store::{Hash, StoreError};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

pub(crate) use archive::Archive;
pub(crate) use kept::{Kept, Packed};
pub(crate) use stored::Stored;

use crate::report::JsonPayload;
use gathered::Gathered;

/// Bytes of a payload that is kept where it is spoken of, in memory and in the
/// journal; larger ones are stored apart.
pub(crate) const INLINE: usize = 64 << 10;

/// A task's result. Cheap to clone.
///
/// One that is large is not in memory if the run is, or was, recorded: it is read
/// from the store's file each time it is asked for, and checked against its hash.
/// That works as long as the file is there and its run has not been deleted from
/// it, also while the store is written to.
#[derive(Debug, Clone)]
pub struct Output(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Kept(Kept),
    Gathered(Arc<Gathered>),
}

/// What an output is made of.
pub(crate) enum Made<'a> {
    Kept(&'a Kept),
    List(&'a [Option<Output>]),
    Object(&'a [(Arc<str>, Output)]),
}

/// What the bytes of a result are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Form {
    /// A JSON document.
    Json,
    /// Plain text.
    Text,
    /// Bytes with an RFC 9110 media type.
    Blob {
        /// What the bytes are.
        media_type: Arc<str>,
    },
}

/// A result that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// It cannot be read from the store, or is not what was written there.
    #[error("payload {hash} of {len} bytes cannot be read: {reason}")]
    Unreadable {
        /// Its hash.
        hash: Hash,
        /// How many bytes it should have.
        len: u64,
        /// Why not.
        reason: StoreError,
    },
    /// It should be text, and is none.
    #[error("payload {hash} of {len} bytes is not UTF-8")]
    NotText {
        /// Its hash.
        hash: Hash,
        /// How many bytes it has.
        len: u64,
    },
    /// It is put together of the results of others, and they are too much for that.
    /// It can be written all the same.
    #[error(
        "it has {len} bytes, and at most {} are put together; let transformers make smaller what it consists of",
        gathered::MAX_BYTES
    )]
    TooLarge {
        /// How many bytes it has.
        len: u64,
    },
    /// Whoever it was written to does not take it.
    #[error("a result could not be passed on: {0}")]
    Write(io::Error),
}

impl OutputError {
    /// Whether it would come again.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Unreadable { reason, .. } => matches!(
                reason,
                StoreError::Corrupt { .. }
                    | StoreError::UnknownBlob { .. }
                    | StoreError::NotFound { .. }
                    | StoreError::NotAStore { .. }
            ),
            Self::NotText { .. } | Self::TooLarge { .. } => true,
            Self::Write(_) => false,
        }
    }
}

impl Form {
    /// That of a payload.
    pub(crate) fn of(payload: &Payload) -> Self {
        match payload {
            Payload::Json(_) => Self::Json,
            Payload::Text(_) => Self::Text,
            Payload::Blob { media_type, .. } => Self::Blob { media_type: media_type.clone() },
        }
    }
}

impl Output {
    /// How many bytes it has, wherever they are.
    pub fn len(&self) -> u64 {
        match &self.0 {
            Kind::Kept(kept) => kept.len(),
            Kind::Gathered(gathered) => gathered.len(),
        }
    }

    /// Whether it holds no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What its bytes are.
    pub fn form(&self) -> Form {
        match &self.0 {
            Kind::Kept(Kept::Here(payload)) => Form::of(payload),
            Kind::Kept(Kept::Stored(stored)) => stored.form().clone(),
            Kind::Gathered(_) => Form::Json,
        }
    }

    /// The payload, if it is in memory for as long as this is.
    pub fn here(&self) -> Option<&Payload> {
        match &self.0 {
            Kind::Kept(Kept::Here(payload)) => Some(payload),
            Kind::Kept(Kept::Stored(_)) | Kind::Gathered(_) => None,
        }
    }

    /// The payload. It is read on a thread that may block, once for all who want
    /// it at about the same time, and those that were wanted last are kept in
    /// memory for a while, up to 64 MiB of them. Needs a tokio runtime if it is
    /// not [`here`](Self::here).
    ///
    /// # Errors
    ///
    /// It cannot be read from the store, or is too large to be put together.
    pub async fn load(&self) -> Result<Payload, OutputError> {
        self.lease().await.map(|(payload, _)| payload)
    }

    /// The payload, and what makes it be there for others who want it while this
    /// one is used.
    pub(crate) async fn lease(&self) -> Result<(Payload, Option<Arc<Payload>>), OutputError> {
        let lent = match &self.0 {
            Kind::Kept(Kept::Here(payload)) => return Ok((payload.clone(), None)),
            Kind::Kept(Kept::Stored(stored)) => stored.lease().await?,
            Kind::Gathered(gathered) => gathered.lease().await?,
        };
        Ok((Payload::clone(&lent), Some(lent)))
    }

    /// The same for programs that may block: the payload is in memory for as long
    /// as what is returned, and no longer.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn to_payload(&self) -> Result<Payload, OutputError> {
        match &self.0 {
            Kind::Kept(kept) => kept.to_payload(),
            Kind::Gathered(gathered) => gathered.to_payload(),
        }
    }

    /// Writes its bytes, and says how many there are. What is in the store is
    /// passed on chunk by chunk, so however large it is, it needs little memory.
    /// That it is not what was stored shows after the last. Blocks.
    ///
    /// # Errors
    ///
    /// It cannot be read from the store, or written.
    pub fn write_to(&self, to: &mut dyn Write) -> Result<u64, OutputError> {
        match &self.0 {
            Kind::Kept(kept) => kept.write_to(to),
            Kind::Gathered(gathered) => gathered.write_to(to),
        }
    }

    /// Results in a JSON list, `null` for those that there are not. It is put
    /// together at once if they are all here.
    pub(crate) fn list<'a, I: Iterator<Item = Option<&'a Self>>>(parts: impl Fn() -> I) -> Self {
        gathered::list(parts)
    }

    /// The same in a JSON object, by their names.
    pub(crate) fn object<'a>(parts: impl Iterator<Item = (&'a Arc<str>, &'a Self)>) -> Self {
        gathered::object(parts)
    }

    /// What it is made of.
    pub(crate) fn made(&self) -> Made<'_> {
        match &self.0 {
            Kind::Kept(kept) => Made::Kept(kept),
            Kind::Gathered(gathered) => gathered.made(),
        }
    }

    /// One that was made like that.
    pub(crate) fn of_list(parts: Box<[Option<Self>]>) -> Self {
        Gathered::of_list(parts).into()
    }

    /// One that was made like that.
    pub(crate) fn of_object(parts: Box<[(Arc<str>, Self)]>) -> Self {
        Gathered::of_object(parts).into()
    }

    /// The payload that it is, unless it is gathered.
    pub(crate) fn kept(&self) -> Option<&Kept> {
        match &self.0 {
            Kind::Kept(kept) => Some(kept),
            Kind::Gathered(_) => None,
        }
    }

    /// Bytes that it holds in memory.
    pub(crate) fn held(&self) -> u64 {
        self.kept().map_or(0, Kept::held)
    }

    /// Bytes that it has within a JSON document; none if it cannot stand there.
    fn len_within(&self) -> Option<u64> {
        match &self.0 {
            Kind::Kept(kept) => kept.len_within(),
            Kind::Gathered(gathered) => Some(gathered.len()),
        }
    }

    /// Writes it as it stands within a JSON document.
    fn embed(&self, to: &mut dyn Write) -> Result<(), OutputError> {
        match &self.0 {
            Kind::Kept(kept) => kept.embed(to),
            Kind::Gathered(gathered) => gathered.write_to(to).map(drop),
        }
    }
}

impl From<Kept> for Output {
    fn from(kept: Kept) -> Self {
        Self(Kind::Kept(kept))
    }
}

impl From<Payload> for Output {
    fn from(payload: Payload) -> Self {
        Self(Kind::Kept(Kept::Here(payload)))
    }
}

impl From<Gathered> for Output {
    fn from(gathered: Gathered) -> Self {
        Self(Kind::Gathered(Arc::new(gathered)))
    }
}

/// As JSON: documents as they are, text as a string, bytes as `{media_type,
/// base64}`. What is in the store is read for it, one payload after the other,
/// and not kept; that one cannot be read is an error of the serialisation.
impl Serialize for Output {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Kind::Kept(Kept::Here(payload)) => JsonPayload(payload).serialize(to),
            Kind::Kept(Kept::Stored(stored)) => stored.serialize(to),
            Kind::Gathered(gathered) => gathered.serialize(to),
        }
    }
}

#[cfg(test)]
mod tests;
