//! The *meter* of a call counts its bytes over the network, in both directions,
//! headers and bodies of all its requests, and says how long each piece has to
//! wait so that the call stays below its rate.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Counts against the `network` limit and slows down to `network_rate`.
#[derive(Debug)]
pub(super) struct Meter {
    allowed: u64,
    used: AtomicU64,
    /// Bytes a second, at least 1.
    rate: u64,
    /// When everything let through so far is paid for.
    paid_until: Mutex<Option<Instant>>,
}

/// The budget is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spent {
    pub(super) allowed: u64,
    pub(super) used: u64,
}

/// What an idle line may catch up with.
const CREDIT: Duration = Duration::from_millis(100);
/// Timers are no finer than this, so shorter waits are added to the next one.
const FINEST_WAIT: Duration = Duration::from_millis(1);

impl Meter {
    pub(super) fn new(allowed: u64, rate: u64) -> Self {
        Self { allowed, used: AtomicU64::new(0), rate: rate.max(1), paid_until: Mutex::new(None) }
    }

    /// Counts `bytes`.
    pub(super) fn charge(&self, bytes: u64) -> Result<(), Spent> {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if used > self.allowed { Err(Spent { allowed: self.allowed, used }) } else { Ok(()) }
    }

    /// Bytes counted so far.
    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Books `bytes` on the line at `now`, and gives the moment they may pass
    /// unless that is now.
    pub(super) fn book(&self, bytes: u64, now: Instant) -> Option<Instant> {
        let cost = Duration::from_secs_f64(bytes as f64 / self.rate as f64);
        let mut paid_until = self.paid_until.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = now.checked_sub(CREDIT).unwrap_or(now);
        let from = paid_until.map_or(oldest, |paid| paid.max(oldest));
        let due = from.checked_add(cost).unwrap_or(from);
        *paid_until = Some(due);
        (due.saturating_duration_since(now) >= FINEST_WAIT).then_some(due)
    }

    /// Bytes that pass in one piece, so that a slow line trickles instead of
    /// standing still and then bursting.
    pub(super) fn piece(&self) -> usize {
        usize::try_from(self.rate / 10).unwrap_or(usize::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn budget_counts_until_spent() {
        let meter = Meter::new(100, 1);
        assert_eq!(meter.charge(60), Ok(()));
        assert_eq!(meter.charge(40), Ok(()));
        assert_eq!(meter.charge(1), Err(Spent { allowed: 100, used: 101 }));
        assert_eq!(meter.used(), 101);
    }

    #[tokio::test]
    async fn rate_is_kept_over_any_stretch_of_time() {
        let meter = Meter::new(u64::MAX, 1000);
        let start = Instant::now();
        // The credit of 100 ms pays for the first 100 bytes.
        assert_eq!(meter.book(100, start), None);
        assert_eq!(meter.book(500, start), Some(start + Duration::from_millis(500)));
        assert_eq!(meter.book(500, start), Some(start + Duration::from_millis(1000)));
        // Later, the line is free again, and gave no more than its credit.
        let later = start + Duration::from_secs(60);
        assert_eq!(meter.book(1100, later), Some(later + Duration::from_millis(1000)));
    }

    #[tokio::test]
    async fn short_waits_add_up() {
        let meter = Meter::new(u64::MAX, 1_000_000);
        let now = Instant::now();
        assert_eq!(meter.book(100_000, now), None);
        let waits: Vec<_> = (0..4).map(|_| meter.book(400, now)).collect();
        assert_eq!(waits[..2], [None, None]);
        assert_eq!(waits[2], Some(now + Duration::from_micros(1200)));
    }
}
