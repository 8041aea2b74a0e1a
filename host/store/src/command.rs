//! A *command* is one thing the writer is to do. Commands of one batch share a
//! transaction, so that a command that cannot be done (an id that is taken)
//! answers so, while an error of SQLite takes the whole batch with it.

use std::sync::Arc;

use rusqlite::{Connection, Result};
use tokio::sync::oneshot;

use crate::blob::Blob;
use crate::cached::Cached;
use crate::entry::{Entry, Snapshot, weight};
use crate::error::StoreError;
use crate::gc::GcReport;
use crate::hash::Hash;
use crate::journal::{Claim, Claims};
use crate::lookup;
use crate::run::{NewRun, RunEnd, RunStatus};
use crate::tables::cached::NewCached;
use crate::tables::{RunKey, blobs, cached, entries, inbox, runs, snapshots};

/// Where the answer goes. Dropping it unsent means that the writer failed, and
/// the queue knows why.
pub(crate) type Reply<T> = oneshot::Sender<std::result::Result<T, StoreError>>;

/// A journal that may be appended to.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) claim: Claim,
    /// The number of its next entry.
    pub(crate) next: u64,
}

/// One thing the writer is to do. A reply that is taken out before the command
/// is done belongs into an [`Answer`].
#[derive(Debug)]
pub(crate) enum Command {
    Create {
        new: NewRun,
        first: Entry,
        reply: Option<Reply<Opened>>,
    },
    Continue {
        id: Arc<str>,
        reply: Option<Reply<Opened>>,
    },
    Append {
        run: RunKey,
        seq: u64,
        entry: Entry,
        reply: Option<Reply<()>>,
    },
    Close {
        run: RunKey,
        last: Option<(u64, Entry)>,
        end: RunEnd,
        reply: Option<Reply<()>>,
    },
    Snapshot {
        run: RunKey,
        snapshot: Snapshot,
        blobs: Vec<Blob>,
        reply: Option<Reply<()>>,
    },
    Get {
        namespace: String,
        key: Hash,
        now: i64,
        reply: Option<Reply<Option<Cached>>>,
    },
    Put(NewCached),
    /// Deletes posts.
    Forget {
        run: String,
        upto: i64,
    },
    Flush {
        reply: Option<Reply<()>>,
    },
    /// Not part of a batch: it has transactions of its own.
    Gc {
        older_than: i64,
        now: i64,
        dry_run: bool,
        reply: Reply<GcReport>,
    },
}

/// What somebody is told once the batch is on disk.
#[derive(Debug)]
pub(crate) enum Answer {
    Done(Reply<()>),
    Opened(Reply<Opened>, std::result::Result<Opened, StoreError>),
}

impl Answer {
    /// Nobody may be listening any more.
    pub(crate) fn send(self) {
        match self {
            Self::Done(reply) => drop(reply.send(Ok(()))),
            Self::Opened(reply, result) => drop(reply.send(result)),
        }
    }
}

impl Command {
    /// How much memory it holds on to, in bytes, the queue's own included.
    pub(crate) fn weight(&self) -> usize {
        let content = match self {
            Self::Create { first: entry, .. }
            | Self::Append { entry, .. }
            | Self::Close { last: Some((_, entry)), .. } => weight(&entry.body, &entry.blobs),
            Self::Snapshot { snapshot, blobs, .. } => weight(&snapshot.body, blobs),
            Self::Put(new) => weight(&new.body, &new.blobs),
            Self::Forget { run, .. } => run.len(),
            Self::Close { last: None, .. }
            | Self::Continue { .. }
            | Self::Get { .. }
            | Self::Flush { .. }
            | Self::Gc { .. } => return 0,
        };
        size_of::<Self>() + content
    }

    /// Does it, within a transaction that is open. The answer is for when that
    /// is committed.
    pub(crate) fn perform(
        &mut self,
        connection: &Connection,
        claims: &Arc<Claims>,
    ) -> Result<Option<Answer>> {
        match self {
            Self::Create { new, first, reply } => {
                let opened = create(connection, claims, new, first)?;
                Ok(reply.take().map(|reply| Answer::Opened(reply, opened)))
            }
            Self::Continue { id, reply } => {
                let opened = reopen(connection, claims, id)?;
                Ok(reply.take().map(|reply| Answer::Opened(reply, opened)))
            }
            Self::Append { run, seq, entry, reply } => {
                entries::append(connection, *run, *seq, entry)?;
                Ok(reply.take().map(Answer::Done))
            }
            Self::Close { run, last, end, reply } => {
                if let Some((seq, entry)) = last {
                    entries::append(connection, *run, *seq, entry)?;
                }
                runs::end(connection, *run, end)?;
                Ok(reply.take().map(Answer::Done))
            }
            Self::Snapshot { run, snapshot, blobs, reply } => {
                snapshots::put(connection, *run, snapshot, blobs)?;
                Ok(reply.take().map(Answer::Done))
            }
            Self::Get { namespace, key, now, reply } => {
                let found = cached::get(connection, namespace, *key, *now)?;
                // Nothing is promised by it, so it need not wait for the disk.
                if let Some(reply) = reply.take() {
                    let _ = reply.send(Ok(found));
                }
                Ok(None)
            }
            Self::Put(new) => cached::put(connection, new).map(|()| None),
            Self::Forget { run, upto } => inbox::forget(connection, run, *upto).map(|()| None),
            Self::Flush { reply } => Ok(reply.take().map(Answer::Done)),
            Self::Gc { .. } => unreachable!("the writer takes it out of the batch"),
        }
    }
}

fn create(
    connection: &Connection,
    claims: &Arc<Claims>,
    new: &NewRun,
    first: &Entry,
) -> Result<std::result::Result<Opened, StoreError>> {
    if runs::find(connection, &new.id)?.is_some() {
        return Ok(Err(StoreError::DuplicateRun { id: new.id.to_string() }));
    }
    for blob in first.blobs.iter().filter(|blob| blob.bytes().is_none()) {
        if blobs::find(connection, blob.hash())?.is_none() {
            return Ok(Err(StoreError::UnknownBlob { hash: blob.hash() }));
        }
    }
    let run = runs::insert(connection, new)?;
    entries::append(connection, run, 0, first)?;
    Ok(claim(claims, run, &new.id, 1))
}

fn reopen(
    connection: &Connection,
    claims: &Arc<Claims>,
    id: &Arc<str>,
) -> Result<std::result::Result<Opened, StoreError>> {
    match runs::find(connection, id)? {
        None => lookup::unknown(connection, id).map(Err),
        Some((run, RunStatus::Running)) => {
            Ok(claim(claims, run, id, entries::next(connection, run)?))
        }
        Some(_) => Ok(Err(StoreError::RunOver { id: id.to_string() })),
    }
}

fn claim(
    claims: &Arc<Claims>,
    run: RunKey,
    id: &Arc<str>,
    next: u64,
) -> std::result::Result<Opened, StoreError> {
    let claim = Claims::claim(claims, run);
    let claim = claim.ok_or_else(|| StoreError::RunInUse { id: id.to_string() })?;
    Ok(Opened { claim, next })
}
