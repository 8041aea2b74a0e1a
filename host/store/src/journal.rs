//! A *run's journal* is the right to append to one run. There is one at a time;
//! whoever has it numbers the entries.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

use crate::blob::Blob;
use crate::command::{Command, Opened};
use crate::entry::{Durability, Entry, Snapshot, check_sizes};
use crate::error::StoreError;
use crate::options::Options;
use crate::queue::Queue;
use crate::run::{RunEnd, RunStatus};
use crate::tables::RunKey;

/// The right to append to one run. It does not keep the store open: once the
/// last [`Store`](crate::Store) is dropped, everything fails with
/// [`StoreError::Closed`].
#[derive(Debug)]
pub struct RunJournal {
    id: Arc<str>,
    claim: Claim,
    next: u64,
    is_over: bool,
    queue: Arc<Queue>,
    options: Arc<Options>,
}

impl RunJournal {
    pub(crate) fn new(
        id: Arc<str>,
        opened: Opened,
        queue: Arc<Queue>,
        options: Arc<Options>,
    ) -> Self {
        let Opened { claim, next } = opened;
        Self { id, claim, next, is_over: false, queue, options }
    }

    /// The run's id.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The number the next entry gets; the first one has 0.
    pub fn next_seq(&self) -> u64 {
        self.next
    }

    /// Queues an entry, now, whether or not the future is ever polled; entries
    /// are written in the order of the calls. [`Durability`] says when the
    /// future resolves. While more than [`Options::max_queued`] bytes are
    /// queued, a lazy append resolves when it is written, as a synced one does.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooLarge`] and [`StoreError::RunOver`], with nothing
    /// written; the number is not used up. Anything else means that the writer
    /// has stopped: this entry may be on disk or not, and later ones are not.
    pub fn append(&mut self, entry: Entry, durability: Durability) -> Queued {
        self.try_append(entry, durability).unwrap_or_else(Queued::failed)
    }

    fn try_append(&mut self, entry: Entry, durability: Durability) -> Result<Queued, StoreError> {
        self.check_open()?;
        check_sizes(&entry.body, &entry.blobs, &self.options)?;
        let (run, seq) = (self.claim.run, self.next);
        let is_awaited = durability == Durability::Synced || self.queue.is_crowded();
        let queued = if is_awaited {
            let (reply, answer) = oneshot::channel();
            let reply = Some(reply);
            self.queue.push_urgent(Command::Append { run, seq, entry, reply })?;
            Queued::waiting(&self.queue, answer)
        } else {
            self.queue.push_lazy(Command::Append { run, seq, entry, reply: None })?;
            Queued::done()
        };
        self.next += 1;
        Ok(queued)
    }

    /// Ends the run: its last entry, if there is one, and how it ended are on
    /// disk together when this resolves. After that nothing can be appended.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append), and [`StoreError::NotAnEnd`] if the status
    /// is [`RunStatus::Running`].
    pub async fn close(&mut self, entry: Option<Entry>, end: RunEnd) -> Result<(), StoreError> {
        self.check_open()?;
        if end.status == RunStatus::Running {
            return Err(StoreError::NotAnEnd { id: self.id.to_string() });
        }
        if let Some(entry) = &entry {
            check_sizes(&entry.body, &entry.blobs, &self.options)?;
        }
        let (reply, answer) = oneshot::channel();
        let last = entry.map(|entry| (self.next, entry));
        let entries = u64::from(last.is_some());
        let command = Command::Close { run: self.claim.run, last, end, reply: Some(reply) };
        self.queue.push_urgent(command)?;
        self.next += entries;
        self.is_over = true;
        self.queue.answer(answer).await
    }

    /// Queues a snapshot, which stands for all entries up to and including
    /// number `upto` and takes the place of an older one. It is queued as a
    /// lazy append is; the future resolves once it is on disk.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub fn snapshot(&mut self, upto: u64, version: u16, body: Vec<u8>, blobs: Vec<Blob>) -> Queued {
        self.try_snapshot(Snapshot { upto, version, body }, blobs).unwrap_or_else(Queued::failed)
    }

    fn try_snapshot(&mut self, snapshot: Snapshot, blobs: Vec<Blob>) -> Result<Queued, StoreError> {
        self.check_open()?;
        check_sizes(&snapshot.body, &blobs, &self.options)?;
        let (reply, answer) = oneshot::channel();
        let run = self.claim.run;
        self.queue.push_lazy(Command::Snapshot { run, snapshot, blobs, reply: Some(reply) })?;
        Ok(Queued::waiting(&self.queue, answer))
    }

    fn check_open(&self) -> Result<(), StoreError> {
        match self.is_over {
            true => Err(StoreError::RunOver { id: self.id.to_string() }),
            false => Ok(()),
        }
    }
}

/// Something that is queued. Resolves as [`RunJournal::append`] and
/// [`RunJournal::snapshot`] say. Dropping it takes nothing back.
#[derive(Debug)]
#[must_use = "what went wrong is told here"]
pub struct Queued(Progress);

#[derive(Debug)]
enum Progress {
    Over(Option<StoreError>),
    Waiting(Arc<Queue>, oneshot::Receiver<Result<(), StoreError>>),
}

impl Queued {
    fn done() -> Self {
        Self(Progress::Over(None))
    }

    fn failed(error: StoreError) -> Self {
        Self(Progress::Over(Some(error)))
    }

    fn waiting(queue: &Arc<Queue>, answer: oneshot::Receiver<Result<(), StoreError>>) -> Self {
        Self(Progress::Waiting(Arc::clone(queue), answer))
    }
}

impl Future for Queued {
    type Output = Result<(), StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Progress::Over(error) => Poll::Ready(error.take().map_or(Ok(()), Err)),
            Progress::Waiting(queue, answer) => {
                let answer = ready!(Pin::new(answer).poll(context));
                Poll::Ready(answer.unwrap_or_else(|_| Err(queue.failure())))
            }
        }
    }
}

/// Which runs have a journal in this process.
#[derive(Debug, Default)]
pub(crate) struct Claims(Mutex<HashSet<RunKey>>);

impl Claims {
    /// `None` if somebody has it.
    pub(crate) fn claim(self: &Arc<Self>, run: RunKey) -> Option<Claim> {
        let is_new = self.with(|runs| runs.insert(run));
        is_new.then(|| Claim { run, claims: Arc::clone(self) })
    }

    fn with(&self, change: impl FnOnce(&mut HashSet<RunKey>) -> bool) -> bool {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The run is this one's until it is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    run: RunKey,
    claims: Arc<Claims>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.with(|runs| runs.remove(&self.run));
    }
}
