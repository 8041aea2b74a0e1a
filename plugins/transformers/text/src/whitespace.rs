//! *White space*: what Unicode says it is, joined into as little as is needed.

use std::borrow::Cow;

use crate::config::Whitespace;

/// Joins runs of white space as configured.
pub(crate) fn apply(whitespace: Whitespace, text: Cow<'_, str>) -> Cow<'_, str> {
    match whitespace {
        Whitespace::Keep => text,
        Whitespace::Collapse => Cow::Owned(collapse(&text)),
        Whitespace::Lines => Cow::Owned(lines(&text)),
    }
}

/// Every run becomes one space; at the ends too.
fn collapse(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_run = false;
    for c in text.chars() {
        if !c.is_whitespace() {
            out.push(c);
        } else if !in_run {
            out.push(' ');
        }
        in_run = c.is_whitespace();
    }
    out
}

/// Every run inside a line becomes one space, lines lose it at their ends, and
/// of several empty lines one is left.
fn lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = 0;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        empty = if line.is_empty() { empty + 1 } else { 0 };
        if empty > 1 {
            continue;
        }
        if number > 0 {
            out.push('\n');
        }
        out.push_str(&collapse(line));
    }
    if text.ends_with('\n') {
        out.push('\n');
    }
    out
}
