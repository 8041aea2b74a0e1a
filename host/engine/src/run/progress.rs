//! How far a run is.

use std::collections::HashMap;

use consort_core::graph::TaskIx;
use serde::Serialize;

use super::Conductor;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RunProgress {
    /// Tasks that are finished, items and additions included.
    pub finished: u32,
    /// Tasks there are.
    pub tasks: u32,
    /// The finished share of all work, from 0 to 1: each task is weighed by how
    /// long tasks of its type have taken in this run, or else by how long it is
    /// expected to take.
    pub share: f64,
    /// Milliseconds until the end, if as much is done at once as was so far;
    /// none while nothing is finished or a person is asked, and when all is.
    pub remaining_ms: Option<u64>,
    /// More tasks may come from outside; it goes on when all are finished.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
}

impl Conductor {
    pub(crate) fn progress(&self) -> RunProgress {
        let nodes: Vec<TaskIx> = self.all_nodes().collect();
        let taken = self.taken_by_type(&nodes);
        let (mut finished, mut done, mut open) = (0, 0.0, 0.0);
        for &node in &nodes {
            let settings = &self.task(node).settings;
            let expected = settings.expected.max(1) as f64;
            let weight = taken.get(&*settings.kind).map_or(expected, |(sum, n)| sum / n);
            if self.record(node).status.is_some() {
                finished += 1;
                done += weight;
            } else {
                open += weight;
            }
        }
        let elapsed = self.elapsed() as f64;
        // So many milliseconds of work are done in one of the clock.
        let pace = done / elapsed.max(1.0);
        let asks = nodes.iter().any(|node| self.record(*node).question().is_some());
        let known = finished > 0 && open > 0.0 && pace > 0.0 && !asks;
        RunProgress {
            finished,
            tasks: nodes.len() as u32,
            share: if open > 0.0 { done / (done + open) } else { 1.0 },
            remaining_ms: known.then(|| (open / pace) as u64),
            open: self.scheduler.is_open() && self.ended.is_none(),
        }
    }

    /// Milliseconds that tasks of a type have taken, and how many there were.
    fn taken_by_type(&self, nodes: &[TaskIx]) -> HashMap<&str, (f64, f64)> {
        let mut taken: HashMap<&str, (f64, f64)> = HashMap::new();
        for &node in nodes {
            let record = self.record(node);
            if let (Some(from), Some(to)) = (record.started, record.finished) {
                let one = taken.entry(&self.task(node).settings.kind).or_default();
                *one = (one.0 + (to.get() - from.get()).max(1) as f64, one.1 + 1.0);
            }
        }
        taken
    }
}
