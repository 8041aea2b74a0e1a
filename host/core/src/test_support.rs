//! The *test language*: graphs drawn as text, one task a line, so that a new
//! case takes a few lines.
//!
//! ```text
//! d <- b c : skip, total=500
//! ```
//!
//! Task `d` waits for `b` and `c`; the rest are options, which mean something
//! to the scheduler's tests. A task that is only waited for needs no line.
//! Tasks are numbered in the order of their names.

use crate::graph::{DependencyGraph, TaskIx};

/// One line of a drawing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) name: &'a str,
    pub(crate) dependencies: Vec<&'a str>,
    pub(crate) options: &'a str,
}

/// Reads one line.
pub(crate) fn line(text: &str) -> Line<'_> {
    let (edges, options) = text.split_once(':').unwrap_or((text, ""));
    let (name, dependencies) = edges.split_once("<-").unwrap_or((edges, ""));
    Line {
        name: name.trim(),
        dependencies: dependencies.split_whitespace().collect(),
        options: options.trim(),
    }
}

/// A graph and the names of its tasks.
pub(crate) struct Drawing<'a> {
    pub(crate) graph: DependencyGraph,
    pub(crate) names: Vec<&'a str>,
    pub(crate) lines: Vec<Line<'a>>,
}

/// Reads a drawing.
pub(crate) fn draw(text: &str) -> Drawing<'_> {
    let lines: Vec<Line<'_>> =
        text.lines().map(str::trim).filter(|text| !text.is_empty()).map(line).collect();
    let all = lines.iter().flat_map(|line| line.dependencies.iter().chain([&line.name]));
    let mut names: Vec<&str> = all.copied().collect();
    names.sort_unstable();
    names.dedup();
    let mut drawing = Drawing { graph: DependencyGraph::default(), names, lines };
    for _ in &drawing.names {
        drawing.graph.add_task();
    }
    for line in &drawing.lines {
        let task = drawing.find(line.name);
        for dependency in &line.dependencies {
            let dependency = drawing.find(dependency);
            drawing.graph.add_dependency(task, dependency);
        }
    }
    drawing
}

impl Drawing<'_> {
    /// The task of a name.
    pub(crate) fn find(&self, name: &str) -> TaskIx {
        let place = self.names.iter().position(|known| *known == name);
        TaskIx(place.unwrap_or_else(|| panic!("no task is called '{name}'")) as u32)
    }

    /// Names of tasks, in the order given.
    pub(crate) fn spell(&self, tasks: impl IntoIterator<Item = TaskIx>) -> String {
        let names: Vec<&str> = tasks.into_iter().map(|task| self.names[task.index()]).collect();
        names.join(" ")
    }
}
