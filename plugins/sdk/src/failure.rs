//! A *failure* says why a call did not produce a value. Its case decides
//! whether the host tries again: pick it by what a second identical call would
//! do.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

pub use crate::bindings::adapter::consort::types::values::{Failure, Problem, Throttle};

impl Problem {
    /// A problem without code and detail. `message` is one sentence for people,
    /// without a full stop and without secrets.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: None, detail: None }
    }
}

impl Failure {
    /// It may work next time: a connection that broke, an overloaded agent.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::Transient(Problem::new(message))
    }

    /// The agent asks for patience; the host waits at least `retry_after`.
    pub fn throttled(message: impl Into<String>, retry_after: Option<Duration>) -> Self {
        Self::Throttled(Throttle {
            problem: Problem::new(message),
            retry_after: retry_after
                .map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        })
    }

    /// A second call would fail the same way.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::Permanent(Problem::new(message))
    }

    /// The task, its input or its configuration is at fault.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::InvalidInput(Problem::new(message))
    }

    /// The agent or the host refused for lack of rights.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::Denied(Problem::new(message))
    }

    /// Adds a stable, lower-case code for programs, such as `http-503`.
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        if let Some(problem) = self.problem_mut() {
            problem.code = Some(code.into());
        }
        self
    }

    /// Adds anything else a program could use.
    pub fn with_detail(mut self, detail: &Value) -> Self {
        if let Some(problem) = self.problem_mut() {
            problem.detail = Some(detail.to_string());
        }
        self
    }

    /// Puts `context` and a colon before the message.
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        let message = match &mut self {
            Self::Other(message) => message,
            other => match other.problem_mut() {
                Some(problem) => &mut problem.message,
                None => return self,
            },
        };
        *message = format!("{context}: {message}");
        self
    }

    /// What to tell people.
    pub fn message(&self) -> &str {
        match self {
            Self::Other(message) => message,
            other => other.problem().map_or("", |problem| &problem.message),
        }
    }

    /// The code for programs, if it has one.
    pub fn code(&self) -> Option<&str> {
        self.problem()?.code.as_deref()
    }

    /// The problem inside; `Other` has none.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Transient(problem)
            | Self::Throttled(Throttle { problem, .. })
            | Self::Permanent(problem)
            | Self::InvalidInput(problem)
            | Self::Denied(problem) => Some(problem),
            Self::Other(_) => None,
        }
    }

    fn problem_mut(&mut self) -> Option<&mut Problem> {
        match self {
            Self::Transient(problem)
            | Self::Throttled(Throttle { problem, .. })
            | Self::Permanent(problem)
            | Self::InvalidInput(problem)
            | Self::Denied(problem) => Some(problem),
            Self::Other(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_context_reach_every_case_that_has_a_place_for_them() {
        let failure = Failure::throttled("slow down", Some(Duration::from_millis(1500)))
            .with_code("http-429")
            .context("agent 'writer'");
        assert_eq!(failure.code(), Some("http-429"));
        assert_eq!(failure.message(), "agent 'writer': slow down");
        let Failure::Throttled(throttle) = failure else { panic!("{failure:?}") };
        assert_eq!(throttle.retry_after, Some(1500));

        let other = Failure::Other("odd".into()).with_code("lost").context("here");
        assert_eq!((other.message(), other.code()), ("here: odd", None));
    }
}
