//! A *picture* is a workflow reduced to what can be drawn: boxes, arrows, and
//! frames round the steps of collaborative tasks.
//!
//! One [`Picture`] is made from a plan and handed to one of the renderers:
//!
//! * [`mod@text`]: for the terminal.
//! * [`mod@mermaid`]: for Markdown.
//! * [`mod@dot`]: for Graphviz.
//! * [`mod@svg`]: a file of its own, laid out by [`mod@layout`].

mod dot;
mod layout;
mod mermaid;
mod paint;
mod svg;
mod text;

use std::collections::{BTreeSet, HashMap};
use std::fmt::{self, Write as _};
use std::sync::Arc;

use consort_core::graph::TaskIx;
use consort_core::plan::{Edge, Plan, Work};

pub(crate) use dot::dot;
pub(crate) use mermaid::mermaid;
pub(crate) use svg::{TooLarge, svg};
pub(crate) use text::text;

/// What is to be drawn.
#[derive(Debug)]
pub(crate) struct Picture {
    /// The workflow's name; may be empty.
    pub(crate) name: Arc<str>,
    /// Tasks, in the order of the plan.
    pub(crate) nodes: Vec<Node>,
    /// The nodes that are not steps of another.
    pub(crate) roots: Vec<usize>,
    /// Who waits for whom. That a collaborative task waits for its steps is
    /// not among them: the frame says it.
    pub(crate) arrows: Vec<Arrow>,
    /// Names of the agents at work; [`Node::agent`] is an index into this.
    pub(crate) agents: Vec<Arc<str>>,
    /// The task that was asked for, if not the whole workflow was.
    pub(crate) focus: Option<usize>,
}

/// One task: a box, or a frame round its steps.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Its id.
    pub(crate) id: Arc<str>,
    /// Its `type`.
    pub(crate) kind: Arc<str>,
    /// Who does it; nobody for a collaborative task.
    pub(crate) agent: Option<usize>,
    /// The instruction as written.
    pub(crate) description: Arc<str>,
    /// The collaborative task it is a step of, if that is in the picture.
    pub(crate) frame: Option<usize>,
    /// The nodes whose frame it is; none for a box.
    pub(crate) steps: Vec<usize>,
    /// Edges on the longest path from a root of the whole workflow to it.
    pub(crate) level: u32,
}

/// One dependency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arrow {
    /// Index of the task waited for.
    pub(crate) from: usize,
    /// Index of the task that waits.
    pub(crate) to: usize,
    /// Whether the result is passed on, or only waited for.
    pub(crate) forward: bool,
    /// What happens to the result on the way, such as `jq, text`.
    pub(crate) label: String,
}

impl Picture {
    /// The whole workflow.
    pub(crate) fn of_plan(plan: &Plan) -> Self {
        Self::of_tasks(plan, plan.graph.tasks().collect(), None)
    }

    /// One task, everything it waits for and everything that waits for it.
    pub(crate) fn of_task(plan: &Plan, task: TaskIx) -> Self {
        let mut tasks = BTreeSet::from([task]);
        reach(task, &mut tasks, |at, next| next.extend(plan.graph.dependencies(at)));
        let mut after = BTreeSet::from([task]);
        reach(task, &mut after, |at, next| next.extend(plan.graph.dependents(at)));
        tasks.append(&mut after);
        Self::of_tasks(plan, tasks, Some(task))
    }

    fn of_tasks(plan: &Plan, tasks: BTreeSet<TaskIx>, focus: Option<TaskIx>) -> Self {
        let place: HashMap<TaskIx, usize> = tasks.iter().copied().zip(0..).collect();
        let levels = plan.graph.depths(&plan.order);
        let mut picture = Self {
            name: plan.name.clone(),
            nodes: Vec::with_capacity(tasks.len()),
            roots: Vec::new(),
            arrows: Vec::new(),
            agents: plan.agents.iter().map(|agent| agent.name.clone()).collect(),
            focus: focus.map(|task| place[&task]),
        };
        for &ix in &tasks {
            let task = plan.task(ix);
            let agent = match &task.work {
                Work::Agents(agents) => agents.first().map(|agent| agent.0 as usize),
                Work::Join | Work::Approval => None,
            };
            picture.nodes.push(Node {
                id: task.id.clone(),
                kind: task.settings.kind.clone(),
                agent,
                description: task.description.source().clone(),
                frame: None,
                steps: Vec::new(),
                level: levels[ix.index()],
            });
        }
        for (to, &ix) in tasks.iter().enumerate() {
            let task = plan.task(ix);
            for edge in &task.dependencies {
                let Some(&from) = place.get(&edge.task) else { continue };
                if task.work == Work::Join {
                    picture.nodes[from].frame = Some(to);
                    picture.nodes[to].steps.push(from);
                } else {
                    picture.arrows.push(arrow(from, to, edge));
                }
            }
        }
        picture.roots =
            (0..tasks.len()).filter(|node| picture.nodes[*node].frame.is_none()).collect();
        picture.keep_used_agents();
        picture
    }

    /// Forgets agents nobody in the picture works with, so that a legend shows
    /// those that do.
    fn keep_used_agents(&mut self) {
        let used: BTreeSet<usize> = self.nodes.iter().filter_map(|node| node.agent).collect();
        let place: HashMap<usize, usize> = used.iter().copied().zip(0..).collect();
        self.agents = used.iter().map(|agent| self.agents[*agent].clone()).collect();
        for node in &mut self.nodes {
            node.agent = node.agent.map(|agent| place[&agent]);
        }
    }

    /// What stands under a task's id: who does it, and what kind of work it is
    /// unless that says nothing.
    pub(crate) fn subtitle(&self, node: &Node) -> String {
        let kind = match &*node.kind {
            "task" | "collaborative_task" => None,
            kind => Some(kind),
        };
        let agent = node.agent.map(|agent| &*self.agents[agent]);
        let parts: Vec<&str> = agent.into_iter().chain(kind).collect();
        parts.join(" · ")
    }
}

impl Node {
    /// Whether it is drawn as a frame round others.
    pub(crate) fn is_frame(&self) -> bool {
        !self.steps.is_empty()
    }
}

fn arrow(from: usize, to: usize, edge: &Edge) -> Arrow {
    let steps: Vec<&str> = edge.transform.iter().map(|step| step.plugin.as_str()).collect();
    Arrow { from, to, forward: edge.forward, label: steps.join(", ") }
}

/// Adds to `seen` whatever can be reached from `start`.
fn reach(
    start: TaskIx,
    seen: &mut BTreeSet<TaskIx>,
    neighbours: impl Fn(TaskIx, &mut Vec<TaskIx>),
) {
    let mut open = vec![start];
    let mut next = Vec::new();
    while let Some(at) = open.pop() {
        neighbours(at, &mut next);
        open.extend(next.drain(..).filter(|task| seen.insert(*task)));
    }
}

fn put(out: &mut String, text: fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a string cannot fail");
}
