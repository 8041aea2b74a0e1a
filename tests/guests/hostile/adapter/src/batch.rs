//! Answers to several tasks that nobody wants.

use consort_plugin_sdk::{Failure, Invocation, Payload, Step};

type Answers = Vec<Result<Step, Failure>>;

fn fine(count: usize) -> Answers {
    (0..count).map(|_| Ok(Step::text("fine"))).collect()
}

pub(crate) fn batch_too_short(calls: &[Invocation]) -> Answers {
    fine(calls.len() - 1)
}

pub(crate) fn batch_too_long(calls: &[Invocation]) -> Answers {
    fine(calls.len() + 1)
}

pub(crate) fn batch_empty(_: &[Invocation]) -> Answers {
    Vec::new()
}

pub(crate) fn batch_trap(_: &[Invocation]) -> Answers {
    panic!("this plugin meant to panic")
}

pub(crate) fn batch_over_fuel(calls: &[Invocation]) -> Answers {
    let never = crate::compute::endless_loop(&calls[0]);
    vec![never]
}

/// Each answer is within the limit, and all of them together are not.
pub(crate) fn batch_huge(calls: &[Invocation]) -> Answers {
    calls.iter().map(|_| Ok(Step::text("x".repeat(5 << 20)))).collect()
}

pub(crate) fn batch_invalid_json(calls: &[Invocation]) -> Answers {
    let mut answers = fine(calls.len());
    answers[1] = Ok(Step::done(Payload::Json("{".into())));
    answers
}

/// The first task is refused a request and fails for it, the second fails by
/// itself, and the others do not mind.
pub(crate) fn batch_ask_denied_host(calls: &[Invocation]) -> Answers {
    let mut answers = fine(calls.len());
    answers[0] = crate::network::ask_denied_host(&calls[0]);
    answers
}
