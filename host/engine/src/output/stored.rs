//! A payload that is *stored*: its hash and its length are here, its bytes are in
//! the store. They may be at hand all the same: until they have been recorded, as
//! long as somebody uses them, and while they are among the recent ones.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use consort_plugin_host::Payload;
use consort_store::{Hash, MAX_BLOB, StoreError};
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;

use super::archive::{Archive, apart};
use super::{Form, OutputError, embed, kept, recent};
use crate::report::JsonPayload;

/// A payload in the store.
pub(crate) struct Stored {
    form: Form,
    hash: Hash,
    len: u64,
    len_within: u64,
    archive: Arc<Archive>,
    hold: Hold,
}

impl Stored {
    /// One that is about to be recorded, and is held until then. Computes its
    /// hash.
    pub(super) fn fresh(payload: Payload, archive: Arc<Archive>) -> Self {
        let hash = Hash::of(kept::bytes(&payload));
        let (len, len_within) = (payload.len() as u64, embed::len(&payload));
        let stored = Self::new(Form::of(&payload), hash, (len, len_within), archive);
        stored.hold.hold(Arc::new(payload));
        stored
    }

    /// One that has been recorded; its length, and that within a JSON document.
    pub(crate) fn new(
        form: Form,
        hash: Hash,
        (len, len_within): (u64, u64),
        archive: Arc<Archive>,
    ) -> Self {
        Self { form, hash, len, len_within, archive, hold: Hold::default() }
    }

    /// The same as was recorded before its lengths were, made of its bytes.
    pub(crate) fn measured(hash: Hash, payload: &Payload, archive: Arc<Archive>) -> Self {
        let lengths = (payload.len() as u64, embed::len(payload));
        Self::new(Form::of(payload), hash, lengths, archive)
    }

    pub(crate) fn form(&self) -> &Form {
        &self.form
    }

