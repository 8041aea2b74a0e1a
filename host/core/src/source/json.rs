//! Walks JSON by its bytes. What nobody asks for is passed at the speed of a
//! search for the end of strings and brackets.

use std::borrow::Cow;

use super::{Kind, Listener};
use crate::problem::Span;

/// Says what the text holds, until it ends or stops being JSON.
pub(super) fn walk(text: &str, listener: &mut impl Listener) {
    // Where the text stops making sense, so does the walk.
    let _ = Reader { text, bytes: text.as_bytes(), at: 0 }.document(listener);
}

struct Reader<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
}

impl<'t> Reader<'t> {
    fn document(&mut self, listener: &mut impl Listener) -> Option<()> {
        if self.text.starts_with('\u{feff}') {
            self.at = '\u{feff}'.len_utf8();
        }
        let mut around: Vec<Kind> = Vec::new();
        loop {
            let entered = self.value(listener)?;
            if let Some(kind) = entered {
                around.push(kind);
                if !self.ends(kind) {
                    self.key_if(kind, listener)?;
                    continue;
                }
            }
            // A value has ended; so may what is around it.
            while let Some(&kind) = around.last() {
                if self.ends(kind) {
                    self.at += 1;
                    around.pop();
                    listener.close(self.at);
                } else if self.peek()? == b',' {
                    self.at += 1;
                    self.key_if(kind, listener)?;
                    break;
                } else {
                    return None;
                }
            }
            if around.is_empty() {
                return Some(());
            }
        }
    }

    /// Reads a value, or enters it and says what it is.
    fn value(&mut self, listener: &mut impl Listener) -> Option<Option<Kind>> {
        let first = self.peek()?;
        let start = self.at;
        let kind = match first {
            b'{' => Kind::Object,
            b'[' => Kind::List,
            b'"' => {
                let span = self.string()?;
                listener.scalar(span, || self.decoded(span));
                return Some(None);
            }
            _ => {
                let ends =
                    |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
                let rest = &self.bytes[start..];
                let length = rest.iter().position(ends).unwrap_or(rest.len());
                if length == 0 {
                    return None;
                }
                self.at += length;
                let span = Span { offset: start, length };
                listener.scalar(span, || Cow::Borrowed(&self.text[start..start + length]));
                return Some(None);
            }
        };
        if listener.open(kind, start) {
            self.at += 1;
            return Some(Some(kind));
        }
        self.pass()?;
        Some(None)
    }

    /// In an object, reads the key of the next value.
    fn key_if(&mut self, kind: Kind, listener: &mut impl Listener) -> Option<()> {
        if kind == Kind::List {
            return Some(());
        }
        if self.peek()? != b'"' {
            return None;
        }
        let span = self.string()?;
        if self.peek()? != b':' {
            return None;
        }
        self.at += 1;
        listener.key(&self.decoded(span), span);
        Some(())
    }

    /// The next byte that is not white space, without passing it.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.bytes.get(self.at..)?;
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at += rest.iter().position(|byte| !blank(byte))?;
        Some(self.bytes[self.at])
    }

    /// Whether what is next ends a container of this kind.
    fn ends(&mut self, kind: Kind) -> bool {
        let end = if kind == Kind::Object { b'}' } else { b']' };
        self.peek() == Some(end)
    }

    /// Passes a string that starts here; its span has the quotes.
    fn string(&mut self) -> Option<Span> {
        let start = self.at;
        self.at += 1;
        loop {
            let rest = self.bytes.get(self.at..)?;
            let found = memchr::memchr2(b'"', b'\\', rest)?;
            self.at += found + 1;
            if rest[found] == b'"' {
                return Some(Span::between(start, self.at));
            }
            self.at += 1;
        }
    }

    /// What a string says.
    fn decoded(&self, span: Span) -> Cow<'t, str> {
        let quoted = &self.text[span.offset..span.end()];
        let inner = &quoted[1..quoted.len() - 1];
        if !inner.contains('\\') {
            return Cow::Borrowed(inner);
        }
        serde_json::from_str(quoted).map_or(Cow::Borrowed(inner), Cow::Owned)
    }

    /// Passes a list or an object that starts here.
    fn pass(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            let rest = self.bytes.get(self.at..)?;
            let telling = |byte: &u8| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']');
            self.at += rest.iter().position(telling)?;
            match self.bytes[self.at] {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                _ => depth -= 1,
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }
}
