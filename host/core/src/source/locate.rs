//! From the paths of problems to places in the text.

use std::collections::HashMap;

use super::ids::Ids;
use super::lines::{Unit, character, end_of_line, places};
use super::walk;
use super::walk::Walk;

use super::wanted::{Node, Wanted};
use crate::problem::{Problem, Span};
use crate::spec::Format;

/// The longest part of a text that is pointed at, in bytes.
const LONGEST: usize = 160;

/// Gives every problem, and what is related to it, the place its path leads to,
/// or that of the nearest part around it which is in the text.
///
/// A path may begin with a task's id instead of the task's place. A problem
/// that has a line already gets the character there. Paths that lead nowhere
/// stay without a place.
///
/// Takes one walk through the text, and two more if tasks are named by their
/// ids; linear in the text and in the paths.
pub fn locate(text: &str, format: Format, problems: &mut [Problem]) {
    for problem in problems.iter_mut().filter(|problem| problem.span.is_none()) {
        if let Some(line) = problem.line {
            let unit = if format == Format::Json { Unit::Bytes } else { Unit::Characters };
            problem.span = Some(character(text, line, problem.column.unwrap_or(1), unit));
        }
    }
    let spans = find(text, format, &asked(problems));
    let mut spans = spans.into_iter();
    for problem in problems.iter_mut() {
        if problem.span.is_none() {
            problem.span = spans.next().flatten();
        }
        for related in &mut problem.related {
            related.span = spans.next().flatten();
        }
    }
    number(text, problems);
}

/// A path and how it is meant.
struct Asked<'p> {
    path: &'p str,
    about: About,
    /// The word in its value that is meant.
    word: Option<&'p str>,
}

/// What of a field a problem is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    /// Its value.
    Value,
    /// That it is there.
    Key,
    /// That it is there again.
    SecondKey,
    /// That it is not there.
    Absence,
    /// Nothing in the document.
    Nothing,
}

/// What the problems of a code are about.
fn about(code: &str) -> About {
    match code {
        "unknown-field" | "not-applicable" | "unused-agent" => About::Key,
        "duplicate-key" => About::SecondKey,
        "empty" | "missing-field" | "missing-id" => About::Absence,
        "too-many-problems" => About::Nothing,
        _ => About::Value,
    }
}

/// The paths of everything without a place: each problem, then what is related
/// to it.
fn asked(problems: &[Problem]) -> Vec<Asked<'_>> {
    let mut asked = Vec::with_capacity(problems.len());
    for problem in problems {
        if problem.span.is_none() {
            let (path, word) = (problem.path.as_str(), problem.word.as_deref());
            asked.push(Asked { path, about: about(problem.code), word });
        }
        let related = problem.related.iter().map(|related| related.path.as_str());
        asked.extend(related.map(|path| Asked { path, about: About::Value, word: None }));
    }
    asked
}

/// The text to point at for each path.
fn find(text: &str, format: Format, asked: &[Asked<'_>]) -> Vec<Option<Span>> {
    if asked.is_empty() {
        return Vec::new();
    }
    let mut wanted = Wanted::new(asked.iter().map(|asked| asked.path));
    let nowhere = HashMap::new();
    walk(text, format, &mut Walk::new(&mut wanted, &nowhere));
    let mut found = wanted.into_found();

    let lost = |node: &Option<Node>, asked: &Asked<'_>| {
        node.is_none_or(|node| node.length == 0) && !asked.path.is_empty()
    };
    let by_id: Vec<usize> =
        (0..asked.len()).filter(|number| lost(&found[*number], &asked[*number])).collect();
    if !by_id.is_empty() {
        let mut wanted = Wanted::new(by_id.iter().map(|number| asked[*number].path));
        let mut ids = Ids::new(&wanted);
        walk(text, format, &mut ids);
        let anchors = ids.found;
        if !anchors.is_empty() {
            walk(text, format, &mut Walk::new(&mut wanted, &anchors));
        }
        for (number, node) in by_id.into_iter().zip(wanted.into_found()) {
            found[number] = node.or(found[number]);
        }
    }
    let point = |(asked, node): (&Asked<'_>, Option<Node>)| {
        let node = node.unwrap_or_default();
        let outside = node.length == 0 && !asked.path.is_empty();
        let whole_document = asked.about == About::Absence;
        let told = asked.about != About::Nothing;
        (told && (!outside || whole_document)).then(|| point_at(text, asked, &node))
    };
    asked.iter().zip(found).map(point).collect()
}

/// Chooses what of a node to underline: the key where it is wrong, else the
/// value where it is short. What is absent or long is shown by the id of the
/// task it belongs to, by its key, or by its first line.
fn point_at(text: &str, asked: &Asked<'_>, node: &Node) -> Span {
    let exact = node.length == asked.path.len();
    let short = |span: Span| {
        let part = text.as_bytes().get(span.offset..span.end()).unwrap_or_default();
        (1..=LONGEST).contains(&part.len()) && end_of_line(part).is_none()
    };
    if let Some(word) = asked.word.filter(|_| exact).and_then(|word| find_word(text, node, word)) {
        return clipped(text, word);
    }
    let key = match asked.about {
        About::SecondKey => node.again.or(node.key),
        _ => node.key,
    };
    let span = match (asked.about, key) {
        (About::Key | About::SecondKey, Some(key)) if exact => key,
        _ if exact && short(node.value) => node.value,
        _ => node.id.or(key).unwrap_or(Span { length: LONGEST, ..node.value }),
    };
    clipped(text, span)
}

/// Where a value first has this word, if it does so without escapes.
fn find_word(text: &str, node: &Node, word: &str) -> Option<Span> {
    let value = text.get(node.value.offset..node.value.end())?;
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    let alone = |(at, found): &(usize, &str)| {
        let before = value[..*at].chars().next_back();
        let after = value[at + found.len()..].chars().next();
        !before.is_some_and(|c| part_of_name(c) || c == '.') && !after.is_some_and(part_of_name)
    };
    let (at, found) = value.match_indices(word).filter(|_| !word.is_empty()).find(alone)?;
    Some(Span { offset: node.value.offset + at, length: found.len() })
}

/// The first line of a part, and no more of it than is readable.
fn clipped(text: &str, span: Span) -> Span {
    let start = text.floor_char_boundary(span.offset.min(text.len()));
    let end = text.floor_char_boundary(span.end().min(start + LONGEST).min(text.len()));
    let part = &text[start..end];
    let line = part[..end_of_line(part.as_bytes()).unwrap_or(part.len())].trim_end();
    Span { offset: start, length: line.len() }
}

/// Counts the lines and columns of everything that has a span.
fn number(text: &str, problems: &mut [Problem]) {
    let mut numbered: Vec<(usize, &mut Option<usize>, &mut Option<usize>)> = Vec::new();
    for problem in problems {
        if let Some(span) = problem.span {
            numbered.push((span.offset, &mut problem.line, &mut problem.column));
        }
        for related in &mut problem.related {
            if let Some(span) = related.span {
                numbered.push((span.offset, &mut related.line, &mut related.column));
            }
        }
    }
    numbered.sort_unstable_by_key(|(offset, ..)| *offset);
    let places = places(text, numbered.iter().map(|(offset, ..)| *offset));
    for ((_, line, column), place) in numbered.into_iter().zip(places) {
        (*line, *column) = (Some(place.0), Some(place.1));
    }
}

#[cfg(test)]
mod tests;
