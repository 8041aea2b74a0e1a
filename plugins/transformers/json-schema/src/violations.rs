//! A *violation* is one place of a document and the rule it breaks.

use consort_plugin_sdk::Failure;
use jsonschema::{ValidationError, Validator};
use serde_json::{Value, json};

/// Violations listed; more are counted.
const MAX_LISTED: usize = 100;

/// How much of a message is kept, in characters. Messages quote the value.
const MAX_MESSAGE: usize = 240;

/// Everything wrong with a document.
pub(crate) struct Violations {
    listed: Vec<Violation>,
    omitted: usize,
}

struct Violation {
    path: String,
    message: String,
    keyword: String,
    schema_path: String,
}

impl Violations {
    /// Collects them, in the order of the document.
    pub(crate) fn of(validator: &Validator, document: &Value) -> Self {
        let mut violations = Self { listed: Vec::new(), omitted: 0 };
        for error in validator.iter_errors(document) {
            if violations.listed.len() < MAX_LISTED {
                violations.listed.push(Violation {
                    path: error.instance_path().to_string(),
                    message: shortened(&error.to_string()),
                    keyword: error.kind().keyword().to_owned(),
                    schema_path: error.schema_path().to_string(),
                });
            } else {
                violations.omitted += 1;
            }
        }
        violations
    }

    /// The first in words, and how many more there are.
    pub(crate) fn message(&self) -> String {
        let first = match self.listed.first() {
            Some(Violation { path, message, .. }) if path.is_empty() => message.clone(),
            Some(Violation { path, message, .. }) => format!("at {path}, {message}"),
            None => "no rule was named".into(),
        };
        let more = match (self.listed.len() + self.omitted).saturating_sub(1) {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        format!("the value does not fit its schema: {first}{more}")
    }

    /// All of them, for programs.
    pub(crate) fn detail(&self) -> Value {
        let listed: Vec<Value> = self
            .listed
            .iter()
            .map(|violation| {
                json!({
                    "path": violation.path,
                    "message": violation.message,
                    "keyword": violation.keyword,
                    "schema_path": violation.schema_path,
                })
            })
            .collect();
        json!({"violations": listed, "omitted": self.omitted})
    }
}

/// A schema that is not one.
pub(crate) fn schema_failure(error: &ValidationError<'_>) -> Failure {
    let path = error.instance_path().to_string();
    let place = if path.is_empty() { String::new() } else { format!(" at {path}") };
    let message =
        format!("'schema' is not a valid schema{place}: {}", shortened(&error.to_string()));
    Failure::invalid_input(message).with_code("invalid-schema")
}

fn shortened(message: &str) -> String {
    match message.char_indices().nth(MAX_MESSAGE) {
        None => message.to_owned(),
        // The rule stands at the end, after the quoted value.
        Some(_) => {
            let third = MAX_MESSAGE / 3;
            let start: String = message.chars().take(third).collect();
            let end: Vec<char> = message.chars().rev().take(2 * third).collect();
            format!("{start} … {}", end.into_iter().rev().collect::<String>())
        }
    }
}
