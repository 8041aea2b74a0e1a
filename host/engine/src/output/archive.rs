//! The *archive* is a store's file for those who need a payload of it. It is
//! read, whoever writes to it meanwhile.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use consort_plugin_host::Payload;
use consort_store::{Hash, Reader, StoreError};

use super::{INLINE, Kept, Stored};

/// Where payloads are read.
pub(crate) struct Archive {
    path: PathBuf,
    /// One that nobody uses at the moment; opening takes longer than it.
    idle: Mutex<Option<Reader>>,
}

impl Archive {
    /// That of the store at `path`, which is opened when something is read.
    pub(crate) fn at(path: &Path) -> Arc<Self> {
        // Wherever the process goes to.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Arc::new(Self { path, idle: Mutex::new(None) })
    }

    /// Makes a payload ready to be recorded: a large one gets its hash, on a
    /// thread that may compute for long, and lets go of its bytes when it has
    /// been recorded.
    pub(crate) async fn keep(self: &Arc<Self>, payload: Payload) -> Kept {
        if payload.len() <= INLINE {
            return Kept::Here(payload);
        }
        let archive = self.clone();
        Kept::Stored(apart(move || Arc::new(Stored::fresh(payload, archive))).await)
    }

    /// Writes the bytes with this hash, which are checked against it. Blocks.
    pub(super) fn write(&self, hash: Hash, to: &mut dyn Write) -> Result<u64, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        let reader = match idle {
            Some(reader) => reader,
            None => Reader::open(&self.path)?,
        };
        let written = reader.write_blob(hash, to)?;
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader);
        Ok(written)
    }
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Archive({})", self.path.display())
    }
}

/// Does something on a thread that may block.
pub(super) async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is being shut down, and nothing waits for anything.
            Err(_) => std::future::pending().await,
        },
    }
}
