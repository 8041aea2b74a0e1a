//! The compiler: from a document to a plan, or to everything that is wrong.
//!
//! Passes: list tasks and steps, index their ids, and then for each task in
//! order find its edges, its condition, its agents and its settings; in the end
//! look for cycles. A pass reports its problems and leaves something usable, so
//! that the next still finds its own.
//!
//! What a collaborative task says about `agent`, `priority`, `deadline` and
//! `on_failure` holds for its steps unless they say otherwise. Its `when` holds
//! for the steps that begin it: those are skipped if it does not, and whatever
//! waits for them is skipped with them.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::agents::Agents;
use super::edges::{Waits, Wiring};
use super::outline::{APPROVAL, COLLABORATIVE, Outline};
use super::reads::{Field, Readers, TEMPLATE_HINT, expression, rule};
use super::settings::{SettingsMaker, agents_of};
use super::{ConflictRule, Edge, Items, Known, OnFailure, Plan, Task, TaskSettings, Work, fields};
use crate::graph::{DependencyGraph, TaskIx};
use crate::problem::Problem;
use crate::spec::limits::MAX_QUOTED;
use crate::spec::{ConflictWord, Document, Findings, OnFailureDoc, brief};
use crate::template::{Expression, Template};

/// Tasks of a cycle that are named; its path may be as long as the workflow.
const MAX_CYCLE: usize = 50;

/// Tasks of a cycle that are listed for programs.
const MAX_LISTED: usize = 10_000;

/// Tasks of a cycle that are shown in their places, besides the first.
const MAX_SHOWN: usize = 5;

/// Checks a document and turns it into a plan. `now`, in milliseconds since the
/// epoch, tells which deadlines have passed.
///
/// # Errors
///
/// Every problem found, warnings included: first what could not be read, then
/// ids, then task by task, cycles last. [`Plan::warnings`] has the warnings of a
/// document without errors.
pub fn compile(mut document: Document<'_>, known: &Known, now: i64) -> Result<Plan, Vec<Problem>> {
    let mut findings = std::mem::take(&mut document.findings);
    if findings.is_full() {
        return Err(findings.into_problems());
    }
    let inputs = std::mem::take(&mut document.inputs);
    let document = document;
    let default_rule = default_rule(&document, &mut findings);
    let deadline = document.deadline.as_ref().and_then(|deadline| {
        fields::deadline(deadline, now, || "deadline".to_owned(), &mut findings)
    });
    let budget = document.budget.map(|doc| fields::budget(&doc, &mut findings));
    let outline = Outline::new(&document, &mut findings);
    let compiler = Compiler {
        outline: &outline,
        inputs: &inputs,
        wiring: Wiring::new(&outline, &mut findings),
        agents: Agents::new(&document.agents, document.open, known, &mut findings),
        settings: SettingsMaker::new(&outline, now, default_rule),
        conditions: vec![Condition::default(); outline.groups.len()],
        nothing: Template::new("").expect("an empty template has no syntax to be wrong"),
        findings,
    };
    let (tasks, agents, mut findings) = compiler.run();
    let graph = build_graph(&tasks);
    let order = match in_order(&tasks) {
        true => Ok(graph.tasks().collect()),
        false => graph.topological_order(),
    };
    let order = match order {
        Ok(order) => order,
        Err(cycles) => {
            for cycle in cycles {
                findings.push(describe_cycle(&cycle.path, &tasks, &outline));
            }
            Vec::new()
        }
    };
    let failed = findings.has_errors();
    let problems = findings.into_problems();
    if failed {
        return Err(problems);
    }
    Ok(Plan {
        name: document.name.as_str().into(),
        inputs,
        agents,
        tasks,
        graph,
        order,
        deadline,
        budget: budget.unwrap_or_default(),
        on_conflict: match document.on_conflict {
            None | Some(ConflictWord::Reject) => ConflictRule::Reject,
            Some(ConflictWord::Hold) => ConflictRule::Hold,
            Some(ConflictWord::Admit) => ConflictRule::Admit,
        },
        on_failure: default_rule,
        open: document.open,
        warnings: problems,
    })
}

