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
use super::needs::{Gathered, Needs};
use super::outline::{APPROVAL, COLLABORATIVE, Outline, waited_for};
use super::reads::{Field, Readers, TEMPLATE_HINT, expression, rule};
use super::settings::{SettingsMaker, agents_of};
use super::{ConflictRule, Edge, Items, Known, OnFailure, Plan, Task, TaskSettings, Work, fields};
use crate::graph::{DependencyGraph, TaskIx};
use crate::problem::Problem;
use crate::source::inexact_numbers;
use crate::spec::limits::MAX_QUOTED;
use crate::spec::{ConflictWord, Document, Findings, OnFailureDoc, brief, has_floats};
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
pub fn compile(document: Document<'_>, known: &Known, now: i64) -> Result<Plan, Vec<Problem>> {
    compile_with_needs(document, known, now).plan
}

/// What came of a document.
#[derive(Debug)]
pub struct Compiled {
    /// The plan, or every problem found.
    pub plan: Result<Plan, Vec<Problem>>,
    /// What it needs of plugins, whether or not there is a plan.
    pub needs: Needs,
}

/// The same as [`compile`], for whoever checks what the document tells plugins.
pub fn compile_with_needs(document: Document<'_>, known: &Known, now: i64) -> Compiled {
    let (problems, needs, plan) = match translate(document, known, now, true) {
        Ok(Translated { failed, problems, needs, plan, .. }) => {
            (problems, needs, (!failed).then_some(plan))
        }
        Err(problems) => (problems, Needs::default(), None),
    };
    let plan = match plan {
        Some(plan) => Ok(Plan { warnings: problems, ..plan }),
        None => Err(problems),
    };
    Compiled { plan, needs }
}

/// What is known of a document that nobody wants to run.
#[derive(Debug)]
pub struct Checked {
    /// How many tasks it has, steps included.
    pub tasks: usize,
    /// Every problem found, warnings too.
    pub problems: Vec<Problem>,
    /// What it needs of plugins.
    pub needs: Needs,
}

/// The same as [`compile`], but no plan is kept, which takes half of the time
/// and of the memory.
pub fn check(document: Document<'_>, known: &Known, now: i64) -> Checked {
    match translate(document, known, now, false) {
        Ok(Translated { tasks, problems, needs, .. }) => Checked { tasks, problems, needs },
        Err(problems) => Checked { tasks: 0, problems, needs: Needs::default() },
    }
}

/// A document that was gone through.
struct Translated {
    tasks: usize,
    problems: Vec<Problem>,
    /// Whether one of them is an error.
    failed: bool,
    needs: Needs,
    /// Of use only if all is well and it was to be kept.
    plan: Plan,
}

/// Goes through a document. The tasks are kept only if `keep` says so.
///
/// # Errors
///
/// What is wrong with a document that has too many problems to be gone through.
fn translate(
    mut document: Document<'_>,
    known: &Known,
    now: i64,
    keep: bool,
) -> Result<Translated, Vec<Problem>> {
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
    if fields::has_controls(&document.name) {
        let problem =
            fields::control_character("name".to_owned(), "a workflow's name", &document.name);
        findings.push(problem);
    }
    let compiler = Compiler {
        outline: &outline,
        inputs: &inputs,
        wiring: Wiring::new(&outline, keep, &mut findings),
        agents: Agents::new(&document, known, &mut findings),
        settings: SettingsMaker::new(&outline, now, default_rule),
        conditions: vec![Condition::default(); outline.groups.len()],
        nothing: Template::new("").expect("an empty template has no syntax to be wrong"),
        gathered: Gathered::default(),
        floats: false,
        findings,
    };
    let Parts { tasks, edges, agents, floats, needs, mut findings } = compiler.run(keep);
    let count = outline.drafts.len();
    // Most documents name what a task waits for before the task: they have no
    // cycles, and their order is a topological one.
    let in_order = edges.iter().all(|(task, on)| on < task);
    let graph = match keep || !in_order {
        true => build_graph(count, &edges),
        false => DependencyGraph::default(),
    };
    let order = match in_order {
        true => Ok(graph.tasks().collect()),
        false => graph.topological_order(),
    };
    let order = match order {
        Ok(order) => order,
        Err(cycles) => {
            for cycle in cycles {
                findings.push(describe_cycle(&cycle.path, &outline));
            }
            Vec::new()
        }
    };
    let floats = floats || document.has_floats() || inputs.values().any(has_floats);
    if let Some((text, format)) = document.source.filter(|_| floats) {
        inexact_numbers(text, format).for_each(|problem| findings.push_located(problem));
    }
    let failed = findings.has_errors();
    let problems = findings.into_problems();
    let plan = Plan {
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
        warnings: Vec::new(),
    };
    Ok(Translated { tasks: count, problems, failed, needs, plan })
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
    gathered: Gathered,
    /// Whether some free value of a task has a number that is not whole.
    floats: bool,
    findings: Findings,
}

