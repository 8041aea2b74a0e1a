//! The table `runs`: which runs there are and how they stand.

use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::RunKey;
use crate::run::{NewRun, RunEnd, RunFilter, RunRow, RunStatus};

/// What a run's row is read from.
const COLUMNS: &str = "id, name, tasks, submitted_at, about, status, ended_at, summary,
    (SELECT coalesce(max(seq) + 1, 0) FROM journal WHERE journal.run = runs.run)";

/// Adds a run; its id must be new.
pub(crate) fn insert(connection: &Connection, new: &NewRun) -> Result<RunKey> {
    connection
        .prepare_cached(
            "INSERT INTO runs (id, name, tasks, submitted_at, about, status)
             VALUES (?1, ?2, ?3, ?4, ?5, 0)",
        )?
        .execute(params![new.id, new.name, new.tasks, new.submitted_at, new.about])?;
    Ok(RunKey(connection.last_insert_rowid()))
}

/// Notes that the run is over.
pub(crate) fn end(connection: &Connection, run: RunKey, end: &RunEnd) -> Result<()> {
    connection
        .prepare_cached("UPDATE runs SET status = ?2, ended_at = ?3, summary = ?4 WHERE run = ?1")?
        .execute(params![run.0, end.status.code(), end.at, end.summary])?;
    Ok(())
}

/// The run with exactly this id.
pub(crate) fn find(connection: &Connection, id: &str) -> Result<Option<(RunKey, RunStatus)>> {
    connection
        .prepare_cached("SELECT run, status FROM runs WHERE id = ?1")?
        .query_row([id], |row| Ok((RunKey(row.get(0)?), status(row, 1)?)))
        .optional()
}

/// The row of a run that was found.
pub(crate) fn row(connection: &Connection, run: RunKey) -> Result<RunRow> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM runs WHERE run = ?1"))?
        .query_row([run.0], read)
}

/// The rows of those that are wanted, the newest first.
pub(crate) fn list(connection: &Connection, filter: &RunFilter) -> Result<Vec<RunRow>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM runs
             WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR name = ?2)
               AND submitted_at < coalesce(?3, 9223372036854775807)
             ORDER BY submitted_at DESC, run DESC LIMIT coalesce(?4, -1)"
        ))?
        .query_map(
            params![filter.status.map(RunStatus::code), filter.name, filter.before, filter.limit],
            read,
        )?
        .collect()
}

/// The rows of those that are not over, the oldest first.
pub(crate) fn unfinished(connection: &Connection) -> Result<Vec<RunRow>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM runs WHERE status = 0 ORDER BY run"))?
        .query_map([], read)?
        .collect()
}

/// Every run's number and id, the oldest first.
pub(crate) fn all(connection: &Connection) -> Result<Vec<(RunKey, String)>> {
    connection
        .prepare_cached("SELECT run, id FROM runs ORDER BY run")?
        .query_map([], |row| Ok((RunKey(row.get(0)?), row.get(1)?)))?
        .collect()
}

fn read(row: &Row<'_>) -> Result<RunRow> {
    Ok(RunRow {
        id: row.get(0)?,
        name: row.get(1)?,
        tasks: row.get(2)?,
        submitted_at: row.get(3)?,
        about: row.get(4)?,
        status: status(row, 5)?,
        ended_at: row.get(6)?,
        summary: row.get(7)?,
        entries: row.get::<_, i64>(8)?.unsigned_abs(),
    })
}

fn status(row: &Row<'_>, column: usize) -> Result<RunStatus> {
    let code = row.get(column)?;
    RunStatus::from_code(code).ok_or_else(|| super::damaged(format!("a run has status {code}")))
}