/// What a task does when it fails, unless it says.
fn default_rule(document: &Document<'_>, findings: &mut Findings) -> OnFailure {
    match &document.on_failure {
        None if document.open => OnFailure::Skip,
        None => OnFailure::Fail,
        Some(OnFailureDoc::Word(word)) => rule(*word),
        Some(OnFailureDoc::Fallback(_)) => {
            let message = "a fallback belongs to one task";
            let problem = Problem::error("not-applicable", "on_failure", message);
            findings.push(problem.hint("write 'fail', 'skip' or 'continue' here"));
            OnFailure::Fail
        }
    }
}

/// When the steps of a collaborative task are done at all.
#[derive(Clone, Default)]
struct Condition {
    when: Option<Expression>,
    /// The results it reads, which those steps need.
    results: Vec<String>,
}

struct Compiler<'o, 'd> {
    outline: &'o Outline<'d>,
    inputs: &'o Map<String, Value>,
    wiring: Wiring<'o, 'd>,
    agents: Agents<'d>,
    settings: SettingsMaker<'o, 'd>,
    /// Of each collaborative task.
    conditions: Vec<Condition>,
    /// What stands where a template is missing or wrong.
    nothing: Template,
    findings: Findings,
}

impl Compiler<'_, '_> {
    fn run(mut self) -> (Vec<Task>, Vec<super::Agent>, Findings) {
        let count = self.outline.drafts.len();
        let mut tasks = Vec::with_capacity(count);
        for place in 0..count {
            tasks.push(self.task(place));
        }
        // Only now, when no edge needs them any more: to share a million ids for
        // a moment costs as much as to find them.
        for (task, id) in tasks.iter_mut().zip(self.wiring.ids) {
            task.id = id;
        }
        let agents = self.agents.finish(&mut self.findings);
        (tasks, agents, self.findings)
    }

    /// One task with all its fields but its id.
    fn task(&mut self, place: usize) -> Task {
        let draft = &self.outline.drafts[place];
        let Waits { mut edges, enters } =
            self.wiring.waits(place, &self.agents, &mut self.findings);
        let when = self.when(place, enters, &mut edges);
        let description = self.description(place);
        let kind = draft.doc.kind.as_deref();
        let work = if draft.group.is_some() || kind == Some(COLLABORATIVE) {
            if let Some(OnFailureDoc::Fallback(_)) = draft.doc.on_failure.as_ref() {
                let message = "only a task that is done by an agent has others to fall back to";
                let at = self.outline.at(place, "on_failure");
                let problem = Problem::error("not-applicable", at, message);
                self.findings.push(problem.hint("set it on the steps"));
            }
            Work::Join
        } else if kind == Some(APPROVAL) {
            Work::Approval
        } else {
            let agents = agents_of(place, self.outline, &mut self.agents, &mut self.findings);
            Work::Agents(agents.unwrap_or_default())
        };
        let own = if draft.group.is_some() { None } else { when.clone() };
        let settings = self.settings.make(place, own, &self.agents, &mut self.findings);
        self.check_reads(place, &description, &settings, &edges);
        if let Some(group) = draft.group {
            self.conditions[group as usize].when = when;
            edges = self.wiring.enclose(group, edges);
        }
        Task {
            id: self.nothing.source().clone(),
            work,
            description,
            dependencies: edges.into(),
            settings,
        }
    }

    fn description(&mut self, place: usize) -> Template {
        let Some(description) = self.outline.drafts[place].doc.description.as_deref() else {
            return self.nothing.clone();
        };
        Template::new(description).unwrap_or_else(|reason| {
            let reason: String = reason.chars().take(2 * MAX_QUOTED).collect();
            let at = self.outline.at(place, "description");
            self.findings.push(Problem::error("bad-template", at, reason).hint(TEMPLATE_HINT));
            self.nothing.clone()
        })
    }