/// A task without its id.
struct Body {
    work: Work,
    description: Option<Template>,
    dependencies: Vec<Edge>,
    settings: Arc<TaskSettings>,
}

/// What the compiler makes of the tasks.
struct Parts {
    /// All of them, if they were to be kept.
    tasks: Vec<Task>,
    /// Who waits for whom.
    edges: Vec<(TaskIx, TaskIx)>,
    agents: Vec<super::Agent>,
    floats: bool,
    needs: Needs,
    findings: Findings,
}

impl Compiler<'_, '_> {
    fn run(mut self, keep: bool) -> Parts {
        let count = self.outline.drafts.len();
        let mut tasks = Vec::with_capacity(if keep { count } else { 0 });
        let mut edges = Vec::new();
        for place in 0..count {
            let Body { work, description, dependencies, settings } = self.task(place);
            let waits = dependencies.iter();
            edges.extend(waits.map(|edge| (TaskIx(place as u32), edge.task)));
            if keep {
                let description = description.unwrap_or_else(|| self.nothing.clone());
                let (id, dependencies) = (self.nothing.source().clone(), dependencies.into());
                tasks.push(Task { id, work, description, dependencies, settings });
            }
        }
        // Only now, when no edge needs them any more: to share a million ids for
        // a moment costs as much as to find them.
        for (task, id) in tasks.iter_mut().zip(self.wiring.ids) {
            task.id = id;
        }
        let (agents, needs) = self.agents.finish(&mut self.findings);
        let needs = self.gathered.finish(needs);
        let (floats, findings) = (self.floats, self.findings);
        Parts { tasks, edges, agents, floats, needs, findings }
    }

    fn task(&mut self, place: usize) -> Body {
        let draft = &self.outline.drafts[place];
        let Waits { mut edges, enters } =
            self.wiring.waits(place, &self.agents, &mut self.findings);
        let when = self.when(place, enters, &mut edges);
        let description = self.description(place);
        let role = self.outline.role(place);
        let kind = draft.doc.kind.as_deref();
        let work = if role.group.is_some() || kind == Some(COLLABORATIVE) {
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
            let agents = agents.unwrap_or_default();
            let at = || self.outline.at(place, "agent");
            self.agents.used(&agents, draft.doc.url.is_some(), at);
            Work::Agents(agents)
        };
        let own = if role.group.is_some() { None } else { when.clone() };
        let settings = self.settings.make(place, own, &self.agents, &mut self.findings);
        self.gather(place, &work, &settings, &edges);
        self.check_reads(place, description.as_ref(), &settings, &edges);
        if let Some(group) = role.group {
            self.conditions[group as usize].when = when;
            edges = self.wiring.enclose(group, edges);
        }
        Body { work, description, dependencies: edges, settings }
    }

