//! A *notice* is something about a run that an operator may want to hear of, and
//! the message it becomes. It is small, since a run may have millions that wait:
//! its message is made when it is sent.

use std::sync::Arc;

use consort_core::graph::TaskIx;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::error::{Cause, TaskError, bounded};
use crate::question::Question;
use crate::report::RunError;
use crate::snapshot::as_json;

/// Bytes of a message, at the most, whatever a run's texts are like.
const MAX_MESSAGE: usize = 128 << 10;
/// Bytes of a text in it, such as why a task failed.
const MAX_TEXT: usize = 2 << 10;
/// Bytes of a name in it; those of tasks are shorter, with the number of an item.
const MAX_NAME: usize = 600;
/// Bytes of the kind of an error.
const MAX_KIND: usize = 64;
/// Bytes of why an error came about, each.
const MAX_CAUSE: usize = 512;
/// Bytes of the schema of an answer; a larger one is left out.
const MAX_SCHEMA: usize = 8 << 10;

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// The run is over.
    RunFinished,
    /// A task failed for good.
    TaskFailed,
    /// An attempt failed, and the same agent tries again.
    Retrying,
    /// An attempt failed, and the next agent takes over.
    Fallback,
    /// A person is asked.
    Question,
}

impl Topic {
    /// As configurations and messages spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunFinished => "run-finished",
            Self::TaskFailed => "task-failed",
            Self::Retrying => "retrying",
            Self::Fallback => "fallback",
            Self::Question => "question",
        }
    }
}

/// Something an operator may want to hear of.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Notice {
    /// When it happened, milliseconds since the epoch.
    pub(crate) at: i64,
    pub(crate) topic: Topic,
    /// None for the run.
    pub(crate) task: Option<TaskIx>,
    /// What will not be known any more when it is sent, unless too many wait.
    pub(crate) detail: Option<Box<Detail>>,
}

const _: () = assert!(size_of::<Notice>() <= 32, "a million of them stay small");

/// What is said of a moment.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Detail {
    /// Another attempt follows.
    Attempt {
        /// Attempts so far.
        attempts: u32,
        /// Who is next.
        agent: Arc<str>,
        /// Milliseconds until then.
        wait: u64,
        #[serde(with = "as_json")]
        error: Option<Value>,
    },
    /// A person was asked.
    Question {
        #[serde(with = "as_json")]
        question: Arc<Question>,
        /// When the task's own time is over, milliseconds since the epoch.
        until: Option<i64>,
    },
}

impl Detail {
    /// Adds what it says to a message.
    pub(crate) fn write(&self, data: &mut Map<String, Value>) {
        match self {
            Self::Attempt { attempts, agent, wait, error } => {
                data.insert("attempts".into(), json!(attempts));
                data.insert("agent".into(), json!(bounded(agent, MAX_NAME)));
                data.insert("wait_ms".into(), json!(wait));
                data.extend(error.clone().map(|error| ("error".to_owned(), error)));
            }
            Self::Question { question, until } => {
                let mut said = json!({"prompt": bounded(&question.prompt, MAX_TEXT)});
                let schema = question.schema.as_ref();
                if let Some(schema) = schema.filter(|schema| schema.to_string().len() <= MAX_SCHEMA)
                {
                    said["schema"] = schema.clone();
                }
                said["by_agent"] = json!(question.by_agent);
                data.insert("question".into(), said);
                let until = until.map(|until| ("until".to_owned(), json!(time(until))));
                data.extend(until);
            }
        }
    }
}

/// A message: what it is about, when that happened, and what is said of it.
pub(crate) fn message(topic: Topic, at: i64, data: Map<String, Value>) -> Vec<u8> {
    let message = json!({"type": topic, "timestamp": time(at), "data": data});
    let text = message.to_string().into_bytes();
    debug_assert!(text.len() <= MAX_MESSAGE, "{} bytes", text.len());
    text
}

/// RFC 3339; null for what no calendar has.
fn time(at: i64) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(at).ok()
}

/// A name, as much of it as is sent.
pub(crate) fn name(name: &str) -> Value {
    json!(bounded(name, MAX_NAME))
}

