//! What a run is *measured* by when it is over.

use consort_core::graph::TaskIx;
use consort_core::plan::Work;
use consort_core::scheduler::Status;
use consort_plugin_host::Consumed;

use super::Conductor;
use crate::report::{CriticalPath, Metrics, PathStep, ResourceReport, Spread};
use crate::tally;

/// Tasks of a critical path that are named.
const LONGEST_PATH: usize = 1_000;

impl Conductor {
    /// What is known from all records together.
    pub(super) fn measure(&self, metrics: &mut Metrics) {
        let (mut took, mut queued) = (Vec::new(), Vec::new());
        let (mut well, mut badly) = (0_u32, 0_u32);
        let mut used = Consumed::default();
        for node in self.all_nodes() {
            let record = self.record(node);
            well += u32::from(record.status == Some(Status::Succeeded));
            badly += u32::from(record.status == Some(Status::Failed));
            tally::add(&mut used, &record.consumed);
            // One that others do is measured by them.
            if let (true, Some(from), Some(to)) =
                (record.attempts > 0, record.started, record.finished)
            {
                took.push((to.get() - from.get()).max(0).unsigned_abs());
                queued.push(u64::from(record.queued));
            }
        }
        metrics.success_rate =
            (well + badly > 0).then(|| f64::from(well) / f64::from(well + badly));
        metrics.execution_ms = Spread::of(took);
        metrics.queued_ms = Spread::of(queued);
        metrics.resources = ResourceReport::new(&used);
        metrics.critical_path = self.critical_path();
    }

    fn critical_path(&self) -> CriticalPath {
        let mut path = Vec::new();
        let mut tasks = 0;
        // Some that follow another end in the same millisecond.
        let mut followed = vec![false; self.records.len()];
        for node in self.all_nodes().filter(|node| self.was_done(*node)) {
            self.each_dependency(node, |dependency| followed[dependency.index()] = true);
        }
        let ends = |node: &TaskIx| !followed[node.index()] && self.item_of(*node).is_none();
        let mut next = self.last(self.all_nodes().filter(ends));
        while let Some(task) = next {
            // Of a fan-out it was the last item that counted.
            let done = self.items(task).and_then(|items| self.last(items)).unwrap_or(task);
            let mut before = Vec::new();
            self.each_dependency(task, |dependency| before.push(dependency));
            next = self.last(before.into_iter());
            if self.task(done).work == Work::Join {
                continue;
            }
            tasks += 1;
            if path.len() < LONGEST_PATH {
                let begun = next.map_or(self.submitted_at, |task| self.end_of(task));
                let ms = (self.end_of(done) - begun).max(0).unsigned_abs();
                path.push(PathStep { task_id: self.id(done), ms });
            }
        }
        path.reverse();
        CriticalPath { tasks, path }
    }

    /// The one that ended last of those that were done at all.
    fn last(&self, tasks: impl Iterator<Item = TaskIx>) -> Option<TaskIx> {
        let done = tasks.filter(|task| self.was_done(*task));
        done.max_by_key(|task| (self.end_of(*task), std::cmp::Reverse(*task)))
    }

    fn was_done(&self, task: TaskIx) -> bool {
        !matches!(self.record(task).status, None | Some(Status::Skipped))
    }

    fn end_of(&self, task: TaskIx) -> i64 {
        self.record(task).finished.map_or(self.submitted_at, |at| at.get())
    }
}
