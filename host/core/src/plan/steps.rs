//! Decides what each step waits for by its place among its siblings.

use std::collections::{BTreeSet, HashMap};

use super::outline::{After, waited_for};
use crate::spec::TaskDoc;

/// The steps of one collaborative task so far.
///
/// A step waits for all steps before it that no step in between waits for; a
/// `parallel` step waits for what the step before it waits for; `depends_on`
/// replaces either.
#[derive(Default)]
pub(super) struct StepOrder {
    /// What a parallel step would wait for; none: the collaborative task's own
    /// dependencies.
    barrier: Option<u32>,
    /// Steps nobody waits for yet.
    open: BTreeSet<u32>,
}

impl StepOrder {
    /// What the next step waits for. Steps before it are found by id in
    /// `siblings`.
    pub(super) fn place(
        &mut self,
        step: u32,
        doc: &TaskDoc<'_>,
        siblings: &HashMap<&str, u32>,
        barriers: &mut Vec<Vec<u32>>,
    ) -> After {
        if let Some(explicit) = &doc.depends_on {
            for dependency in explicit {
                if let Some(waited) = siblings.get(waited_for(dependency)) {
                    self.open.remove(waited);
                }
            }
            self.open.insert(step);
            return After::Nothing;
        }
        if doc.parallel != Some(true) && !self.open.is_empty() {
            self.barrier = Some(barriers.len() as u32);
            barriers.push(std::mem::take(&mut self.open).into_iter().collect());
        }
        self.open.insert(step);
        self.barrier.map_or(After::Parent, After::Barrier)
    }
}
