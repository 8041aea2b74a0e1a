//! A *check* reads everything there is and says what is not as it was written.

use std::ops::ControlFlow;

use rusqlite::{Connection, Result};
use sha2::{Digest, Sha256};

use crate::error::damage;
use crate::hash::Hash;
use crate::tables::blobs::{self, Stored};
use crate::tables::{entries, inbox, runs, snapshots};

/// The most problems that are listed; a damaged file can have any number.
const LISTED: usize = 100;

/// Blobs whose number of references is not the number of rows that refer to it.
const MISCOUNTED: &str = "
SELECT hash, refs, coalesce(found, 0) FROM blobs
  LEFT JOIN (SELECT blob, count(*) AS found FROM refs GROUP BY blob) USING (blob)
WHERE refs <> coalesce(found, 0)";

/// References to what is not there.
const DANGLING: &str =
    "SELECT count(DISTINCT blob) FROM refs WHERE blob NOT IN (SELECT blob FROM blobs)";

/// Bytes of what is not there; a chunk has the number of its blob in front.
const LEFT_OVER: &str =
    "SELECT count(*) FROM chunks WHERE chunk >> 10 NOT IN (SELECT blob FROM blobs)";

/// What is wrong, in sentences.
pub(crate) fn check(connection: &Connection) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let parts =
        [check_structure, check_runs, snapshots::check, check_inbox, check_blobs, check_references];
    for part in parts {
        let result = part(connection, &mut problems);
        problems.extend(found(result)?);
        if problems.len() >= LISTED {
            break;
        }
    }
    problems.truncate(LISTED);
    Ok(problems)
}

/// What SQLite cannot walk through is a finding, not a failure.
fn found(result: Result<()>) -> Result<Option<String>> {
    match result {
        Ok(()) => Ok(None),
        Err(error) => damage(&error).map(Some).ok_or(error),
    }
}

fn check_structure(connection: &Connection, problems: &mut Vec<String>) -> Result<()> {
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({LISTED})"))?;
    for problem in statement.query_map([], |row| row.get::<_, String>(0))? {
        problems.extend(Some(problem?).filter(|problem| problem != "ok"));
    }
    Ok(())
}

fn check_runs(connection: &Connection, problems: &mut Vec<String>) -> Result<()> {
    for (run, id) in runs::all(connection)? {
        let result = entries::for_each(connection, run, 0, &mut |_, _| ControlFlow::Continue(()));
        problems.extend(found(result)?.map(|problem| format!("run {id}: {problem}")));
        if problems.len() >= LISTED {
            break;
        }
    }
    Ok(())
}

fn check_inbox(connection: &Connection, problems: &mut Vec<String>) -> Result<()> {
    let mut result = Ok(());
    inbox::for_each(connection, &mut |post| match found(post.map(drop)) {
        Ok(problem) => problems.extend(problem),
        Err(error) => result = Err(error),
    })?;
    result
}

fn check_blobs(connection: &Connection, problems: &mut Vec<String>) -> Result<()> {
    blobs::for_each(connection, &mut |stored| {
        let result = check_blob(connection, stored, problems);
        problems
            .extend(found(result)?.map(|problem| format!("payload {}: {problem}", stored.hash)));
        Ok(match problems.len() {
            LISTED.. => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
    })
}

fn check_blob(connection: &Connection, stored: Stored, problems: &mut Vec<String>) -> Result<()> {
    let mut hasher = Sha256::new();
    let mut size = 0;
    blobs::chunks(connection, stored.blob, &mut |chunk| {
        hasher.update(chunk);
        size += chunk.len() as u64;
        ControlFlow::Continue(())
    })?;
    let Stored { hash, size: expected, .. } = stored;
    let wrong = if size != expected {
        format!("has {size} bytes instead of {expected}")
    } else if Hash::from_bytes(hasher.finalize().into()) != hash {
        "has other bytes".to_owned()
    } else {
        return Ok(());
    };
    let whose = whose(connection, stored.blob)?;
    problems.push(format!("payload {hash}, {whose}, {wrong}"));
    Ok(())
}

/// Who refers to a blob, in words.
fn whose(connection: &Connection, blob: i64) -> Result<String> {
    let mut statement = connection.prepare_cached(
        "SELECT kind, id FROM refs LEFT JOIN runs ON kind < 2 AND run = owner
         WHERE blob = ?1 ORDER BY kind, run",
    )?;
    let of = |kind: i64, run: Option<String>| match (kind, run) {
        (0, Some(run)) => format!("of run {run}"),
        (1, Some(run)) => format!("of the snapshot of run {run}"),
        (0 | 1, None) => "of a run that is not there".to_owned(),
        _ => "of a cached result".to_owned(),
    };
    let owners = statement.query_map([blob], |row| Ok(of(row.get(0)?, row.get(1)?)))?;
    let owners = owners.collect::<Result<Vec<String>>>()?;
    Ok(if owners.is_empty() { "of nobody".to_owned() } else { owners.join(" and ") })
}

fn check_references(connection: &Connection, problems: &mut Vec<String>) -> Result<()> {
    let mut statement = connection.prepare(MISCOUNTED)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (hash, refs, found) =
            (Hash::from_bytes(row.get(0)?), row.get::<_, i64>(1)?, row.get::<_, i64>(2)?);
        problems.push(format!("payload {hash} is counted {refs} times and referred to {found}"));
    }
    for (sql, wrong) in [
        (DANGLING, "payloads that are referred to are missing"),
        (LEFT_OVER, "chunks are left of payloads that are missing"),
    ] {
        let count: i64 = connection.query_row(sql, [], |row| row.get(0))?;
        if count > 0 {
            problems.push(format!("{count} {wrong}"));
        }
    }
    Ok(())
}
