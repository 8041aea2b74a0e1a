//! An *adapter* speaks to one kind of agent.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub use crate::bindings::adapter::exports::consort::agent_adapter::adapter::{
    Dependency, Invocation, Outcome, Pending, Question, Step, Usage,
};
use crate::failure::Failure;
use crate::payload::Payload;

/// Speaks to one kind of agent; exported with
/// [`export_adapter!`](crate::export_adapter).
///
/// For one attempt of one task the host calls [`start`](Self::start) once, then
/// [`resume`](Self::resume) as long as the answer is `Pending` or `NeedsInput`.
/// Each call gets a fresh instance, so statics do not survive from one call to
/// the next: only the checkpoint does.
pub trait Adapter {
    /// Begins the work. May be called again with the same idempotency key when
    /// an earlier attempt failed, or when the host went down before it knew.
    fn start(call: Invocation) -> Result<Step, Failure>;

    /// Goes on with work that an earlier call left pending, or that asked a
    /// question; `answer` is present exactly in the second case. Adapters whose
    /// `start` always finishes keep this default, which refuses.
    fn resume(
        call: Invocation,
        checkpoint: Vec<u8>,
        answer: Option<Payload>,
    ) -> Result<Step, Failure> {
        let _ = (call, checkpoint, answer);
        Err(Failure::permanent(
            "this adapter leaves no work pending, so there is nothing to resume",
        ))
    }

    /// Stops remote work that is pending or waits for an answer; work that has
    /// already ended is success. The host waits 10 s at most. Adapters without
    /// remote work keep this default, which succeeds.
    fn cancel(call: Invocation, checkpoint: Vec<u8>) -> Result<(), Failure> {
        let _ = (call, checkpoint);
        Ok(())
    }
}

/// An adapter whose agent takes several tasks at once for less than it takes them
/// one by one; exported with
/// [`export_batching_adapter!`](crate::export_batching_adapter).
pub trait BatchAdapter: Adapter {
    /// Begins the work of several similar tasks, in the place of one
    /// [`start`](Adapter::start) for each: those of one agent with the same type,
    /// endpoint and configuration. The answer has one entry for each call, in the
    /// same order, or else all of them have failed. What is pending is resumed
    /// task by task.
    fn start_batch(calls: Vec<Invocation>) -> Vec<Result<Step, Failure>>;
}

impl Invocation {
    /// The agent's configuration as a type of the plugin's own. The host has
    /// checked it against the manifest's schema, so a failure here
    /// (`InvalidInput`) means that schema and type disagree.
    pub fn parse_config<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        crate::config::parse(&self.config)
    }

    /// Where the agent answers; `InvalidInput` when neither task nor agent says.
    pub fn endpoint(&self) -> Result<&str, Failure> {
        self.endpoint.as_deref().ok_or_else(|| {
            Failure::invalid_input(format!(
                "agent '{}' has no endpoint; give the agent or the task a 'url'",
                self.agent
            ))
            .with_code("no-endpoint")
        })
    }

    /// What is left of the attempt's time when the call begins.
    pub fn remaining(&self) -> Duration {
        Duration::from_millis(self.remaining)
    }

    /// The task's `metadata` as JSON.
    pub fn metadata(&self) -> Result<Value, Failure> {
        crate::payload::parse("the task's metadata", &self.metadata)
    }

    /// The results of all dependencies as one JSON object, by the names the
    /// task gave them.
    pub fn results(&self) -> Result<Map<String, Value>, Failure> {
        self.dependencies
            .iter()
            .map(|dependency| Ok((dependency.name.clone(), dependency.value.to_value()?)))
            .collect()
    }
}

impl Step {
    /// The work is finished and this is the result; nothing is known of its
    /// cost.
    pub fn done(output: impl Into<Payload>) -> Self {
        Self::Done(Outcome { output: output.into(), usage: None, spawn: Vec::new() })
    }

    /// The work is finished and the result is plain text.
    pub fn text(output: impl Into<String>) -> Self {
        Self::done(Payload::Text(output.into()))
    }

    /// Adds what the work cost. Has an effect on finished work only.
    pub fn with_usage(mut self, usage: Usage) -> Self {
        if let Self::Done(outcome) = &mut self {
            outcome.usage = Some(usage);
        }
        self
    }
}

impl Usage {
    /// Nothing known yet; fields are filled in one by one.
    pub const UNKNOWN: Self =
        Self { input_tokens: None, output_tokens: None, cost: None, model: None };

    /// Whether the agent reported nothing at all.
    pub fn is_unknown(&self) -> bool {
        *self == Self::UNKNOWN
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::invocation;

    struct Plain;

    impl Adapter for Plain {
        fn start(_: Invocation) -> Result<Step, Failure> {
            Ok(Step::text("done"))
        }
    }

    #[test]
    fn an_adapter_without_remote_work_refuses_resume_and_accepts_cancel() {
        let refusal = Plain::resume(invocation(""), Vec::new(), None).unwrap_err();
        assert!(matches!(refusal, Failure::Permanent(_)), "{refusal:?}");
        assert_eq!(Plain::cancel(invocation(""), Vec::new()), Ok(()));
    }

    #[test]
    fn results_are_named_and_keep_their_json_type() {
        let call = invocation("")
            .after("count", Payload::Json("3".into()))
            .after("note", Payload::Text("hi".into()));
        assert_eq!(Value::Object(call.results().unwrap()), json!({"count": 3, "note": "hi"}));
    }

    #[test]
    fn a_missing_endpoint_names_the_agent_and_the_remedy() {
        let failure = invocation("").endpoint().unwrap_err();
        assert_eq!(
            failure.message(),
            "agent 'agent' has no endpoint; give the agent or the task a 'url'"
        );
    }
}
