//! A payload that is *kept*: it is here, or in the store.

use std::io::Write;
use std::sync::Arc;

use consort_plugin_host::Payload;
use consort_store::Hash;

use super::{Form, OutputError, Stored, embed};

/// A payload that is here or in the store. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum Kept {
    Here(Payload),
    Stored(Arc<Stored>),
}

/// What has to be written down of one.
pub(crate) enum Packed<'a> {
    /// It.
    Here(&'a Payload),
    /// Where it is.
    Stored {
        form: &'a Form,
        hash: Hash,
        len: u64,
        /// Bytes that it has within a JSON document.
        len_within: u64,
        /// The payload, if it has not been recorded yet.
        unrecorded: Option<Arc<Payload>>,
    },
}

impl Kept {
    /// How many bytes it has, wherever they are.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Here(payload) => payload.len() as u64,
            Self::Stored(stored) => stored.len(),
        }
    }

    /// Bytes that it holds in memory, once it is recorded.
    pub(crate) fn held(&self) -> u64 {
        match self {
            Self::Here(payload) => payload.len() as u64,
            Self::Stored(_) => 0,
        }
    }

    /// What has to be written down of it.
    pub(crate) fn pack(&self) -> Packed<'_> {
        match self {
            Self::Here(payload) => Packed::Here(payload),
            Self::Stored(stored) => Packed::Stored {
                form: stored.form(),
                hash: stored.hash(),
                len: stored.len(),
                len_within: stored.len_within(),
                unrecorded: stored.unrecorded(),
            },
        }
    }

    /// It has been recorded, so its bytes need not be here any more.
    pub(crate) fn let_go(&self) {
        if let Self::Stored(stored) = self {
            stored.let_go();
        }
    }

    /// The payload; blocks.
    pub(crate) fn to_payload(&self) -> Result<Payload, OutputError> {
        match self {
            Self::Here(payload) => Ok(payload.clone()),
            Self::Stored(stored) => stored.to_payload(),
        }
    }

    pub(super) fn write_to(&self, to: &mut dyn Write) -> Result<u64, OutputError> {
        match self {
            Self::Here(payload) => {
                let bytes = bytes(payload);
                to.write_all(bytes).map_err(OutputError::Write)?;
                Ok(bytes.len() as u64)
            }
            Self::Stored(stored) => stored.write_to(to),
        }
    }

    pub(super) fn len_within(&self) -> Option<u64> {
        match self {
            Self::Here(payload) => embed::text(payload).map(|text| text.len() as u64),
            Self::Stored(stored) => Some(stored.len_within()),
        }
    }

    pub(super) fn embed(&self, to: &mut dyn Write) -> Result<(), OutputError> {
        match self {
            Self::Here(payload) => {
                let text = embed::text(payload);
                let text = text.as_deref().unwrap_or("null");
                to.write_all(text.as_bytes()).map_err(OutputError::Write)
            }
            Self::Stored(stored) => stored.embed(to),
        }
    }
}

/// The bytes of a payload.
pub(super) fn bytes(payload: &Payload) -> &[u8] {
    match payload {
        Payload::Json(text) | Payload::Text(text) => text.as_bytes(),
        Payload::Blob { data, .. } => data,
    }
}
