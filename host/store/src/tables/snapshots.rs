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

/// What is wrong with those that there are, in sentences.
pub(crate) fn check(connection: &Connection, problems: &mut Vec<String>) -> Result<()> {
    let mut statement = connection.prepare(
        "SELECT snapshots.run, id, upto, version, sum, snapshots.body,
           (SELECT max(seq) FROM journal WHERE journal.run = snapshots.run)
         FROM snapshots LEFT JOIN runs USING (run) ORDER BY snapshots.run",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Some(id) = row.get::<_, Option<String>>(1)? else {
            problems.push(format!(
                "there is a snapshot of a run number {}, which is not there",
                row.get::<_, i64>(0)?
            ));
            continue;
        };
        let (upto, version) = (row.get::<_, i64>(2)?, row.get::<_, i64>(3)?);
        let sum = checksum(&[upto, version], row.get_ref(5)?.as_blob()?);
        if sum != row.get::<_, i64>(4)? {
            problems.push(format!(
                "the snapshot of run {id} has other bytes; it is not used, and the run comes back \
                 from its entries"
            ));
        } else if row.get::<_, Option<i64>>(6)?.is_none_or(|last| upto > last) {
            problems
                .push(format!("the snapshot of run {id} is of entry {upto}, which is not there"));
        }
    }
    Ok(())
}

/// The run's snapshot. One that has other bytes than were written counts as
/// none: all it does is save time.
pub(crate) fn get(connection: &Connection, run: RunKey) -> Result<Option<Snapshot>> {
    let stored = connection
        .prepare_cached("SELECT upto, version, sum, body FROM snapshots WHERE run = ?1")?
        .query_row([run.0], |row| {
            let upto = row.get::<_, i64>(0)?.unsigned_abs();
            // What does not fit has another sum.
            let version = u16::try_from(row.get::<_, i64>(1)?).unwrap_or_default();
            let snapshot = Snapshot { upto, version, body: row.get(3)? };
            Ok((snapshot, row.get::<_, i64>(2)?))
        })
        .optional()?;
    Ok(stored.filter(|(snapshot, stored)| sum(snapshot) == *stored).map(|(snapshot, _)| snapshot))
}
