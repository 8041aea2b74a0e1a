//! A *ledger* says what the agent was asked to do, by idempotency key: how often
//! each piece of work was asked for, and what runs it does by itself.
//!
//! The second is a small API of an agent that is asked after its work:
//! `POST /runs?polls=N` begins a run, one for each idempotency key however often
//! it is begun; `GET /runs/ID` is `{id, status}` while it goes on, which is N
//! times, then `{id, status, result}`; `DELETE /runs/ID` ends it. One that was
//! begun with `&deaf=N` does not answer to that the first N times.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

/// A run that the agent does by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemoteRun {
    /// What the agent calls it.
    pub id: String,
    /// How often it was begun.
    pub starts: usize,
    /// How often it was asked after.
    pub polls: usize,
    /// How often it was to end.
    pub cancels: usize,
    /// What is to be done.
    work: String,
    /// How often it is to be asked after before it is done.
    wanted: usize,
    /// How often it does not answer when it is to end.
    deaf: usize,
}

/// What the agent was asked to do.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    calls: BTreeMap<String, usize>,
    runs: BTreeMap<String, RemoteRun>,
    busy: usize,
    most_busy: usize,
}

impl Ledger {
    /// How often work was asked for under each key.
    pub(super) fn calls(&self) -> BTreeMap<String, usize> {
        self.lock().calls.clone()
    }

    /// The runs by their keys.
    pub(super) fn runs(&self) -> BTreeMap<String, RemoteRun> {
        self.lock().runs.clone()
    }

    /// The most requests at once that hold up whoever asks.
    pub(super) fn most_busy(&self) -> usize {
        self.lock().most_busy
    }

    /// A piece of work is asked for; says how often it was before.
    pub(super) fn call(&self, key: &str) -> usize {
        let mut kept = self.lock();
        let calls = kept.calls.entry(key.to_owned()).or_default();
        *calls += 1;
        *calls - 1
    }

    /// Somebody waits for an answer until this is dropped.
    pub(super) fn busy(ledger: &Arc<Self>) -> Busy {
        let mut kept = ledger.lock();
        kept.busy += 1;
        kept.most_busy = kept.most_busy.max(kept.busy);
        Busy(Arc::clone(ledger))
    }

    /// Begins the run of this key, unless it has been.
    pub(super) fn begin(&self, key: &str, work: &Value, polls: usize, deaf: usize) -> Value {
        let mut kept = self.lock();
        let number = kept.runs.len() + 1;
        let run = kept.runs.entry(key.to_owned()).or_insert_with(|| RemoteRun {
            id: format!("run-{number}"),
            work: work.as_str().unwrap_or_default().to_owned(),
            wanted: polls,
            deaf,
            ..RemoteRun::default()
        });
        run.starts += 1;
        run.show()
    }

    /// Asks after a run. None if there is none.
    pub(super) fn poll(&self, id: &str) -> Option<Value> {
        self.with(id, |run| {
            run.polls += 1;
            run.show()
        })
    }

    /// Ends a run, and says whether it answers. None if there is none.
    pub(super) fn end(&self, id: &str) -> Option<bool> {
        self.with(id, |run| {
            run.cancels += 1;
            run.cancels > run.deaf
        })
    }

    fn with<T>(&self, id: &str, work: impl FnOnce(&mut RemoteRun) -> T) -> Option<T> {
        self.lock().runs.values_mut().find(|run| run.id == id).map(work)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RemoteRun {
    fn show(&self) -> Value {
        let Self { id, work, .. } = self;
        match self.polls > self.wanted {
            true => json!({"id": id, "status": "done", "result": format!("by itself: {work}")}),
            false => json!({"id": id, "status": "running"}),
        }
    }
}

/// Somebody waits.
pub(super) struct Busy(Arc<Ledger>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.lock().busy -= 1;
    }
}
