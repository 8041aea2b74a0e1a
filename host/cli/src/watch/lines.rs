//! *Lines* with the time, one for each thing that happens: for files and for
//! other programs' logs.

use std::sync::atomic::{AtomicU32, Ordering};

use consort_engine::{RunEvent, Watcher};

use super::words::say;
use crate::terminal::{harmless, tell};
use crate::when::exact;

/// Faults of the policy that are told; it is asked thousands of times.
const MOST_FAULTS: u32 = 5;

/// Writes to standard error.
#[derive(Debug)]
pub(crate) struct Lines {
    verbose: bool,
    faults: AtomicU32,
}

impl Lines {
    pub(super) fn new(verbose: bool) -> Self {
        Self { verbose, faults: AtomicU32::new(0) }
    }
}

impl Watcher for Lines {
    fn event(&self, event: &RunEvent) {
        if let RunEvent::PolicyFault { .. } = event
            && self.faults.fetch_add(1, Ordering::Relaxed) >= MOST_FAULTS
        {
            return;
        }
        if let Some(line) = say(event, self.verbose) {
            tell(&format!("{} {}", exact(consort_engine::now()), harmless(&line)));
        }
    }
}
