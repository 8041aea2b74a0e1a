//! A *reader* looks into a store, in the process that writes to it or in any
//! other, while it is written to or not. It blocks.

use std::cell::Cell;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rusqlite::Connection;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::entry::{Entry, Snapshot};
use crate::error::StoreError;
use crate::hash::Hash;
use crate::inbox::Post;
use crate::run::{RunFilter, RunRow};
use crate::tables::{blobs, entries, inbox, runs, snapshots};
use crate::{backup, check, connection, lookup};

/// A connection of its own to a store. Each method sees one state of the file,
/// the newest that was committed when it was called. One that calls back keeps
/// that state until it returns, also for what is called from there; meanwhile
/// the writer goes on, and its log grows.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    /// What SQLite counted when [`changed`](Self::changed) was last called.
    version: Cell<Option<i64>>,
    path: PathBuf,
}

/// How large a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StoreSize {
    /// Of the file, in bytes.
    pub file: u64,
    /// Of the write-ahead log beside it, in bytes.
    pub log: u64,
    /// Of the file, in bytes: what the next entries will use first.
    pub free: u64,
    /// How many runs there are.
    pub runs: u64,
    /// How many cached results there are.
    pub cached: u64,
    /// Runs whose state is saved.
    pub snapshots: u64,
    /// How many blobs there are.
    pub blobs: u64,
    /// Of all blobs, in bytes.
    pub blob_bytes: u64,
}

