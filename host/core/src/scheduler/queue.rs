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
//!
//! A class has no room while its agent has as many attempts as it may, or has
//! started them faster than its rate allows, and a class of [groups](super::groups)
//! has none while its tasks wait for each other. Neither holds up another class;
//! the moments at which time alone makes room are kept in order.

use std::cmp::Ordering;
use std::collections::{BTreeSet, BinaryHeap};

use serde::{Deserialize, Serialize};

use super::groups::Groups;
use super::rules::{AgentLimits, ClassIx, ClassLimits};
use crate::graph::TaskIx;
use crate::rate::Allowance;

/// Starts of others that a class is passed over for before slots are reserved.
pub(super) const RESERVE_AFTER: u64 = 64;

/// A ready task in its heap. Greater starts earlier.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Entry {
    /// An attempt that has begun goes on before any other starts.
    pub(super) resume: bool,
    pub(super) score: f64,
    /// Order of arrival; decides between equal scores.
    pub(super) arrival: u64,
    pub(super) task: TaskIx,
}

/// A task that gets in line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Newcomer {
    pub(super) task: TaskIx,
    /// Its type: only tasks of the same are grouped.
    pub(super) kind: u32,
    pub(super) score: f64,
    pub(super) resume: bool,
    /// When it became ready.
    pub(super) since: i64,
}

/// What starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Popped {
    One(TaskIx),
    /// Several at once, best first, which hold the room of one attempt of this
    /// class until the last of them has ended.
    Group(ClassIx, Vec<TaskIx>),
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
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Class {
    heap: BinaryHeap<Entry>,
    /// Has the tasks of a class that starts them in groups, in place of the heap.
    groups: Option<Box<Groups>>,
    agent: u32,
    slots: u32,
    /// Entries that stand; the heap may hold others.
    standing: u32,
    /// Its place in the tournament.
    leaf: u32,
    /// How many had started when it was first passed over.
    passed_at: Option<u64>,
    /// When time makes one of its groups start, if it does.
    wake: Option<i64>,
}

impl Class {
    /// Its best task, if any could start as far as the class itself goes.
    fn head(&self) -> Option<&Entry> {
        match &self.groups {
            None => self.heap.peek(),
            Some(groups) => groups.best(),
        }
    }
}

/// One agent.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Agent {
    limit: u32,
    running: u32,
    /// What its rate allows, if it has one.
    allowance: Option<Allowance>,
    classes: Vec<ClassIx>,
}

/// Whom time makes room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Wake {
    Agent(u32),
    Class(ClassIx),
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
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
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
    /// When time makes room, and for whom.
    wakes: BTreeSet<(i64, Wake)>,
    /// Milliseconds since the epoch.
    now: i64,
    starts: u64,
    arrivals: u64,
}

impl ReadyQueue {
    /// A queue for `slots` slots with these agents' limits and these classes.
    pub(super) fn new(
        now: i64,
        slots: u32,
        agents: &[AgentLimits],
        classes: &[ClassLimits],
    ) -> Self {
        let agents = agents.iter().map(|limits| Agent {
            limit: limits.concurrency.max(1),
            running: 0,
            allowance: limits.rate.map(Allowance::new),
            classes: Vec::new(),
        });
        let agents = agents.collect();
        let mut queue = Self { agents, slots, free: slots, now, ..Self::default() };
        queue.add_classes(classes);
        queue
    }

    /// Adds classes behind those there are. The tournament begins anew.
    pub(super) fn add_classes(&mut self, new: &[ClassLimits]) {
        if new.is_empty() {
            return;
        }
        for limits in new {
            let class = ClassIx(self.classes.len() as u32);
            self.agents[limits.agent as usize].classes.push(class);
            self.leaves.push(class);
            self.classes.push(Class {
                heap: BinaryHeap::new(),
                groups: limits.batching.map(|batching| Box::new(Groups::new(batching))),
                agent: limits.agent,
                slots: limits.slots.clamp(1, self.slots),
                standing: 0,
                leaf: 0,
                passed_at: None,
                wake: None,
            });
        }
        let classes = &self.classes;
        self.leaves.sort_by_key(|class| (classes[class.0 as usize].slots, *class));
        self.winners = vec![None; 2 * self.leaves.len()];
        for leaf in 0..self.leaves.len() {
            self.classes[self.leaves[leaf].0 as usize].leaf = leaf as u32;
        }
        for class in (0..self.classes.len() as u32).map(ClassIx) {
            if self.classes[class.0 as usize].standing > 0 {
                self.relist(class);
            }
        }
    }

    /// Notes what time it is, which never goes back.
    pub(super) fn advance(&mut self, now: i64) {
        self.now = self.now.max(now);
        while let Some(&(at, wake)) = self.wakes.first()
            && at <= self.now
        {
            self.wakes.pop_first();
            match wake {
                Wake::Agent(agent) => self.relist_agent(agent),
                Wake::Class(class) => {
                    self.classes[class.0 as usize].wake = None;
                    self.relist(class);
                }
            }
        }
    }

    /// The next moment at which time makes room.
    pub(super) fn next_wake(&self) -> Option<i64> {
        self.wakes.first().map(|(at, _)| *at)
    }

    /// When the rate of a class's agent allows the next start, if it does not
    /// now.
    pub(super) fn allowed_at(&self, class: ClassIx) -> Option<i64> {
        let agent = &self.agents[self.agent(class) as usize];
        agent.allowance.as_ref().map(Allowance::next).filter(|at| *at > self.now)
    }

