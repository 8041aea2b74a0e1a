//! From the types of the wire to the plain ones: sizes are counted and what the
//! contract promises is checked on the way. An `Err` says what was broken.

use std::fmt;
use std::time::Duration;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::bindings::consort::types::values::{self as wire, PayloadResult};
use super::bindings::exports::consort::agent_adapter::adapter as wire_adapter;
use super::bindings::exports::consort::result_transformer::check as wire_check;
use crate::contract::{
    Complaint, Failure, Outcome, Payload, Pending, Problem, Question, Step, Usage,
};

/// The most a checkpoint may hold, in bytes.
const CHECKPOINT: usize = 64 << 10;
/// Levels of arrays and objects in a JSON document: what serde_json reads.
const DEEPEST: usize = 127;
/// The soonest a pending task is resumed.
const POLL_AFTER: Duration = Duration::from_millis(100);

/// Bytes a returned value counts for.
pub(super) trait Size {
    fn size(&self) -> usize;
}

impl Size for () {
    fn size(&self) -> usize {
        0
    }
}

impl Size for String {
    fn size(&self) -> usize {
        self.len()
    }
}

impl<T: Size> Size for Option<T> {
    fn size(&self) -> usize {
        self.as_ref().map_or(0, Size::size)
    }
}

impl<T: Size, E: Size> Size for Result<T, E> {
    fn size(&self) -> usize {
        match self {
            Ok(value) => value.size(),
            Err(error) => error.size(),
        }
    }
}

impl Size for Vec<f64> {
    fn size(&self) -> usize {
        size_of_val(self.as_slice())
    }
}

impl Size for PayloadResult {
    fn size(&self) -> usize {
        match self {
            Self::Json(text) | Self::Text(text) => text.len(),
            Self::Blob(blob) => blob.media_type.len() + blob.data.len(),
        }
    }
}

impl Size for wire::Problem {
    fn size(&self) -> usize {
        self.message.len() + self.code.size() + self.detail.size()
    }
}

impl Size for wire::Failure {
    fn size(&self) -> usize {
        match self {
            Self::Transient(problem)
            | Self::Permanent(problem)
            | Self::InvalidInput(problem)
            | Self::Denied(problem) => problem.size(),
            Self::Throttled(throttle) => throttle.problem.size(),
            Self::Other(message) => message.len(),
        }
    }
}

impl Size for wire_check::Complaint {
    fn size(&self) -> usize {
        // An empty complaint costs something too, so that no list is free.
        self.path.len() + self.message.len() + self.hint.size() + 1
    }
}

impl Size for wire_adapter::Step {
    fn size(&self) -> usize {
        match self {
            Self::Done(outcome) => {
                let model = outcome.usage.as_ref().map_or(0, |usage| usage.model.size());
                // An empty task costs something too, so that no list is free.
                let spawn: usize = outcome.spawn.iter().map(|task| task.len() + 1).sum();
                outcome.output.size() + model + spawn
            }
            Self::Pending(pending) => pending.checkpoint.len() + pending.message.size(),
            Self::NeedsInput(question) => {
                question.prompt.len() + question.schema.size() + question.checkpoint.len()
            }
        }
    }
}

/// What the contract promises of a returned value.
pub(super) trait Check {
    fn check(&self) -> Result<(), String>;
}

