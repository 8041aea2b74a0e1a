//! Lines end with a line feed, a carriage return, or a carriage return and a line
//! feed, as they do in YAML and in editors; columns count characters. A byte order mark
//! is not a character of the first line.

use memchr::{memchr, memchr2, memchr2_iter, memrchr2};

use crate::problem::Span;

/// A line and a column, both from 1.
pub(crate) type Place = (usize, usize);

/// The line and the column, both from 1, of what comes after a text.
pub(crate) fn place(before: &str) -> Place {
    places(before, [before.len()])[0]
}

/// The place of each offset; these ascend. Linear in the text and the offsets.
pub(super) fn places(text: &str, offsets: impl IntoIterator<Item = usize>) -> Vec<Place> {
    let bytes = text.as_bytes();
    let (mut at, mut line, mut column) = (0, 1, 1);
    let mut place = |offset: usize| {
        let passed = &bytes[at..offset.clamp(at, bytes.len())];
        // A line feed that belongs to a carriage return ends no line of its own.
        let ends =
            |end: &usize| bytes[at + end] == b'\n' || bytes.get(at + end + 1) != Some(&b'\n');
        let breaks = memchr2_iter(b'\n', b'\r', passed).filter(ends).count();
        let last = match memchr2_iter(b'\n', b'\r', passed).rfind(ends) {
            Some(last) => {
                column = 1;
                &passed[last + 1..]
            }
            None => passed,
        };
        line += breaks;
        column += characters(last);
        if at == 0 && breaks == 0 && text.starts_with('\u{feff}') && !passed.is_empty() {
            column -= 1;
        }
        at += passed.len();
        (line, column)
    };
    offsets.into_iter().map(&mut place).collect()
}

/// Characters that start in these bytes.
fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| (**byte & 0xc0) != 0x80).count()
}

/// The character at a line and a column, counted in `unit`s; the nearest one
/// there is.
pub(super) fn character(text: &str, line: usize, column: usize, unit: Unit) -> Span {
    let bytes = text.as_bytes();
    let mut start = 0;
    for _ in 1..line {
        let end = match unit {
            Unit::Bytes => memchr(b'\n', &bytes[start..]),
            Unit::Characters => end_of_line(&bytes[start..]),
        };
        match end {
            Some(end) => start += end + break_at(&bytes[start + end..]),
            None => break,
        }
    }
    if start == 0 && text.starts_with('\u{feff}') {
        start = '\u{feff}'.len_utf8();
    }
    let rest = &text[start..];
    let line = match unit {
        Unit::Bytes => rest.split('\n').next().unwrap_or_default(),
        Unit::Characters => &rest[..end_of_line(rest.as_bytes()).unwrap_or(rest.len())],
    };
    let line = line.trim_end_matches('\r');
    let skipped = column.saturating_sub(1);
    let within = match unit {
        Unit::Characters => line.char_indices().nth(skipped).map_or(line.len(), |(at, _)| at),
        Unit::Bytes => line.floor_char_boundary(skipped),
    };
    let length = line[within..].chars().next().map_or(0, char::len_utf8);
    Span { offset: start + within, length }
}

/// Where the first line of these bytes ends, if it does.
pub(super) fn end_of_line(bytes: &[u8]) -> Option<usize> {
    memchr2(b'\n', b'\r', bytes)
}

/// Where the last line of these bytes starts, if a line ends before it.
pub(super) fn start_of_line(bytes: &[u8]) -> Option<usize> {
    memrchr2(b'\n', b'\r', bytes).map(|end| end + 1)
}

/// Bytes of the line break that these begin with.
pub(super) fn break_at(bytes: &[u8]) -> usize {
    match bytes {
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => 0,
    }
}

/// What a parser counts columns in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unit {
    /// Bytes, in lines that only a line feed ends: that of JSON.
    Bytes,
    /// Characters, in lines as they are here: that of YAML.
    Characters,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_are_counted_in_characters() {
        let text = "\u{feff}äb\r\n\tc\n\n日本x";
        let offset = |part: &str| text.find(part).unwrap();
        let offsets = [offset("ä"), offset("b"), offset("c"), offset("日"), offset("x"), 99];
        assert_eq!(places(text, offsets), [(1, 1), (1, 2), (2, 2), (4, 1), (4, 3), (4, 4)]);
    }

    #[test]
    fn a_carriage_return_ends_a_line_alone_or_with_a_line_feed() {
        let text = "a\rb\r\nc\n\rd\r\r\ne";
        let offset = |part: &str| text.find(part).unwrap();
        let offsets = ["a", "b", "c", "d", "e"].map(offset);
        assert_eq!(places(text, offsets), [(1, 1), (2, 1), (3, 1), (5, 1), (7, 1)]);
        // Between the two nothing begins.
        assert_eq!(places(text, [offset("b") + 2, offset("c")]), [(2, 3), (3, 1)]);
        for (line, expected) in [(1, "a"), (2, "b"), (3, "c"), (5, "d"), (7, "e")] {
            let span = character(text, line, 1, Unit::Characters);
            assert_eq!(&text[span.offset..span.end()], expected, "{line}");
        }
    }

    #[test]
    fn a_place_leads_back_to_its_character() {
        let text = "äb\r\n\tc\n";
        for (line, column, unit, expected) in [
            (1, 2, Unit::Characters, "b"),
            (1, 3, Unit::Bytes, "b"),
            (1, 2, Unit::Bytes, "ä"),
            (2, 2, Unit::Bytes, "c"),
            (1, 99, Unit::Characters, ""),
            (99, 0, Unit::Bytes, ""),
        ] {
            let span = character(text, line, column, unit);
            assert_eq!(&text[span.offset..span.end()], expected, "{line}:{column}");
        }
    }
}