    /// Adds a task and returns the number of its entry, never 0.
    pub(super) fn push(&mut self, class: ClassIx, new: Newcomer) -> u64 {
        self.arrivals += 1;
        let Newcomer { task, kind, score, resume, since } = new;
        // Adding zero turns -0.0 into 0.0, which order differently otherwise.
        let entry = Entry { resume, score: score + 0.0, arrival: self.arrivals, task };
        let state = &mut self.classes[class.0 as usize];
        state.standing += 1;
        if let Some(groups) = &mut state.groups {
            groups.push(self.now, kind, entry, since);
            self.relist(class);
            return self.arrivals;
        }
        state.heap.push(entry);
        if state.heap.peek().is_some_and(|best| best.arrival == entry.arrival) {
            self.relist(class);
        }
        self.arrivals
    }

    /// Takes the best task that fits, or the best group, with the room it needs.
    /// `stands` says whether an entry still does; others are thrown away.
    pub(super) fn pop(
        &mut self,
        admit: Admit,
        stands: impl Fn(TaskIx, u64) -> bool,
    ) -> Option<Popped> {
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
            let best = *self.classes[class.0 as usize].head()?;
            if !stands(best.task, best.arrival) {
                self.classes[class.0 as usize].heap.pop();
                self.relist(class);
            } else if admit != Admit::All && !best.resume {
                return None;
            } else if self.needs(class) <= self.free {
                return Some(self.take(class, best));
            } else if reserved.is_some() {
                return None;
            } else {
                self.pass_over(class);
                candidate = Some(self.best_that_fits()?);
            }
        }
    }

    /// An entry of a class no longer stands, though its task, which is of that
    /// kind, has not started.
    pub(super) fn withdraw(&mut self, class: ClassIx, kind: u32, entry: u64) {
        let state = &mut self.classes[class.0 as usize];
        state.standing -= 1;
        if let Some(groups) = &mut state.groups {
            groups.withdraw(self.now, kind, entry);
            self.relist(class);
        } else if state.standing == 0 {
            state.heap.clear();
            self.relist(class);
        }
    }

    /// Gives back what a running attempt, or a group of them, held.
    pub(super) fn release(&mut self, class: ClassIx) {
        self.free += self.needs(class);
        let number = self.agent(class);
        let agent = &mut self.agents[number as usize];
        agent.running -= 1;
        if agent.running + 1 == agent.limit {
            self.relist_agent(number);
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

    /// Takes the best task of a class, or its group, out of the queue.
    fn take(&mut self, class: ClassIx, best: Entry) -> Popped {
        self.starts += 1;
        self.free -= self.needs(class);
        let state = &mut self.classes[class.0 as usize];
        let popped = match &mut state.groups {
            None => {
                state.heap.pop();
                state.standing -= 1;
                Popped::One(best.task)
            }
            Some(groups) => {
                let tasks = groups.draw(self.now);
                state.standing -= tasks.len() as u32;
                match tasks[..] {
                    [task] => Popped::One(task),
                    _ => Popped::Group(class, tasks),
                }
            }
        };
        if let Some(at) = state.passed_at.take() {
            self.passed.remove(&(at, class));
        }
        let number = state.agent;
        let agent = &mut self.agents[number as usize];
        agent.running += 1;
        let mut full = agent.running == agent.limit;
        if let Some(allowance) = agent.allowance.as_mut().filter(|_| !best.resume) {
            allowance.take(self.now);
            let next = allowance.next();
            if next > self.now {
                self.wakes.insert((next, Wake::Agent(number)));
                full = true;
            }
        }
        if full {
            self.relist_agent(number);
        } else {
            self.relist(class);
        }
        popped
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

    /// Whether the best task of a class could start if there were slots.
    fn has_room(&self, class: ClassIx) -> bool {
        let state = &self.classes[class.0 as usize];
        let agent = &self.agents[state.agent as usize];
        let allowed = |best: &Entry| {
            let allowance = agent.allowance.as_ref();
            best.resume || allowance.is_none_or(|allowance| allowance.next() <= self.now)
        };
        agent.running < agent.limit && state.head().is_some_and(allowed)
    }

    fn relist_agent(&mut self, agent: u32) {
        for n in 0..self.agents[agent as usize].classes.len() {
            self.relist(self.agents[agent as usize].classes[n]);
        }
    }

    /// Plays the matches of a class again.
    fn relist(&mut self, class: ClassIx) {
        let state = &mut self.classes[class.0 as usize];
        if let Some(groups) = &mut state.groups {
            groups.advance(self.now);
            let wake = groups.next_wake();
            if wake != state.wake {
                let before = std::mem::replace(&mut state.wake, wake);
                before.map(|at| self.wakes.remove(&(at, Wake::Class(class))));
                wake.map(|at| self.wakes.insert((at, Wake::Class(class))));
            }
        }
        if state.standing == 0
            && let Some(at) = state.passed_at.take()
        {
            self.passed.remove(&(at, class));
        }
        let mut node = self.leaves.len() + self.classes[class.0 as usize].leaf as usize;
        self.winners[node] = self.has_room(class).then_some(class);
        while node > 1 {
            node /= 2;
            self.winners[node] = self.better(self.winners[2 * node], self.winners[2 * node + 1]);
        }
    }

    fn better(&self, a: Option<ClassIx>, b: Option<ClassIx>) -> Option<ClassIx> {
        let head = |class: Option<ClassIx>| self.classes[class?.0 as usize].head();
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
