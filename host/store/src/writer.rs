//! The *writer* is the one thread that changes the file. It takes everything
//! that is queued, does it in one transaction, and tells everybody who waits
//! once that is on disk; meanwhile the next batch gathers.
//!
//! **Invariant:** nobody is told that something is stored before it is committed,
//! and after one that failed the writer does nothing more.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::command::{Answer, Command};
use crate::connection::checkpoint;
use crate::error::StoreError;
use crate::failpoint;
use crate::gc::Gc;
use crate::journal::Claims;
use crate::lock::WriterLock;
use crate::patience::Patience;
use crate::queue::Queue;

/// The most commands of one transaction.
const MAX_COMMANDS: usize = 16_384;

/// The most bytes of one transaction, unless a single command has more.
const MAX_WEIGHT: usize = 32 << 20;

/// What the thread owns.
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) queue: Arc<Queue>,
    pub(crate) claims: Arc<Claims>,
    /// How long it is normal to wait for locks of others.
    pub(crate) patience: Duration,
    /// What the user calls the file.
    pub(crate) path: Arc<PathBuf>,
    /// Released last.
    pub(crate) lock: WriterLock,
}

impl Writer {
    /// Works until the queue is closed or something fails.
    pub(crate) fn run(self) {
        let Self { connection, queue, claims, patience, path, lock } = self;
        let on_panic = FailOnDrop(&queue);
        let failed = |error| StoreError::sqlite(&path, error);
        work(&connection, &queue, &claims, patience, &failed);
        // What is in the log is safe there; a failure leaves it for later.
        let _ = checkpoint(&connection);
        drop(connection);
        drop(on_panic);
        drop(lock);
    }
}

/// Whoever waits for a writer that panicked must not wait for ever.
struct FailOnDrop<'a>(&'a Queue);

impl Drop for FailOnDrop<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(StoreError::Closed { cause: None });
        }
    }
}

fn work(
    connection: &Connection,
    queue: &Queue,
    claims: &Arc<Claims>,
    patience: Duration,
    failed: &dyn Fn(rusqlite::Error) -> StoreError,
) {
    let patience = Patience { queue, limit: patience };
    let mut batch = VecDeque::new();
    let mut answers = Vec::new();
    let mut gcs = VecDeque::new();
    let mut work = || {
        while queue.take(&mut batch, gcs.is_empty()) || !batch.is_empty() {
            while !batch.is_empty() {
                let weight = commit(connection, patience, claims, &mut batch, &mut answers)?;
                queue.lighten(weight);
                answers.drain(..).for_each(tell);
                gcs.extend(batch.pop_front_if(|command| is_gc(command)).map(Gc::new));
            }
            if collect_garbage(connection, patience, &mut gcs)? {
                checkpoint(connection)?;
                gcs.pop_front().into_iter().for_each(Gc::finish);
            }
        }
        Ok(())
    };
    // The queue must know of the failure before the replies, which this
    // function owns, are dropped.
    if let Err(error) = work() {
        queue.fail(failed(error));
    }
}

fn is_gc(command: &Command) -> bool {
    matches!(command, Command::Gc { .. })
}

fn tell(answer: Answer) {
    failpoint::pass(failpoint::BEFORE_REPLY);
    answer.send();
}

/// Takes commands from the front of the batch, up to one that is not for a
/// batch, and does them in one transaction. Returns their weight.
fn commit(
    connection: &Connection,
    patience: Patience<'_>,
    claims: &Arc<Claims>,
    batch: &mut VecDeque<Command>,
    answers: &mut Vec<Answer>,
) -> rusqlite::Result<usize> {
    let transaction = patience
        .persist(|| Transaction::new_unchecked(connection, TransactionBehavior::Immediate))?;
    let mut weight = 0;
    for _ in 0..MAX_COMMANDS {
        let Some(command) = batch.front_mut().filter(|command| !is_gc(command)) else { break };
        // Until it is done its reply stays in the batch.
        answers.extend(command.perform(&transaction, claims)?);
        weight += command.weight();
        batch.pop_front();
        if weight > MAX_WEIGHT {
            break;
        }
    }
    failpoint::pass(failpoint::BEFORE_COMMIT);
    transaction.commit()?;
    failpoint::pass(failpoint::AFTER_COMMIT);
    Ok(weight)
}

/// Does a part of the first collection that was asked for, so that whoever
/// appends meanwhile need not wait for the whole. Says whether it is done.
fn collect_garbage(
    connection: &Connection,
    patience: Patience<'_>,
    gcs: &mut VecDeque<Gc>,
) -> rusqlite::Result<bool> {
    gcs.front_mut().map_or(Ok(false), |gc| patience.persist(|| gc.step(connection)))
}
