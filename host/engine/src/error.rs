//! Why a task has no result, in one shape for people, programs and the report.

use std::borrow::Cow;
use std::sync::Arc;

use consort_core::scheduler::Retry;
use consort_plugin_host::{CallError, Failure, Fault, FaultKind, LimitKind, Problem};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::output::OutputError;

/// Why an attempt or a task has no result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskError {
    /// What kind of thing happened, kebab-case: the plugin's own judgement
    /// (`transient`, `throttled`, `permanent`, `invalid-input`, `denied`,
    /// `other`), a rule it broke (`limit`, `trap`, `exit`, `egress-denied`,
    /// `contract`, `host`), or what the engine says: a text of the task that
    /// could not be worked out (`template`, `expression`, `too-many`), time that
    /// is over (`timeout`, `idle-timeout`, `queue-timeout`, `total-timeout`,
    /// `deadline`), a person's no (`refused`), a question that nobody answers
    /// (`needs-input`), results that are too large together (`results`), the result of a
    /// dependency that is not in the store any more as it was (`payload`), items
    /// without result (`items`), or why it never ran to
    /// its end (`condition`, `skipped`, `cancelled`, `run-deadline`, `budget`,
    /// `not-added`, `interrupted`). What is delivered from outside is of the kind
    /// that whoever delivers it gives it.
    pub kind: Cow<'static, str>,
    /// One sentence for people.
    pub message: String,
    /// The plugin's stable code for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Anything else the plugin said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
    /// The task behind it: the dependency without result, the item that failed,
    /// the task that failed the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Arc<str>>,
    /// What else went wrong before it came to this, nearest first, at most 8:
    /// what the network said, why an attempt failed that a timeout cut off, why
    /// earlier agents failed, why the first item did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// The plugin that was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<Arc<str>>,
    /// Its digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Arc<str>>,
    /// The contract function that was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<Cow<'static, str>>,
    /// The limit that was broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<BrokenLimit>,
    /// The plugin's stack, innermost frame first.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub backtrace: String,
}

/// Something that went wrong before, and led to an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// As [`TaskError::kind`], or `network`.
    pub kind: Cow<'static, str>,
    /// One sentence for people, at most 1 KiB.
    pub message: String,
    /// Whose attempt it was, if not that of the error itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Arc<str>>,
    /// The task it happened to, if not the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Arc<str>>,
}

/// Causes that are kept of an error.
pub(crate) const MOST_CAUSES: usize = 8;
/// Bytes of the message of a cause.
const MAX_CAUSE: usize = 1 << 10;

/// As much of a text as has room, with a mark where it was cut.
pub(crate) fn bounded(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{}…", &text[..text.floor_char_boundary(most)]))
}

/// A limit and what was used of it, in the limit's unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenLimit {
    /// Which one.
    pub name: LimitKind,
    /// What was given.
    pub allowed: u64,
    /// What was used or asked for.
    pub used: u64,
    /// The unit of both.
    pub unit: Cow<'static, str>,
}

/// An error, and whether another attempt makes sense.
pub(crate) type Failed = (Box<TaskError>, Retry);

/// An error that would come again.
pub(crate) fn never(kind: &'static str, message: impl Into<String>) -> Failed {
    (Box::new(TaskError::new(kind, message)), Retry::Never)
}

impl std::fmt::Display for TaskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl std::error::Error for TaskError {}

