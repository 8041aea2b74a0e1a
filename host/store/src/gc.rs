//! *Garbage collection* deletes runs that are long over, cached results that are
//! as old or not good any more, and the blobs nobody refers to then, and gives the space back
//! to the file system. It goes in steps, each a transaction of its own, so that
//! appends go on in between and a crash leaves a file that is in order.

use rusqlite::{Connection, OptionalExtension, Result, Transaction, TransactionBehavior, params};
use serde::Serialize;

use crate::command::{Command, Reply};
use crate::tables::blobs::{self, Owner};
use crate::tables::{RunKey, cached};

/// How many cached results, or blobs, one step deletes.
const ROWS: usize = 256;

/// How many pages one step gives back: 8 MiB.
const PAGES: u32 = 2048;

/// What was deleted, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct GcReport {
    /// Runs that were over.
    pub runs: u64,
    /// Their entries.
    pub entries: u64,
    /// Cached results that had expired or were as old.
    pub cached: u64,
    /// Blobs nobody refers to any more.
    pub blobs: u64,
    /// Of the bodies and the blobs. The file shrinks by about as much.
    pub bytes: u64,
}

/// A collection that is going on.
#[derive(Debug)]
pub(crate) struct Gc {
    older_than: i64,
    now: i64,
    dry_run: bool,
    reply: Reply<GcReport>,
    report: GcReport,
    stage: Stage,
    /// The last cached result that was looked at.
    looked_at: i64,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Runs,
    Cached,
    Blobs,
    Pages,
    Done,
}

impl Gc {
    /// # Panics
    ///
    /// If the command is another one.
    pub(crate) fn new(command: Command) -> Self {
        let Command::Gc { older_than, now, dry_run, reply } = command else {
            panic!("{command:?} is no garbage collection")
        };
        let report = GcReport::default();
        Self { older_than, now, dry_run, reply, report, stage: Stage::Runs, looked_at: 0 }
    }

    /// Tells whoever asked for it.
    pub(crate) fn finish(self) {
        let _ = self.reply.send(Ok(self.report));
    }

    /// Does the next part; says whether that was the last. One that is refused
    /// for a lock has done nothing and can be done again.
    pub(crate) fn step(&mut self, connection: &Connection) -> Result<bool> {
        if self.dry_run {
            self.report = foresee(connection, self.older_than, self.now)?;
            return Ok(true);
        }
        let report = &mut self.report;
        let (is_over, next) = match self.stage {
            Stage::Runs => {
                let step = |on: &_| delete_run(on, self.older_than, report);
                (transact(connection, step)?, Stage::Cached)
            }
            Stage::Cached => {
                let old = (self.older_than, self.now);
                let step = |on: &_| delete_cached(on, old, &mut self.looked_at, report);
                (transact(connection, step)?, Stage::Blobs)
            }
            Stage::Blobs => (transact(connection, |on| delete_blobs(on, report))?, Stage::Pages),
            Stage::Pages => (give_back(connection)?, Stage::Done),
            Stage::Done => return Ok(true),
        };
        if is_over {
            self.stage = next;
        }
        Ok(matches!(self.stage, Stage::Done))
    }
}

fn transact(
    connection: &Connection,
    step: impl FnOnce(&Connection) -> Result<bool>,
) -> Result<bool> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let is_over = step(&transaction)?;
    transaction.commit()?;
    Ok(is_over)
}

