//! The *schema* is which tables the file has. It is a list of steps, each from
//! one version to the next; a file says in its header how many it has had.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::error::StoreError;

/// "CONS", in SQLite's header: the file is a store.
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"CONS");

/// Step n leads from version n to n + 1. A step that was released never
/// changes; there is a file of every version under `tests/fixtures`.
pub(crate) const STEPS: &[&str] = &[V1, V2];

/// The oldest version a reader reads: what later ones added counts as empty.
pub(crate) const READABLE: u32 = 1;

/// The version from which on runs have inboxes.
pub(crate) const INBOX: u32 = 2;

/// - A run has a small number, by which all else refers to it; none is given
///   twice, since a journal of a run that was deleted may still be around.
/// - The journal is clustered by run, so that replaying one reads its pages
///   alone.
/// - A blob's chunk n has the number `blob << 10 | n`: chunks of a blob lie
///   next to each other, without an index.
/// - `refs` says which owner was written with which blob; `blobs.refs` counts
///   its rows, so that what nobody refers to is found without a search. The
///   kinds of owner are 0, a run's entries; 1, its snapshot; 2, a cached result.
/// - A `sum` is the first eight bytes of a SHA-256, see `hash::checksum`.
const V1: &str = "
CREATE TABLE runs (
  run INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  tasks INTEGER NOT NULL,
  submitted_at INTEGER NOT NULL,
  about TEXT NOT NULL,
  status INTEGER NOT NULL,
  ended_at INTEGER,
  summary TEXT
) STRICT;
CREATE INDEX runs_by_submission ON runs (submitted_at);
CREATE INDEX runs_unfinished ON runs (run) WHERE status = 0;

CREATE TABLE journal (
  run INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  version INTEGER NOT NULL,
  sum INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshots (
  run INTEGER PRIMARY KEY,
  upto INTEGER NOT NULL,
  version INTEGER NOT NULL,
  sum INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT;

CREATE TABLE cached (
  cached INTEGER PRIMARY KEY,
  namespace TEXT NOT NULL,
  key BLOB NOT NULL,
  stored_at INTEGER NOT NULL,
  expires_at INTEGER,
  sum INTEGER NOT NULL,
  body BLOB NOT NULL,
  UNIQUE (namespace, key)
) STRICT;
CREATE INDEX cached_by_expiry ON cached (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE blobs (
  blob INTEGER PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE,
  size INTEGER NOT NULL,
  refs INTEGER NOT NULL
) STRICT;
CREATE INDEX blobs_unused ON blobs (blob) WHERE refs = 0;

CREATE TABLE chunks (
  chunk INTEGER PRIMARY KEY,
  bytes BLOB NOT NULL
) STRICT;

CREATE TABLE refs (
  kind INTEGER NOT NULL,
  owner INTEGER NOT NULL,
  blob INTEGER NOT NULL,
  PRIMARY KEY (kind, owner, blob)
) STRICT, WITHOUT ROWID;
";

/// A post's number is never given twice, so that whoever has seen one knows
/// that all larger ones are later.
const V2: &str = "
CREATE TABLE inbox (
  post INTEGER PRIMARY KEY AUTOINCREMENT,
  run INTEGER NOT NULL,
  at INTEGER NOT NULL,
  sum INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT;
CREATE INDEX inbox_by_run ON inbox (run);
";

/// The file's version; `None` if it is empty.
///
/// # Errors
///
/// [`StoreError::NotAStore`] if somebody else's tables are in it.
pub(crate) fn version(connection: &Connection, path: &Path) -> Result<Option<u32>, StoreError> {
    let failed = |error| cannot_read(path, error);
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get(0));
    let application: i32 = number("application_id").map_err(failed)?;
    if application == APPLICATION_ID {
        return connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map(Some)
            .map_err(failed);
    }
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    if application != 0 || tables > 0 {
        return Err(StoreError::NotAStore { path: path.to_owned() });
    }
    Ok(None)
}

/// The first statement is the first that opens what belongs to the file.
fn cannot_read(path: &Path, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::CannotOpen) => StoreError::ReadOnly { path: path.to_owned() },
        _ => StoreError::sqlite(path, error),
    }
}

/// Whether the file has had the step that brought inboxes. A reader may have
/// opened it before.
pub(crate) fn has_inbox(connection: &Connection) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached("PRAGMA user_version")?;
    statement.query_row([], |row| row.get::<_, u32>(0)).map(|version| version >= INBOX)
}

/// Makes sure that every table is known, and that those which came with
/// version `oldest` are there.
pub(crate) fn check(connection: &Connection, path: &Path, oldest: u32) -> Result<(), StoreError> {
    let known = STEPS.len() as u32;
    let found = version(connection, path)?;
    let found = found.ok_or_else(|| StoreError::NotAStore { path: path.to_owned() })?;
    match found {
        found if found > known => Err(StoreError::Newer { path: path.to_owned(), found, known }),
        found if found < oldest => Err(StoreError::Older { path: path.to_owned(), found, known }),
        _ => Ok(()),
    }
}

/// Takes the steps the file has not had, all or none of them.
pub(crate) fn migrate(
    connection: &Connection,
    path: &Path,
    steps: &[&str],
) -> Result<(), StoreError> {
    let known = steps.len() as u32;
    match version(connection, path)?.unwrap_or(0) {
        found if found > known => Err(StoreError::Newer { path: path.to_owned(), found, known }),
        found if found == known => Ok(()),
        found => take(connection, &steps[found as usize..], known)
            .map_err(|error| StoreError::sqlite(path, error)),
    }
}

fn take(connection: &Connection, steps: &[&str], version: u32) -> rusqlite::Result<()> {
    let transaction =
        rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    steps.iter().try_for_each(|step| transaction.execute_batch(step))?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Connection {
        Connection::open_in_memory().unwrap()
    }

    #[test]
    fn steps_are_taken_once_and_in_order() {
        let (connection, path) = (open(), Path::new("x"));
        let steps = ["CREATE TABLE a (x)", "ALTER TABLE a ADD COLUMN y", "DROP TABLE a"];
        for n in 0..=steps.len() {
            migrate(&connection, path, &steps[..n]).unwrap();
            migrate(&connection, path, &steps[..n]).unwrap();
            assert_eq!(version(&connection, path).unwrap().unwrap_or(0), n as u32);
        }
        let error = migrate(&connection, path, &steps[..1]).unwrap_err();
        assert!(matches!(error, StoreError::Newer { found: 3, known: 1, .. }), "{error}");
    }

    #[test]
    fn a_step_that_fails_leaves_nothing_behind() {
        let (connection, path) = (open(), Path::new("x"));
        let steps = ["CREATE TABLE a (x)", "ALTER TABLE b ADD COLUMN y"];
        migrate(&connection, path, &steps).unwrap_err();
        assert_eq!(version(&connection, path).unwrap(), None);
    }

    #[test]
    fn other_peoples_tables_are_left_alone() {
        let connection = open();
        connection.execute_batch("CREATE TABLE theirs (x)").unwrap();
        let error = migrate(&connection, Path::new("x"), STEPS).unwrap_err();
        assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
    }
}
