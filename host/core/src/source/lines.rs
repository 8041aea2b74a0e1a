//! Lines end with a line feed; columns count characters. A byte order mark is
//! not a character of the first line.

use memchr::{memchr, memrchr};

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
        let breaks = passed.iter().filter(|byte| **byte == b'\n').count();
        let last = match memrchr(b'\n', passed) {
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
    let mut start = 0;
    for _ in 1..line {
        match memchr(b'\n', &text.as_bytes()[start..]) {
            Some(found) => start += found + 1,
            None => break,
        }
    }
    if start == 0 && text.starts_with('\u{feff}') {
        start = '\u{feff}'.len_utf8();
    }
    let rest = &text[start..];
    let length = memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
    let line = rest[..length].trim_end_matches('\r');
    let skipped = column.saturating_sub(1);
    let within = match unit {
        Unit::Characters => line.char_indices().nth(skipped).map_or(line.len(), |(at, _)| at),
        Unit::Bytes => line.floor_char_boundary(skipped),
    };
    let length = line[within..].chars().next().map_or(0, char::len_utf8);
    Span { offset: start + within, length }
}

/// What a parser counts columns in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unit {
    Bytes,
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
