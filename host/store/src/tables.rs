//! The *tables* are where everything is: one module for each thing that is
//! stored, with the statements that write and read it. None begins or ends a
//! transaction; that is the writer's, and the reader's, to do.

pub(crate) mod blobs;
pub(crate) mod cached;
pub(crate) mod entries;
pub(crate) mod inbox;
pub(crate) mod runs;
pub(crate) mod snapshots;

use rusqlite::types::Type;

/// A run's number in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RunKey(pub(crate) i64);

/// What a row that is not as it was written is reported as.
pub(crate) fn damaged(what: impl Into<String>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, what.into().into())
}
