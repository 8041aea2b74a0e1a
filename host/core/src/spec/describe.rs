//! What serde says about a value, in this product's words and with a code.

use super::findings::{brief, near};
use crate::problem::Problem;

/// Makes a problem of a message of serde about the value at `path`.
pub(super) fn describe(message: &str, path: String) -> Problem {
    if let Some(rest) = message.strip_prefix("unknown field `") {
        return unknown("unknown-field", "there is no field", rest, path);
    }
    if let Some(rest) = message.strip_prefix("unknown variant `") {
        return unknown("unknown-value", "there is no value", rest, path);
    }
    if let Some(rest) = message.strip_prefix("missing field `") {
        let field = rest.split('`').next().unwrap_or_default();
        return Problem::error("missing-field", path, format!("the field '{field}' is missing"))
            .hint(format!("add '{field}'"));
    }
    if message.starts_with("recursion limit") {
        return too_deep(path);
    }
    for (code, prefix) in [("wrong-type", "invalid type: "), ("out-of-range", "invalid value: ")] {
        if let Some((found, expected)) =
            message.strip_prefix(prefix).and_then(|rest| rest.rsplit_once(", expected "))
        {
            let message = format!("expected {}, found {}", wanted(expected), was(found));
            let problem = Problem::error(code, path, message);
            return problem.hint(format!("write {}, or leave it out", wanted(expected)));
        }
    }
    Problem::error("wrong-type", path, brief(&message.replace('`', "'")))
}

/// What is nested deeper than anyone can read.
pub(super) fn too_deep(path: String) -> Problem {
    let most = super::limits::MAX_DEPTH;
    let message = format!("lists and objects are nested more than {most} levels deep");
    Problem::error("too-deep", path, message).hint("put what is that deep into a string")
}

/// A field that does not exist, with the nearest of `known` or all of them.
pub(super) fn unknown_field<'k>(
    wrong: &str,
    known: impl IntoIterator<Item = &'k str>,
    path: String,
) -> Problem {
    name("unknown-field", "there is no field", wrong, known.into_iter().collect(), path)
}

/// `rest` is what serde says after the first back quote: the wrong name, and
/// then those it knows.
fn unknown(code: &'static str, what: &str, rest: &str, path: String) -> Problem {
    // A wrong name may itself have back quotes; "`, " ends it.
    let (wrong, rest) = rest.rsplit_once("`, expected ").unwrap_or((rest, ""));
    name(code, what, wrong, rest.split('`').skip(1).step_by(2).collect(), path)
}

fn name(code: &'static str, what: &str, wrong: &str, known: Vec<&str>, path: String) -> Problem {
    let problem = Problem::error(code, path, format!("{what} '{}'", brief(wrong)));
    match near(wrong, known.iter().copied()) {
        Some(near) => problem.hint(format!("did you mean '{near}'?")),
        None => problem.hint(format!("expected one of {}", known.join(", "))),
    }
}

fn wanted(expected: &str) -> &str {
    match expected {
        "f64" => "a number",
        "i64" => "a whole number",
        "u32" | "u64" => "a whole number from 0",
        "a sequence" => "a list",
        "a map" => "an object",
        "string or map" | "variant identifier" => "a word",
        other if other.starts_with("struct ") => "an object",
        other => other,
    }
}

fn was(found: &str) -> String {
    let number = |rest: &str| rest.trim_matches('`').to_owned();
    match found.split_once(' ') {
        Some(("string", text)) => format!("the string {}", brief(text)),
        Some(("integer", rest)) => number(rest),
        Some(("floating", rest)) => {
            number(rest.trim_start_matches("point ")).trim_end_matches(".0").to_owned()
        }
        Some(("boolean", rest)) => number(rest),
        _ => match found {
            "sequence" => "a list".to_owned(),
            "map" => "an object".to_owned(),
            "unit value" => "null".to_owned(),
            other => brief(other),
        },
    }
}
