//! Checks that templates and expressions read only what they will be given:
//! `inputs`, `metadata`, `labels`, the results of dependencies, and in a fan-out
//! `item` and `item_index`.

use serde_json::{Map, Value};

use super::edges::Wiring;
use super::outline::{Outline, waited_for};
use super::{Edge, OnFailure};
use crate::problem::Problem;
use crate::spec::{DependencyDoc, Findings, OnFailureDoc, OnFailureWord, brief, near};
use crate::template::{Expression, Reads};

/// What every template may read.
const NAMES: [&str; 4] = ["inputs", "results", "metadata", "labels"];
/// What templates may read that are filled in once for each item.
const ITEM_NAMES: [&str; 2] = ["item", "item_index"];

/// How templates are written.
pub(super) const TEMPLATE_HINT: &str = "gaps are written {{ inputs.name }}, with the filters and tests of Jinja; \
     {% raw %} … {% endraw %} keeps braces as they are";

/// A field that is a template or an expression.
pub(super) struct Field<'f> {
    /// The task it belongs to.
    pub(super) place: usize,
    /// Its name.
    pub(super) name: &'f str,
    /// Whether it is read once for each item.
    pub(super) item: bool,
}

/// Checks expressions and templates against the edges of their tasks.
pub(super) struct Readers<'r, 'd> {
    pub(super) outline: &'r Outline<'d>,
    pub(super) wiring: &'r Wiring<'r, 'd>,
    /// What the workflow declares; whoever starts a run may give more.
    pub(super) inputs: &'r Map<String, Value>,
}

impl Readers<'_, '_> {
    /// Checks what one field of a task with these edges reads.
    pub(super) fn check(
        &self,
        field: &Field<'_>,
        reads: &Reads,
        edges: &[Edge],
        findings: &mut Findings,
    ) {
        let at = || self.outline.at(field.place, field.name);
        for name in &reads.names {
            let name = name.as_str();
            let item = ITEM_NAMES.contains(&name);
            if NAMES.contains(&name) || (field.item && item) || (reads.sets && !item) {
                continue;
            }
            findings.push(match name {
                "item" | "item_index" if self.outline.drafts[field.place].doc.for_each.is_some() => {
                    let message = format!("'{}' is read before there are items", field.name);
                    Problem::error("no-item", at(), message)
                        .quoting(name)
                        .hint("it is about the task as a whole; 'item' is for its description")
                }
                "item" | "item_index" => {
                    let message = format!("there is no '{name}' without 'for_each'");
                    Problem::error("no-item", at(), message)
                        .quoting(name)
                        .hint("add 'for_each' with the list of items")
                }
                other => {
                    let message = format!("there is no '{}' to read", brief(other));
                    let problem = Problem::error("unknown-name", at(), message).quoting(other);
                    match near(other, NAMES.into_iter().chain(ITEM_NAMES)) {
                        Some(near) => problem.hint(format!("did you mean '{near}'?")),
                        None => problem.hint(
                            "templates read 'inputs', 'results', 'metadata', 'labels' and 'item'; a name with a dash is read as results['a-b']",
                        ),
                    }
                }
            });
        }
        if !self.inputs.is_empty() && !reads.guarded {
            self.check_inputs(field, reads, findings);
        }
        for result in &reads.results {
            match edges.iter().find(|edge| *edge.name == **result && edge.forward) {
                Some(edge) => self.check_present(field, reads, edge, findings),
                None => self.unreachable(field, result, edges, findings),
            }
        }
    }

    /// Warns of inputs that the workflow does not declare, though it does others.
    fn check_inputs(&self, field: &Field<'_>, reads: &Reads, findings: &mut Findings) {
        for name in reads.inputs.iter().filter(|name| !self.inputs.contains_key(*name)) {
            let message = format!("'inputs' has no '{}'", brief(name));
            let at = self.outline.at(field.place, field.name);
            let problem = Problem::warning("unknown-input", at, message)
                .quoting(format!("inputs.{name}"))
                .hint("add it to 'inputs', if only as an example of what a run is given");
            findings.push_near(problem, name, self.inputs.keys().map(String::as_str));
        }
    }

