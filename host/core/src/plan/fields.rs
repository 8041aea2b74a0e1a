//! From one field as written to the value the plan works with. Each function
//! reports what is out of range and goes on with a value that will do.

use std::collections::BTreeMap;

use super::{Batching, Budget, Deadline, Resources};
use crate::problem::Problem;
use crate::rate::Rate;
use crate::retry::{Backoff, RetryPolicy};
use crate::spec::limits::{MAX_BATCH, MAX_NAME, MAX_SECONDS};
use crate::spec::{
    BatchDoc, BudgetDoc, DeadlineDoc, DurationDoc, Findings, JitterDoc, LabelDoc, LabelsDoc,
    RateDoc, ResourcesDoc, RetryDoc, brief,
};

/// Where a field stands, spelled out only if there is something to report:
/// called with the name of a field within it, or with nothing.
pub(super) type At<'a> = &'a dyn Fn(&str) -> String;

fn out_of_range(path: String, message: String, hint: &str) -> Problem {
    Problem::error("out-of-range", path, message).hint(hint)
}

/// Seconds as written, to milliseconds.
pub(super) fn millis(
    seconds: f64,
    at: impl FnOnce() -> String,
    findings: &mut Findings,
) -> Option<u64> {
    if (0.0..=MAX_SECONDS).contains(&seconds) {
        return Some((seconds * 1_000.0).round() as u64);
    }
    let hint = format!("give a number from 0 to {MAX_SECONDS} (a year)");
    let message = match seconds.abs() < 1e15 {
        true => format!("{seconds} is not a time in seconds"),
        false => format!("{seconds:e} is not a time in seconds"),
    };
    findings.push(out_of_range(at(), message, &hint));
    None
}

/// A limit of time, to milliseconds. One of 0 is surely not meant.
pub(super) fn timeout(
    seconds: f64,
    at: impl Fn() -> String,
    findings: &mut Findings,
) -> Option<u64> {
    let millis = millis(seconds, &at, findings);
    if seconds == 0.0 {
        let message = "a timeout of 0 is over before anything can happen";
        let problem = Problem::error("zero-timeout", at(), message);
        findings.warn(problem.hint("leave it out, or give the seconds it may take"));
    }
    millis
}

pub(super) fn priority(value: i64, at: impl FnOnce() -> String, findings: &mut Findings) -> u8 {
    match u8::try_from(value) {
        Ok(priority @ 1..=10) => priority,
        _ => {
            let hint = "priorities go from 1 to 10, 10 first";
            findings.push(out_of_range(at(), format!("{value} is not a priority"), hint));
            5
        }
    }
}

/// A number from 1 to what fits.
pub(super) fn count(value: u64, at: impl FnOnce() -> String, findings: &mut Findings) -> u32 {
    match u32::try_from(value) {
        Ok(count @ 1..) => count,
        _ => {
            let hint = format!("give a number from 1 to {}", u32::MAX);
            findings.push(out_of_range(at(), format!("{value} is not possible here"), &hint));
            1
        }
    }
}

/// Checks a retry policy of a host's configuration, which says what differs from
/// `usual`. `path` is where it is written.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_retry(
    doc: &RetryDoc,
    usual: RetryPolicy,
    path: &str,
) -> Result<RetryPolicy, Vec<Problem>> {
    let mut findings = Findings::default();
    let at = |field: &str| match field {
        "" => path.to_owned(),
        field => format!("{path}.{field}"),
    };
    let policy = retry(doc, usual, &at, &mut findings);
    match findings.into_problems() {
        problems if problems.is_empty() => Ok(policy),
        problems => Err(problems),
    }
}

/// Milliseconds of a duration in a host's configuration. `path` is where it is
/// written.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_duration(doc: &DurationDoc<'_>, path: &str) -> Result<u64, Vec<Problem>> {
    let mut findings = Findings::default();
    duration(doc, || path.to_owned(), &mut findings).ok_or_else(|| findings.into_problems())
}