/// Deletes one run. The steps say whether there was nothing left to delete.
fn delete_run(connection: &Connection, older_than: i64, report: &mut GcReport) -> Result<bool> {
    let run: Option<i64> = connection
        .prepare_cached("SELECT run FROM runs WHERE status <> 0 AND ended_at < ?1 LIMIT 1")?
        .query_row([older_than], |row| row.get(0))
        .optional()?;
    let Some(run) = run.map(RunKey) else { return Ok(true) };
    blobs::release(connection, Owner::Entries(run))?;
    blobs::release(connection, Owner::Snapshot(run))?;
    let (entries, bytes) = connection
        .prepare_cached(
            "SELECT count(*), coalesce(sum(length(body)), 0)
               + coalesce((SELECT length(body) FROM snapshots WHERE run = ?1), 0)
               + coalesce((SELECT sum(length(body)) FROM inbox WHERE run = ?1), 0)
             FROM journal WHERE run = ?1",
        )?
        .query_row([run.0], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    for table in ["journal", "snapshots", "inbox", "runs"] {
        connection
            .prepare_cached(&format!("DELETE FROM {table} WHERE run = ?1"))?
            .execute([run.0])?;
    }
    report.runs += 1;
    report.entries += entries.unsigned_abs();
    report.bytes += bytes.unsigned_abs();
    Ok(false)
}

fn delete_cached(
    connection: &Connection,
    (older_than, now): (i64, i64),
    looked_at: &mut i64,
    report: &mut GcReport,
) -> Result<bool> {
    let old: Vec<(i64, i64)> = connection
        .prepare_cached(
            "SELECT cached, length(body) FROM cached
             WHERE cached > ?1 AND (expires_at <= ?2 OR stored_at < ?3) ORDER BY cached LIMIT ?4",
        )?
        .query_map(params![*looked_at, now, older_than, ROWS as i64], |row| row.try_into())?
        .collect::<Result<_>>()?;
    for (number, bytes) in &old {
        cached::delete(connection, *number)?;
        *looked_at = *number;
        report.cached += 1;
        report.bytes += bytes.unsigned_abs();
    }
    Ok(old.len() < ROWS)
}

fn delete_blobs(connection: &Connection, report: &mut GcReport) -> Result<bool> {
    let unused: Vec<(i64, i64)> = connection
        .prepare_cached("SELECT blob, size FROM blobs WHERE refs = 0 LIMIT ?1")?
        .query_map([ROWS as i64], |row| row.try_into())?
        .collect::<Result<_>>()?;
    for (blob, bytes) in &unused {
        blobs::delete(connection, *blob)?;
        report.blobs += 1;
        report.bytes += bytes.unsigned_abs();
    }
    Ok(unused.len() < ROWS)
}

/// Moves pages from the end of the file to where others became free, and cuts
/// it off there.
fn give_back(connection: &Connection) -> Result<bool> {
    let free = || connection.pragma_query_value(None, "freelist_count", |row| row.get::<_, i64>(0));
    let before = free()?;
    if before > 0 {
        // Each row that is asked for is a page.
        let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
        let mut pages = statement.query([])?;
        while pages.next()?.is_some() {}
    }
    let left = free()?;
    Ok(left == 0 || left >= before)
}

/// What a collection would delete, from one consistent state.
fn foresee(connection: &Connection, older_than: i64, now: i64) -> Result<GcReport> {
    const REPORT: &str = "
WITH
  old AS (SELECT run FROM runs WHERE status <> 0 AND ended_at < ?1),
  expired AS (
    SELECT cached, length(body) AS bytes FROM cached WHERE expires_at <= ?2 OR stored_at < ?1
  ),
  doomed (kind, owner) AS (
    SELECT 0, run FROM old UNION ALL SELECT 1, run FROM old UNION ALL SELECT 2, cached FROM expired
  ),
  let_go AS (
    SELECT blob, count(*) AS times FROM doomed JOIN refs USING (kind, owner) GROUP BY blob
  ),
  unused AS (
    SELECT size FROM let_go JOIN blobs USING (blob) WHERE refs = times
    UNION ALL SELECT size FROM blobs WHERE refs = 0
  ),
  entries AS (SELECT length(body) AS bytes FROM old JOIN journal USING (run))
SELECT
  (SELECT count(*) FROM old),
  (SELECT count(*) FROM entries),
  (SELECT count(*) FROM expired),
  (SELECT count(*) FROM unused),
  coalesce((SELECT sum(bytes) FROM entries), 0)
    + coalesce((SELECT sum(length(body)) FROM old JOIN snapshots USING (run)), 0)
    + coalesce((SELECT sum(length(body)) FROM old JOIN inbox USING (run)), 0)
    + coalesce((SELECT sum(bytes) FROM expired), 0)
    + coalesce((SELECT sum(size) FROM unused), 0)";
    connection.query_row(REPORT, params![older_than, now], |row| {
        let number = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
        Ok(GcReport {
            runs: number(0)?,
            entries: number(1)?,
            cached: number(2)?,
            blobs: number(3)?,
            bytes: number(4)?,
        })
    })
}

#[cfg(test)]
mod tests;
