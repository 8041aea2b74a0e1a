//! Walks YAML by the events of its parser. Aliases are not followed: what they
//! stand for is elsewhere.

use std::borrow::Cow;

use granit_parser::{Event, Parser};

use super::{Kind, Listener};
use crate::problem::Span;

/// Says what the first document of the text holds, until it ends or stops being
/// YAML.
pub(super) fn walk(text: &str, listener: &mut impl Listener) {
    let mut reader = Reader { around: Vec::new(), passing: 0, last_end: 0 };
    for (event, span) in Parser::new_from_str(text).map_while(Result::ok) {
        let Some(bytes) = span.byte_range() else { return };
        let span = Span::between(bytes.start, bytes.end);
        match event {
            Event::SequenceStart(..) => reader.open(Kind::List, span, listener),
            Event::MappingStart(..) => reader.open(Kind::Object, span, listener),
            Event::SequenceEnd | Event::MappingEnd => reader.close(span, listener),
            Event::Scalar(value, ..) => reader.scalar(span, value, listener),
            Event::Alias(_) => reader.scalar(span, Cow::Borrowed(""), listener),
            Event::DocumentEnd => return,
            _ => {}
        }
    }
}

struct Reader {
    around: Vec<Around>,
    /// How many containers deep in one that is passed over.
    passing: usize,
    /// Where the last thing that takes room ended: blocks have no end sign.
    last_end: usize,
}

enum Around {
    List,
    /// Whether the next node is a key.
    Object(bool),
}

impl Reader {
    /// Whether the next node is a key; then what follows it is its value.
    fn takes_key(&mut self) -> bool {
        match self.around.last_mut() {
            Some(Around::Object(key)) => std::mem::replace(key, !*key),
            _ => false,
        }
    }

    fn open(&mut self, kind: Kind, span: Span, listener: &mut impl Listener) {
        if self.passing > 0 {
            self.passing += 1;
            return;
        }
        if self.takes_key() {
            // A key that is itself a list: nothing in a workflow.
            listener.key("", span);
            self.passing = 1;
        } else if listener.open(kind, span.offset) {
            self.around.push(match kind {
                Kind::List => Around::List,
                Kind::Object => Around::Object(true),
            });
        } else {
            self.passing = 1;
        }
    }

    fn close(&mut self, span: Span, listener: &mut impl Listener) {
        if span.length > 0 {
            self.last_end = span.end();
        }
        if self.passing > 0 {
            self.passing -= 1;
        } else {
            self.around.pop();
            listener.close(self.last_end);
        }
    }

    fn scalar(&mut self, span: Span, value: Cow<'_, str>, listener: &mut impl Listener) {
        if span.length > 0 {
            self.last_end = span.end();
        }
        if self.passing > 0 {
            return;
        }
        if self.takes_key() {
            listener.key(&value, span);
        } else {
            listener.scalar(span, || value);
        }
    }
}
