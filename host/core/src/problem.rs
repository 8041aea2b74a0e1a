//! A *problem* is one thing wrong with a workflow, said so that its author can
//! mend it: a stable code, the place, the reason, the remedy.

use std::fmt;

use serde::Serialize;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The workflow cannot run.
    Error,
    /// It can, but surely not as meant.
    Warning,
}

/// One thing wrong with a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Stable, kebab-case: `unknown-field`, `cycle`, ….
    pub code: &'static str,
    /// Whether it can be lived with.
    pub severity: Severity,
    /// What is wrong, in one lower-case sentence without a full stop.
    pub message: String,
    /// Where in the document, such as `tasks[2].depends_on[0]`; empty for the
    /// document as a whole.
    pub path: String,
    /// Line in the file, from 1, when the parser knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column in the line, from 1, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// The offending text, once it has been looked for.
    #[serde(skip)]
    pub span: Option<Span>,
    /// Where the path leads to a string: the word in it that is meant.
    #[serde(skip)]
    pub word: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Other places that have to do with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
    /// Of a cycle, the ids on the way round, each waiting for the next; the
    /// first comes again in the end, unless the way is too long to be listed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cycle: Vec<String>,
}

/// Another place that has to do with a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Related {
    /// What is there, such as `first used here`.
    pub label: String,
    /// Where in the document, as the path of a problem.
    pub path: String,
    /// Line in the file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column in the line, from 1, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// The text there.
    #[serde(skip)]
    pub span: Option<Span>,
}

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span {
    /// Bytes before it.
    pub offset: usize,
    /// Bytes in it.
    pub length: usize,
}

impl Span {
    /// The part between two offsets.
    pub fn between(start: usize, end: usize) -> Self {
        Self { offset: start, length: end.saturating_sub(start) }
    }

    /// The first byte after it.
    pub fn end(self) -> usize {
        self.offset + self.length
    }
}

impl Problem {
    /// An error without a place or a hint.
    pub fn error(code: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            path: path.into(),
            line: None,
            column: None,
            span: None,
            word: None,
            hint: None,
            related: Vec::new(),
            cycle: Vec::new(),
        }
    }

    /// A warning without a place or a hint.
    pub fn warning(
        code: &'static str,
        path: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, path, message) }
    }

    /// The same about a word in the string at its path, such as a name that a
    /// template reads.
    #[must_use]
    pub fn quoting(mut self, word: impl Into<String>) -> Self {
        self.word = Some(word.into());
        self
    }

    /// The same with another place that has to do with it.
    #[must_use]
    pub fn related(mut self, path: impl Into<String>, label: impl Into<String>) -> Self {
        let (path, label) = (path.into(), label.into());
        self.related.push(Related { label, path, line: None, column: None, span: None });
        self
    }

    /// The same with a remedy.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with "did you mean", when one of `known` is near `wrong`.
    #[must_use]
    pub fn suggest<'a>(self, wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(wrong, known) {
            Some(near) => self.hint(format!("did you mean '{near}'?")),
            None => self,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// The name in `known` that `wrong` was most likely meant to be, if any is
/// near (Jaro-Winkler similarity of at least 0.8).
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&wrong.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(similarity, _)| *similarity >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}
