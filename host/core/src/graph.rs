//! The *dependency graph*: which task waits for which.
//!
//! Tasks are dense numbers ([`TaskIx`]) in the order they were added; names live
//! in the plan. The graph answers two kinds of question. Structure: levels,
//! cycles, critical path. Progress: what is ready now, and what a completion
//! makes ready. Everything is linear in tasks and edges, and nothing recurses,
//! so a chain of a million tasks is as safe as a fan of a million.
//!
//! **Invariant:** petgraph's types do not leave this module.

mod additions;
mod saved;

use std::fmt;

use petgraph::Direction;
use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};
use serde::{Deserialize, Serialize};

pub use additions::{Additions, Answer, Batch, Conflict, Newcomer, Wanted};

/// A task's place in the plan and the graph; dense from 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskIx(pub u32);

impl TaskIx {
    /// As an index into a `Vec` with one entry a task.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for TaskIx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Tasks and the edges from each dependency to its dependents.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(into = "saved::Saved", from = "saved::Saved")]
pub struct DependencyGraph {
    /// An edge points from a task to one that waits for it.
    graph: DiGraph<(), (), u32>,
    /// For each task, how many of its dependencies are not complete.
    open: Vec<u32>,
    complete: Vec<bool>,
}

impl DependencyGraph {
    /// A graph without tasks, with room for this many.
    pub fn with_capacity(tasks: usize, edges: usize) -> Self {
        Self {
            graph: DiGraph::with_capacity(tasks, edges),
            open: Vec::with_capacity(tasks),
            complete: Vec::with_capacity(tasks),
        }
    }

    /// Adds a task without dependencies and returns its index.
    pub fn add_task(&mut self) -> TaskIx {
        let node = self.graph.add_node(());
        self.open.push(0);
        self.complete.push(false);
        to_task(node)
    }

    /// Makes `task` wait for `dependency`. Adding the same edge twice makes it
    /// count twice, so callers pass each once. A dependency that is complete
    /// already holds nothing up.
    ///
    /// # Panics
    ///
    /// If either task was never added.
    pub fn add_dependency(&mut self, task: TaskIx, dependency: TaskIx) {
        self.graph.add_edge(to_node(dependency), to_node(task), ());
        if !self.complete[dependency.index()] {
            self.open[task.index()] += 1;
        }
    }

    /// How many tasks there are.
    pub fn len(&self) -> usize {
        self.graph.node_count()
    }

    /// Whether there are no tasks.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many edges there are.
    pub fn edge_count(&self) -> usize {
        self.graph.edge_count()
    }

    /// All tasks, in the order they were added.
    pub fn tasks(&self) -> impl Iterator<Item = TaskIx> + use<> {
        (0..self.graph.node_count() as u32).map(TaskIx)
    }

    /// The tasks `task` waits for, most recently added first.
    pub fn dependencies(&self, task: TaskIx) -> impl Iterator<Item = TaskIx> + '_ {
        self.graph.neighbors_directed(to_node(task), Direction::Incoming).map(to_task)
    }

