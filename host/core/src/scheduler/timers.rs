//! *Timers*: for each task at most one moment at which something is due.
//!
//! A binary heap that knows where each task stands in it, so that a timer that
//! is set again moves and one that is cleared is gone: the heap never holds
//! more than one entry a task, however often a run retries or polls.

use serde::{Deserialize, Serialize};

use crate::graph::TaskIx;

/// All timers of a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Timers {
    /// Moments and tasks; each is at least its parent, which stands at half its
    /// place.
    heap: Vec<(i64, TaskIx)>,
    /// For each task, where it stands in the heap.
    places: Vec<u32>,
}

/// The place of a task without a timer.
const NOWHERE: u32 = u32::MAX;

impl Timers {
    /// Makes room for tasks up to this many.
    pub(super) fn grow(&mut self, tasks: usize) {
        self.places.resize(tasks, NOWHERE);
    }

    pub(super) fn set(&mut self, task: TaskIx, at: i64) {
        let place = self.places[task.index()];
        if place == NOWHERE {
            self.heap.push((at, task));
            self.places[task.index()] = self.heap.len() as u32 - 1;
            self.rise(self.heap.len() - 1);
        } else {
            self.heap[place as usize].0 = at;
            self.rise(place as usize);
            self.sink(self.places[task.index()] as usize);
        }
    }

    pub(super) fn clear(&mut self, task: TaskIx) {
        let place = std::mem::replace(&mut self.places[task.index()], NOWHERE);
        if place == NOWHERE {
            return;
        }
        self.heap.swap_remove(place as usize);
        if let Some(&(_, moved)) = self.heap.get(place as usize) {
            self.places[moved.index()] = place;
            self.rise(place as usize);
            self.sink(self.places[moved.index()] as usize);
        }
    }

    /// The earliest moment at which something is due.
    pub(super) fn next(&self) -> Option<i64> {
        self.heap.first().map(|&(at, _)| at)
    }

    /// Takes one task whose moment has come; of several the one that was due
    /// first, then the first task.
    pub(super) fn pop_due(&mut self, now: i64) -> Option<TaskIx> {
        let &(at, task) = self.heap.first()?;
        if at > now {
            return None;
        }
        self.clear(task);
        Some(task)
    }

    fn rise(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.heap[parent] <= self.heap[place] {
                return;
            }
            self.swap(place, parent);
            place = parent;
        }
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let children = 2 * place + 1..(2 * place + 3).min(self.heap.len());
            let Some(least) = children.min_by_key(|&child| self.heap[child]) else { return };
            if self.heap[place] <= self.heap[least] {
                return;
            }
            self.swap(place, least);
            place = least;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.places[self.heap[a].1.index()] = a as u32;
        self.places[self.heap[b].1.index()] = b as u32;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is set, set again and cleared, what is due comes in order,
        /// as from a map that is searched from end to end.
        #[test]
        fn timers_behave_like_a_list_that_is_searched(
            steps in prop::collection::vec((0..3u8, 0..20u32, 0..100i64), 0..200),
        ) {
            let mut timers = Timers::default();
            timers.grow(20);
            let mut model: BTreeMap<TaskIx, i64> = BTreeMap::new();
            for (step, task, at) in steps {
                let task = TaskIx(task);
                match step {
                    0 => {
                        timers.set(task, at);
                        model.insert(task, at);
                    }
                    1 => {
                        timers.clear(task);
                        model.remove(&task);
                    }
                    _ => {
                        let first = model.iter().map(|(task, at)| (*at, *task)).min();
                        let due = first.filter(|(due, _)| *due <= at).map(|(_, task)| task);
                        prop_assert_eq!(timers.pop_due(at), due);
                        due.map(|task| model.remove(&task));
                    }
                }
                prop_assert_eq!(timers.next(), model.values().copied().min());
                prop_assert_eq!(timers.heap.len(), model.len());
            }
        }
    }
}
