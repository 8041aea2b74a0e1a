//! An *excerpt* is what a reader is shown of a text around some places: a line
//! before, the line, a line after. However long the text and its lines are, an
//! excerpt is short and takes no longer to make than it is long.

use std::fmt::Debug;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use super::lines::{break_at, end_of_line, start_of_line};
use crate::problem::Span;

/// Bytes of a line that are shown before and after a place.
const AROUND: usize = 100;

/// The lines around some places, with those places in them.
#[derive(Debug, Default)]
pub(crate) struct Excerpt {
    name: String,
    text: String,
    blocks: Vec<Block>,
    /// The places, in the order they were given, in the text of the excerpt.
    pub(crate) spans: Vec<Span>,
    /// Line and column of each.
    places: Vec<(usize, usize)>,
}

/// Lines that follow each other.
#[derive(Debug)]
struct Block {
    /// The number of the first line, from 1.
    line: usize,
    lines: usize,
    start: usize,
    end: usize,
}

/// A place to show: where it is, and its line and column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    pub(crate) span: Span,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// A part of one line.
#[derive(Debug, Clone, Copy)]
struct Row {
    number: usize,
    start: usize,
    end: usize,
    /// Whether the line goes on before and after it.
    cut: (bool, bool),
}

impl Excerpt {
    /// What to show of `text`, which is called `name`, around places in it, the
    /// first place first.
    pub(crate) fn new(name: &str, text: &str, shown: &[Shown]) -> Self {
        let mut excerpt = Self {
            name: printable(name).collect(),
            spans: vec![Span::default(); shown.len()],
            places: shown.iter().map(|shown| (shown.line, shown.column)).collect(),
            ..Self::default()
        };
        let mut order: Vec<usize> = (0..shown.len()).collect();
        order.sort_by_key(|place| shown[*place].span);
        let mut waiting = order.into_iter().peekable();
        let mut groups: Vec<(Vec<Row>, Vec<usize>)> = Vec::new();
        while let Some(place) = waiting.next() {
            let mut places = vec![place];
            let mut rows = rows_around(text, shown[place]);
            // What follows closely enough is shown in one block.
            while let Some(next) = waiting.next_if(|next| joined(text, &mut rows, shown[*next])) {
                places.push(next);
            }
            groups.push((rows, places));
        }
        // What it is all about comes first.
        groups.sort_by_key(|(_, places)| !places.contains(&0));
        for (rows, places) in groups {
            excerpt.push(text, &rows, &places, shown);
        }
        excerpt
    }

    /// What the text is called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn push(&mut self, text: &str, rows: &[Row], places: &[usize], shown: &[Shown]) {
        let start = self.text.len();
        for row in rows {
            if row.cut.0 {
                self.text.push('…');
            }
            let mut at = row.start;
            let mut marks: Vec<(usize, usize, bool)> = Vec::new();
            for place in places.iter().filter(|place| shown[**place].line == row.number) {
                let span = shown[*place].span;
                marks.push((span.offset, *place, true));
                marks.push((span.end(), *place, false));
            }
            marks.sort_unstable();
            for (offset, place, starts) in marks {
                let offset = offset.clamp(at, row.end);
                self.text.extend(printable(&text[at..offset]));
                at = offset;
                let here = self.text.len();
                let span = &mut self.spans[place];
                *span = match starts {
                    true => Span { offset: here, length: 0 },
                    false => Span::between(span.offset, here),
                };
            }
            self.text.extend(printable(&text[at..row.end]));
            self.text.push_str(if row.cut.1 { "…\n" } else { "\n" });
        }
        let line = rows.first().map_or(1, |row| row.number);
        self.blocks.push(Block { line, lines: rows.len(), start, end: self.text.len() });
    }
}

/// The line of a place, the one before and the one after.
fn rows_around(text: &str, shown: Shown) -> Vec<Row> {
    let row = row(text, shown.span, shown.line);
    let mut rows = Vec::with_capacity(3);
    if !row.cut.0 && row.start > 0 && shown.line > 1 {
        let before = text.floor_char_boundary(row.start.saturating_sub(AROUND));
        let bytes = text.as_bytes();
        let both = row.start > 1 && break_at(&bytes[row.start - 2..]) == 2;
        let end = row.start - if both { 2 } else { 1 };
        let start = start_of_line(&bytes[before.min(end)..end]).map(|at| before + at);
        // Where a long line ends is nothing to learn from.
        if let Some(start) = start.or((before == 0).then_some(0)) {
            rows.push(self::row(text, Span { offset: start, length: 0 }, shown.line - 1));
        }
    }
    rows.push(row);
    rows.extend(row_after(text, row));
    rows
}

fn row_after(text: &str, row: Row) -> Option<Row> {
    let start = row.end + break_at(&text.as_bytes()[row.end..]);
    let after = !row.cut.1 && row.end < start && start < text.len();
    after.then(|| self::row(text, Span { offset: start, length: 0 }, row.number + 1))
}

/// The line a span is in, or as much of it as is readable around the span.
fn row(text: &str, span: Span, number: usize) -> Row {
    let bytes = text.as_bytes();
    let offset = text.floor_char_boundary(span.offset.min(text.len()));
    let from = text.floor_char_boundary(offset.saturating_sub(AROUND));
    let to = text.ceil_char_boundary((span.end() + AROUND).min(text.len()));
    let start = start_of_line(&bytes[from..offset]).map(|at| from + at);
    let end = end_of_line(&bytes[offset..to]).map(|at| offset + at);
    let cut = (start.is_none() && from > 0, end.is_none() && to < text.len());
    let start = start.unwrap_or(from);
    let start = if text[start..].starts_with('\u{feff}') { start + 3 } else { start };
    let end = end.unwrap_or(to);
    Row { number, start, end, cut }
}

/// Adds the rows around another place to these, if they meet and all are whole.
fn joined(text: &str, rows: &mut Vec<Row>, next: Shown) -> bool {
    let whole = |row: &Row| row.cut == (false, false);
    let more = rows_around(text, next);
    let (Some(last), Some(first)) = (rows.last(), more.first()) else { return false };
    if first.number > last.number + 1 || !rows.iter().chain(&more).all(whole) {
        return false;
    }
    let last = last.number;
    rows.extend(more.into_iter().filter(|row| row.number > last));
    true
}

/// A text without characters that a terminal would obey or a reader would be
/// misled by.
pub(crate) fn printable(text: &str) -> impl Iterator<Item = char> + '_ {
    let obeyed = |c: char| c.is_control() && c != '\t';
    let misleading = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(move |c| if obeyed(c) || misleading(c) { '\u{fffd}' } else { c })
}

impl SourceCode for Excerpt {
    /// Always whole blocks; with no lines of context asked for, what is wanted
    /// is the line and column of a place.
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let (start, end) = (span.offset(), span.offset() + span.len());
        let holds = |block: &&Block| block.start <= start && end < block.end;
        let block = self.blocks.iter().find(holds).ok_or(MietteError::OutOfBounds)?;
        let mut place = (block.line, 1);
        if (lines_before, lines_after) == (0, 0) {
            let known = self.spans.iter().zip(&self.places);
            let mut known = known.filter(|(span, _)| span.offset == start);
            place = known.next().map_or(place, |(_, place)| *place);
        }
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            &self.text.as_bytes()[block.start..block.end],
            (block.start, block.end - block.start).into(),
            place.0.saturating_sub(1),
            place.1.saturating_sub(1),
            block.lines,
        )))
    }
}

#[cfg(test)]
mod tests;
