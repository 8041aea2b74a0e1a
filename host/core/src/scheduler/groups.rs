//! *Groups* of similar tasks that wait to be started together: those of one
//! class that have the same type.
//!
//! A group is *open* when as many tasks are in it as may start together, or when
//! the one that has waited longest has waited long enough. Open groups compete
//! like single tasks, each with its best one; the others wait for time to pass
//! or for one more to come. Everything is kept in order, so each step costs
//! O(log n).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::queue::Entry;
use crate::graph::TaskIx;
use crate::plan::Batching;

/// The groups of one class.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Groups {
    batching: Batching,
    by_kind: BTreeMap<u32, Group>,
    /// The best task of each open group, with the group's kind.
    open: BTreeMap<Entry, u32>,
    /// When the others open.
    closed: BTreeSet<(i64, u32)>,
}

/// Tasks of one type; never empty.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Group {
    line: BTreeSet<Entry>,
    /// By order of arrival, which is the order of becoming ready.
    arrivals: BTreeMap<u64, Arrival>,
    listed: Option<Listed>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Arrival {
    entry: Entry,
    /// When it became ready.
    since: i64,
}

/// Where a group stands in the lists of its class.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Listed {
    Open(Entry),
    Closed(i64),
}

impl Groups {
    pub(super) fn new(batching: Batching) -> Self {
        let batching = Batching { max: batching.max.max(1), ..batching };
        Self { batching, by_kind: BTreeMap::new(), open: BTreeMap::new(), closed: BTreeSet::new() }
    }

    /// Adds a task that has been ready `since` then.
    pub(super) fn push(&mut self, now: i64, kind: u32, entry: Entry, since: i64) {
        let group = self.by_kind.entry(kind).or_default();
        group.line.insert(entry);
        group.arrivals.insert(entry.arrival, Arrival { entry, since });
        self.relist(now, kind);
    }

    /// Takes out a task that no longer waits.
    pub(super) fn withdraw(&mut self, now: i64, kind: u32, arrival: u64) {
        let Some(group) = self.by_kind.get_mut(&kind) else { return };
        if let Some(Arrival { entry, .. }) = group.arrivals.remove(&arrival) {
            group.line.remove(&entry);
        }
        self.relist(now, kind);
    }

    /// The best task of all open groups.
    pub(super) fn best(&self) -> Option<&Entry> {
        self.open.last_key_value().map(|(best, _)| best)
    }

    /// Takes as many tasks as may start together from the group of the best one,
    /// best first.
    pub(super) fn draw(&mut self, now: i64) -> Vec<TaskIx> {
        let Some((_, &kind)) = self.open.last_key_value() else { return Vec::new() };
        let Some(group) = self.by_kind.get_mut(&kind) else { return Vec::new() };
        let count = group.line.len().min(self.batching.max as usize);
        let tasks = (0..count).filter_map(|_| group.take_best()).collect();
        self.relist(now, kind);
        tasks
    }

    /// Opens the groups that have waited long enough.
    pub(super) fn advance(&mut self, now: i64) {
        while let Some(&(at, kind)) = self.closed.first()
            && at <= now
        {
            self.relist(now, kind);
        }
    }

    /// When the next group opens unless more tasks come.
    pub(super) fn next_wake(&self) -> Option<i64> {
        self.closed.first().map(|(at, _)| *at)
    }

    /// Puts a group where it belongs now.
    fn relist(&mut self, now: i64, kind: u32) {
        let Some(group) = self.by_kind.get_mut(&kind) else { return };
        match group.listed.take() {
            Some(Listed::Open(best)) => _ = self.open.remove(&best),
            Some(Listed::Closed(at)) => _ = self.closed.remove(&(at, kind)),
            None => {}
        }
        let (Some(best), Some((_, oldest))) = (group.line.last(), group.arrivals.first_key_value())
        else {
            self.by_kind.remove(&kind);
            return;
        };
        let opens = oldest.since.saturating_add_unsigned(self.batching.linger);
        if group.line.len() >= self.batching.max as usize || opens <= now {
            self.open.insert(*best, kind);
            group.listed = Some(Listed::Open(*best));
        } else {
            self.closed.insert((opens, kind));
            group.listed = Some(Listed::Closed(opens));
        }
    }
}

impl Group {
    fn take_best(&mut self) -> Option<TaskIx> {
        let best = self.line.pop_last()?;
        self.arrivals.remove(&best.arrival);
        Some(best.task)
    }
}
