//! Time on the wall, and time on the processor: what this process computed, on
//! all its threads, whoever else wanted the machine meanwhile.

use std::fs;
use std::time::{Duration, Instant};

/// What something took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Took {
    pub(crate) wall: Duration,
    pub(crate) processor: Duration,
}

/// Runs from when it is made.
#[derive(Debug)]
pub(crate) struct Clock {
    wall: Instant,
    processor: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { wall: Instant::now(), processor: processor() }
    }

    pub(crate) fn stop(&self) -> Took {
        Took { processor: processor().saturating_sub(self.processor), wall: self.wall.elapsed() }
    }
}

/// The sum over all threads, as Linux counts it in nanoseconds. Threads that
/// have ended are not in it, so nothing that is measured may end any.
fn processor() -> Duration {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

/// The middle of the values.
///
/// # Panics
///
/// When there are none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub(crate) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
