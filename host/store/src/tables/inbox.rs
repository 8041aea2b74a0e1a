//! The table `inbox`: what other processes want of each run.

use rusqlite::{Connection, Result, Row, params};

use super::RunKey;
use crate::hash::checksum;
use crate::inbox::Post;
use crate::schema;

/// Adds a post and returns its id.
pub(crate) fn insert(connection: &Connection, run: RunKey, at: i64, body: &[u8]) -> Result<i64> {
    connection
        .prepare_cached("INSERT INTO inbox (run, at, sum, body) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![run.0, at, checksum(&[run.0, at], body), body])?;
    Ok(connection.last_insert_rowid())
}

/// How many posts of the run there are, and how many bytes their bodies have.
pub(crate) fn measure(connection: &Connection, run: RunKey) -> Result<(u64, u64)> {
    connection
        .prepare_cached(
            "SELECT count(*), coalesce(sum(length(body)), 0) FROM inbox WHERE run = ?1",
        )?
        .query_row([run.0], |row| {
            Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?.unsigned_abs()))
        })
}

/// The run's posts after the one with this id, in order; none in a file that
/// is from before there were any. One that has other bytes than were written
/// is an error of [`damaged`](super::damaged).
pub(crate) fn after(connection: &Connection, run: RunKey, after: i64) -> Result<Vec<Post>> {
    if !schema::has_inbox(connection)? {
        return Ok(Vec::new());
    }
    connection
        .prepare_cached(
            "SELECT post, run, at, sum, body FROM inbox WHERE run = ?1 AND post > ?2 ORDER BY post",
        )?
        .query_map(params![run.0, after], read)?
        .collect()
}

/// Passes on each post in the file.
pub(crate) fn for_each(connection: &Connection, each: &mut dyn FnMut(Result<Post>)) -> Result<()> {
    if !schema::has_inbox(connection)? {
        return Ok(());
    }
    let mut statement =
        connection.prepare_cached("SELECT post, run, at, sum, body FROM inbox ORDER BY post")?;
    statement.query_map([], read)?.for_each(each);
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Post> {
    let post = Post { id: row.get(0)?, at: row.get(2)?, body: row.get(4)? };
    if row.get::<_, i64>(3)? != checksum(&[row.get(1)?, post.at], &post.body) {
        return Err(super::damaged(format!("request {} has other bytes", post.id)));
    }
    Ok(post)
}

/// Deletes the posts of the run with this id, if there is one, up to and
/// including the one with that id.
pub(crate) fn forget(connection: &Connection, run: &str, upto: i64) -> Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM inbox WHERE run = (SELECT run FROM runs WHERE id = ?1) AND post <= ?2",
        )?
        .execute(params![run, upto])?;
    Ok(())
}
