//! The table `journal`: what happened in each run, in order.

use std::ops::ControlFlow;

use rusqlite::{Connection, Result, Row, params};

use super::RunKey;
use super::blobs::{self, Owner};
use crate::entry::Entry;
use crate::failpoint;
use crate::hash::checksum;

/// Writes one entry and what it refers to.
pub(crate) fn append(connection: &Connection, run: RunKey, seq: u64, entry: &Entry) -> Result<()> {
    let seq = seq as i64;
    connection
        .prepare_cached(
            "INSERT INTO journal (run, seq, at, version, sum, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![run.0, seq, entry.at, entry.version, sum(seq, entry), entry.body])?;
    failpoint::pass(failpoint::MID_TRANSACTION);
    entry.blobs.iter().try_for_each(|blob| blobs::keep(connection, Owner::Entries(run), blob))
}

fn sum(seq: i64, entry: &Entry) -> i64 {
    checksum(&[seq, entry.at, entry.version.into()], &entry.body)
}

/// The number of the run's next entry.
pub(crate) fn next(connection: &Connection, run: RunKey) -> Result<u64> {
    connection
        .prepare_cached("SELECT coalesce(max(seq) + 1, 0) FROM journal WHERE run = ?1")?
        .query_row([run.0], |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()))
}

/// Passes on every entry from number `from` on, in order and without blobs,
/// until `each` has had enough. An entry that is missing or has other bytes
/// than were written is an error of [`damaged`](super::damaged).
pub(crate) fn for_each(
    connection: &Connection,
    run: RunKey,
    from: u64,
    each: &mut dyn FnMut(u64, Entry) -> ControlFlow<()>,
) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, at, version, sum, body FROM journal
         WHERE run = ?1 AND seq >= ?2 ORDER BY seq",
    )?;
    let from = from.min(i64::MAX as u64);
    let mut rows = statement.query(params![run.0, from as i64])?;
    for expected in from.. {
        let Some(row) = rows.next()? else { break };
        if each(expected, read(row, expected as i64)?).is_break() {
            break;
        }
    }
    Ok(())
}

fn read(row: &Row<'_>, expected: i64) -> Result<Entry> {
    let entry =
        Entry { at: row.get(1)?, version: row.get(2)?, body: row.get(4)?, blobs: Vec::new() };
    if row.get::<_, i64>(0)? != expected {
        return Err(super::damaged(format!("entry {expected} is missing")));
    }
    if row.get::<_, i64>(3)? != sum(expected, &entry) {
        return Err(super::damaged(format!("entry {expected} has other bytes")));
    }
    Ok(entry)
}