    pub(crate) fn hash(&self) -> Hash {
        self.hash
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn len_within(&self) -> u64 {
        self.len_within
    }

    /// Its bytes, if it has not been recorded.
    pub(crate) fn unrecorded(&self) -> Option<Arc<Payload>> {
        self.hold.firmly()
    }

    pub(super) fn let_go(&self) {
        if let Some(payload) = self.hold.loosen() {
            recent::all().add(self.hash, payload);
        }
    }

    /// The payload, read apart from whoever waits for it and by one of them.
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Arc<Payload>, OutputError> {
        if let Some(payload) = self.at_hand() {
            return Ok(payload);
        }
        let _turn = self.hold.turn.lock().await;
        if let Some(payload) = self.at_hand() {
            return Ok(payload);
        }
        let stored = self.clone();
        apart(move || {
            let payload = stored.hold.lend(Arc::new(stored.read()?));
            recent::all().add(stored.hash, payload.clone());
            Ok(payload)
        })
        .await
    }

    /// The payload; blocks.
    pub(super) fn to_payload(&self) -> Result<Payload, OutputError> {
        match self.at_hand() {
            Some(payload) => Ok(Payload::clone(&payload)),
            None => self.read(),
        }
    }

    pub(super) fn write_to(&self, to: &mut dyn Write) -> Result<u64, OutputError> {
        let mut to = Witness { to, failed: None };
        if let Some(payload) = self.at_hand() {
            to.to.write_all(kept::bytes(&payload)).map_err(OutputError::Write)?;
            return Ok(self.len);
        }
        let written = self.archive.write(self.hash, &mut to);
        written.map_err(|reason| self.failed(to.failed, reason))
    }

    pub(super) fn embed(&self, to: &mut dyn Write) -> Result<(), OutputError> {
        let mut to = Witness { to, failed: None };
        let mut unread = None;
        let written =
            embed::write(&self.form, self.len_within, &mut to, |to| match self.at_hand() {
                Some(payload) => to.write_all(kept::bytes(&payload)),
                None => match self.archive.write(self.hash, to) {
                    Ok(_) => Ok(()),
                    Err(reason) => {
                        unread = Some(reason);
                        Err(io::ErrorKind::Other.into())
                    }
                },
            });
        match (written, unread) {
            (Ok(()), _) => Ok(()),
            (Err(_), Some(reason)) => Err(self.failed(to.failed, reason)),
            (Err(error), None) => Err(OutputError::Write(to.failed.unwrap_or(error))),
        }
    }

    fn at_hand(&self) -> Option<Arc<Payload>> {
        self.hold.get().or_else(|| recent::all().find(self.hash, &self.form))
    }

    fn read(&self) -> Result<Payload, OutputError> {
        Ok(match &self.form {
            Form::Json => Payload::Json(self.read_text()?.into()),
            Form::Text => Payload::Text(self.read_text()?.into()),
            Form::Blob { media_type } => {
                Payload::Blob { media_type: media_type.clone(), data: self.read_bytes()?.into() }
            }
        })
    }

    fn read_text(&self) -> Result<String, OutputError> {
        let text = String::from_utf8(self.read_bytes()?);
        text.map_err(|_| OutputError::NotText { hash: self.hash, len: self.len })
    }

    fn read_bytes(&self) -> Result<Vec<u8>, OutputError> {
        let mut bytes = Vec::with_capacity(self.len.min(MAX_BLOB) as usize);
        let read = self.archive.write(self.hash, &mut bytes);
        read.map_err(|reason| self.failed(None, reason)).map(|_| bytes)
    }

    /// What reading came to, if whoever it was passed on to is not to blame.
    fn failed(&self, writing: Option<io::Error>, reason: StoreError) -> OutputError {
        match writing {
            Some(error) => OutputError::Write(error),
            None => OutputError::Unreadable { hash: self.hash, len: self.len, reason },
        }
    }
}

/// As JSON, read for that alone, and text not even copied.
impl Serialize for Stored {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if let Some(payload) = self.at_hand() {
            return JsonPayload(&payload).serialize(to);
        }
        match &self.form {
            Form::Json => {
                let text = self.read_text().map_err(S::Error::custom)?;
                let raw: &RawValue = serde_json::from_str(&text).map_err(S::Error::custom)?;
                raw.serialize(to)
            }
            Form::Text => to.serialize_str(&self.read_text().map_err(S::Error::custom)?),
            Form::Blob { .. } => JsonPayload(&self.read().map_err(S::Error::custom)?).serialize(to),
        }
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { form, hash, len, .. } = self;
        write!(f, "Stored({form:?}, {hash}, {len} bytes)")
    }
}

/// Passes bytes on, and remembers why it could not.
struct Witness<'a> {
    to: &'a mut dyn Write,
    failed: Option<io::Error>,
}

impl Write for Witness<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                self.failed = Some(error.kind().into());
            }
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// A payload as far as it is in memory, for all who know of it.
#[derive(Default)]
pub(super) struct Hold {
    held: Mutex<Held>,
    /// Who reads it for all others.
    pub(super) turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
enum Held {
    #[default]
    Nothing,
    /// As long as this is there.
    Firmly(Arc<Payload>),
    /// As long as anybody else has it.
    Loosely(Weak<Payload>),
}

impl Hold {
    /// The payload, if somebody has it.
    pub(super) fn get(&self) -> Option<Arc<Payload>> {
        match &*self.lock() {
            Held::Nothing => None,
            Held::Firmly(payload) => Some(payload.clone()),
            Held::Loosely(payload) => payload.upgrade(),
        }
    }

    /// The payload, if it is held in any case.
    fn firmly(&self) -> Option<Arc<Payload>> {
        match &*self.lock() {
            Held::Firmly(payload) => Some(payload.clone()),
            Held::Nothing | Held::Loosely(_) => None,
        }
    }

    /// Holds what was held in any case only as long as somebody else does.
    fn loosen(&self) -> Option<Arc<Payload>> {
        let payload = self.firmly()?;
        Some(self.lend(payload))
    }

    /// Has a payload for others as long as what is returned is there, or a clone
    /// of it.
    pub(super) fn lend(&self, payload: Arc<Payload>) -> Arc<Payload> {
        *self.lock() = Held::Loosely(Arc::downgrade(&payload));
        payload
    }

    fn hold(&self, payload: Arc<Payload>) {
        *self.lock() = Held::Firmly(payload);
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