/// A retry policy that says what differs from `usual`.
pub(super) fn retry(
    doc: &RetryDoc,
    usual: RetryPolicy,
    at: At<'_>,
    findings: &mut Findings,
) -> RetryPolicy {
    let mut policy = usual;
    match doc.max_attempts.map(|attempts| (attempts, u32::try_from(attempts))) {
        None => {}
        Some((_, Ok(attempts @ 1..=1_000))) => policy.max_attempts = attempts,
        Some((attempts, _)) => findings.push(out_of_range(
            at("max_attempts"),
            format!("{attempts} is not a number of attempts"),
            "give a number from 1 to 1000; the first attempt counts",
        )),
    }
    policy.backoff = doc.backoff.unwrap_or(policy.backoff);
    if let Some(seconds) = doc.initial_delay {
        policy.initial_delay =
            millis(seconds, || at("initial_delay"), findings).unwrap_or(policy.initial_delay);
        policy.max_delay = policy.max_delay.max(policy.initial_delay);
    }
    if let Some(seconds) = doc.max_delay
        && let Some(max_delay) = millis(seconds, || at("max_delay"), findings)
    {
        policy.max_delay = max_delay;
        if policy.max_delay < policy.initial_delay && policy.backoff != Backoff::None {
            let initial = policy.initial_delay as f64 / 1_000.0;
            let message =
                format!("the longest wait, {seconds} s, is shorter than the first, {initial} s");
            findings.push(
                Problem::error("bad-retry", at("max_delay"), message)
                    .hint("raise 'max_delay', or lower 'initial_delay'"),
            );
        }
    }
    policy.jitter = match doc.jitter {
        None => policy.jitter,
        Some(JitterDoc::Switch(on)) => f64::from(u8::from(on)),
        Some(JitterDoc::Share(share)) if (0.0..=1.0).contains(&share) => share,
        Some(JitterDoc::Share(share)) => {
            let hint = "give a number from 0 to 1, true or false";
            findings.push(out_of_range(at("jitter"), format!("{share} is not a share"), hint));
            policy.jitter
        }
    };
    let waits = doc.backoff.is_some_and(|backoff| backoff != Backoff::None)
        || doc.initial_delay.is_some()
        || doc.max_delay.is_some()
        || doc.jitter.is_some();
    let once = doc.max_attempts.unwrap_or(i64::from(usual.max_attempts)) == 1;
    if once && waits {
        let message = "there is only one attempt, so nothing is ever waited for";
        let problem = Problem::error("useless-retry", at(""), message);
        findings.warn(problem.hint("give 'max_attempts' from 2, or remove the policy"));
    }
    policy
}

/// RFC 3339, a duration such as `90s` or `1h 30m`, or seconds. `now` tells
/// whether it has passed.
pub(super) fn deadline(
    doc: &DeadlineDoc<'_>,
    now: i64,
    at: impl Fn() -> String,
    findings: &mut Findings,
) -> Option<Deadline> {
    let deadline = match doc {
        DeadlineDoc::Seconds(seconds) => Deadline::After(millis(*seconds, &at, findings)?),
        DeadlineDoc::Text(text) => match text.parse::<jiff::Timestamp>() {
            Ok(time) => Deadline::At(time.as_millisecond()),
            Err(_) => match span(text) {
                Some(seconds) => Deadline::After(millis(seconds, &at, findings)?),
                None => {
                    let message = format!("'{}' is neither a time nor a duration", brief(text));
                    findings.push(Problem::error("bad-deadline", at(), message).hint(
                        "write RFC 3339 (2027-01-31T12:00:00Z) or a duration from submission (90s, 1h 30m)",
                    ));
                    return None;
                }
            },
        },
    };
    let passed = match deadline {
        Deadline::At(time) => time <= now,
        Deadline::After(span) => span == 0,
    };
    if passed {
        let problem = Problem::error("past-deadline", at(), "this deadline has passed");
        findings.warn(problem.hint("what is not finished by its deadline has failed"));
    }
    Some(deadline)
}

/// A span, to milliseconds.
pub(super) fn duration(
    doc: &DurationDoc<'_>,
    at: impl FnOnce() -> String,
    findings: &mut Findings,
) -> Option<u64> {
    let text = match doc {
        DurationDoc::Seconds(seconds) => return millis(*seconds, at, findings),
        DurationDoc::Text(text) => text,
    };
    match span(text) {
        Some(seconds) => millis(seconds, at, findings),
        None => {
            let message = format!("'{}' is not a duration", brief(text));
            let problem = Problem::error("bad-duration", at(), message);
            findings.push(problem.hint("write a number of seconds, or a duration such as 1h 30m"));
            None
        }
    }
}

/// The seconds of a duration that is not negative.
fn span(text: &str) -> Option<f64> {
    let span = text.parse::<jiff::SignedDuration>().ok()?;
    (!span.is_negative()).then(|| span.as_secs_f64())
}

pub(super) fn resources(doc: &ResourcesDoc, at: At<'_>, findings: &mut Findings) -> Resources {
    let network = doc.network.as_ref();
    let resources = Resources {
        fuel: doc.fuel,
        memory: doc.memory,
        network_bytes: network.and_then(|network| network.bytes),
        network_rate: network.and_then(|network| network.bytes_per_second),
        slots: doc.slots.map(|slots| count(slots, || at("slots"), findings)),
    };
    for (field, given) in [("fuel", resources.fuel), ("memory", resources.memory)] {
        if given == Some(0) {
            let message = format!("without any {field} a plugin can do nothing");
            findings.push(out_of_range(
                at(field),
                message,
                "give a number from 1, or leave it out",
            ));
        }
    }
    if resources.network_rate == Some(0) {
        findings.push(out_of_range(
            at("network.bytes_per_second"),
            "a rate of 0 never ends".to_owned(),
            "leave the field out, or set 'network.bytes' to 0 to forbid the network",
        ));
    }
    resources
}

