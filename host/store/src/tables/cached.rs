//! The table `cached`: results by namespace and key.

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::blobs::{self, Owner};
use crate::blob::Blob;
use crate::cached::Cached;
use crate::hash::{Hash, checksum};

/// A result to be stored.
#[derive(Debug)]
pub(crate) struct NewCached {
    pub(crate) namespace: String,
    pub(crate) key: Hash,
    pub(crate) body: Vec<u8>,
    pub(crate) blobs: Vec<Blob>,
    /// Milliseconds since the epoch, as all times.
    pub(crate) stored_at: i64,
    /// From when on it is not good any more.
    pub(crate) expires_at: Option<i64>,
}

/// Stores a result in the place of an older one.
pub(crate) fn put(connection: &Connection, new: &NewCached) -> Result<()> {
    let older: Option<i64> = connection
        .prepare_cached("SELECT cached FROM cached WHERE namespace = ?1 AND key = ?2")?
        .query_row(params![new.namespace, new.key.as_bytes()], |row| row.get(0))
        .optional()?;
    if let Some(older) = older {
        delete(connection, older)?;
    }
    connection
        .prepare_cached(
            "INSERT INTO cached (namespace, key, stored_at, expires_at, sum, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            new.namespace,
            new.key.as_bytes(),
            new.stored_at,
            new.expires_at,
            checksum(&[], &new.body),
            new.body
        ])?;
    let owner = Owner::Cached(connection.last_insert_rowid());
    new.blobs.iter().try_for_each(|blob| blobs::keep(connection, owner, blob))
}

/// Deletes a result; what it referred to is for the garbage collection.
pub(crate) fn delete(connection: &Connection, cached: i64) -> Result<()> {
    blobs::release(connection, Owner::Cached(cached))?;
    connection.prepare_cached("DELETE FROM cached WHERE cached = ?1")?.execute([cached])?;
    Ok(())
}

/// The result, if it is there and good at `now`. One that has other bytes than
/// were written counts as none.
pub(crate) fn get(
    connection: &Connection,
    namespace: &str,
    key: Hash,
    now: i64,
) -> Result<Option<Cached>> {
    let found: Option<(i64, i64, Vec<u8>, i64)> = connection
        .prepare_cached(
            "SELECT cached, stored_at, body, sum FROM cached
             WHERE namespace = ?1 AND key = ?2 AND coalesce(expires_at > ?3, true)",
        )?
        .query_row(params![namespace, key.as_bytes(), now], |row| row.try_into())
        .optional()?;
    let Some((cached, stored_at, body, sum)) = found else { return Ok(None) };
    if checksum(&[], &body) != sum {
        return Ok(None);
    }
    let owned = blobs::owned(connection, Owner::Cached(cached))?;
    let blobs: Result<Vec<_>> = owned.into_iter().map(|stored| read(connection, stored)).collect();
    match blobs {
        Ok(blobs) => Ok(Some(Cached { body, blobs, stored_at })),
        Err(rusqlite::Error::FromSqlConversionFailure(..)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn read(connection: &Connection, stored: blobs::Stored) -> Result<Blob> {
    Ok(Blob::hashed(stored.hash, blobs::read(connection, stored)?))
}
