//! *Timers*: for each task at most one moment at which something is due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::graph::TaskIx;

/// All timers of a run. Setting a task's timer again replaces it; the old one
/// stays in the heap and is recognised as stale when its time comes.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(i64, TaskIx, u32)>>,
    /// For each task, the number of its latest timer; odd while it is set.
    latest: Vec<u32>,
}

impl Timers {
    pub(super) fn new(tasks: usize) -> Self {
        Self { heap: BinaryHeap::new(), latest: vec![0; tasks] }
    }

    pub(super) fn set(&mut self, task: TaskIx, at: i64) {
        let latest = &mut self.latest[task.index()];
        *latest = (*latest | 1).wrapping_add(2);
        self.heap.push(Reverse((at, task, *latest)));
    }

    pub(super) fn clear(&mut self, task: TaskIx) {
        let latest = &mut self.latest[task.index()];
        *latest = latest.wrapping_add(*latest & 1);
    }

    /// The earliest moment at which something is due.
    pub(super) fn next(&mut self) -> Option<i64> {
        while let Some(&Reverse((at, task, number))) = self.heap.peek() {
            if self.latest[task.index()] == number {
                return Some(at);
            }
            self.heap.pop();
        }
        None
    }

    /// Takes one task whose moment has come.
    pub(super) fn pop_due(&mut self, now: i64) -> Option<TaskIx> {
        if self.next()? > now {
            return None;
        }
        let Reverse((_, task, _)) = self.heap.pop()?;
        self.clear(task);
        Some(task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_timer_of_a_task_fires() {
        let (a, b) = (TaskIx(0), TaskIx(1));
        let mut timers = Timers::new(2);
        timers.set(a, 10);
        timers.set(b, 20);
        timers.set(a, 30);
        assert_eq!(timers.next(), Some(20));
        assert_eq!(timers.pop_due(25), Some(b));
        assert_eq!(timers.pop_due(25), None);
        timers.clear(a);
        assert_eq!(timers.next(), None);
        timers.set(a, 40);
        assert_eq!(timers.pop_due(40), Some(a));
        assert_eq!(timers.next(), None);
    }
}
