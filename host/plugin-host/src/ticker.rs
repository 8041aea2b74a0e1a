//! The *ticker* ends epochs. A guest that computes is interrupted at the end of
//! each, which is when it yields its thread and its time is checked.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wasmtime::Engine;

/// How long an epoch is: the longest a guest keeps a thread to itself, and the
/// precision of the `cpu_time` limit.
pub const EPOCH_TICK: Duration = Duration::from_millis(5);

/// Epochs without any guest running after which the ticker goes to sleep.
const IDLE_TICKS: u32 = 50;

/// One thread for all engines of a host; sleeps while no guest runs and ends
/// with the host.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    engines: Mutex<Vec<Engine>>,
    /// A guest ran since the last tick.
    touched: AtomicBool,
    asleep: AtomicBool,
    stop: AtomicBool,
}

impl Ticker {
    pub(crate) fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let thread = thread::Builder::new()
            .name("consort-epochs".to_owned())
            .stack_size(64 << 10)
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.run()
            })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    pub(crate) fn add(&self, engine: &Engine) {
        self.shared.engines.lock().unwrap_or_else(PoisonError::into_inner).push(engine.clone());
    }

    /// Says that a guest is about to run. Called for every stretch that it runs.
    pub(crate) fn touch(&self) {
        // Mostly it is set already, and then the cache line stays shared.
        if self.shared.touched.load(SeqCst) {
            return;
        }
        self.shared.touched.store(true, SeqCst);
        if self.shared.asleep.load(SeqCst)
            && let Some(thread) = &self.thread
        {
            thread.thread().unpark();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It cannot panic, and would have nothing to tell if it did.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self) {
        let mut idle = 0;
        while !self.stop.load(SeqCst) {
            // Interrupted early only to stop, or by a late wake-up: a short
            // epoch harms nobody.
            thread::park_timeout(EPOCH_TICK);
            for engine in self.engines.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                engine.increment_epoch();
            }
            idle = if self.touched.swap(false, SeqCst) { 0 } else { idle + 1 };
            if idle >= IDLE_TICKS {
                self.sleep();
                idle = 0;
            }
        }
    }

    /// `touch` sets `touched` before it reads `asleep`; here it is the other way
    /// round, so that one of the two notices the other.
    fn sleep(&self) {
        self.asleep.store(true, SeqCst);
        while !self.touched.load(SeqCst) && !self.stop.load(SeqCst) {
            thread::park();
        }
        self.asleep.store(false, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// Waits for something another thread does soon.
    fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !happened() {
            assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
            thread::yield_now();
        }
    }

    #[test]
    fn sleeps_while_no_guest_runs_and_wakes_for_the_next() {
        let ticker = Ticker::start().expect("a thread");
        ticker.touch();
        eventually("it goes to sleep", || ticker.shared.asleep.load(SeqCst));
        ticker.touch();
        eventually("it wakes up", || !ticker.shared.asleep.load(SeqCst));
        eventually("it sleeps again", || ticker.shared.asleep.load(SeqCst));
        drop(ticker);
    }
}