/// A rate as its author wrote it; `at` is the agent's.
pub(super) fn rate(doc: &RateDoc, at: At<'_>, findings: &mut Findings) -> Option<Rate> {
    let doc = match doc {
        RateDoc::Limits(doc) => doc,
        RateDoc::Text(text) => return rate_of_text(text, || at("rate_limit"), findings),
    };
    let attempts = count(doc.attempts, || at("rate_limit.attempts"), findings);
    let per = duration(&doc.per, || at("rate_limit.per"), findings)?;
    if per == 0 {
        let message = "a rate needs a time, and 0 is none";
        let hint = "give the seconds or a duration, such as 1m";
        findings.push(out_of_range(at("rate_limit.per"), message.to_owned(), hint));
        return None;
    }
    let even = Rate::even(attempts, per);
    let burst = doc.burst.map(|burst| count(burst, || at("rate_limit.burst"), findings));
    Some(Rate { burst: burst.unwrap_or(even.burst), ..even })
}

/// Whether a terminal or a viewer would act on something in a name.
pub(super) fn has_controls(name: &str) -> bool {
    let suspicious = |byte: u8| !(b' '..0x7f).contains(&byte);
    name.bytes().any(suspicious) && name.chars().any(char::is_control)
}

/// What is wrong with such a name.
pub(super) fn control_character(at: String, what: &str, name: &str) -> Problem {
    let found = name.chars().find(|c| c.is_control()).map_or(0, u32::from);
    let message = format!("{what} cannot hold the control character U+{found:04X}");
    Problem::error("control-character", at, message)
        .hint("remove it: names are shown in tables, logs and drawings")
}

/// A rate such as `10/s`.
fn rate_of_text(text: &str, at: impl Fn() -> String, findings: &mut Findings) -> Option<Rate> {
    let parts = text.split_once('/').map(|(attempts, unit)| (attempts.trim(), unit.trim()));
    let per = parts.and_then(|(_, unit)| match unit {
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    });
    let attempts = parts.and_then(|(attempts, _)| attempts.parse::<u64>().ok());
    let (Some(attempts), Some(per)) = (attempts, per) else {
        let message = format!("'{}' is not a rate", brief(text));
        findings.push(Problem::error("bad-rate", at(), message).hint(
            "write attempts per second, minute, hour or day (10/s, 600/m, 1000/h, 5000/d), \
             or {attempts, per, burst}",
        ));
        return None;
    };
    Some(Rate::even(count(attempts, at, findings), per))
}

/// How similar tasks are started together; `at` is the agent's.
pub(super) fn batching(doc: &BatchDoc, at: At<'_>, findings: &mut Findings) -> Option<Batching> {
    let doc = match doc {
        BatchDoc::Switch(on) => return on.then(Batching::default),
        BatchDoc::Limits(doc) => doc,
    };
    let mut batching = Batching::default();
    match doc.max {
        None => {}
        Some(max @ 1..=MAX_BATCH) => batching.max = max as u32,
        Some(max) => findings.push(out_of_range(
            at("batch.max"),
            format!("{max} is not a number of tasks to start together"),
            "give a number from 1 to 1000",
        )),
    }
    if let Some(linger) = &doc.linger {
        batching.linger = duration(linger, || at("batch.linger"), findings).unwrap_or_default();
    }
    Some(batching)
}

pub(super) fn budget(doc: &BudgetDoc, findings: &mut Findings) -> Budget {
    if doc.tokens == Some(0) {
        let hint = "give a number from 1, or leave it out";
        findings.push(out_of_range("budget.tokens".into(), "0 tokens are none".into(), hint));
    }
    if let Some(cost) = doc.cost.filter(|cost| !(cost.is_finite() && *cost > 0.0)) {
        let hint = "give a number above 0, or leave it out";
        findings.push(out_of_range("budget.cost".into(), format!("{cost} is no budget"), hint));
    }
    Budget { tokens: doc.tokens, cost: doc.cost }
}

pub(super) fn labels(
    doc: &LabelsDoc<'_>,
    at: At<'_>,
    findings: &mut Findings,
) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for (name, label) in &doc.0 {
        match label {
            LabelDoc::Text(label) if name.len().max(label.len()) <= MAX_NAME => {
                labels.insert(name.to_string(), label.to_string());
            }
            LabelDoc::Text(_) => {
                let message = format!("a label has at most {MAX_NAME} bytes");
                let problem = Problem::error("too-long", at(&brief(name)), message);
                findings.push(problem.hint("shorten it, or use 'metadata'"));
            }
            LabelDoc::Other => findings.push(
                Problem::error("wrong-type", at(&brief(name)), "a label is a string")
                    .hint("put it in quotes, or use 'metadata'"),
            ),
        }
    }
    labels
}
