//! From one field as written to the value the plan works with. Each function
//! reports what is out of range and goes on with a value that will do.

use serde_json::Value;

use super::{Deadline, Resources};
use crate::problem::Problem;
use crate::retry::RetryPolicy;
use crate::spec::{JitterDoc, ResourcesDoc, RetryDoc};

/// A year: more than any span in a workflow can mean.
const MAX_SECONDS: f64 = 366.0 * 86_400.0;

/// Seconds as written, to milliseconds.
pub(super) fn millis(seconds: f64, path: &str, problems: &mut Vec<Problem>) -> u64 {
    if (0.0..=MAX_SECONDS).contains(&seconds) {
        return (seconds * 1_000.0).round() as u64;
    }
    problems.push(
        Problem::error("out-of-range", path, format!("{seconds} is not a time in seconds"))
            .hint("give a number from 0 to 31622400 (a year)"),
    );
    0
}

pub(super) fn priority(value: i64, path: &str, problems: &mut Vec<Problem>) -> u8 {
    match u8::try_from(value) {
        Ok(priority @ 1..=10) => priority,
        _ => {
            problems.push(
                Problem::error("out-of-range", path, format!("{value} is not a priority"))
                    .hint("priorities go from 1 to 10, 10 first"),
            );
            5
        }
    }
}

pub(super) fn retry(doc: &RetryDoc, path: &str, problems: &mut Vec<Problem>) -> RetryPolicy {
    let mut policy = RetryPolicy::default();
    if let Some(max_attempts) = doc.max_attempts {
        if !(1..=1_000).contains(&max_attempts) {
            problems.push(
                Problem::error(
                    "out-of-range",
                    format!("{path}.max_attempts"),
                    format!("{max_attempts} is not a number of attempts"),
                )
                .hint("give a number from 1 to 1000; the first attempt counts"),
            );
        }
        policy.max_attempts = max_attempts;
    }
    policy.backoff = doc.backoff.unwrap_or(policy.backoff);
    if let Some(seconds) = doc.initial_delay {
        policy.initial_delay = millis(seconds, &format!("{path}.initial_delay"), problems);
    }
    if let Some(seconds) = doc.max_delay {
        policy.max_delay = millis(seconds, &format!("{path}.max_delay"), problems);
    }
    policy.jitter = match doc.jitter {
        None => policy.jitter,
        Some(JitterDoc::Switch(on)) => f64::from(u8::from(on)),
        Some(JitterDoc::Share(share)) if (0.0..=1.0).contains(&share) => share,
        Some(JitterDoc::Share(share)) => {
            problems.push(
                Problem::error(
                    "out-of-range",
                    format!("{path}.jitter"),
                    format!("{share} is not a share"),
                )
                .hint("give a number from 0 to 1, true or false"),
            );
            policy.jitter
        }
    };
    policy
}

/// RFC 3339, a duration such as `90s` or `1h 30m`, or seconds.
pub(super) fn deadline(value: &Value, path: &str, problems: &mut Vec<Problem>) -> Option<Deadline> {
    let problem = match value {
        Value::Number(seconds) => {
            let seconds = seconds.as_f64().unwrap_or(-1.0);
            return Some(Deadline::After(millis(seconds, path, problems)));
        }
        Value::String(text) => {
            if let Ok(at) = text.parse::<jiff::Timestamp>() {
                return Some(Deadline::At(at.as_millisecond()));
            }
            match text.parse::<jiff::SignedDuration>() {
                Ok(span) if !span.is_negative() => {
                    return Some(Deadline::After(millis(span.as_secs_f64(), path, problems)));
                }
                _ => format!("'{text}' is neither a time nor a duration"),
            }
        }
        _ => "a deadline is a string or a number of seconds".to_owned(),
    };
    problems.push(
        Problem::error("bad-deadline", path, problem).hint(
            "write RFC 3339 (2027-01-31T12:00:00Z) or a duration from submission (90s, 1h 30m)",
        ),
    );
    None
}

pub(super) fn resources(doc: &ResourcesDoc, path: &str, problems: &mut Vec<Problem>) -> Resources {
    let network = doc.network.as_ref();
    let resources = Resources {
        fuel: doc.fuel,
        memory: doc.memory,
        network_bytes: network.and_then(|network| network.bytes),
        network_rate: network.and_then(|network| network.bytes_per_second),
    };
    if resources.network_rate == Some(0) {
        problems.push(
            Problem::error(
                "out-of-range",
                format!("{path}.network.bytes_per_second"),
                "a rate of 0 never ends",
            )
            .hint("leave the field out, or set 'network.bytes' to 0 to forbid the network"),
        );
    }
    resources
}