/// Why a task has no result: what a message says of it.
pub(crate) fn of_task(error: &TaskError) -> Value {
    let mut said = json!({
        "kind": bounded(&error.kind, MAX_KIND),
        "message": bounded(&error.message, MAX_TEXT),
    });
    let (code, task, plugin) = (&error.code, &error.cause, &error.plugin);
    let names =
        [("code", code.as_deref()), ("task", task.as_deref()), ("plugin", plugin.as_deref())];
    for (field, text) in names {
        if let Some(text) = text {
            said[field] = name(text);
        }
    }
    write_causes(&mut said, &error.causes);
    said
}

/// Why a run did not come to an end of its own, with the error of the task that
/// failed it.
pub(crate) fn of_run(error: &RunError, task: Option<&TaskError>) -> Value {
    let mut said = json!({
        "kind": bounded(&error.kind, MAX_KIND),
        "message": bounded(&error.message, MAX_TEXT),
    });
    if let Some(task) = &error.task {
        said["task"] = name(task);
    }
    let causes: Vec<Cause> = task.map(TaskError::as_causes).unwrap_or_default();
    write_causes(&mut said, &causes);
    said
}

fn write_causes(said: &mut Value, causes: &[Cause]) {
    if causes.is_empty() {
        return;
    }
    let cause = |cause: &Cause| {
        let mut short = json!({
            "kind": bounded(&cause.kind, MAX_KIND),
            "message": bounded(&cause.message, MAX_CAUSE),
        });
        for (field, text) in [("agent", &cause.agent), ("task", &cause.task)] {
            if let Some(text) = text {
                short[field] = name(text);
            }
        }
        short
    };
    said["causes"] = causes.iter().map(cause).collect();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::MOST_CAUSES;

    /// Whatever an agent says, escaped as it would be.
    fn worst() -> Arc<str> {
        "\u{1}".repeat(100_000).into()
    }

    fn worst_error() -> TaskError {
        let cause = || Cause {
            kind: worst().to_string().into(),
            message: worst().to_string(),
            agent: Some(worst()),
            task: Some(worst()),
        };
        let error = TaskError {
            kind: worst().to_string().into(),
            code: Some(worst().to_string()),
            cause: Some(worst()),
            plugin: Some(worst()),
            ..TaskError::new("other", &*worst())
        };
        error.blaming((0..100).map(|_| cause()))
    }

    #[test]
    fn a_message_is_bounded_whatever_is_said() {
        let error = worst_error();
        assert_eq!(error.causes.len(), MOST_CAUSES);
        let attempt = Detail::Attempt {
            attempts: u32::MAX,
            agent: worst(),
            wait: u64::MAX,
            error: Some(of_task(&error)),
        };
        let schema = json!({"title": "\u{1}".repeat(MAX_SCHEMA)});
        let question = Question { prompt: worst(), schema: Some(schema), by_agent: true };
        let question = Detail::Question { question: Arc::new(question), until: Some(0) };
        let run = RunError {
            kind: "task-failed".into(),
            message: worst().to_string(),
            task: Some(worst()),
        };
        let mut run_data = Map::new();
        run_data.insert("error".into(), of_run(&run, Some(&error)));
        let mut attempt_data = Map::new();
        attempt.write(&mut attempt_data);
        let mut question_data = Map::new();
        question.write(&mut question_data);
        assert!(question_data["question"].get("schema").is_none(), "it is too large");
        for (topic, mut data) in [
            (Topic::RunFinished, run_data),
            (Topic::Retrying, attempt_data),
            (Topic::Question, question_data),
        ] {
            for field in ["run_id", "name", "task_id"] {
                data.insert(field.into(), name(&worst()));
            }
            let bytes = message(topic, 0, data).len();
            assert!(bytes <= MAX_MESSAGE, "{topic:?}: {bytes}");
        }
    }

    #[test]
    fn a_message_says_what_happened_and_when() {
        let error = TaskError::new("permanent", "no").because("a".into());
        let mut data = Map::new();
        data.insert("error".into(), of_task(&error));
        let text = String::from_utf8(message(Topic::TaskFailed, 1_500, data)).expect("text");
        assert_eq!(
            text,
            r#"{"type":"task-failed","timestamp":"1970-01-01T00:00:01.5Z","data":{"error":{"kind":"permanent","message":"no","task":"a"}}}"#
        );
    }
}
