//! Writing *JSON* without a parser's weight: the component stays a fraction of
//! its size, and instantiates faster for it.

use consort_plugin_sdk::Payload;
use consort_plugin_sdk::payload::base64;

/// Appends a JSON string.
pub(crate) fn string(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..'\x20' => {
                out.push_str("\\u00");
                out.push(char::from(HEX[usize::from(c as u8 >> 4)]));
                out.push(char::from(HEX[usize::from(c as u8 & 15)]));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

/// Appends a payload; the host has checked that JSON payloads are JSON.
pub(crate) fn payload(out: &mut String, payload: &Payload) {
    match payload {
        Payload::Json(text) => out.push_str(text),
        Payload::Text(text) => string(out, text),
        Payload::Blob(blob) => {
            out.push_str("{\"media_type\":");
            string(out, &blob.media_type);
            out.push_str(",\"base64\":\"");
            out.push_str(&base64(&blob.data));
            out.push_str("\"}");
        }
    }
}

/// How deeply a JSON document is nested: 0 for a number, 1 for `[]`.
pub(crate) fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    deepest
}

/// Goes on behind the end of a string that has begun.
fn skip_string(bytes: &mut std::str::Bytes<'_>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => _ = bytes.next(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_strings_do_not_nest() {
        for (text, expected) in [
            ("7", 0),
            ("[]", 1),
            (r#"{"a": [1, {"b": 2}], "c": []}"#, 3),
            (r#"["[[[[", "\"[[", "\\", []]"#, 2),
            ("[[", 2),
        ] {
            assert_eq!(depth(text), expected, "{text}");
        }
    }
}
