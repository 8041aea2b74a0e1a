//! The *findings* are what is wrong with a document so far.
//!
//! A million mistakes are as useless as one: the first
//! [`MAX_PROBLEMS`] are kept, the rest is counted. Looking for near names costs
//! the more the more names there are, so only the first problems get it.

use super::limits::{MAX_COMPARED, MAX_NAME, MAX_PROBLEMS, MAX_QUOTED, MAX_SUGGESTIONS};
use crate::problem::{Problem, Severity, nearest};

/// Problems, collected up to a bound.
#[derive(Debug, Clone, Default)]
pub(crate) struct Findings {
    problems: Vec<Problem>,
    errors: usize,
    uncounted: usize,
    suggestions: usize,
    /// Items taken out of lists, by the list's path, in the order in which they
    /// were: paths of what comes after them are those of the shortened list.
    removed: Vec<(String, usize)>,
}

impl Findings {
    /// Adds a problem.
    pub(crate) fn push(&mut self, mut problem: Problem) {
        self.errors += usize::from(problem.severity == Severity::Error);
        if self.problems.len() < MAX_PROBLEMS {
            let related = problem.related.iter_mut().map(|related| &mut related.path);
            for path in std::iter::once(&mut problem.path).chain(related) {
                *path = self.original(std::mem::take(path));
            }
            self.problems.push(problem);
        } else {
            self.uncounted += 1;
        }
    }

    /// Adds what was found in the text of the document, unless something else was
    /// found there.
    pub(crate) fn push_located(&mut self, problem: Problem) {
        if self.is_full() {
            self.uncounted += 1;
        } else if self.problems.iter().all(|other| other.path != problem.path) {
            self.problems.push(problem);
        }
    }

    /// The place in the document of what now has this path.
    pub(crate) fn original(&self, path: String) -> String {
        let before = |path: String, (list, item): &(String, usize)| {
            shifted(&path, list, *item).unwrap_or(path)
        };
        self.removed.iter().rev().fold(path, before)
    }

    /// Adds what is legal but surely not meant.
    pub(crate) fn warn(&mut self, problem: Problem) {
        self.push(Problem { severity: Severity::Warning, ..problem });
    }

    /// Adds a problem with "did you mean", when one of `known` is near `wrong`.
    pub(crate) fn push_near<'n>(
        &mut self,
        problem: Problem,
        wrong: &str,
        known: impl IntoIterator<Item = &'n str>,
    ) {
        if self.suggestions >= MAX_SUGGESTIONS || wrong.len() > MAX_NAME {
            return self.push(problem);
        }
        self.suggestions += 1;
        let known = known.into_iter().take(MAX_COMPARED).filter(|name| name.len() <= MAX_NAME);
        self.push(problem.suggest(wrong, known));
    }

    /// Notes that an item was taken out of the list at `list`, so that problems
    /// found later still name the place in the document.
    pub(crate) fn item_removed(&mut self, list: String, item: usize) {
        self.removed.push((list, item));
    }

    /// Whether anything keeps the document from running.
    pub(crate) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Whether a further problem would only be counted.
    pub(crate) fn is_full(&self) -> bool {
        self.problems.len() >= MAX_PROBLEMS
    }

    /// All problems, warnings too, and how many more there are.
    pub(crate) fn into_problems(mut self) -> Vec<Problem> {
        if self.uncounted > 0 {
            self.problems.push(
                Problem::error(
                    "too-many-problems",
                    "",
                    format!("at least {} more problems are not listed", self.uncounted),
                )
                .hint("mend those listed first"),
            );
        }
        self.problems
    }
}

/// The path as it was before `item` was taken out of `list`, if it differs.
fn shifted(path: &str, list: &str, item: usize) -> Option<String> {
    let (number, rest) = path.strip_prefix(list)?.strip_prefix('[')?.split_once(']')?;
    let number: usize = number.parse().ok()?;
    (number >= item).then(|| format!("{list}[{}]{rest}", number + 1))
}

/// What the author wrote, short enough for a message.
pub(crate) fn brief(text: &str) -> String {
    if text.len() <= MAX_QUOTED {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(MAX_QUOTED);
    format!("{}…", &text[..end])
}

/// The name in `known` that is near `wrong`, if either can be a name at all.
pub(crate) fn near<'n>(wrong: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    (wrong.len() <= MAX_NAME).then(|| nearest(wrong, known)).flatten()
}
