//! The plain Rust face of the plugin contracts.
//!
//! One set of types for all contract versions: `bindings` knows the wire shape
//! of each version, everything above this crate knows only these. The meaning
//! of every field is documented in `wit/`, where plugin authors read it.
//!
//! Strings that many calls share are `Arc<str>`, so that an invocation is cheap
//! to build and a result can be forwarded to any number of dependents.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

/// One value: a task's input, a dependency's result, an agent's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// A JSON document. What plugins return is checked before it gets here.
    Json(Arc<str>),
    /// Plain text.
    Text(Arc<str>),
    /// Bytes with an RFC 9110 media type.
    Blob {
        /// What the bytes are.
        media_type: Arc<str>,
        /// The bytes.
        data: Bytes,
    },
}

impl Payload {
    /// Size in bytes, as counted against the `output` limit.
    pub fn len(&self) -> usize {
        match self {
            Self::Json(text) | Self::Text(text) => text.len(),
            Self::Blob { data, .. } => data.len(),
        }
    }

    /// Whether the payload holds no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What went wrong, as a plugin said it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problem {
    /// One sentence for people.
    pub message: String,
    /// A stable code for programs, such as `http-503`.
    pub code: Option<String>,
    /// Anything else, as a JSON document.
    pub detail: Option<String>,
    /// How the call's last request broke, as the host saw it, if it did: each
    /// error with what it came of. Plugins know a code only.
    pub network: Option<String>,
}

/// Why a plugin's call did not produce a value, in the plugin's own judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// May work next time.
    Transient(Problem),
    /// Not before `retry_after`.
    Throttled {
        /// What the agent said.
        problem: Problem,
        /// How long it asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// Would fail the same way again.
    Permanent(Problem),
    /// The task, its input or its configuration is at fault.
    InvalidInput(Problem),
    /// Refused for lack of rights.
    Denied(Problem),
    /// None of these.
    Other(String),
}

impl Failure {
    /// What went wrong, if the plugin said more than a sentence.
    pub(crate) fn problem_mut(&mut self) -> Option<&mut Problem> {
        match self {
            Self::Transient(problem)
            | Self::Throttled { problem, .. }
            | Self::Permanent(problem)
            | Self::InvalidInput(problem)
            | Self::Denied(problem) => Some(problem),
            Self::Other(_) => None,
        }
    }
}

/// The result of a task that another one depends on.
#[derive(Debug, Clone)]
pub struct Dependency {
    /// The name the dependent gave it.
    pub name: Arc<str>,
    /// The task that produced it.
    pub task: Arc<str>,
    /// Its result.
    pub value: Payload,
}

/// One attempt at one task, as an adapter sees it.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The run.
    pub run_id: Arc<str>,
    /// The task, unique within the run.
    pub task_id: Arc<str>,
    /// The task's `type`.
    pub task_type: Arc<str>,
    /// Counts from 1.
    pub attempt: u32,
    /// The same for every attempt at this task in this run.
    pub idempotency_key: Arc<str>,
    /// The rendered instruction.
    pub description: Arc<str>,
    /// The task's `input`.
    pub input: Option<Payload>,
    /// Results of the tasks it depends on.
    pub dependencies: Vec<Dependency>,
    /// The task's `metadata`, a JSON object.
    pub metadata: Arc<str>,
    /// The agent's name.
    pub agent: Arc<str>,
    /// Where the agent answers.
    pub endpoint: Option<Arc<str>>,
    /// The agent's configuration, a JSON object, secrets already replaced by
    /// placeholders.
    pub config: Arc<str>,
    /// What is left of the attempt's time.
    pub remaining: Duration,
}

/// What an agent's work cost.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usage {
    /// Tokens read.
    pub input_tokens: Option<u64>,
    /// Tokens written.
    pub output_tokens: Option<u64>,
    /// US dollars.
    pub cost: Option<f64>,
    /// The model that answered.
    pub model: Option<String>,
}

/// A finished attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The result, before transformers.
    pub output: Payload,
    /// What it cost.
    pub usage: Option<Usage>,
    /// Tasks to be added to the run, each a JSON object.
    pub spawn: Vec<String>,
}

/// Work that goes on elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// What `resume` needs to find the work again.
    pub checkpoint: Bytes,
    /// Earliest time of the next `resume`, counted from the answer.
    pub poll_after: Duration,
    /// Completed share, 0.0 to 1.0.
    pub fraction: Option<f64>,
    /// What the agent is doing.
    pub message: Option<String>,
}

/// Something the agent has to be told before it can go on.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The question.
    pub prompt: String,
    /// A JSON Schema of the answer.
    pub schema: Option<String>,
    /// What `resume` needs to find the work again.
    pub checkpoint: Bytes,
}

/// How far one adapter call got.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Finished.
    Done(Outcome),
    /// Ask again later.
    Pending(Pending),
    /// Must be answered first.
    NeedsInput(Question),
}

/// Where a value to be transformed comes from.
#[derive(Debug, Clone)]
pub struct TransformContext {
    /// The run.
    pub run_id: Arc<str>,
    /// The task that produced the value.
    pub task_id: Arc<str>,
    /// The receiving task, for a transformer on an edge.
    pub for_task: Option<Arc<str>>,
    /// The producing task's `metadata`, a JSON object.
    pub metadata: Arc<str>,
    /// The transformer's configuration, a JSON object.
    pub config: Arc<str>,
}

/// What a transformer has against its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// A JSON Pointer to what is wrong; empty for the configuration as a whole.
    /// It may lead nowhere.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// One ready task, as a prioritizer sees it. Times are milliseconds since the
/// Unix epoch, spans are milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The task within the run.
    pub id: u32,
    /// The task's `type`, an index into [`Snapshot::names`].
    pub kind: u32,
    /// The task's agent, an index into [`Snapshot::names`].
    pub agent: u32,
    /// 1 to 10, 10 first.
    pub priority: u8,
    /// Counts from 1.
    pub attempt: u32,
    /// When it became ready.
    pub ready_at: i64,
    /// When it must be finished.
    pub deadline: Option<i64>,
    /// Expected duration.
    pub expected: u64,
    /// Longest path to the end of the run, itself included.
    pub remaining_path: u64,
    /// Tasks waiting directly for it.
    pub dependents: u32,
    /// Edges on the longest path from a root to it.
    pub depth: u32,
}

/// The run at the moment of a scoring call.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The host's clock, milliseconds since the Unix epoch.
    pub now: i64,
    /// The strings candidates refer to.
    pub names: Arc<[Arc<str>]>,
    /// Ready tasks.
    pub ready: u32,
    /// Running tasks.
    pub running: u32,
    /// Tasks that could run at once.
    pub slots: u32,
}
