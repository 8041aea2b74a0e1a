//! A *blob* is bytes that are stored once by the hash of their content: a
//! payload, or whatever else is too large to stand in an entry's body.

use std::fmt;

use bytes::Bytes;

use crate::hash::Hash;

/// How many bytes of a blob are stored, and read, in one piece: 1 MiB.
pub const CHUNK: usize = 1 << 20;

/// Bytes and their hash, or the hash alone where the store has the bytes.
/// Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Blob {
    hash: Hash,
    /// None if the store has them.
    bytes: Option<Bytes>,
}

impl Blob {
    /// Takes the bytes and computes their hash, once.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { hash: Hash::of(&bytes), bytes: Some(bytes) }
    }

    /// Takes bytes whose hash was computed before. With another hash they are
    /// stored as damaged.
    pub fn hashed(hash: Hash, bytes: impl Into<Bytes>) -> Self {
        Self { hash, bytes: Some(bytes.into()) }
    }

    /// What the store has already: whatever is written with it refers to those
    /// bytes as well, and none are written again. A run that would begin with
    /// one that is not there does not; anywhere else that is the end of the
    /// writer, so something else must keep it until then.
    pub fn stored(hash: Hash) -> Self {
        Self { hash, bytes: None }
    }

    /// The hash an entry's body refers to it by.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The content, if it is here and not only in the store.
    pub fn bytes(&self) -> Option<&Bytes> {
        self.bytes.as_ref()
    }

    /// The content, if it is here, without the hash.
    pub fn into_bytes(self) -> Option<Bytes> {
        self.bytes
    }

    /// How many bytes are here.
    pub(crate) fn len(&self) -> usize {
        self.bytes.as_ref().map_or(0, Bytes::len)
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.bytes {
            Some(bytes) => write!(f, "Blob({}, {} bytes)", self.hash, bytes.len()),
            None => write!(f, "Blob({}, stored)", self.hash),
        }
    }
}