    /// The tasks that wait for `task`, most recently added first.
    pub fn dependents(&self, task: TaskIx) -> impl Iterator<Item = TaskIx> + '_ {
        self.graph.neighbors_directed(to_node(task), Direction::Outgoing).map(to_task)
    }

    /// Whether every dependency of `task` is complete.
    pub fn is_ready(&self, task: TaskIx) -> bool {
        self.open[task.index()] == 0
    }

    /// Incomplete tasks whose dependencies are all complete, in order.
    pub fn ready_tasks(&self) -> impl Iterator<Item = TaskIx> + '_ {
        self.tasks().filter(|task| self.is_ready(*task) && !self.complete[task.index()])
    }

    /// Marks `task` complete and calls `ready` with each task that waited for
    /// it alone. Completing a task twice does nothing.
    pub fn mark_completed(&mut self, task: TaskIx, mut ready: impl FnMut(TaskIx)) {
        if std::mem::replace(&mut self.complete[task.index()], true) {
            return;
        }
        let mut edges = self.graph.neighbors_directed(to_node(task), Direction::Outgoing).detach();
        while let Some(dependent) = edges.next_node(&self.graph) {
            let open = &mut self.open[dependent.index()];
            *open -= 1;
            if *open == 0 {
                ready(to_task(dependent));
            }
        }
    }

    /// Every task after all it depends on, or the cyclic groups that make this
    /// impossible.
    ///
    /// # Errors
    ///
    /// One [`Cycle`] for each strongly connected group of tasks.
    pub fn topological_order(&self) -> Result<Vec<TaskIx>, Vec<Cycle>> {
        match toposort(&self.graph, None) {
            Ok(order) => Ok(order.into_iter().map(to_task).collect()),
            Err(_) => Err(self.cycles()),
        }
    }

    /// Every cyclic group, in the order of its first task.
    pub fn cycles(&self) -> Vec<Cycle> {
        let mut cycles: Vec<Cycle> = kosaraju_scc(&self.graph)
            .into_iter()
            .filter(|group| group.len() > 1 || self.graph.find_edge(group[0], group[0]).is_some())
            .map(|group| self.cycle_of(group))
            .collect();
        cycles.sort_by_key(|cycle| cycle.members[0]);
        cycles
    }

    /// Edges without which there is no cycle: those that lead back to a task on
    /// the way, when dependencies are followed from each task in order. A path
    /// of more than `max_path` tasks is cut in the middle, so that all of them
    /// together stay linear.
    pub fn closing_edges(&self, max_path: usize) -> Vec<ClosingEdge> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            OnTheWay(usize),
            Done,
        }
        let mut marks = vec![Mark::New; self.len()];
        let mut closing = Vec::new();
        for root in self.tasks() {
            if marks[root.index()] != Mark::New {
                continue;
            }
            let edges = |task| self.graph.neighbors_directed(to_node(task), Direction::Incoming);
            let mut way = vec![(root, edges(root))];
            marks[root.index()] = Mark::OnTheWay(0);
            while let Some((task, dependencies)) = way.last_mut() {
                let task = *task;
                let Some(dependency) = dependencies.next().map(to_task) else {
                    marks[task.index()] = Mark::Done;
                    way.pop();
                    continue;
                };
                match marks[dependency.index()] {
                    Mark::New => {
                        marks[dependency.index()] = Mark::OnTheWay(way.len());
                        way.push((dependency, edges(dependency)));
                    }
                    Mark::OnTheWay(start) => {
                        let round = way.len() - start;
                        let head = way[start..].iter().take(max_path);
                        let tail =
                            way[way.len() - round.saturating_sub(max_path).min(max_path)..].iter();
                        let path = head.chain(tail).map(|(task, _)| *task).chain([dependency]);
                        closing.push(ClosingEdge { task, dependency, path: path.collect() });
                    }
                    Mark::Done => {}
                }
            }
        }
        closing
    }

    /// One path round a strongly connected group: from its first task, along
    /// dependencies, until a task comes up again.
    fn cycle_of(&self, group: Vec<NodeIndex<u32>>) -> Cycle {
        let mut members: Vec<TaskIx> = group.into_iter().map(to_task).collect();
        members.sort_unstable();
        let inside: std::collections::HashSet<TaskIx> = members.iter().copied().collect();
        let mut seen_at = std::collections::HashMap::new();
        let mut path = Vec::new();
        let mut at = members[0];
        loop {
            if let Some(&start) = seen_at.get(&at) {
                path.drain(..start);
                path.push(at);
                return Cycle { members, path };
            }
            seen_at.insert(at, path.len());
            path.push(at);
            at = self
                .dependencies(at)
                .filter(|next| inside.contains(next))
                .min()
                .expect("each task of a cyclic group depends on another of the group");
        }
    }

    /// The tasks by depth: level 0 has no dependencies, level n+1 depends on
    /// one of level n. `order` is a topological order.
    pub fn levels(&self, order: &[TaskIx]) -> Vec<Vec<TaskIx>> {
        let mut levels: Vec<Vec<TaskIx>> = Vec::new();
        for (index, depth) in self.depths(order).into_iter().enumerate() {
            let depth = depth as usize;
            if levels.len() <= depth {
                levels.resize_with(depth + 1, Vec::new);
            }
            levels[depth].push(TaskIx(index as u32));
        }
        levels
    }

    /// For each task, the number of edges on the longest path from a root.
    pub fn depths(&self, order: &[TaskIx]) -> Vec<u32> {
        let mut depths = vec![0u32; self.len()];
        for &task in order {
            let next = depths[task.index()] + 1;
            for dependent in self.dependents(task) {
                let depth = &mut depths[dependent.index()];
                *depth = (*depth).max(next);
            }
        }
        depths
    }

    /// For each task, the longest path from its start to the end of the run:
    /// the sum of `durations` along it, the task's own included. This is the
    /// "bottom level" of list scheduling.
    pub fn remaining_paths(&self, order: &[TaskIx], durations: &[u64]) -> Vec<u64> {
        let mut remaining = vec![0u64; self.len()];
        for &task in order.iter().rev() {
            let after =
                self.dependents(task).map(|next| remaining[next.index()]).max().unwrap_or(0);
            remaining[task.index()] = after.saturating_add(durations[task.index()]);
        }
        remaining
    }

    /// The tasks of one longest path through the graph, first to last, given
    /// what [`remaining_paths`](Self::remaining_paths) returned.
    pub fn critical_path(&self, remaining: &[u64]) -> Vec<TaskIx> {
        let longest = |candidates: &mut dyn Iterator<Item = TaskIx>| {
            candidates.max_by_key(|task| (remaining[task.index()], std::cmp::Reverse(*task)))
        };
        let mut roots = self.tasks().filter(|task| self.dependencies(*task).next().is_none());
        let mut path = Vec::new();
        let mut at = longest(&mut roots);
        while let Some(task) = at {
            path.push(task);
            at = longest(&mut self.dependents(task));
        }
        path
    }
}

/// A group of tasks each of which waits, in the end, for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle {
    /// All tasks of the group, in order.
    pub members: Vec<TaskIx>,
    /// One way round: each task waits for the next; the first is also the last.
    pub path: Vec<TaskIx>,
}

/// An edge that closes a cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosingEdge {
    /// The task that waits.
    pub task: TaskIx,
    /// The task waited for, which waits for `task` in the end.
    pub dependency: TaskIx,
    /// The way round from `dependency`: each task waits for the next; the first
    /// is also the last.
    pub path: Vec<TaskIx>,
}

fn to_task(node: NodeIndex<u32>) -> TaskIx {
    TaskIx(node.index() as u32)
}

fn to_node(task: TaskIx) -> NodeIndex<u32> {
    NodeIndex::new(task.index())
}

#[cfg(test)]
mod tests;