    /// Notes what a task tells plugins. What could not be read of it is left out.
    fn gather(&mut self, place: usize, work: &Work, settings: &TaskSettings, edges: &[Edge]) {
        let doc = self.outline.drafts[place].doc;
        self.floats |= doc.has_floats();
        if let (Work::Agents(agents), Some(url)) = (work, &settings.url) {
            self.gathered.url(url, agents, || self.outline.at(place, "url"));
        }
        if let Some(schema) = settings.schema.as_ref().filter(|_| *work == Work::Approval) {
            self.gathered.schema(schema, self.outline.at(place, "schema"));
        }
        let at = |list: &str, n: usize| {
            let path = self.outline.at(place, &format!("{list}transform[{n}]"));
            self.findings.original(path)
        };
        for (n, used) in settings.transform.iter().enumerate() {
            if self.agents.knows(&used.plugin) {
                self.gathered.transformer(used, || at("", n));
            }
        }
        let of_edges = edges.iter().any(|edge| !edge.transform.is_empty());
        for (d, dependency) in doc.depends_on.iter().flatten().enumerate().filter(|_| of_edges) {
            let id = waited_for(dependency);
            let edge = edges.iter().find(|edge| self.outline.id(edge.task.index()) == id);
            for (n, used) in edge.iter().flat_map(|edge| edge.transform.iter()).enumerate() {
                if self.agents.knows(&used.plugin) {
                    self.gathered.transformer(used, || at(&format!("depends_on[{d}]."), n));
                }
            }
        }
    }

    fn description(&mut self, place: usize) -> Option<Template> {
        let description = self.outline.drafts[place].doc.description.as_deref()?;
        let template = Template::new(description).map_err(|reason| {
            let reason: String = reason.chars().take(2 * MAX_QUOTED).collect();
            let at = self.outline.at(place, "description");
            self.findings.push(Problem::error("bad-template", at, reason).hint(TEMPLATE_HINT));
        });
        template.ok()
    }

    /// Whether a task is done: its own condition, and, if it begins a
    /// collaborative task, that task's.
    fn when(&mut self, place: usize, enters: bool, edges: &mut [Edge]) -> Option<Expression> {
        let outline = self.outline;
        let draft = &outline.drafts[place];
        let role = outline.role(place);
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
            if let Some(group) = role.group {
                self.conditions[group as usize].results.extend(reads.results);
            }
            Some(when)
        });
        let around = match role.parent.filter(|_| enters) {
            None => return own,
            Some(group) => &self.conditions[group as usize],
        };
        let Some(condition) = &around.when else { return own };
        for edge in edges.iter_mut() {
            edge.forward |= around.results.iter().any(|result| **result == *edge.name);
        }
        let both = own.as_ref().map_or_else(|| condition.clone(), |own| condition.and(own));
        if let Some(group) = role.group {
            let results = around.results.clone();
            self.conditions[group as usize].results.extend(results);
        }
        Some(both)
    }

    /// Checks what the templates of a task read.
    fn check_reads(
        &mut self,
        place: usize,
        description: Option<&Template>,
        settings: &Arc<TaskSettings>,
        edges: &[Edge],
    ) {
        let draft = &self.outline.drafts[place];
        let item = draft.doc.for_each.is_some();
        let (outline, inputs) = (self.outline, self.inputs);
        let readers = Readers { outline, wiring: &self.wiring, inputs };
        let findings = &mut self.findings;
        // Nobody renders the description of a collaborative task.
        let gaps =
            description.filter(|text| !text.is_plain() && outline.role(place).group.is_none());
        if let Some(description) = gaps {
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

fn build_graph(tasks: usize, edges: &[(TaskIx, TaskIx)]) -> DependencyGraph {
    let mut graph = DependencyGraph::with_capacity(tasks, edges.len());
    for _ in 0..tasks {
        graph.add_task();
    }
    for (task, on) in edges {
        graph.add_dependency(*task, *on);
    }
    graph
}

fn describe_cycle(path: &[TaskIx], outline: &Outline<'_>) -> Problem {
    let name = |task: &TaskIx| brief(outline.id(task.index()));
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
    let whole = path.iter().take(MAX_LISTED).map(|task| outline.id(task.index()).to_owned());
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
