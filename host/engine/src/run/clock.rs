//! The *clock* of a run.

use std::time::{Duration, Instant};

/// Milliseconds since the epoch that never go back.
pub(super) struct Clock {
    /// When the run began.
    pub(super) epoch: i64,
    start: Instant,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { epoch: crate::now(), start: Instant::now() }
    }

    pub(super) fn now(&self) -> i64 {
        self.epoch + self.start.elapsed().as_millis() as i64
    }

    /// Since the run began.
    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// When the clock will show `at`; never too early.
    pub(super) fn instant(&self, at: i64) -> Instant {
        let wait = Duration::from_millis((at.saturating_sub(self.epoch)).max(0) as u64);
        // A moment no clock reaches is as good as a year from now.
        let year = Duration::from_secs(366 * 86_400);
        self.start.checked_add(wait).unwrap_or(self.start + year)
    }
}