impl Check for () {
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

impl Check for PayloadResult {
    fn check(&self) -> Result<(), String> {
        match self {
            Self::Json(text) => check_json("the JSON document it returned", text),
            Self::Text(_) | Self::Blob(_) => Ok(()),
        }
    }
}

impl Check for wire_adapter::Step {
    fn check(&self) -> Result<(), String> {
        match self {
            Self::Done(outcome) => outcome.output.check(),
            Self::Pending(pending) => check_checkpoint(&pending.checkpoint),
            Self::NeedsInput(question) => {
                if let Some(schema) = &question.schema {
                    check_json("the schema of its question", schema)?;
                }
                check_checkpoint(&question.checkpoint)
            }
        }
    }
}

/// A value that was checked. Text is copied.
pub(super) fn payload(payload: PayloadResult) -> Payload {
    match payload {
        PayloadResult::Json(text) => Payload::Json(text.into()),
        PayloadResult::Text(text) => Payload::Text(text.into()),
        PayloadResult::Blob(blob) => {
            Payload::Blob { media_type: blob.media_type.into(), data: blob.data.into() }
        }
    }
}

pub(super) fn complaint(complaint: wire_check::Complaint) -> Complaint {
    let wire_check::Complaint { path, message, hint } = complaint;
    Complaint { path, message, hint }
}

/// The same.
pub(super) fn step(step: wire_adapter::Step) -> Step {
    match step {
        wire_adapter::Step::Done(outcome) => Step::Done(Outcome {
            output: payload(outcome.output),
            usage: outcome.usage.map(usage),
            spawn: outcome.spawn,
        }),
        wire_adapter::Step::Pending(pending) => Step::Pending(Pending {
            checkpoint: pending.checkpoint.into(),
            poll_after: Duration::from_millis(pending.poll_after).max(POLL_AFTER),
            fraction: pending.fraction.filter(|f| !f.is_nan()).map(|f| f.clamp(0.0, 1.0)),
            message: pending.message,
        }),
        wire_adapter::Step::NeedsInput(question) => Step::NeedsInput(Question {
            prompt: question.prompt,
            schema: question.schema,
            checkpoint: question.checkpoint.into(),
        }),
    }
}

pub(super) fn failure(failure: wire::Failure) -> Result<Failure, String> {
    Ok(match failure {
        wire::Failure::Transient(p) => Failure::Transient(problem(p)?),
        wire::Failure::Throttled(throttle) => Failure::Throttled {
            problem: problem(throttle.problem)?,
            retry_after: throttle.retry_after.map(Duration::from_millis),
        },
        wire::Failure::Permanent(p) => Failure::Permanent(problem(p)?),
        wire::Failure::InvalidInput(p) => Failure::InvalidInput(problem(p)?),
        wire::Failure::Denied(p) => Failure::Denied(problem(p)?),
        wire::Failure::Other(message) => Failure::Other(message),
    })
}

/// One answer for each of so many calls; the error names the first that is wrong.
pub(super) fn batch(
    answers: Vec<Result<wire_adapter::Step, wire::Failure>>,
    expected: usize,
) -> Result<Vec<Result<Step, Failure>>, String> {
    if answers.len() != expected {
        return Err(format!("it returned {} answers to {expected} calls", answers.len()));
    }
    let lifted = answers.into_iter().enumerate().map(|(at, answer)| {
        let lifted = match answer {
            Ok(value) => value.check().map(|()| Ok(step(value))),
            Err(refused) => failure(refused).map(Err),
        };
        lifted.map_err(|why| format!("in its answer number {at}: {why}"))
    });
    lifted.collect()
}

pub(super) fn scores(scores: Vec<f64>, expected: usize) -> Result<Vec<f64>, String> {
    if scores.len() != expected {
        return Err(format!("it returned {} scores for {expected} candidates", scores.len()));
    }
    match scores.iter().position(|score| score.is_nan()) {
        Some(at) => Err(format!("its score number {at} is NaN")),
        None => Ok(scores),
    }
}

fn usage(usage: wire_adapter::Usage) -> Usage {
    Usage {
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        cost: usage.cost.filter(|cost| cost.is_finite()),
        model: usage.model,
    }
}

fn problem(problem: wire::Problem) -> Result<Problem, String> {
    if let Some(detail) = &problem.detail {
        check_json("the detail of its failure", detail)?;
    }
    let wire::Problem { message, code, detail } = problem;
    Ok(Problem { message, code, detail, network: None })
}

fn check_checkpoint(checkpoint: &[u8]) -> Result<(), String> {
    if checkpoint.len() > CHECKPOINT {
        return Err(format!(
            "its checkpoint has {} bytes, more than {CHECKPOINT}",
            checkpoint.len()
        ));
    }
    Ok(())
}

fn check_json(what: &str, text: &str) -> Result<(), String> {
    serde_json::from_str::<Json>(text).map(|_| ()).map_err(|error| match error.to_string() {
        deep if deep.starts_with("recursion limit") => {
            format!("{what} is nested deeper than {DEEPEST} levels")
        }
        other => format!("{what} is not JSON: {other}"),
    })
}

/// Any JSON document that those who parse it later can read as well: unlike
/// [`IgnoredAny`], it counts how deeply the document is nested, and serde_json
/// refuses what goes deeper than [`DEEPEST`] levels.
///
/// [`IgnoredAny`]: serde::de::IgnoredAny
struct Json;

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Json {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON document")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while let Some(Self) = items.next_element()? {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self, A::Error> {
        while let Some((Self, Self)) = entries.next_entry()? {}
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_checked() {
        assert!(PayloadResult::Json("{\"a\": [1]}".into()).check().is_ok());
        for bad in ["", "{", "{} {}", "nul", "'a'", "{1: 2}"] {
            let error = PayloadResult::Json(bad.into()).check().expect_err(bad);
            assert!(error.contains("not JSON"), "{error}");
        }
    }

    #[test]
    fn json_is_nested_as_deeply_as_the_contract_says_and_no_deeper() {
        let nested = |levels| PayloadResult::Json("[".repeat(levels) + &"]".repeat(levels));
        assert!(nested(DEEPEST).check().is_ok());
        let error = nested(DEEPEST + 1).check().expect_err("too deep");
        assert!(error.ends_with("nested deeper than 127 levels"), "{error}");
    }

    #[test]
    fn scores_are_as_many_as_candidates_and_never_nan() {
        assert_eq!(scores(vec![1.0, f64::INFINITY], 2), Ok(vec![1.0, f64::INFINITY]));
        assert!(scores(vec![1.0], 2).is_err());
        assert!(scores(vec![1.0, f64::NAN], 2).expect_err("NaN").contains("number 1"));
    }

    #[test]
    fn checkpoints_are_bounded_and_polls_not_too_soon() {
        let pending = |checkpoint: usize, poll_after| {
            wire_adapter::Step::Pending(wire_adapter::Pending {
                checkpoint: vec![0; checkpoint],
                poll_after,
                fraction: Some(7.0),
                message: None,
            })
        };
        assert!(pending(CHECKPOINT + 1, 0).check().is_err());
        assert!(pending(CHECKPOINT, 0).check().is_ok());
        match step(pending(CHECKPOINT, 0)) {
            Step::Pending(pending) => {
                assert_eq!(pending.poll_after, POLL_AFTER);
                assert_eq!(pending.fraction, Some(1.0));
            }
            other => panic!("{other:?}"),
        }
    }
}
