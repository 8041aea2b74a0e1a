//! An *entry* is one thing that happened in a run, as whoever keeps the run's
//! state wrote it down. Entries are numbered from 0 in the order they were
//! appended, without gaps.

use crate::blob::Blob;
use crate::error::StoreError;
use crate::options::Options;

/// A run's journal entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it happened, in milliseconds since the epoch.
    pub at: i64,
    /// How `body` is to be understood; the store passes it on.
    pub version: u16,
    /// Opaque to the store; at most [`MAX_BODY`](crate::MAX_BODY) bytes.
    pub body: Vec<u8>,
    /// What `body` refers to by hash. A blob stays as long as one entry, one
    /// snapshot or one cached result that was written with it, so each of them
    /// is written with all it refers to, also with what is stored already.
    /// Empty when the entry is read.
    pub blobs: Vec<Blob>,
}

/// When an append is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Durability {
    /// The entry, and every one before it, is on disk.
    Synced,
    /// The entry is queued. It gets to the disk with the next synced one of
    /// any run, or after [`Options::linger_ms`], always in order.
    Lazy,
}

/// A state that stands for all entries up to and including `upto`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The last entry it stands for.
    pub upto: u64,
    /// How `body` is to be understood; the store passes it on.
    pub version: u16,
    /// Opaque to the store.
    pub body: Vec<u8>,
}

/// Refuses what is larger than the store takes, before anything is queued.
pub(crate) fn check_sizes(body: &[u8], blobs: &[Blob], caps: &Options) -> Result<(), StoreError> {
    let within = |what, size: usize, cap: u64| match size as u64 {
        size if size > cap => Err(StoreError::TooLarge { what, size, cap }),
        _ => Ok(()),
    };
    within("entry", body.len(), caps.max_body())?;
    blobs.iter().try_for_each(|blob| within("payload", blob.len(), caps.max_blob()))
}

/// How much memory it holds on to while it is queued, in bytes.
pub(crate) fn weight(body: &[u8], blobs: &[Blob]) -> usize {
    body.len() + blobs.iter().map(Blob::len).sum::<usize>()
}