    /// Whether a task is done: its own condition, and, if it begins a
    /// collaborative task, that task's.
    fn when(&mut self, place: usize, enters: bool, edges: &mut [Edge]) -> Option<Expression> {
        let outline = self.outline;
        let draft = &outline.drafts[place];
        let own = draft.doc.when.as_deref().and_then(|source| {
            let when = expression(source, || outline.at(place, "when"), &mut self.findings)?;
            if let Some(value) = when.constant() {
                let holds = when.holds(()).unwrap_or_default();
                let always = if holds { "always" } else { "never" };
                let message = format!("this condition is {value} and {always} holds");
                let at = outline.at(place, "when");
                let problem = Problem::warning("constant-condition", at, brief(&message));
                self.findings.push(problem.hint("let it read 'inputs' or 'results', or remove it"));
            }
            let reads = when.reads();
            let field = Field { place, name: "when", item: false };
            let readers = Readers { outline, wiring: &self.wiring, inputs: self.inputs };
            readers.check(&field, &reads, edges, &mut self.findings);
            if let Some(group) = draft.group {
                self.conditions[group as usize].results.extend(reads.results);
            }
            Some(when)
        });
        let around = match draft.parent.filter(|_| enters) {
            None => return own,
            Some(group) => &self.conditions[group as usize],
        };
        let Some(condition) = &around.when else { return own };
        for edge in edges.iter_mut() {
            edge.forward |= around.results.iter().any(|result| **result == *edge.name);
        }
        let both = own.as_ref().map_or_else(|| condition.clone(), |own| condition.and(own));
        if let Some(group) = draft.group {
            let results = around.results.clone();
            self.conditions[group as usize].results.extend(results);
        }
        Some(both)
    }

    /// Checks what the templates of a task read.
    fn check_reads(
        &mut self,
        place: usize,
        description: &Template,
        settings: &Arc<TaskSettings>,
        edges: &[Edge],
    ) {
        let draft = &self.outline.drafts[place];
        let item = draft.doc.for_each.is_some();
        let (outline, inputs) = (self.outline, self.inputs);
        let readers = Readers { outline, wiring: &self.wiring, inputs };
        let findings = &mut self.findings;
        // Nobody renders the description of a collaborative task.
        if !description.is_plain() && draft.group.is_none() {
            let field = Field { place, name: "description", item };
            readers.check(&field, &description.reads(), edges, findings);
        }
        if let Some(Items::Expression(items)) = settings.for_each.as_ref().map(|each| &each.items) {
            if let Some(value) = items.constant().filter(|value| !value.is_array()) {
                let message = format!("expected a list, found {}", brief(&value.to_string()));
                let at = outline.at(place, "for_each");
                let problem = Problem::error("not-a-list", at, message);
                findings.push(problem.hint("write a list, or an expression whose value is one"));
            }
            let field = Field { place, name: "for_each", item: false };
            readers.check(&field, &items.reads(), edges, findings);
        }
        if let Some(key) = settings.cache.as_ref().and_then(|cache| cache.key.as_ref()) {
            let field = Field { place, name: "cache.key", item };
            readers.check(&field, &key.reads(), edges, findings);
        }
    }
}

/// Whether each task stands behind all it waits for, as in most documents
/// without steps: their order is a topological one.
fn in_order(tasks: &[Task]) -> bool {
    let before = |edge: &Edge, place| edge.task.index() < place;
    let mut places = tasks.iter().enumerate();
    places.all(|(place, task)| task.dependencies.iter().all(|edge| before(edge, place)))
}

fn build_graph(tasks: &[Task]) -> DependencyGraph {
    let edges = tasks.iter().map(|task| task.dependencies.len()).sum();
    let mut graph = DependencyGraph::with_capacity(tasks.len(), edges);
    for _ in tasks {
        graph.add_task();
    }
    for (index, task) in tasks.iter().enumerate() {
        for edge in &task.dependencies {
            graph.add_dependency(TaskIx(index as u32), edge.task);
        }
    }
    graph
}

fn describe_cycle(path: &[TaskIx], tasks: &[Task], outline: &Outline<'_>) -> Problem {
    let name = |task: &TaskIx| brief(&tasks[task.index()].id);
    let mut names: Vec<String> = path.iter().take(MAX_CYCLE).map(name).collect();
    if let [.., last] = path
        && path.len() > MAX_CYCLE
    {
        names.push(format!("… {} more …", path.len() - MAX_CYCLE - 1));
        names.push(name(last));
    }
    let message = format!("these tasks wait for each other: {}", names.join(" -> "));
    let at = |task: &TaskIx| outline.at(task.index(), "depends_on");
    let problem = Problem::error("cycle", at(&path[0]), message);
    let whole = path.iter().take(MAX_LISTED).map(|task| tasks[task.index()].id.to_string());
    let problem = Problem { cycle: whole.collect(), ..problem };
    let others = path[1..].iter().take(MAX_SHOWN).take_while(|task| **task != path[0]);
    others
        .fold(problem, |problem, task| {
            let label = format!("'{}' waits here", name(task));
            problem.related(at(task), label)
        })
        .hint("remove one of these dependencies")
}

#[cfg(test)]
mod tests;
