//! *Options* say how a store is written to. The defaults are right for a
//! command that runs workflows.

use std::time::Duration;

/// The most bytes one blob may have: 256 MiB.
pub const MAX_BLOB: u64 = 256 << 20;

/// The most bytes the body of an entry, a snapshot or a cached result may
/// have: 16 MiB.
pub const MAX_BODY: u64 = 16 << 20;

/// How a store is written to.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long to wait for a lock another process holds on the file, as a
    /// post does for a moment and a foreign SQLite tool may for longer, in
    /// milliseconds. Opening fails after that, and so does whatever is still
    /// queued when the store is closed; until then the writer waits on, see
    /// [`Store::held_up`](crate::Store::held_up).
    pub busy_timeout_ms: u64,
    /// How long what is not synced by itself may wait for company, in
    /// milliseconds; what a power failure can take away.
    pub linger_ms: u64,
    /// The most bytes a blob may have; above [`MAX_BLOB`] counts as that.
    pub max_blob: u64,
    /// The most bytes a body may have; above [`MAX_BODY`] counts as that.
    pub max_body: u64,
    /// With more bytes than this queued, lazy appends wait as synced ones do,
    /// so that memory stays bounded when the disk is slow.
    pub max_queued: usize,
    /// The most pages of 4 KiB the file may have, as if the disk were full
    /// then; `None` for no limit.
    pub max_pages: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            busy_timeout_ms: 5_000,
            linger_ms: 50,
            max_blob: MAX_BLOB,
            max_body: MAX_BODY,
            max_queued: 64 << 20,
            max_pages: None,
        }
    }
}

impl Options {
    pub(crate) fn busy_timeout(&self) -> Duration {
        Duration::from_millis(self.busy_timeout_ms)
    }

    pub(crate) fn linger(&self) -> Duration {
        Duration::from_millis(self.linger_ms)
    }

    pub(crate) fn max_blob(&self) -> u64 {
        self.max_blob.min(MAX_BLOB)
    }

    pub(crate) fn max_body(&self) -> u64 {
        self.max_body.min(MAX_BODY)
    }
}
