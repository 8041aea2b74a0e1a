//! The tables `blobs`, `chunks` and `refs`: bytes by hash, and who was written
//! with which.

use std::ops::ControlFlow;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Result, params};

use super::RunKey;
use crate::blob::{Blob, CHUNK};
use crate::hash::Hash;

/// The bits of a chunk's number that count within its blob: up to 1 GiB.
const CHUNK_BITS: u32 = 10;
const _: () = assert!(crate::options::MAX_BLOB as usize / CHUNK < 1 << CHUNK_BITS);

/// Who keeps a blob.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Owner {
    Entries(RunKey),
    Snapshot(RunKey),
    Cached(i64),
}

impl Owner {
    fn key(self) -> (i64, i64) {
        match self {
            Self::Entries(run) => (0, run.0),
            Self::Snapshot(run) => (1, run.0),
            Self::Cached(cached) => (2, cached),
        }
    }
}

/// A stored blob, without its bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stored {
    pub(crate) blob: i64,
    pub(crate) hash: Hash,
    pub(crate) size: u64,
}

/// Stores the blob unless it is there, and notes that `owner` refers to it.
pub(crate) fn keep(connection: &Connection, owner: Owner, blob: &Blob) -> Result<()> {
    let number = match find(connection, blob.hash())? {
        Some(stored) => {
            if let Some(bytes) = blob.bytes() {
                mend(connection, stored, bytes)?;
            }
            stored.blob
        }
        None => insert(connection, blob)?,
    };
    let (kind, owner) = owner.key();
    let new = connection
        .prepare_cached("INSERT OR IGNORE INTO refs (kind, owner, blob) VALUES (?1, ?2, ?3)")?
        .execute(params![kind, owner, number])?;
    if new > 0 {
        connection
            .prepare_cached("UPDATE blobs SET refs = refs + 1 WHERE blob = ?1")?
            .execute([number])?;
    }
    Ok(())
}

fn insert(connection: &Connection, blob: &Blob) -> Result<i64> {
    let Some(bytes) = blob.bytes() else {
        return Err(super::damaged(format!("payload {} is missing", blob.hash())));
    };
    connection
        .prepare_cached("INSERT INTO blobs (hash, size, refs) VALUES (?1, ?2, 0)")?
        .execute(params![blob.hash().as_bytes(), bytes.len() as i64])?;
    let number = connection.last_insert_rowid();
    write(connection, number, bytes)?;
    Ok(number)
}

/// Writes the bytes of a blob, in the place of any that have its number: what is
/// damaged may have left some.
fn write(connection: &Connection, number: i64, bytes: &[u8]) -> Result<()> {
    delete_chunks(connection, number)?;
    let mut statement =
        connection.prepare_cached("INSERT INTO chunks (chunk, bytes) VALUES (?1, ?2)")?;
    for (number, chunk) in (number << CHUNK_BITS..).zip(bytes.chunks(CHUNK)) {
        statement.execute(params![number, chunk])?;
    }
    Ok(())
}

