//! The *ready queue*: tasks that could start, best first, in one heap for each
//! resource class, and the slots they compete for.
//!
//! Among the classes that fit, the one whose best task is best starts next. A
//! tournament over the classes, ordered by the slots they need, finds it, so a
//! start costs O(log n) whatever is ready and whatever does not fit.
//!
//! A class that needs many slots could wait for ever while small ones take each
//! slot that becomes free. So a class whose best task is the best of all but
//! does not fit is remembered as *passed over*, and after
//! [`RESERVE_AFTER`] more starts the free slots are reserved for it: nothing
//! else starts until it has.

use std::cmp::Ordering;
use std::collections::{BTreeSet, BinaryHeap};

use super::rules::{ClassIx, ClassLimits};
use crate::graph::TaskIx;

/// Starts of others that a class is passed over for before slots are reserved.
pub(super) const RESERVE_AFTER: u64 = 64;

/// A ready task in its heap. Greater starts earlier.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// An attempt that has begun goes on before any other starts.
    resume: bool,
    score: f64,
    /// Order of arrival; decides between equal scores.
    arrival: u64,
    task: TaskIx,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_score = || self.score.total_cmp(&other.score);
        self.resume
            .cmp(&other.resume)
            .then_with(by_score)
            .then_with(|| other.arrival.cmp(&self.arrival))
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
#[derive(Debug, Clone)]
struct Class {
    heap: BinaryHeap<Entry>,
    agent: u32,
    slots: u32,
    /// Entries that stand; the heap may hold others.
    standing: u32,
    /// Its place in the tournament.
    leaf: u32,
    /// How many had started when it was first passed over.
    passed_at: Option<u64>,
}

/// One agent.
#[derive(Debug, Clone)]
struct Agent {
    limit: u32,
    running: u32,
    classes: Vec<ClassIx>,
}

/// Which tasks may start at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admit {
    /// All.
    All,
    /// Those that go on with an attempt; others are not scored yet.
    Resumes,
    /// Those that go on with an attempt; the run is paused, so nothing is
    /// reserved for others.
    Paused,
}

/// All ready tasks of a run, and its slots.
#[derive(Debug, Clone, Default)]
pub(super) struct ReadyQueue {
    classes: Vec<Class>,
    agents: Vec<Agent>,
    slots: u32,
    free: u32,
    /// Classes by the slots they need: the leaves of the tournament.
    leaves: Vec<ClassIx>,
    /// A binary tree in the usual order from 1: the winner below each node, of
    /// the classes that have a task and room at their agent.
    winners: Vec<Option<ClassIx>>,
    /// Classes that are passed over, with `passed_at`.
    passed: BTreeSet<(u64, ClassIx)>,
    starts: u64,
    arrivals: u64,
}

impl ReadyQueue {
    /// A queue for `slots` slots with these agents' limits and these classes.
    pub(super) fn new(slots: u32, agents: &[u32], classes: &[ClassLimits]) -> Self {
        let mut agents: Vec<Agent> = agents
            .iter()
            .map(|&limit| Agent { limit: limit.max(1), running: 0, classes: Vec::new() })
            .collect();
        let need = |class: &ClassLimits| class.slots.clamp(1, slots);
        let mut leaves: Vec<ClassIx> = (0..classes.len() as u32).map(ClassIx).collect();
        leaves.sort_by_key(|class| (need(&classes[class.0 as usize]), *class));
        let mut all: Vec<Class> = classes
            .iter()
            .map(|class| Class {
                heap: BinaryHeap::new(),
                agent: class.agent,
                slots: need(class),
                standing: 0,
                leaf: 0,
                passed_at: None,
            })
            .collect();
        for (leaf, class) in leaves.iter().enumerate() {
            all[class.0 as usize].leaf = leaf as u32;
            agents[all[class.0 as usize].agent as usize].classes.push(*class);
        }
        Self {
            winners: vec![None; 2 * leaves.len()],
            classes: all,
            agents,
            slots,
            free: slots,
            leaves,
            ..Self::default()
        }
    }

    /// Adds a task and returns the number of its entry, never 0.
    pub(super) fn push(&mut self, class: ClassIx, task: TaskIx, score: f64, resume: bool) -> u64 {
        self.arrivals += 1;
        // Adding zero turns -0.0 into 0.0, which order differently otherwise.
        let entry = Entry { resume, score: score + 0.0, arrival: self.arrivals, task };
        let state = &mut self.classes[class.0 as usize];
        state.standing += 1;
        state.heap.push(entry);
        if state.heap.peek().is_some_and(|best| best.arrival == entry.arrival) {
            self.relist(class);
        }
        self.arrivals
    }

