//! *Patience* is how this process waits while another one holds the file: a
//! post does so for a moment, a foreign SQLite tool for as long as it likes.
//!
//! Somebody who has much to do lets go of the file for a small part of a
//! millisecond at a time. SQLite's own way of waiting, up to 100 ms between two
//! looks, would miss that over and over; so the looks here are close together.

use std::time::{Duration, Instant};

use crate::error::is_busy;
use crate::queue::Queue;

/// Between the first looks whether the file is free.
const PAUSE: Duration = Duration::from_micros(250);

/// Between two looks after half a minute.
const MAX_PAUSE: Duration = Duration::from_millis(30);

/// How long to wait before the next look, having waited so long.
fn pause(waited: Duration) -> Duration {
    (waited / 1000).clamp(PAUSE, MAX_PAUSE)
}

/// Waits for so long, as a busy handler of SQLite, which is told how often it
/// has waited for the same lock.
pub(crate) fn for_as_long_as(limit: Duration) -> impl FnMut(i32) -> bool + Send + 'static {
    let mut since = Instant::now();
    move |times| {
        if times == 0 {
            since = Instant::now();
        }
        let waited = since.elapsed();
        std::thread::sleep(pause(waited));
        waited < limit
    }
}

/// The writer's patience, which has no end before the store is closed: whoever
/// holds the file lets go of it some day and nothing is lost meanwhile, whereas
/// a writer that gave up would end every run.
#[derive(Clone, Copy)]
pub(crate) struct Patience<'a> {
    pub(crate) queue: &'a Queue,
    /// Longer than that is worth telling, and too long for somebody who waits
    /// for the store to be closed.
    pub(crate) limit: Duration,
}

impl Patience<'_> {
    /// Tries again until no lock is in the way. An attempt that is refused for
    /// one must have done nothing.
    pub(crate) fn persist<T>(
        self,
        mut attempt: impl FnMut() -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let since = Instant::now();
        loop {
            let result = attempt();
            let waited = since.elapsed();
            let is_long = waited >= self.limit;
            match result {
                Err(error) if is_busy(&error) && !(is_long && self.queue.is_closed()) => {
                    self.queue.hold(is_long.then_some(since));
                    std::thread::sleep(pause(waited));
                }
                result => {
                    self.queue.hold(None);
                    return result;
                }
            }
        }
    }
}
