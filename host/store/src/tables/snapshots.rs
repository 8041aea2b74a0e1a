//! The table `snapshots`: the newest state of each run that keeps one.

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::RunKey;
use super::blobs::{self, Owner};
use crate::blob::Blob;
use crate::entry::Snapshot;
use crate::hash::checksum;

/// Writes a snapshot in the place of an older one.
pub(crate) fn put(
    connection: &Connection,
    run: RunKey,
    snapshot: &Snapshot,
    blobs: &[Blob],
) -> Result<()> {
    let before = blobs::owned(connection, Owner::Snapshot(run))?;
    blobs::release(connection, Owner::Snapshot(run))?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO snapshots (run, upto, version, sum, body)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            run.0,
            snapshot.upto as i64,
            snapshot.version,
            sum(snapshot),
            snapshot.body
        ])?;
    blobs.iter().try_for_each(|blob| blobs::keep(connection, Owner::Snapshot(run), blob))?;
    // They are as large as the run, and would pile up until the next collection.
    before.iter().try_for_each(|stored| blobs::delete_unless_kept(connection, stored.blob))
}

fn sum(snapshot: &Snapshot) -> i64 {
    checksum(&[snapshot.upto as i64, snapshot.version.into()], &snapshot.body)
}

/// The run's snapshot. One that has other bytes than were written counts as
/// none: all it does is save time.
pub(crate) fn get(connection: &Connection, run: RunKey) -> Result<Option<Snapshot>> {
    let stored = connection
        .prepare_cached("SELECT upto, version, sum, body FROM snapshots WHERE run = ?1")?
        .query_row([run.0], |row| {
            let upto = row.get::<_, i64>(0)?.unsigned_abs();
            let snapshot = Snapshot { upto, version: row.get(1)?, body: row.get(3)? };
            Ok((snapshot, row.get::<_, i64>(2)?))
        })
        .optional()?;
    Ok(stored.filter(|(snapshot, stored)| sum(snapshot) == *stored).map(|(snapshot, _)| snapshot))
}
