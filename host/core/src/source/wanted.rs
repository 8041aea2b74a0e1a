//! The paths that problems name, and what a walk has found of each.
//!
//! Paths are sorted as texts, so that those with a common beginning stand
//! together: a place in the document is a range of them and the length of what
//! they have in common. Names may hold dots, so a path is never taken apart
//! into names; names of the document are held against it instead.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::problem::Span;

/// All paths of one search.
pub(super) struct Wanted<'p> {
    paths: Vec<Path<'p>>,
    nodes: Vec<Node>,
    /// Nodes by the cursor that found them, so that what is there twice is
    /// entered once.
    visited: HashMap<(u32, usize), usize>,
}

struct Path<'p> {
    text: &'p str,
    /// Which of the paths that were asked for.
    number: usize,
    /// The innermost node around it so far.
    found: Option<usize>,
}

/// A part of the document that a path leads to or through.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Node {
    /// The key, where it is the value of one.
    pub(super) key: Option<Span>,
    /// The value.
    pub(super) value: Span,
    /// The value of its `task_id`.
    pub(super) id: Option<Span>,
    /// The key of another value with the same path, after this one.
    pub(super) again: Option<Span>,
    /// Bytes of the path that lead here.
    pub(super) length: usize,
}

/// The paths that begin with the path of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    first: u32,
    end: u32,
    /// Bytes of the common beginning.
    length: usize,
}

impl Cursor {
    /// Where no path leads.
    pub(super) const NOWHERE: Self = Self { first: 0, end: 0, length: 0 };

    /// Whether no path leads here.
    pub(super) fn is_empty(self) -> bool {
        self.first == self.end
    }
}

impl<'p> Wanted<'p> {
    pub(super) fn new(paths: impl IntoIterator<Item = &'p str>) -> Self {
        let path = |(number, text)| Path { text, number, found: None };
        let mut paths: Vec<Path<'p>> = paths.into_iter().enumerate().map(path).collect();
        paths.sort_unstable_by_key(|path| path.text);
        Self { paths, nodes: Vec::new(), visited: HashMap::new() }
    }

    /// All paths: the whole document.
    pub(super) fn root(&self) -> Cursor {
        Cursor { first: 0, end: self.paths.len() as u32, length: 0 }
    }

    /// The paths that begin with this text and a dot.
    pub(super) fn beginning(&self, text: &str) -> Cursor {
        let dotted = self.narrow(self.narrow(self.root(), None, text), Some(b'.'), "");
        Cursor { length: text.len(), ..dotted }
    }

    /// The paths that go on with this key.
    pub(super) fn key(&self, at: Cursor, name: &str) -> Cursor {
        match (at.length, name) {
            (0, "") => Cursor::NOWHERE,
            (0, _) => self.narrow(at, None, name),
            _ => self.narrow(at, Some(b'.'), name),
        }
    }

    fn narrow(&self, at: Cursor, dot: Option<u8>, name: &str) -> Cursor {
        let paths = &self.paths[at.first as usize..at.end as usize];
        let order = |path: &Path<'_>| compare(&path.text.as_bytes()[at.length..], dot, name);
        let before = paths.partition_point(|path| order(path) == Ordering::Less);
        let matching = paths[before..].partition_point(|path| order(path) == Ordering::Equal);
        let first = at.first + before as u32;
        let length = at.length + usize::from(dot.is_some()) + name.len();
        Cursor { first, end: first + matching as u32, length }
    }

    /// The paths that go on with the number of an item, by that number.
    pub(super) fn items(&self, at: Cursor) -> Vec<(usize, Cursor)> {
        let mut items: Vec<(usize, Cursor)> = Vec::new();
        for place in at.first..at.end {
            let rest = &self.paths[place as usize].text[at.length..];
            let Some((number, _)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'))
            else {
                continue;
            };
            let length = at.length + number.len() + 2;
            let Ok(number) = number.parse::<usize>() else { continue };
            match items.last_mut() {
                Some((last, cursor)) if *last == number && cursor.length == length => {
                    cursor.end = place + 1;
                }
                _ => items.push((number, Cursor { first: place, end: place + 1, length })),
            }
        }
        items.sort_unstable_by_key(|(number, _)| *number);
        items
    }

    /// Notes what is at a cursor. `None` where something else was before, whose
    /// key is all that is noted of it then.
    pub(super) fn note(&mut self, at: Cursor, key: Option<Span>, value: Span) -> Option<usize> {
        let number = self.nodes.len();
        if let Some(first) = self.visited.get(&(at.first, at.length)) {
            let node = &mut self.nodes[*first];
            node.again = node.again.or(key);
            return None;
        }
        self.visited.insert((at.first, at.length), number);
        self.nodes.push(Node { key, value, length: at.length, ..Node::default() });
        for path in &mut self.paths[at.first as usize..at.end as usize] {
            let whole = at.length == 0
                || matches!(path.text.as_bytes().get(at.length), None | Some(b'.' | b'['));
            let inner = path.found.is_none_or(|found| self.nodes[found].length < at.length);
            if whole && inner {
                path.found = Some(number);
            }
        }
        Some(number)
    }

    /// A node that was noted.
    pub(super) fn node(&mut self, number: usize) -> &mut Node {
        &mut self.nodes[number]
    }

    /// The innermost node around each path, in the order they were asked for.
    pub(super) fn into_found(self) -> Vec<Option<Node>> {
        let mut found = vec![None; self.paths.len()];
        for path in &self.paths {
            found[path.number] = path.found.map(|number| self.nodes[number]);
        }
        found
    }
}

/// Where `rest` sorts: before or after what starts with the dot and the name,
/// or equal to it.
fn compare(rest: &[u8], dot: Option<u8>, name: &str) -> Ordering {
    let rest = match (dot, rest.split_first()) {
        (None, _) => rest,
        (Some(_), None) => return Ordering::Less,
        (Some(dot), Some((first, _))) if *first != dot => return first.cmp(&dot),
        (Some(_), Some((_, rest))) => rest,
    };
    let name = name.as_bytes();
    let start = &rest[..rest.len().min(name.len())];
    match start.cmp(name) {
        // A beginning of the name, which is not all of it, sorts before it.
        order if rest.len() >= name.len() => order,
        Ordering::Equal => Ordering::Less,
        order => order,
    }
}
