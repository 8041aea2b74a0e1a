//! How a payload stands *within* a JSON document: documents as they are, without
//! the space around them, text as a string, bytes as `{media_type, base64}`.
//! That is what serde_json makes of it, here without having all of it in memory.

use std::io::{self, Write};

use base64::engine::general_purpose::STANDARD as BASE64;
use base64::write::EncoderWriter;
use consort_plugin_host::Payload;

use super::Form;
use crate::report::JsonPayload;

/// How a payload stands within a document; none for what is not JSON and says so.
pub(super) fn text(payload: &Payload) -> Option<String> {
    serde_json::to_string(&JsonPayload(payload)).ok()
}

/// How many bytes that has.
pub(super) fn len(payload: &Payload) -> u64 {
    let len = match payload {
        Payload::Json(text) => text.trim_matches(is_space).len(),
        Payload::Text(text) => 2 + text.bytes().map(|byte| escaped(byte).len()).sum::<usize>(),
        Payload::Blob { media_type, data } => {
            head(media_type).len() + data.len().div_ceil(3) * 4 + TAIL.len()
        }
    };
    len as u64
}

/// Writes a payload as it stands within a document, where it has `len` bytes.
/// `each` passes its bytes on.
pub(super) fn write<T>(
    form: &Form,
    len: u64,
    to: &mut dyn Write,
    each: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> io::Result<()> {
    match form {
        Form::Json => drop(each(&mut Trimming { to, left: len, begun: false })?),
        Form::Text => {
            to.write_all(b"\"")?;
            each(&mut Quoting(to))?;
            to.write_all(b"\"")?;
        }
        Form::Blob { media_type } => {
            to.write_all(head(media_type).as_bytes())?;
            let mut encoding = EncoderWriter::new(&mut *to, &BASE64);
            each(&mut encoding)?;
            encoding.finish()?;
            drop(encoding);
            to.write_all(TAIL.as_bytes())?;
        }
    }
    Ok(())
}

/// What comes after the bytes of a blob.
const TAIL: &str = "\"}";

/// What comes before them.
fn head(media_type: &str) -> String {
    let media_type = serde_json::Value::from(media_type);
    format!("{{\"media_type\":{media_type},\"base64\":\"")
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// How serde_json writes a byte of a string.
fn escaped(byte: u8) -> Escaped {
    match byte {
        b'"' => Escaped::Short(b'"'),
        b'\\' => Escaped::Short(b'\\'),
        b'\n' => Escaped::Short(b'n'),
        b'\r' => Escaped::Short(b'r'),
        b'\t' => Escaped::Short(b't'),
        0x08 => Escaped::Short(b'b'),
        0x0c => Escaped::Short(b'f'),
        0..=0x1f => Escaped::Number,
        _ => Escaped::Not,
    }
}

/// How a byte of a string is written.
enum Escaped {
    /// As it is.
    Not,
    /// As a backslash and this.
    Short(u8),
    /// By its number.
    Number,
}

impl Escaped {
    fn len(&self) -> usize {
        match self {
            Self::Not => 1,
            Self::Short(_) => 2,
            Self::Number => 6,
        }
    }
}

/// Passes a document on without the space before and after it.
struct Trimming<'a> {
    to: &'a mut dyn Write,
    /// Bytes of the document that are still to come.
    left: u64,
    begun: bool,
}

impl Write for Trimming<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        if !self.begun {
            let space = bytes.iter().take_while(|byte| is_space(char::from(**byte))).count();
            rest = &bytes[space..];
            self.begun = !rest.is_empty();
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest.len());
        self.to.write_all(&rest[..most])?;
        self.left -= most as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Passes text on as it stands within a JSON string.
struct Quoting<'a>(&'a mut dyn Write);

impl Write for Quoting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut from = 0;
        for (at, byte) in bytes.iter().enumerate() {
            let escaped = escaped(*byte);
            if matches!(escaped, Escaped::Not) {
                continue;
            }
            self.0.write_all(&bytes[from..at])?;
            from = at + 1;
            match escaped {
                Escaped::Not => {}
                Escaped::Short(letter) => self.0.write_all(&[b'\\', letter])?,
                Escaped::Number => write!(self.0, "\\u{byte:04x}")?,
            }
        }
        self.0.write_all(&bytes[from..])?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In pieces of that many bytes.
    fn written(payload: &Payload, piece: usize) -> String {
        let bytes: &[u8] = match payload {
            Payload::Json(text) | Payload::Text(text) => text.as_bytes(),
            Payload::Blob { data, .. } => data,
        };
        let mut all = Vec::new();
        write(&Form::of(payload), len(payload), &mut all, |to| {
            bytes.chunks(piece).try_for_each(|piece| to.write_all(piece))
        })
        .expect("memory takes everything");
        String::from_utf8(all).expect("text")
    }

    #[test]
    fn what_is_written_piece_by_piece_is_what_serde_writes() {
        let all: String = (0..0x250).filter_map(char::from_u32).collect();
        let bytes: Vec<u8> = (0..=255).collect();
        let blob = |n: usize| Payload::Blob {
            media_type: "a/\"b\"".into(),
            data: bytes[..n].to_vec().into(),
        };
        for payload in [
            Payload::Text(all.as_str().into()),
            Payload::Text("".into()),
            Payload::Json(" \n\t{ \"a\" : [1, 2.50, \" \"] }\r\n ".into()),
            Payload::Json("7".into()),
            blob(0),
            blob(1),
            blob(254),
            blob(256),
        ] {
            let expected = text(&payload).expect("JSON");
            assert_eq!(len(&payload), expected.len() as u64, "{payload:?}");
            for piece in [1, 2, 7, 1_000] {
                assert_eq!(written(&payload, piece), expected, "{piece}");
            }
        }
    }
}
