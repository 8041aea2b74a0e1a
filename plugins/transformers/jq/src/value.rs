//! Payloads as jq values and back.
//!
//! jq's values are JSON's and three more: NaN and the infinities, byte strings,
//! and objects with keys that are not strings. NaN becomes null and an infinity
//! the largest number, as jq does; the others are refused.

use consort_plugin_sdk::payload::base64;
use consort_plugin_sdk::{Failure, Payload, TransformContext, serde_json};
use jaq_json::{Map, Num, Val, read::parse_single};

/// How deep documents may be nested, coming in and going out: as deep as the
/// host takes results. Beyond, this is the failure of a filter and not a fault.
const MAX_DEPTH: usize = 127;

/// Reads a payload; `what` names it in the failure, `InvalidInput`.
pub(crate) fn read(what: &str, payload: &Payload) -> Result<Val, Failure> {
    match payload {
        Payload::Json(text) => {
            if depth(text) > MAX_DEPTH {
                return Err(too_deep(what));
            }
            parse_single(text.as_bytes())
                .map_err(|error| Failure::invalid_input(format!("{what} is not JSON: {error}")))
        }
        Payload::Text(text) => Ok(string(text)),
        Payload::Blob(blob) => Ok(object([
            ("media_type", string(&blob.media_type)),
            ("base64", string(&base64(&blob.data))),
        ])),
    }
}

/// What a filter knows as `$task`.
pub(crate) fn task(context: &TransformContext) -> Val {
    object([
        ("task_id", string(&context.task_id)),
        ("run_id", string(&context.run_id)),
        ("for_task", context.for_task.as_deref().map_or(Val::Null, string)),
    ])
}

/// A result as a payload: text for a string, JSON for anything else.
pub(crate) fn write(value: &Val) -> Result<Payload, Failure> {
    if let Val::TStr(bytes) = value {
        return Ok(Payload::Text(String::from_utf8_lossy(bytes).into_owned()));
    }
    let mut out = String::new();
    write_json(value, 0, &mut out)?;
    Ok(Payload::Json(out))
}

/// All results as one array.
pub(crate) fn write_array(
    values: impl Iterator<Item = Result<Val, Failure>>,
) -> Result<Payload, Failure> {
    let mut out = String::from("[");
    for (at, value) in values.enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_json(&value?, 1, &mut out)?;
    }
    out.push(']');
    Ok(Payload::Json(out))
}

/// `depth` is the number of arrays and objects around the value.
fn write_json(value: &Val, depth: usize, out: &mut String) -> Result<(), Failure> {
    if depth >= MAX_DEPTH && matches!(value, Val::Arr(_) | Val::Obj(_)) {
        return Err(too_deep("the filter's result"));
    }
    match value {
        Val::Null => out.push_str("null"),
        Val::Bool(true) => out.push_str("true"),
        Val::Bool(false) => out.push_str("false"),
        Val::Num(number) => out.push_str(&write_number(number)),
        Val::TStr(bytes) => write_string(&String::from_utf8_lossy(bytes), out),
        Val::BStr(_) => {
            let message = "the filter's result holds raw bytes, which JSON cannot; use '@base64'";
            return Err(Failure::invalid_input(message).with_code("jq-result"));
        }
        Val::Arr(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_json(item, depth + 1, out)?;
            }
            out.push(']');
        }
        Val::Obj(fields) => {
            out.push('{');
            for (at, (key, field)) in fields.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                let Val::TStr(key) = key else {
                    let message = format!(
                        "the filter's result has {key} as an object's key, where JSON needs a \
                         string; use 'tostring'"
                    );
                    return Err(Failure::invalid_input(message).with_code("jq-result"));
                };
                write_string(&String::from_utf8_lossy(key), out);
                out.push(':');
                write_json(field, depth + 1, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn write_string(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

fn write_number(number: &Num) -> String {
    let finite = |number: f64| match number {
        number if number.is_nan() => "null".to_owned(),
        number => Num::Float(number.clamp(f64::MIN, f64::MAX)).to_string(),
    };
    match number {
        Num::Int(_) | Num::BigInt(_) => number.to_string(),
        Num::Float(number) => finite(*number),
        // Read from JSON and not touched since, or from a more generous reader.
        Num::Dec(digits) if is_json_number(digits) => digits.as_str().to_owned(),
        Num::Dec(digits) => finite(digits.parse().unwrap_or(f64::NAN)),
    }
}

/// RFC 8259's grammar of numbers.
fn is_json_number(text: &str) -> bool {
    let digits = |text: &str| {
        let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
        (text.len() - rest.len(), text.len() - rest.len() > 1 && text.starts_with('0'))
    };
    let text = text.strip_prefix('-').unwrap_or(text);
    let (length, leading_zero) = digits(text);
    if length == 0 || leading_zero {
        return false;
    }
    let mut rest = &text[length..];
    if let Some(fraction) = rest.strip_prefix('.') {
        let (length, _) = digits(fraction);
        if length == 0 {
            return false;
        }
        rest = &fraction[length..];
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let (length, _) = digits(exponent);
        return length > 0 && length == exponent.len();
    }
    rest.is_empty()
}

/// How deep a JSON document is nested.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in json.bytes() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn too_deep(what: &str) -> Failure {
    let message = format!("{what} is nested more than {MAX_DEPTH} levels deep");
    Failure::invalid_input(message).with_code("too-deep")
}

fn string(text: &str) -> Val {
    Val::from(text.to_owned())
}

fn object<const N: usize>(fields: [(&str, Val); N]) -> Val {
    Val::obj(fields.into_iter().map(|(key, value)| (string(key), value)).collect::<Map>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_grammar_are_told_from_others() {
        for text in ["0", "-0", "10", "1.5", "-1.50e+10", "1E400", "0.0e-0"] {
            assert!(is_json_number(text), "{text}");
        }
        for text in ["", "-", "+1", "01", "1.", ".5", "1e", "1e+", "0x1", "1 ", "--1", "NaN"] {
            assert!(!is_json_number(text), "{text}");
        }
    }

    #[test]
    fn depth_does_not_count_what_strings_hold() {
        for (json, expected) in
            [("1", 0), ("[]", 1), (r#"{"a":[{}]}"#, 3), (r#"["[[[\"[["]"#, 1), ("[[]],[]", 2)]
        {
            assert_eq!(depth(json), expected, "{json}");
        }
    }
}