/// Writes the bytes of a stored blob again if they are not these any more: whoever
/// refers to it now has been given these.
fn mend(connection: &Connection, stored: Stored, bytes: &[u8]) -> Result<()> {
    let mut left = Some(bytes);
    chunks(connection, stored.blob, &mut |chunk| {
        left = left.and_then(|left| left.strip_prefix(chunk));
        if left.is_some() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    let same = left.is_some_and(<[u8]>::is_empty) && stored.size == bytes.len() as u64;
    if same || Hash::of(bytes) != stored.hash {
        return Ok(());
    }
    connection
        .prepare_cached("UPDATE blobs SET size = ?2 WHERE blob = ?1")?
        .execute(params![stored.blob, bytes.len() as i64])?;
    write(connection, stored.blob, bytes)
}

/// Whatever `owner` referred to, it does not any more.
pub(crate) fn release(connection: &Connection, owner: Owner) -> Result<()> {
    let (kind, owner) = owner.key();
    connection
        .prepare_cached(
            "UPDATE blobs SET refs = refs - 1
             WHERE blob IN (SELECT blob FROM refs WHERE kind = ?1 AND owner = ?2)",
        )?
        .execute(params![kind, owner])?;
    connection
        .prepare_cached("DELETE FROM refs WHERE kind = ?1 AND owner = ?2")?
        .execute(params![kind, owner])?;
    Ok(())
}

/// Deletes the blob and its bytes; nobody may refer to it.
pub(crate) fn delete(connection: &Connection, blob: i64) -> Result<()> {
    delete_chunks(connection, blob)?;
    connection.prepare_cached("DELETE FROM blobs WHERE blob = ?1")?.execute([blob])?;
    Ok(())
}

fn delete_chunks(connection: &Connection, blob: i64) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM chunks WHERE chunk >= ?1 AND chunk < ?2")?
        .execute(params![blob << CHUNK_BITS, (blob + 1) << CHUNK_BITS])?;
    Ok(())
}

/// The same, if nobody does.
pub(crate) fn delete_unless_kept(connection: &Connection, blob: i64) -> Result<()> {
    let refs: Option<i64> = connection
        .prepare_cached("SELECT refs FROM blobs WHERE blob = ?1")?
        .query_row([blob], |row| row.get(0))
        .optional()?;
    if refs == Some(0) { delete(connection, blob) } else { Ok(()) }
}

/// The blob with this hash, if there is one.
pub(crate) fn find(connection: &Connection, hash: Hash) -> Result<Option<Stored>> {
    connection
        .prepare_cached("SELECT blob, size FROM blobs WHERE hash = ?1")?
        .query_row([hash.as_bytes()], |row| {
            Ok(Stored { blob: row.get(0)?, hash, size: row.get::<_, i64>(1)?.unsigned_abs() })
        })
        .optional()
}

/// Every blob, in the order they were stored, until `each` has had enough.
pub(crate) fn for_each(
    connection: &Connection,
    each: &mut dyn FnMut(Stored) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let mut statement =
        connection.prepare_cached("SELECT blob, hash, size FROM blobs ORDER BY blob")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let hash = Hash::from_bytes(row.get(1)?);
        let size = row.get::<_, i64>(2)?.unsigned_abs();
        if each(Stored { blob: row.get(0)?, hash, size })?.is_break() {
            break;
        }
    }
    Ok(())
}

/// What `owner` refers to, in the order it was stored.
pub(crate) fn owned(connection: &Connection, owner: Owner) -> Result<Vec<Stored>> {
    let (kind, owner) = owner.key();
    connection
        .prepare_cached(
            "SELECT blob, hash, size FROM refs JOIN blobs USING (blob)
             WHERE kind = ?1 AND owner = ?2 ORDER BY blob",
        )?
        .query_map(params![kind, owner], |row| {
            let hash = Hash::from_bytes(row.get(1)?);
            Ok(Stored { blob: row.get(0)?, hash, size: row.get::<_, i64>(2)?.unsigned_abs() })
        })?
        .collect()
}

/// Passes the bytes on chunk by chunk, until `each` has had enough. Their
/// number and hash are for the caller to check.
pub(crate) fn chunks(
    connection: &Connection,
    blob: i64,
    each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT bytes FROM chunks WHERE chunk >= ?1 AND chunk < ?2 ORDER BY chunk",
    )?;
    let mut rows = statement.query(params![blob << CHUNK_BITS, (blob + 1) << CHUNK_BITS])?;
    while let Some(row) = rows.next()? {
        if each(row.get_ref(0)?.as_blob()?).is_break() {
            break;
        }
    }
    Ok(())
}

/// The whole blob; an error of [`damaged`](super::damaged) if it is not what
/// its hash says.
pub(crate) fn read(connection: &Connection, stored: Stored) -> Result<Bytes> {
    // The size is no more to be trusted than the bytes.
    let mut bytes = Vec::with_capacity(stored.size.min(crate::options::MAX_BLOB) as usize);
    chunks(connection, stored.blob, &mut |chunk| {
        bytes.extend_from_slice(chunk);
        ControlFlow::Continue(())
    })?;
    if Hash::of(&bytes) != stored.hash {
        return Err(super::damaged(format!("payload {} has other bytes", stored.hash)));
    }
    Ok(bytes.into())
}
