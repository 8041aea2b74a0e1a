//! A *question* to a person: what an approval asks, or an agent that cannot go
//! on without an answer.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Reasons that are given why an answer does not fit.
const MOST_REASONS: usize = 5;

/// What somebody is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// In words.
    pub prompt: Arc<str>,
    /// A JSON Schema that the answer must satisfy; without one any JSON will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// Whether the task's agent asks, and goes on with the answer; else the
    /// answer is the task's result.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_agent: bool,
}

impl Question {
    /// A question of an agent.
    ///
    /// # Errors
    ///
    /// The schema is not JSON, or no JSON Schema.
    pub(crate) fn of_agent(prompt: Arc<str>, schema: Option<&str>) -> Result<Self, String> {
        let schema = match schema {
            None => None,
            Some(text) => {
                let schema: Value = serde_json::from_str(text)
                    .map_err(|error| format!("it is not JSON: {error}"))?;
                jsonschema::validator_for(&schema).map_err(|error| error.to_string())?;
                Some(schema)
            }
        };
        Ok(Self { prompt, schema, by_agent: true })
    }

    /// Whether an answer fits. An approval may always be refused.
    ///
    /// # Errors
    ///
    /// What does not fit.
    pub fn check(&self, answer: &Value) -> Result<(), Vec<String>> {
        let Some(schema) = self.schema.as_ref().filter(|_| self.by_agent || !is_no(answer)) else {
            return Ok(());
        };
        // It has been checked when the question came.
        let Ok(validator) = jsonschema::validator_for(schema) else { return Ok(()) };
        let wrong: Vec<String> = validator
            .iter_errors(answer)
            .take(MOST_REASONS)
            .map(|error| match error.instance_path().as_str() {
                "" => error.to_string(),
                path => format!("{path}: {error}"),
            })
            .collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

/// Whether an answer to an approval is a no.
pub(crate) fn is_no(answer: &Value) -> bool {
    *answer == Value::Bool(false) || answer["approved"] == Value::Bool(false)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_must_fit_the_schema() {
        let schema = r#"{"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}"#;
        let question = Question::of_agent("where?".into(), Some(schema)).expect("a question");
        assert_eq!(question.check(&json!({"city": "Oslo"})), Ok(()));
        let wrong = question.check(&json!({"city": 3})).expect_err("a number");
        assert!(wrong[0].starts_with("/city: "), "{wrong:?}");
        assert!(question.check(&json!(false)).is_err(), "an agent's question has no 'no'");
        let approval = Question { by_agent: false, ..question };
        assert_eq!(approval.check(&json!({"approved": false})), Ok(()));
    }

    #[test]
    fn a_schema_that_is_none_is_an_error() {
        assert!(Question::of_agent("?".into(), Some("{")).is_err());
        assert!(Question::of_agent("?".into(), Some(r#"{"type": "nonsense"}"#)).is_err());
        assert!(Question::of_agent("?".into(), None).is_ok());
    }
}