impl Reader {
    /// Opens a store that exists, of this version or an earlier one. It is
    /// never changed by it, nor does it keep anybody from writing.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`], [`StoreError::NotAStore`],
    /// [`StoreError::Newer`], [`StoreError::Older`], [`StoreError::Corrupt`],
    /// and [`StoreError::ReadOnly`] if what a writer left in its log cannot be
    /// seen without writing to a folder that is read-only.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = connection::open_reader(path)?;
        Ok(Self { connection, version: Cell::new(None), path: path.to_owned() })
    }

    /// The file, as it was named when it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs, the newest first.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, StoreError> {
        self.read(|connection| runs::list(connection, filter))
    }

    /// The run with this id, or else the only one whose id begins, or else
    /// ends, with it.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownRun`] and [`StoreError::AmbiguousRun`].
    pub fn run(&self, id_or_prefix: &str) -> Result<RunRow, StoreError> {
        self.consistently(|connection| {
            let run = lookup::find(connection, &self.path, id_or_prefix)?;
            runs::row(connection, run).map_err(|error| self.failed(error))
        })
    }

    /// Runs that are not over, the oldest first. Some process may be working on
    /// them, if one has the store open for writing.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn unfinished(&self) -> Result<Vec<RunRow>, StoreError> {
        self.read(runs::unfinished)
    }

    /// Passes on the run's entries from number `from` on, in order, until
    /// `each` breaks. Their blobs are empty; [`blob`](Self::blob) has them.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownRun`]; [`StoreError::Corrupt`] when an entry is
    /// missing or is not what was written, after those before it.
    pub fn entries(
        &self,
        run: &str,
        from: u64,
        each: &mut dyn FnMut(u64, Entry) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.of_run(run, |connection, run| entries::for_each(connection, run, from, each))
    }

    /// The bytes with this hash, which they were checked against.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] when they are not what was written.
    pub fn blob(&self, hash: Hash) -> Result<Option<Bytes>, StoreError> {
        self.read(|connection| {
            let Some(stored) = blobs::find(connection, hash)? else { return Ok(None) };
            blobs::read(connection, stored).map(Some)
        })
    }

    /// Writes the bytes with this hash chunk by chunk and says how many there
    /// were.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownBlob`];
    /// [`StoreError::Corrupt`] when they are not what was stored, which shows
    /// after the last; [`StoreError::Io`] when they cannot be written.
    pub fn write_blob(&self, hash: Hash, to: &mut dyn Write) -> Result<u64, StoreError> {
        self.consistently(|connection| {
            let stored = blobs::find(connection, hash).map_err(|error| self.failed(error))?;
            let stored = stored.ok_or(StoreError::UnknownBlob { hash })?;
            let mut hasher = Sha256::new();
            let mut written = Ok(());
            let mut write = |chunk: &[u8]| {
                hasher.update(chunk);
                written = to.write_all(chunk);
                if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            };
            blobs::chunks(connection, stored.blob, &mut write)
                .map_err(|error| self.failed(error))?;
            written.map_err(|error| StoreError::io(&self.path, "pass on a payload of", error))?;
            if Hash::from_bytes(hasher.finalize().into()) != hash {
                return Err(self.corrupt(format!("payload {hash} has other bytes")));
            }
            Ok(stored.size)
        })
    }

    /// The run's newest snapshot, if it has one.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownRun`].
    pub fn snapshot(&self, run: &str) -> Result<Option<Snapshot>, StoreError> {
        self.of_run(run, snapshots::get)
    }

    /// What is in the run's inbox after the post with id `after` (0 for all of
    /// it), in order. The run may be over.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownRun`]; [`StoreError::Corrupt`] when one is not what
    /// was written.
    pub fn posts(&self, run: &str, after: i64) -> Result<Vec<Post>, StoreError> {
        self.of_run(run, |connection, run| inbox::after(connection, run, after))
    }

    /// Whether anybody may have changed the file since the last call: a post,
    /// or this process's own [`Store`](crate::Store), which counts as somebody
    /// else. True for the first call. What was changed before the call is seen
    /// by whatever is read after it, so a process that calls
    /// [`posts`](Self::posts) whenever this is true misses none. It takes a
    /// few microseconds, since it reads nothing but a counter.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn changed(&self) -> Result<bool, StoreError> {
        let version = self.data_version().map_err(|error| self.failed(error))?;
        Ok(self.version.replace(Some(version)) != Some(version))
    }

    fn data_version(&self) -> rusqlite::Result<i64> {
        let mut statement = self.connection.prepare_cached("PRAGMA data_version")?;
        statement.query_row([], |row| row.get(0))
    }

    /// Copies the store, as it is now, to a file that does not exist, while it
    /// is written to. `progress` learns how many pages are done and how many
    /// there are.
    ///
    /// # Errors
    ///
    /// [`StoreError::Exists`]; any other about `to`, which is not there then.
    pub fn backup(&self, to: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<(), StoreError> {
        self.consistently(|connection| backup::copy(connection, &self.path, to, progress))
    }

    /// How large the store is.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn size(&self) -> Result<StoreSize, StoreError> {
        let log = connection::beside(&connection::resolve(&self.path)?, "-wal");
        let log = log.metadata().map_or(0, |log| log.len());
        self.read(|connection| measure(connection, log))
    }

    /// Reads everything and says what is not as it was written, in sentences;
    /// nothing if all is well.
    ///
    /// # Errors
    ///
    /// When the file cannot be read at all.
    pub fn check(&self) -> Result<Vec<String>, StoreError> {
        self.read(check::check)
    }

    fn of_run<T>(
        &self,
        id: &str,
        read: impl FnOnce(&Connection, crate::tables::RunKey) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.consistently(|connection| {
            let found = runs::find(connection, id).map_err(|error| self.failed(error))?;
            match found {
                Some((run, _)) => read(connection, run).map_err(|error| self.failed(error)),
                None => Err(lookup::unknown(connection, id).map_err(|error| self.failed(error))?),
            }
        })
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.consistently(|connection| read(connection).map_err(|error| self.failed(error)))
    }

    /// Several statements see one state within a transaction. Whoever calls
    /// from within a call back is in one already.
    fn consistently<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if !self.connection.is_autocommit() {
            return read(&self.connection);
        }
        let transaction =
            self.connection.unchecked_transaction().map_err(|error| self.failed(error))?;
        read(&transaction)
    }

    fn failed(&self, error: rusqlite::Error) -> StoreError {
        StoreError::sqlite(&self.path, error)
    }

    fn corrupt(&self, detail: String) -> StoreError {
        StoreError::corrupt(&self.path, detail)
    }
}

fn measure(connection: &Connection, log: u64) -> rusqlite::Result<StoreSize> {
    let pragma = |name| {
        connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
    };
    let count =
        |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs);
    let page = pragma("page_size")?;
    Ok(StoreSize {
        file: pragma("page_count")? * page,
        log,
        free: pragma("freelist_count")? * page,
        runs: count("SELECT count(*) FROM runs")?,
        cached: count("SELECT count(*) FROM cached")?,
        snapshots: count("SELECT count(*) FROM snapshots")?,
        blobs: count("SELECT count(*) FROM blobs")?,
        blob_bytes: count("SELECT CAST(total(size) AS INTEGER) FROM blobs")?,
    })
}

#[cfg(test)]
mod tests;
