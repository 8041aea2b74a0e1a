//! The *ready queue*: tasks that could start, best first, in one heap for each
//! resource class.
//!
//! Among the classes that have room, the one whose best task is best starts
//! next. Classes are listed by their best task, so a start costs O(log n), and
//! a class without room is simply not listed.

use std::cmp::Ordering;
use std::collections::{BTreeSet, BinaryHeap};

use super::rules::ClassIx;
use crate::graph::TaskIx;

/// A ready task in its heap. Greater starts earlier.
#[derive(Debug, Clone, Copy)]
struct Entry {
    score: f64,
    /// Order of arrival; decides between equal scores.
    arrival: u64,
    task: TaskIx,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.arrival.cmp(&self.arrival))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

/// One resource class.
#[derive(Debug, Default)]
struct Class {
    heap: BinaryHeap<Entry>,
    limit: u32,
    running: u32,
    /// What it is listed under.
    listed: Option<Entry>,
}

/// All ready tasks of a run.
#[derive(Debug, Default)]
pub(super) struct ReadyQueue {
    classes: Vec<Class>,
    /// The best task of every class that has one and has room.
    startable: BTreeSet<(Entry, ClassIx)>,
    arrivals: u64,
}

impl ReadyQueue {
    /// A queue with these classes, each with its limit of running attempts.
    pub(super) fn new(limits: &[u32]) -> Self {
        let classes = limits.iter().map(|&limit| Class { limit, ..Class::default() }).collect();
        Self { classes, ..Self::default() }
    }

    /// Adds a task and returns the number of its entry, never 0.
    pub(super) fn push(&mut self, class: ClassIx, task: TaskIx, score: f64) -> u64 {
        self.arrivals += 1;
        // Adding zero turns -0.0 into 0.0, which order differently otherwise.
        let entry = Entry { score: score + 0.0, arrival: self.arrivals, task };
        self.classes[class.0 as usize].heap.push(entry);
        self.relist(class);
        self.arrivals
    }

    /// Takes the best task of any class with room and counts it as running.
    /// `valid` says whether an entry still stands; others are thrown away.
    pub(super) fn pop(&mut self, valid: impl Fn(TaskIx, u64) -> bool) -> Option<TaskIx> {
        loop {
            let &(entry, class) = self.startable.last()?;
            self.classes[class.0 as usize].heap.pop();
            let stands = valid(entry.task, entry.arrival);
            if stands {
                self.classes[class.0 as usize].running += 1;
            }
            self.relist(class);
            if stands {
                return Some(entry.task);
            }
        }
    }

    /// Gives back the place of a running attempt.
    pub(super) fn release(&mut self, class: ClassIx) {
        self.classes[class.0 as usize].running -= 1;
        self.relist(class);
    }

    /// Running attempts of one class.
    #[cfg(test)]
    pub(super) fn running(&self, class: ClassIx) -> u32 {
        self.classes[class.0 as usize].running
    }

    fn relist(&mut self, class: ClassIx) {
        let state = &mut self.classes[class.0 as usize];
        let best = if state.running < state.limit { state.heap.peek().copied() } else { None };
        if state.listed.map(|e| e.arrival) == best.map(|e| e.arrival) {
            return;
        }
        if let Some(old) = state.listed {
            self.startable.remove(&(old, class));
        }
        state.listed = best;
        if let Some(new) = best {
            self.startable.insert((new, class));
        }
    }
}
