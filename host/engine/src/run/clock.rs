//! The *clock* of a run.

use std::time::{Duration, Instant};

/// Milliseconds since the epoch that never go back.
pub(super) struct Clock {
    /// What it showed when it was started.
    from: i64,
    start: Instant,
}

impl Clock {
    /// A clock that shows the time, and at least `earliest`: what has been
    /// recorded does not lie in the future.
    pub(super) fn new(earliest: i64) -> Self {
        Self { from: crate::now().max(earliest), start: Instant::now() }
    }

    pub(super) fn now(&self) -> i64 {
        self.from + self.start.elapsed().as_millis() as i64
    }

    /// When the clock will show `at`; never too early.
    pub(super) fn instant(&self, at: i64) -> Instant {
        let wait = Duration::from_millis((at.saturating_sub(self.from)).max(0) as u64);
        // A moment no clock reaches is as good as a year from now.
        let year = Duration::from_secs(366 * 86_400);
        self.start.checked_add(wait).unwrap_or(self.start + year)
    }
}
