//! An *operation* is what the agent does to a text: extract its keywords,
//! summarise it, count it, or merge several results into a report.
//!
//! Unless the configuration fixes one, the task chooses, by the first of these
//! that says something:
//!
//! 1. its description: a word that names an operation among the first five
//!    ("Summarise …", "Write a summary …"), or else its first word
//!    ("Analyze …": keywords, "Research …": summary);
//! 2. its `type`, by the same words (`research`, `analysis`, `report`);
//! 3. its id, likewise (`data_analysis`);
//! 4. what it is given: several results are merged, anything else summarised.

use consort_plugin_sdk::Invocation;
use serde::Serialize;

use crate::config::Config;

/// What to do to a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Operation {
    /// What the text is about.
    Keywords,
    /// The sentences that say most of it.
    Summary,
    /// Its figures.
    Statistics,
    /// One report of several results.
    Merge,
}

/// What decided on the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// `config.operation`.
    Configuration,
    /// The task's description.
    Description,
    /// The task's `type`.
    Type,
    /// The task's id.
    Id,
    /// What the task was given.
    Material,
}

/// Words that name an operation wherever they stand. Beginnings of words, so
/// that "summarise", "summarizing" and "summary" are one entry.
static NAMES: &[(&str, Operation)] = &[
    ("keyword", Operation::Keywords),
    ("keyphrase", Operation::Keywords),
    ("summar", Operation::Summary),
    ("condens", Operation::Summary),
    ("abridg", Operation::Summary),
    ("statistic", Operation::Statistics),
    ("count", Operation::Statistics),
    ("readability", Operation::Statistics),
    ("merg", Operation::Merge),
    ("combin", Operation::Merge),
    ("consolidat", Operation::Merge),
    ("aggregat", Operation::Merge),
    ("synthes", Operation::Merge),
    ("report", Operation::Merge),
];

/// Words that suggest one at the head of a description, or in a type or an id.
static HINTS: &[(&str, Operation)] = &[
    ("analy", Operation::Keywords),
    ("examin", Operation::Keywords),
    ("extract", Operation::Keywords),
    ("identif", Operation::Keywords),
    ("classif", Operation::Keywords),
    ("tag", Operation::Keywords),
    ("research", Operation::Summary),
    ("review", Operation::Summary),
    ("investigat", Operation::Summary),
    ("shorten", Operation::Summary),
    ("digest", Operation::Summary),
    ("brief", Operation::Summary),
    ("measur", Operation::Statistics),
    ("assess", Operation::Statistics),
    ("evaluat", Operation::Statistics),
    ("profil", Operation::Statistics),
    ("stats", Operation::Statistics),
    ("compil", Operation::Merge),
    ("assembl", Operation::Merge),
    ("integrat", Operation::Merge),
    ("join", Operation::Merge),
    ("write", Operation::Merge),
    ("draft", Operation::Merge),
];

/// How far into a description an operation may be named.
const NAMED_WITHIN: usize = 5;

impl Operation {
    /// As results and logs spell it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Keywords => "keywords",
            Self::Summary => "summary",
            Self::Statistics => "statistics",
            Self::Merge => "merge",
        }
    }
}

impl Reason {
    /// Completes "chosen by …".
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Configuration => "the configuration",
            Self::Description => "the task's description",
            Self::Type => "the task's type",
            Self::Id => "the task's id",
            Self::Material => "what the task was given",
        }
    }
}

/// Decides what to do, and says by what.
pub(crate) fn choose(config: &Config, call: &Invocation) -> (Operation, Reason) {
    if let Some(operation) = config.operation.fixed() {
        return (operation, Reason::Configuration);
    }
    let description: Vec<String> = parts(&call.description).take(NAMED_WITHIN).collect();
    let head = description.first().map_or(&[][..], std::slice::from_ref);
    if let Some(operation) = find(NAMES, &description).or_else(|| find(HINTS, head)) {
        return (operation, Reason::Description);
    }
    for (text, reason) in [(&call.task_type, Reason::Type), (&call.task_id, Reason::Id)] {
        let words: Vec<String> = parts(text).collect();
        if let Some(operation) = find(NAMES, &words).or_else(|| find(HINTS, &words)) {
            return (operation, reason);
        }
    }
    let several = call.dependencies.len() + usize::from(call.input.is_some()) > 1;
    (if several { Operation::Merge } else { Operation::Summary }, Reason::Material)
}

/// The words of a description or an identifier, in lower case.
fn parts(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty())
        .map(str::to_lowercase)
}

/// The operation of the first word that the table knows.
fn find(table: &[(&str, Operation)], words: &[String]) -> Option<Operation> {
    words.iter().find_map(|word| {
        table.iter().find(|(start, _)| word.starts_with(start)).map(|&(_, operation)| operation)
    })
}

#[cfg(test)]
mod tests {
    use consort_plugin_sdk::testing::invocation;

    use super::Operation::{Keywords, Merge, Statistics, Summary};
    use super::*;

    #[test]
    fn the_description_chooses() {
        for (description, expected) in [
            ("Summarise the text", Summary),
            ("summarize: …", Summary),
            ("Write a summary of the findings", Summary),
            ("Please extract the keywords", Keywords),
            ("Analyze findings", Keywords),
            ("Research topic", Summary),
            ("Count words", Statistics),
            ("Combine keywords and summaries into a report", Merge),
            ("Write it all up", Merge),
        ] {
            let chosen = choose(&Config::default(), &invocation(description));
            assert_eq!(chosen, (expected, Reason::Description), "{description:?}");
        }
    }

    #[test]
    fn then_the_type_then_the_id_then_what_is_there() {
        let mut call = invocation("Do it");
        assert_eq!(choose(&Config::default(), &call), (Summary, Reason::Material));
        let two = invocation("").after("a", "x".into()).after("b", "y".into());
        assert_eq!(choose(&Config::default(), &two), (Merge, Reason::Material));
        call.task_id = "data_analysis".into();
        assert_eq!(choose(&Config::default(), &call), (Keywords, Reason::Id));
        call.task_type = "report".into();
        assert_eq!(choose(&Config::default(), &call), (Merge, Reason::Type));
        let fixed = Config { operation: crate::config::Choice::Statistics, ..Config::default() };
        assert_eq!(choose(&fixed, &call), (Statistics, Reason::Configuration));
    }
}
