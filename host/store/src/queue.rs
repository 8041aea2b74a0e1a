//! The *queue* is where commands wait for the writer. Some are urgent: somebody
//! waits for the disk. The others linger until one that is urgent comes, or
//! for a bounded time.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::command::Command;
use crate::error::StoreError;

/// What the handles and the writer share.
pub(crate) struct Queue {
    state: Mutex<State>,
    /// The writer waits for it.
    wake: Condvar,
    /// Bytes held by commands that are not on disk yet.
    weight: AtomicUsize,
    linger: Duration,
    max_weight: usize,
}

#[derive(Default)]
struct State {
    commands: VecDeque<Command>,
    /// Whether somebody waits for one of them.
    urgent: bool,
    /// When the oldest of them was queued, if none is urgent.
    since: Option<Instant>,
    /// Nothing more is taken.
    closed: bool,
    /// Since when others have kept the writer from the file.
    held_since: Option<Instant>,
    /// Why the writer stopped, if it did before it was told to.
    failure: Option<StoreError>,
}

impl Queue {
    pub(crate) fn new(linger: Duration, max_weight: usize) -> Self {
        let state = Mutex::default();
        Self { state, wake: Condvar::new(), weight: AtomicUsize::new(0), linger, max_weight }
    }

    /// Queues a command that somebody waits for.
    pub(crate) fn push_urgent(&self, command: Command) -> Result<(), StoreError> {
        self.push(command, true)
    }

    /// Queues a command that may wait for others.
    pub(crate) fn push_lazy(&self, command: Command) -> Result<(), StoreError> {
        self.push(command, false)
    }

    fn push(&self, command: Command, urgent: bool) -> Result<(), StoreError> {
        let weight = command.weight();
        let mut state = self.lock();
        if state.closed {
            return Err(state.refusal());
        }
        state.commands.push_back(command);
        self.weight.fetch_add(weight, Ordering::Relaxed);
        let wake = if urgent {
            !std::mem::replace(&mut state.urgent, true)
        } else {
            let first = state.since.is_none() && !state.urgent;
            first.then(|| state.since = Some(Instant::now())).is_some()
        };
        drop(state);
        if wake {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Whether so much is queued that whoever adds to it should wait.
    pub(crate) fn is_crowded(&self) -> bool {
        self.weight.load(Ordering::Relaxed) > self.max_weight
    }

    /// Moves everything queued into `batch`, which is empty. Waits until there
    /// is something to do if `idle`. Says whether there will be more.
    pub(crate) fn take(&self, batch: &mut VecDeque<Command>, idle: bool) -> bool {
        let mut state = self.lock();
        while idle && !state.urgent && !state.closed {
            state = match state.since.map(|since| self.linger.saturating_sub(since.elapsed())) {
                None => self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => break,
                Some(left) => {
                    let woken = self.wake.wait_timeout(state, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        std::mem::swap(&mut state.commands, batch);
        state.urgent = false;
        state.since = None;
        !state.closed
    }

    /// The writer is done with commands of this weight.
    pub(crate) fn lighten(&self, weight: usize) {
        self.weight.fetch_sub(weight, Ordering::Relaxed);
    }

    /// Whether the writer is to come to an end.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Notes since when others have kept the writer from the file, if they do.
    pub(crate) fn hold(&self, since: Option<Instant>) {
        self.lock().held_since = since;
    }

    /// For how long they have.
    pub(crate) fn held_up(&self) -> Option<Duration> {
        self.lock().held_since.map(|since| since.elapsed())
    }

    /// Nothing more is taken; the writer does what is queued and stops.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }

    /// Nothing more is taken, and what is queued is not done: everybody who
    /// waits learns this failure.
    pub(crate) fn fail(&self, failure: StoreError) {
        let mut state = self.lock();
        state.closed = true;
        state.failure.get_or_insert(failure);
        let dropped = std::mem::take(&mut state.commands);
        drop(state);
        drop(dropped);
    }

    /// What a command comes to whose reply was dropped.
    pub(crate) fn failure(&self) -> StoreError {
        let state = self.lock();
        state.failure.clone().unwrap_or_else(|| state.refusal())
    }

    /// Waits for the writer's answer.
    pub(crate) async fn answer<T>(
        self: &Arc<Self>,
        reply: oneshot::Receiver<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        reply.await.unwrap_or_else(|_| Err(self.failure()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Queue({} bytes)", self.weight.load(Ordering::Relaxed))
    }
}

impl State {
    fn refusal(&self) -> StoreError {
        StoreError::Closed { cause: self.failure.clone().map(Arc::new) }
    }
}