impl TaskError {
    /// An error of that kind, with one sentence for people.
    pub fn new(kind: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            message: message.into(),
            code: None,
            detail: None,
            cause: None,
            causes: Vec::new(),
            plugin: None,
            digest: None,
            function: None,
            limit: None,
            backtrace: String::new(),
        }
    }

    /// The result of that task is needed, and cannot be read.
    pub(crate) fn unreadable(task: &str, error: &OutputError) -> Failed {
        let message = format!("the result of '{task}' is not to be had: {error}");
        let retry = if error.is_final() { Retry::Never } else { Retry::Yes };
        (Box::new(Self::new("payload", message)), retry)
    }

    /// The same, because of that task.
    #[must_use]
    pub(crate) fn because(self, cause: Arc<str>) -> Self {
        Self { cause: Some(cause), ..self }
    }

    /// The same, after what went wrong before; nearest first.
    #[must_use]
    pub(crate) fn blaming(mut self, causes: impl IntoIterator<Item = Cause>) -> Self {
        let room = MOST_CAUSES.saturating_sub(self.causes.len());
        self.causes.extend(causes.into_iter().take(room).map(|cause| match cause.message.len() {
            0..=MAX_CAUSE => cause,
            _ => Cause { message: bounded(&cause.message, MAX_CAUSE).into_owned(), ..cause },
        }));
        self
    }

    /// The error and its causes, as the causes of another.
    pub(crate) fn as_causes(&self) -> Vec<Cause> {
        let message = bounded(&self.message, MAX_CAUSE).into_owned();
        let first = Cause { kind: self.kind.clone(), message, agent: None, task: None };
        std::iter::once(first).chain(self.causes.iter().cloned()).take(MOST_CAUSES).collect()
    }

    /// What a call's error means for the report, and whether the scheduler
    /// should try again.
    pub(crate) fn from_call(
        error: CallError,
        plugin: &consort_plugin_host::Plugin,
        function: &'static str,
    ) -> Failed {
        let (error, retry) = match error {
            CallError::Failed(failure) => {
                let (mut error, retry) = from_failure(failure);
                error.plugin = Some(plugin.name().clone());
                error.digest = Some(plugin.digest().clone());
                error.function = Some(function.into());
                (error, retry)
            }
            CallError::Fault(fault) => from_fault(*fault),
        };
        (Box::new(error), retry)
    }
}

fn from_failure(failure: Failure) -> (TaskError, Retry) {
    let described = |kind, problem: Problem| {
        let network = |message| Cause { kind: "network".into(), message, agent: None, task: None };
        let error = TaskError {
            code: problem.code,
            detail: problem
                .detail
                .map(|detail| serde_json::from_str(&detail).unwrap_or(Value::String(detail))),
            ..TaskError::new(kind, problem.message)
        };
        error.blaming(problem.network.map(network))
    };
    match failure {
        Failure::Transient(problem) => (described("transient", problem), Retry::Yes),
        Failure::Throttled { problem, retry_after } => {
            let wait = retry_after.map_or(Retry::Yes, |wait| {
                Retry::After(wait.as_millis().min(u64::MAX.into()) as u64)
            });
            (described("throttled", problem), wait)
        }
        Failure::Permanent(problem) => (described("permanent", problem), Retry::Never),
        Failure::InvalidInput(problem) => (described("invalid-input", problem), Retry::Never),
        Failure::Denied(problem) => (described("denied", problem), Retry::Never),
        Failure::Other(message) => (TaskError::new("other", message), Retry::Never),
    }
}

/// A fault is the plugin's own and would come again, but for time: whoever was
/// slow once may be quick the next time.
fn from_fault(fault: Fault) -> (TaskError, Retry) {
    let message = fault.to_string();
    let mut retry = Retry::Never;
    let mut limit = None;
    let kind = match fault.kind {
        FaultKind::Limit { limit: name, allowed, used } => {
            if name == LimitKind::Time {
                retry = Retry::Yes;
            }
            limit = Some(BrokenLimit { name, allowed, used, unit: name.name_and_unit().1.into() });
            "limit"
        }
        FaultKind::Trap { .. } => "trap",
        FaultKind::Exit { .. } => "exit",
        FaultKind::Denied { .. } => "egress-denied",
        FaultKind::Contract(_) => "contract",
        FaultKind::Host(_) => {
            retry = Retry::Yes;
            "host"
        }
    };
    let error = TaskError {
        plugin: Some(fault.plugin),
        digest: Some(fault.digest),
        function: Some(fault.function.into()),
        limit,
        backtrace: fault.backtrace,
        ..TaskError::new(kind, message)
    };
    (error, retry)
}