    /// Takes the best task that fits, with the slots it needs. `stands` says
    /// whether an entry still does; others are thrown away.
    pub(super) fn pop(
        &mut self,
        admit: Admit,
        stands: impl Fn(TaskIx, u64) -> bool,
    ) -> Option<TaskIx> {
        if self.free == 0 {
            return None;
        }
        let mut candidate = None;
        loop {
            let reserved = self.reserved().filter(|_| admit != Admit::Paused);
            let class = match candidate.take().or(reserved) {
                Some(class) => class,
                None => (*self.winners.get(1)?)?,
            };
            let best = *self.classes[class.0 as usize].heap.peek()?;
            if !stands(best.task, best.arrival) {
                self.classes[class.0 as usize].heap.pop();
                self.relist(class);
            } else if admit != Admit::All && !best.resume {
                return None;
            } else if self.needs(class) <= self.free {
                self.take(class);
                return Some(best.task);
            } else if reserved.is_some() {
                return None;
            } else {
                self.pass_over(class);
                candidate = Some(self.best_that_fits()?);
            }
        }
    }

    /// An entry of a class no longer stands, though its task has not started.
    pub(super) fn withdraw(&mut self, class: ClassIx) {
        let state = &mut self.classes[class.0 as usize];
        state.standing -= 1;
        if state.standing == 0 {
            state.heap.clear();
            self.relist(class);
        }
    }

    /// Gives back what a running attempt held.
    pub(super) fn release(&mut self, class: ClassIx) {
        self.free += self.needs(class);
        let agent = &mut self.agents[self.classes[class.0 as usize].agent as usize];
        agent.running -= 1;
        if agent.running + 1 == agent.limit {
            self.relist_agent(class);
        }
    }

    /// Slots that attempts hold.
    pub(super) fn in_use(&self) -> u32 {
        self.slots - self.free
    }

    /// The agent of a class.
    pub(super) fn agent(&self, class: ClassIx) -> u32 {
        self.classes[class.0 as usize].agent
    }

    fn needs(&self, class: ClassIx) -> u32 {
        self.classes[class.0 as usize].slots
    }

    /// Takes the best task of a class out of the queue.
    fn take(&mut self, class: ClassIx) {
        self.starts += 1;
        self.free -= self.needs(class);
        let state = &mut self.classes[class.0 as usize];
        state.heap.pop();
        state.standing -= 1;
        if let Some(at) = state.passed_at.take() {
            self.passed.remove(&(at, class));
        }
        let agent = &mut self.agents[state.agent as usize];
        agent.running += 1;
        if agent.running == agent.limit {
            self.relist_agent(class);
        } else {
            self.relist(class);
        }
    }

    /// The class that slots are reserved for.
    fn reserved(&self) -> Option<ClassIx> {
        self.passed
            .iter()
            .take_while(|(at, _)| self.starts - at > RESERVE_AFTER)
            .map(|(_, class)| *class)
            .find(|class| self.has_room(*class))
    }

    fn pass_over(&mut self, class: ClassIx) {
        let state = &mut self.classes[class.0 as usize];
        if state.passed_at.is_none() {
            state.passed_at = Some(self.starts);
            self.passed.insert((self.starts, class));
        }
    }

    fn has_room(&self, class: ClassIx) -> bool {
        let agent = &self.agents[self.classes[class.0 as usize].agent as usize];
        agent.running < agent.limit
    }

    fn relist_agent(&mut self, class: ClassIx) {
        let agent = self.classes[class.0 as usize].agent as usize;
        for n in 0..self.agents[agent].classes.len() {
            self.relist(self.agents[agent].classes[n]);
        }
    }

    /// Plays the matches of a class again.
    fn relist(&mut self, class: ClassIx) {
        let state = &mut self.classes[class.0 as usize];
        let empty = state.heap.is_empty();
        if empty && let Some(at) = state.passed_at.take() {
            self.passed.remove(&(at, class));
        }
        let mut node = self.leaves.len() + self.classes[class.0 as usize].leaf as usize;
        self.winners[node] = (!empty && self.has_room(class)).then_some(class);
        while node > 1 {
            node /= 2;
            self.winners[node] = self.better(self.winners[2 * node], self.winners[2 * node + 1]);
        }
    }

    fn better(&self, a: Option<ClassIx>, b: Option<ClassIx>) -> Option<ClassIx> {
        let head = |class: Option<ClassIx>| self.classes[class?.0 as usize].heap.peek();
        if head(a) >= head(b) { a } else { b }
    }

    /// The best of the classes that need no more than the free slots.
    fn best_that_fits(&self) -> Option<ClassIx> {
        let count = self.leaves.partition_point(|class| self.needs(*class) <= self.free);
        let (mut from, mut to) = (self.leaves.len(), self.leaves.len() + count);
        let mut best = None;
        while from < to {
            if from % 2 == 1 {
                best = self.better(best, self.winners[from]);
                from += 1;
            }
            if to % 2 == 1 {
                to -= 1;
                best = self.better(best, self.winners[to]);
            }
            from /= 2;
            to /= 2;
        }
        best
    }
}
