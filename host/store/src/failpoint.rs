//! A *failpoint* is a named place at which a test makes the whole process
//! abort, as a crash there would. With the feature `failpoints`, the
//! environment variable `CONSORT_FAILPOINT` arms one: `name=N` aborts when the
//! point is passed for the N-th time, counted from 1. Without the feature
//! [`pass`] is nothing.

/// An entry's row is written, its blobs are not.
pub const MID_TRANSACTION: &str = "mid-transaction";
/// Everything of a batch, or a post, is written, nothing is committed.
pub const BEFORE_COMMIT: &str = "before-commit";
/// The batch, or the post, is on disk, nobody knows.
pub const AFTER_COMMIT: &str = "after-commit";
/// One of those who wait is about to be told.
pub const BEFORE_REPLY: &str = "before-reply";

/// Every point this crate passes.
pub const ALL: [&str; 4] = [MID_TRANSACTION, BEFORE_COMMIT, AFTER_COMMIT, BEFORE_REPLY];

/// Passes a point; aborts the process if it is armed and this is the time.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn pass(_point: &str) {}

/// Passes a point; aborts the process if it is armed and this is the time.
///
/// # Panics
///
/// If `CONSORT_FAILPOINT` is set to something else than `name=N`.
#[cfg(feature = "failpoints")]
pub fn pass(point: &str) {
    if let Some(armed) = armed::ARMED.as_ref()
        && armed.is_due(point)
    {
        std::process::abort();
    }
}

#[cfg(feature = "failpoints")]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    pub(super) struct Armed {
        name: String,
        /// How often it is still to be passed.
        left: AtomicU64,
    }

    pub(super) static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| {
        let setting = std::env::var("CONSORT_FAILPOINT").ok()?;
        let armed = setting.split_once('=').and_then(|(name, times)| {
            let left = times.parse().ok().filter(|times| *times > 0)?;
            Some(Armed { name: name.to_owned(), left: AtomicU64::new(left) })
        });
        Some(armed.unwrap_or_else(|| panic!("CONSORT_FAILPOINT is '{setting}', not name=N")))
    });

    impl Armed {
        pub(super) fn is_due(&self, point: &str) -> bool {
            point == self.name && self.left.fetch_sub(1, Ordering::Relaxed) == 1
        }
    }
}
