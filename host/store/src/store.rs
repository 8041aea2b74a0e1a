//! The *store* is the handle of the process that writes. Dropping the last one
//! closes the file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot;

use crate::blob::Blob;
use crate::cached::Cached;
use crate::command::{Command, Opened, Reply};
use crate::connection;
use crate::entry::{Entry, check_sizes};
use crate::error::StoreError;
use crate::gc::GcReport;
use crate::hash::Hash;
use crate::journal::RunJournal;
use crate::lock::WriterLock;
use crate::options::Options;
use crate::queue::Queue;
use crate::reader::Reader;
use crate::run::NewRun;
use crate::tables::cached::NewCached;
use crate::writer::Writer;

/// The handle of the process that writes. Cloning shares it. Its futures need
/// no runtime in particular.
///
/// Dropping the last one writes what is queued, blocks until that is on disk,
/// and lets the next process write.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    path: Arc<PathBuf>,
    options: Arc<Options>,
    queue: Arc<Queue>,
    /// `None` once it is being dropped.
    thread: Option<JoinHandle<()>>,
}

impl Store {
    /// Opens the store at `path`, creates it if it is missing (its folder must
    /// exist), and brings its schema up to date.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] while another process, or this one, has it open
    /// for writing; [`StoreError::NotAStore`], [`StoreError::Newer`],
    /// [`StoreError::ReadOnly`], [`StoreError::Full`], [`StoreError::Corrupt`]
    /// and [`StoreError::Io`].
    pub fn open(path: &Path, options: Options) -> Result<Self, StoreError> {
        let file = connection::resolve(path)?;
        let lock = WriterLock::acquire(&file, path)?;
        let connection = connection::open_writer(&file, path, &options)?;
        let path = Arc::new(path.to_owned());
        let queue = Arc::new(Queue::new(options.linger(), options.max_queued));
        let writer = Writer {
            connection,
            queue: Arc::clone(&queue),
            claims: Arc::default(),
            patience: options.busy_timeout(),
            path: Arc::clone(&path),
            lock,
        };
        let thread = std::thread::Builder::new()
            .name("consort-store".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| StoreError::io(&path, "start the thread that writes", error))?;
        let options = Arc::new(options);
        Ok(Self { shared: Arc::new(Shared { path, options, queue, thread: Some(thread) }) })
    }

    /// The file, as it was named when it was opened.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Begins a run. Its row and its first entry, which has number 0, are on
    /// disk when this resolves.
    ///
    /// # Errors
    ///
    /// [`StoreError::DuplicateRun`], [`StoreError::TooLarge`] and
    /// [`StoreError::UnknownBlob`], with nothing written; anything else means that the writer has stopped.
    pub async fn create_run(&self, new: NewRun, first: Entry) -> Result<RunJournal, StoreError> {
        check_sizes(&first.body, &first.blobs, &self.shared.options)?;
        let id = Arc::clone(&new.id);
        let opened = self.ask(|reply| Command::Create { new, first, reply: Some(reply) }).await?;
        Ok(self.journal(id, opened))
    }

    /// Takes up a run that is not over, to append to it.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownRun`], [`StoreError::RunOver`], and
    /// [`StoreError::RunInUse`] while this process has a journal of it.
    pub async fn continue_run(&self, id: &str) -> Result<RunJournal, StoreError> {
        let id = Arc::<str>::from(id);
        let wanted = Arc::clone(&id);
        let opened = self.ask(|reply| Command::Continue { id: wanted, reply: Some(reply) }).await?;
        Ok(self.journal(id, opened))
    }

    fn journal(&self, id: Arc<str>, opened: Opened) -> RunJournal {
        let Shared { queue, options, .. } = &*self.shared;
        RunJournal::new(id, opened, Arc::clone(queue), Arc::clone(options))
    }

    /// A reader of the same file. It sees what is committed.
    ///
    /// # Errors
    ///
    /// As [`Reader::open`].
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(self.path())
    }

    /// Deletes runs that ended before `older_than` (milliseconds since the
    /// epoch), cached results that were stored before or have expired by now,
    /// and blobs nobody refers to then; gives the space back to the file
    /// system. Appends go on meanwhile. With `dry_run` it only says what that
    /// would be.
    ///
    /// # Errors
    ///
    /// Any means that the writer has stopped. What was deleted until then stays
    /// deleted, and the store is in order.
    pub async fn gc(&self, older_than: i64, dry_run: bool) -> Result<GcReport, StoreError> {
        self.gc_at(older_than, now(), dry_run).await
    }

    pub(crate) async fn gc_at(
        &self,
        older_than: i64,
        now: i64,
        dry_run: bool,
    ) -> Result<GcReport, StoreError> {
        self.ask(|reply| Command::Gc { older_than, now, dry_run, reply }).await
    }

    /// The cached result for a key, unless it expires at or before `now`
    /// (milliseconds since the epoch). It sees every result stored before, on
    /// disk or not, and takes what is queued to the disk without waiting for
    /// that. One that is damaged counts as none.
    ///
    /// # Errors
    ///
    /// Any means that the writer has stopped.
    pub async fn cache_get(
        &self,
        namespace: &str,
        key: Hash,
        now: i64,
    ) -> Result<Option<Cached>, StoreError> {
        let namespace = namespace.to_owned();
        self.ask(|reply| Command::Get { namespace, key, now, reply: Some(reply) }).await
    }

    /// Stores a result under a key, in the place of an older one; good until
    /// `expires`, or for ever. Resolves at once; the result gets to the disk as
    /// lazily appended entries do.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooLarge`]; anything else means that the writer has
    /// stopped.
    pub async fn cache_put(
        &self,
        namespace: &str,
        key: Hash,
        body: Vec<u8>,
        blobs: Vec<Blob>,
        now: i64,
        expires: Option<i64>,
    ) -> Result<(), StoreError> {
        check_sizes(&body, &blobs, &self.shared.options)?;
        let namespace = namespace.to_owned();
        let new = NewCached { namespace, key, body, blobs, stored_at: now, expires_at: expires };
        self.shared.queue.push_lazy(Command::Put(new))?;
        match self.shared.queue.is_crowded() {
            true => self.flush().await,
            false => Ok(()),
        }
    }

    /// Deletes the run's posts up to and including the one with this id, which
    /// is one that was read: a larger number takes posts nobody has seen.
    /// Resolves at once; they are gone when lazily appended entries would be on
    /// disk, and never before an entry that was queued before. A run that is
    /// not there has none.
    ///
    /// # Errors
    ///
    /// Any means that the writer has stopped.
    pub async fn forget_posts(&self, run: &str, upto: i64) -> Result<(), StoreError> {
        self.shared.queue.push_lazy(Command::Forget { run: run.into(), upto })
    }

    /// For how long another process has kept this one from writing, once that
    /// is longer than [`Options::busy_timeout_ms`]; `None` while all is well.
    /// What is queued waits meanwhile.
    pub fn held_up(&self) -> Option<Duration> {
        self.shared.queue.held_up()
    }

    /// Resolves when everything that was queued before is on disk.
    ///
    /// # Errors
    ///
    /// Any means that the writer has stopped.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.ask(|reply| Command::Flush { reply: Some(reply) }).await
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.shared.queue.push_urgent(command(reply))?;
        self.shared.queue.answer(answer).await
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.path().display())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has told everybody.
            let _ = thread.join();
        }
    }
}

/// Milliseconds since the epoch.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
