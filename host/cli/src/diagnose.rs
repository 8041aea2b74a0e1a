//! A *diagnosis* shows problems to the author of a file, as the terminal they
//! sit at can show it.

use std::sync::Arc;

use console::Term;
use consort_core::problem::{Problem, Severity};
use consort_core::report::{Style, report};
use consort_core::source::locate;
use serde_json::{Value, json};

use crate::document::Document;
use crate::error::CommandError;

/// Finds the problems' places and makes an error of them all.
pub(crate) fn problems(document: &Document, mut problems: Vec<Problem>) -> CommandError {
    locate(&document.text, document.format, &mut problems);
    problems.sort_by_key(|problem| (problem.severity == Severity::Warning, problem.span));
    problems.dedup();
    let shown = report(&document.name, &document.text, &problems, style());
    let file: Arc<str> = document.name.as_str().into();
    let problems = problems.into_iter().map(|problem| (file.clone(), problem)).collect();
    CommandError::Problems { problems, shown }
}

/// A problem as programs get it: `code`, `severity`, `message`, `file`, `path`,
/// `line`, `column` and `hint`, where what is not known is `null`, and `related`
/// places if there are any.
pub(crate) fn finding(file: Option<&str>, problem: &Problem) -> Value {
    let Problem { code, severity, message, path, line, column, hint, .. } = problem;
    let mut finding = json!({
        "code": code,
        "severity": severity,
        "message": message,
        "file": file,
        "path": path,
        "line": line,
        "column": column,
        "hint": hint,
    });
    if !problem.related.is_empty() {
        finding["related"] = json!(problem.related);
    }
    if !problem.cycle.is_empty() {
        finding["cycle"] = json!(problem.cycle);
    }
    finding
}

/// As standard error can show it: plain in a file or a pipe, and without colours
/// where `NO_COLOR` is set.
fn style() -> Style {
    let term = Term::stderr();
    if !term.is_term() {
        return Style { colours: console::colors_enabled_stderr(), ..Style::PLAIN };
    }
    let width = term.size_checked().map_or(80, |(_, columns)| usize::from(columns));
    Style { colours: console::colors_enabled_stderr(), unicode: true, width: Some(width) }
}
