//! A graph as it is *saved*: without what petgraph keeps to walk it.

use petgraph::graph::DiGraph;
use petgraph::visit::EdgeRef;
use serde::{Deserialize, Serialize};

use super::{DependencyGraph, to_node, to_task};
use crate::graph::TaskIx;

/// What is saved of a graph.
#[derive(Serialize, Deserialize)]
pub(super) struct Saved {
    /// Of each task, how many it waits for, and whether it is complete.
    tasks: Vec<(u32, bool)>,
    /// Dependencies and who waits for them, in the order they were added, on
    /// which the order of a task's neighbours depends.
    edges: Vec<(TaskIx, TaskIx)>,
}

impl From<DependencyGraph> for Saved {
    fn from(DependencyGraph { graph, open, complete }: DependencyGraph) -> Self {
        let ends = |edge: petgraph::graph::EdgeReference<'_, ()>| {
            (to_task(edge.source()), to_task(edge.target()))
        };
        Self {
            edges: graph.edge_references().map(ends).collect(),
            tasks: open.into_iter().zip(complete).collect(),
        }
    }
}

impl From<Saved> for DependencyGraph {
    fn from(Saved { tasks, edges }: Saved) -> Self {
        let mut graph = DiGraph::with_capacity(tasks.len(), edges.len());
        for _ in &tasks {
            graph.add_node(());
        }
        for (dependency, task) in edges {
            graph.add_edge(to_node(dependency), to_node(task), ());
        }
        let (open, complete) = tasks.into_iter().unzip();
        Self { graph, open, complete }
    }
}
