//! A *blob* is bytes that are stored once by the hash of their content: a
//! payload, or whatever else is too large to stand in an entry's body.

use std::fmt;

use bytes::Bytes;

use crate::hash::Hash;

/// How many bytes of a blob are stored, and read, in one piece: 1 MiB.
pub const CHUNK: usize = 1 << 20;

/// Bytes and their hash. Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Blob {
    hash: Hash,
    bytes: Bytes,
}

impl Blob {
    /// Takes the bytes and computes their hash, once.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { hash: Hash::of(&bytes), bytes }
    }

    /// The hash an entry's body refers to it by.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The content.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The content, without the hash.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({}, {} bytes)", self.hash, self.bytes.len())
    }
}
