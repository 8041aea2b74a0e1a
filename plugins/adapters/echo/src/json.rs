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
