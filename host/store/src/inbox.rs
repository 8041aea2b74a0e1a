//! An *inbox* is what other processes want of a run: answers to its questions,
//! or its end. A post waits in the file until the process that carries the run
//! out takes it up, at once or when the run is resumed.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::connection;
use crate::error::StoreError;
use crate::failpoint;
use crate::lookup;
use crate::run::RunStatus;
use crate::schema;
use crate::tables::{RunKey, inbox, runs};

/// The most bytes the body of a post may have: 1 MiB.
pub const MAX_POST: u64 = 1 << 20;

/// The most posts a run's inbox holds until they are forgotten.
pub const MAX_POSTS: u64 = 4096;

/// The most bytes the bodies in a run's inbox may have together until they are
/// forgotten: 16 MiB.
pub const MAX_INBOX: u64 = 16 << 20;

/// What one process asked of a run that another carries out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Larger than that of every post before, in the whole store; never given
    /// twice, not even after the post was forgotten.
    pub id: i64,
    /// When it was posted, in milliseconds since the epoch.
    pub at: i64,
    /// Opaque to the store; at most [`MAX_POST`] bytes.
    pub body: Vec<u8>,
}

/// Puts something into a run's inbox, from any process, also while another has
/// the store open for writing; returns the post's id. `run` is the run's id, or
/// the beginning or the end of it if no other has that. Blocks until the post
/// is on disk, for a few milliseconds as a rule; it waits up to ten seconds for
/// the file.
///
/// # Errors
///
/// With nothing posted:
/// - [`StoreError::UnknownRun`], [`StoreError::AmbiguousRun`],
///   [`StoreError::RunOver`];
/// - [`StoreError::TooLarge`], [`StoreError::InboxFull`];
/// - [`StoreError::NotFound`], [`StoreError::NotAStore`],
///   [`StoreError::Newer`], and [`StoreError::Older`] until a process has
///   opened it for writing once;
/// - [`StoreError::ReadOnly`], [`StoreError::Full`], and
///   [`StoreError::Locked`] when somebody else keeps the file for too long.
///
/// After [`StoreError::Io`] or [`StoreError::Corrupt`] it may be there or not.
pub fn post(path: &Path, run: &str, at: i64, body: &[u8]) -> Result<i64, StoreError> {
    let size = body.len() as u64;
    if size > MAX_POST {
        return Err(StoreError::TooLarge { what: "request", size, cap: MAX_POST });
    }
    let failed = |error| StoreError::sqlite(path, error);
    let connection = connection::open_poster(path)?;
    // Before the file is locked, since it may have to read every run's id.
    let id = find(&connection, path, run)?;
    let transaction =
        Transaction::new_unchecked(&connection, TransactionBehavior::Immediate).map_err(failed)?;
    // While this waited a newer version may have changed the file.
    schema::check(&transaction, path, schema::INBOX)?;
    let run = running(&transaction, path, &id)?;
    check_room(&transaction, run, &id, size).map_err(failed)??;
    let post = inbox::insert(&transaction, run, at, body).map_err(failed)?;
    failpoint::pass(failpoint::BEFORE_COMMIT);
    transaction.commit().map_err(failed)?;
    failpoint::pass(failpoint::AFTER_COMMIT);
    Ok(post)
}

/// The whole id of the run that is meant.
fn find(connection: &Connection, path: &Path, part: &str) -> Result<String, StoreError> {
    let failed = |error| StoreError::sqlite(path, error);
    let reading = connection.unchecked_transaction().map_err(failed)?;
    let run = lookup::find(&reading, path, part)?;
    runs::row(&reading, run).map(|row| row.id).map_err(failed)
}

fn running(connection: &Connection, path: &Path, id: &str) -> Result<RunKey, StoreError> {
    let failed = |error| StoreError::sqlite(path, error);
    match runs::find(connection, id).map_err(failed)? {
        Some((run, RunStatus::Running)) => Ok(run),
        Some(_) => Err(StoreError::RunOver { id: id.to_owned() }),
        None => Err(lookup::unknown(connection, id).map_err(failed)?),
    }
}

fn check_room(
    connection: &Connection,
    run: RunKey,
    id: &str,
    size: u64,
) -> rusqlite::Result<Result<(), StoreError>> {
    let (posts, bytes) = inbox::measure(connection, run)?;
    Ok(match posts < MAX_POSTS && bytes + size <= MAX_INBOX {
        true => Ok(()),
        false => Err(StoreError::InboxFull { id: id.to_owned(), posts }),
    })
}

#[cfg(test)]
mod tests;