    /// Reports a result that is never there.
    fn unreachable(
        &self,
        field: &Field<'_>,
        result: &str,
        edges: &[Edge],
        findings: &mut Findings,
    ) {
        let doc = self.outline.drafts[field.place].doc;
        let reported = doc.unread.contains("depends_on")
            || doc.depends_on.iter().flatten().any(|dependency| {
                let name = match dependency {
                    DependencyDoc::Edge(edge) => edge.name.as_deref(),
                    DependencyDoc::Id(_) => None,
                };
                name.unwrap_or(waited_for(dependency)) == result
            });
        if reported {
            return;
        }
        let quoted = brief(result);
        let message = format!("'{quoted}' is not a result this task gets");
        let at = self.outline.at(field.place, field.name);
        let problem =
            Problem::error("unreachable-result", at, message).quoting(format!("results.{result}"));
        let names = || edges.iter().filter(|edge| edge.forward).map(|edge| &*edge.name);
        let dashed =
            names().find(|name| name.strip_prefix(result).is_some_and(|r| r.starts_with('-')));
        let hint = if let Some(name) = dashed {
            format!("write results['{name}'], since a dash means minus")
        } else if let Some(edge) =
            edges.iter().find(|edge| self.outline.id(edge.task.index()) == result)
            && edge.forward
        {
            format!("it goes by the name '{}' here", edge.name)
        } else if self.wiring.find(result).is_some() {
            format!("add '{quoted}' to 'depends_on'")
        } else {
            match near(result, names()) {
                Some(near) => format!("did you mean '{near}'?"),
                None => format!("no task has that id; add one, and '{quoted}' to 'depends_on'"),
            }
        };
        findings.push(problem.hint(hint));
    }

    /// Warns of a result that may not be there when it is read.
    fn check_present(
        &self,
        field: &Field<'_>,
        reads: &Reads,
        edge: &Edge,
        findings: &mut Findings,
    ) {
        let of = edge.task.index();
        let name = brief(&edge.name);
        if field.name == "when" && self.outline.said(of, |doc| doc.when.as_ref()).is_some() {
            let message = format!("'{name}' may be skipped, and then this is skipped as well");
            findings.warn(
                Problem::error("maybe-skipped", self.outline.at(field.place, field.name), message)
                    .quoting(format!("results.{name}"))
                    .hint(
                        "make it depend on what the condition is about, not on who may be skipped",
                    ),
            );
        } else if self.word(of) == Some(OnFailureWord::Continue) && !reads.guarded {
            let message = format!("there is no result '{name}' when its task has failed");
            findings.warn(
                Problem::error("maybe-missing", self.outline.at(field.place, field.name), message)
                    .quoting(format!("results.{name}"))
                    .hint(format!(
                        "use results.{name} | default('…'), or ask whether it is defined"
                    )),
            );
        }
    }

    fn word(&self, place: usize) -> Option<OnFailureWord> {
        match self.outline.said(place, |doc| doc.on_failure.as_ref())?.1 {
            OnFailureDoc::Word(word) => Some(*word),
            OnFailureDoc::Fallback(_) => None,
        }
    }
}

/// An expression as written. One in braces would be a text, which always holds.
pub(super) fn expression(
    source: &str,
    at: impl FnOnce() -> String,
    findings: &mut Findings,
) -> Option<Expression> {
    let trimmed = source.trim();
    if let Some(inner) = trimmed.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")) {
        let message = "this is an expression already and takes no braces";
        let problem = Problem::error("bad-expression", at(), message);
        findings.push(problem.hint(format!("write: {}", brief(inner.trim()))));
        return None;
    }
    match Expression::new(source) {
        Ok(expression) => Some(expression),
        Err(reason) => {
            let problem = Problem::error("bad-expression", at(), brief(&reason));
            findings.push(problem.hint(
                "write an expression such as results.search.count > 3, with the filters and tests of Jinja",
            ));
            None
        }
    }
}

/// What a word means for the scheduler.
pub(super) fn rule(word: OnFailureWord) -> OnFailure {
    match word {
        OnFailureWord::Fail => OnFailure::Fail,
        OnFailureWord::Skip => OnFailure::Skip,
        OnFailureWord::Continue => OnFailure::Continue,
    }
}
