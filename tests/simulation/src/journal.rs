//! A *journal* as the engine keeps it: each step's events with their time,
//! recorded before they have consequences. Some wait for the disk, the others
//! follow when they may, so the last of them can be lost with the process, and
//! with them all that came of them.
//!
//! Now and then the whole state is saved, as a snapshot that stands for all steps
//! before it; what is read back begins with the newest that is there.
//!
//! **Invariant:** nothing that is heard outside of the host comes of a step that
//! can be lost.

use consort_core::scheduler::{Action, Event, Scheduler, Settings};

use crate::model::Model;
use crate::{BEGIN, Tick};

/// What would be on disk, and what may be.
#[derive(Debug)]
pub(crate) struct Journal {
    settings: Settings,
    /// Whether what attempts use can end the run.
    budgeted: bool,
    /// The model as it was when all that is on disk for sure had happened, and
    /// after each step since.
    models: Vec<Model>,
    /// Steps there have been, but for those that were lost.
    steps: usize,
    /// The state after so many steps, saved.
    snapshots: Vec<(usize, Vec<u8>)>,
}

/// What a process leaves behind that dies.
pub(crate) struct Remains {
    pub(crate) scheduler: Scheduler,
    pub(crate) model: Model,
}

impl Journal {
    pub(crate) fn new(settings: Settings, budgeted: bool) -> Self {
        Self { settings, budgeted, models: Vec::new(), steps: 0, snapshots: Vec::new() }
    }

    /// A step has happened.
    pub(crate) fn push(&mut self, events: &[Event], model: &Model) {
        if self.is_synced(events) {
            self.models.clear();
        }
        self.models.push(model.clone());
        self.steps += 1;
    }

    /// Saves the state as it is after the last step.
    pub(crate) fn save(&mut self, scheduler: &Scheduler) -> Result<(), String> {
        let saved = save(scheduler)?;
        if save(&load(&saved)?)? != saved {
            return Err("what is saved and loaded is not what it was".into());
        }
        self.snapshots.push((self.steps, saved));
        Ok(())
    }

    /// Steps that can be lost.
    pub(crate) fn unsynced(&self) -> usize {
        self.models.len() - 1
    }

    /// The rule of `host/engine/src/journal/input.rs`.
    fn is_synced(&self, events: &[Event]) -> bool {
        events.iter().any(|event| match event {
            Event::Scored { .. } | Event::Alive { .. } => false,
            Event::Spent { .. } => self.budgeted,
            _ => true,
        })
    }

    /// The process dies, and of the steps that can be lost the first `kept` are
    /// on disk. Reads back what there is.
    pub(crate) fn crash(&mut self, ticks: &mut [Tick], kept: usize) -> Result<Remains, String> {
        let lost = self.unsynced() - kept;
        self.models.truncate(kept + 1);
        let model = self.models[kept].clone();
        self.steps -= lost;
        self.snapshots.retain(|(steps, _)| *steps <= self.steps);
        let (before, mut scheduler) = match self.snapshots.last() {
            Some((steps, saved)) => (*steps, load(saved)?),
            None => (0, Scheduler::new(self.settings)),
        };
        let mut there: Vec<&mut Tick> = ticks.iter_mut().filter(|tick| !tick.lost).collect();
        let lost = there.split_off(there.len() - lost);
        for tick in &there[before..] {
            let mut actions = Vec::new();
            scheduler.step(tick.at + BEGIN, tick.events.clone(), &mut actions);
            if actions != tick.actions {
                return Err(format!("read back, {} leads elsewhere: {actions:?}", tick.at));
            }
        }
        for tick in lost {
            tick.lost = true;
            if let Some(action) = tick.actions.iter().find(|action| is_heard(action)) {
                return Err(format!("{action:?} came of a step that is lost"));
            }
        }
        Ok(Remains { scheduler, model })
    }
}

fn save(scheduler: &Scheduler) -> Result<Vec<u8>, String> {
    postcard::to_allocvec(scheduler).map_err(|error| format!("it cannot be saved: {error}"))
}

fn load(saved: &[u8]) -> Result<Scheduler, String> {
    postcard::from_bytes(saved).map_err(|error| format!("it cannot be loaded: {error}"))
}

/// Whether anybody outside of the host hears of it. An attempt that is lost is
/// made again, under the same idempotency key.
fn is_heard(action: &Action) -> bool {
    !matches!(action, Action::Score { .. } | Action::Start { .. } | Action::StartBatch { .. })
}
