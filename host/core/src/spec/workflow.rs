//! A whole document: the three shapes a file may have, made one.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::findings::Findings;
use super::free::has_floats;
use super::{AgentDoc, DeadlineDoc, Format, OnFailureDoc, TaskDoc, Text, Unread};

/// A document that has been read. It borrows from its text.
#[derive(Debug, Clone, Default)]
pub struct Document<'a> {
    /// Which shape it has, which is how paths begin.
    pub root: Root,
    /// The workflow's name; empty for a bare list or a single task.
    pub name: Text<'a>,
    /// Values for templates, overridden by the caller of a run.
    pub inputs: Map<String, Value>,
    /// Agents by name.
    pub agents: BTreeMap<String, AgentDoc>,
    /// The tasks in order.
    pub tasks: Vec<TaskDoc<'a>>,
    /// What the run may spend.
    pub budget: Option<BudgetDoc>,
    /// When the run must be over.
    pub deadline: Option<DeadlineDoc<'a>>,
    /// What a task does when it fails, unless it says.
    pub on_failure: Option<OnFailureDoc<'a>>,
    /// What happens to a task added to a run that does not fit.
    pub on_conflict: Option<ConflictWord>,
    /// Tasks are submitted while it runs; there may be none in the document.
    pub open: bool,
    /// What could not be read. The compiler reports it with what it finds.
    pub(crate) findings: Findings,
    /// What could not be read of the agents that have something wrong.
    pub(crate) unread_agents: BTreeMap<String, Unread>,
    /// The text it was read from, and how that is written.
    pub(crate) source: Option<(&'a str, Format)>,
}

impl Document<'_> {
    /// Whether a number in what it tells agents is held as a floating-point one.
    pub(crate) fn has_floats(&self) -> bool {
        self.agents.values().any(|agent| agent.config.values().any(has_floats))
    }
}

/// The shape of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Root {
    /// A list of tasks; the first is `[0]`.
    #[default]
    List,
    /// One task; its fields have no prefix.
    Task,
    /// A workflow; the first task is `tasks[0]`.
    Workflow,
}

/// What a run may spend on its agents.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetDoc {
    /// Tokens, input and output together.
    pub tokens: Option<u64>,
    /// Cost in the currency of the agents' reports.
    #[schemars(range(min = 0.0))]
    pub cost: Option<f64>,
}

/// What happens to a task added to a live run that waits for a task that is not
/// there, or would close a cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConflictWord {
    /// It is not added.
    Reject,
    /// It is kept back.
    Hold,
    /// It is added without the edge that does not fit.
    Admit,
}
