//! A *cached result* is what a task came to, kept for tasks that are equal to
//! it. It is found by a namespace and a key, both of whose meaning is the
//! caller's.

use crate::blob::Blob;

/// A result that is still good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cached {
    /// Opaque to the store.
    pub body: Vec<u8>,
    /// What was stored with it, in no particular order.
    pub blobs: Vec<Blob>,
    /// When it was stored, in milliseconds since the epoch.
    pub stored_at: i64,
}
