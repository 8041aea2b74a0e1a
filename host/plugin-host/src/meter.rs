//! *Meters* count what a call uses: memory by asking before it grows, computing
//! time by a stopwatch that runs only while the guest does.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use wasmtime::{Error, ResourceLimiter, Result};

use crate::fault::Exceeded;
use crate::limits::LimitKind;

/// What one element of a table counts for.
const TABLE_ELEMENT: u64 = 16;
/// Core instances, memories and tables that one plugin may be made of.
const PARTS: usize = 256;

/// Bounds the sum of all memories and tables of a store.
///
/// A growth that goes beyond the limit ends the call, rather than telling the
/// guest: few guests handle it, and those that do not cannot be told apart from
/// those that crash for another reason.
///
/// **Invariant:** `used` never shrinks. The hooks for growth that failed say
/// nothing about how much it was or whether it was counted, so taking back what
/// they report would let a guest lower its account at will.
#[derive(Debug)]
pub(crate) struct MemoryMeter {
    allowed: u64,
    used: u64,
}

impl MemoryMeter {
    pub(crate) fn new(allowed: u64) -> Self {
        Self { allowed, used: 0 }
    }

    /// Changes the limit for the next call of an instance that stays.
    pub(crate) fn allow(&mut self, allowed: u64) {
        self.allowed = allowed;
    }

    /// Bytes at their most.
    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    fn grow(&mut self, from: usize, to: usize, maximum: Option<usize>, unit: u64) -> Result<bool> {
        let growth = (to.saturating_sub(from) as u64).saturating_mul(unit);
        let used = self.used.saturating_add(growth);
        if used > self.allowed {
            let exceeded = Exceeded { limit: LimitKind::Memory, allowed: self.allowed, used };
            return Err(Error::new(exceeded));
        }
        if maximum.is_some_and(|maximum| to > maximum) {
            // The guest's own maximum: an ordinary -1, and nothing is used.
            return Ok(false);
        }
        self.used = used;
        Ok(true)
    }
}

impl ResourceLimiter for MemoryMeter {
    fn memory_growing(&mut self, from: usize, to: usize, maximum: Option<usize>) -> Result<bool> {
        self.grow(from, to, maximum, 1)
    }

    fn table_growing(&mut self, from: usize, to: usize, maximum: Option<usize>) -> Result<bool> {
        self.grow(from, to, maximum, TABLE_ELEMENT)
    }

    fn instances(&self) -> usize {
        PARTS
    }

    fn tables(&self) -> usize {
        PARTS
    }

    fn memories(&self) -> usize {
        PARTS
    }
}

/// Adds up the time during which the guest had a thread.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    origin: Instant,
    /// Nanoseconds since `origin` at which the current stretch began, plus one;
    /// zero while there is none.
    running_since: AtomicU64,
    /// Nanoseconds of all stretches before.
    spent: AtomicU64,
}

impl Stopwatch {
    pub(crate) fn new() -> Self {
        Self { origin: Instant::now(), running_since: AtomicU64::new(0), spent: AtomicU64::new(0) }
    }

    pub(crate) fn start(&self) {
        self.running_since.store(self.now() + 1, Relaxed);
    }

    pub(crate) fn stop(&self) {
        self.spent.store(self.spent_nanos(), Relaxed);
        self.running_since.store(0, Relaxed);
    }

    pub(crate) fn spent(&self) -> Duration {
        Duration::from_nanos(self.spent_nanos())
    }

    fn spent_nanos(&self) -> u64 {
        let before = self.spent.load(Relaxed);
        match self.running_since.load(Relaxed) {
            0 => before,
            since => before + (self.now() + 1).saturating_sub(since),
        }
    }

    fn now(&self) -> u64 {
        // 584 years fit.
        self.origin.elapsed().as_nanos() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_and_tables_share_one_limit() {
        let mut meter = MemoryMeter::new(1000);
        assert!(meter.memory_growing(0, 500, None).expect("within"));
        assert!(meter.table_growing(0, 10, None).expect("500 + 160"));
        assert!(meter.memory_growing(0, 340, None).expect("exactly the limit"));
        let error = meter.table_growing(10, 11, None).expect_err("16 bytes too many");
        let exceeded = error.downcast_ref::<Exceeded>().expect("typed");
        assert_eq!(
            (exceeded.limit, exceeded.allowed, exceeded.used),
            (LimitKind::Memory, 1000, 1016)
        );
    }

    #[test]
    fn a_guest_cannot_lower_its_account() {
        let mut meter = MemoryMeter::new(1000);
        meter.memory_growing(0, 900, None).expect("within");
        meter.memory_grow_failed(Error::msg("beyond its type")).expect("noted");
        assert!(!meter.memory_growing(900, 950, Some(900)).expect("its own maximum"));
        meter.memory_growing(900, 1001, None).expect_err("still 900 in use");
    }

    #[test]
    fn a_stopped_watch_stands_still() {
        let watch = Stopwatch::new();
        assert_eq!(watch.spent(), Duration::ZERO);
        watch.start();
        while watch.spent() < Duration::from_micros(50) {
            std::hint::spin_loop();
        }
        watch.stop();
        let spent = watch.spent();
        assert!(spent >= Duration::from_micros(50));
        assert_eq!(watch.spent(), spent);
    }
}
