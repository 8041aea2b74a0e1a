//! Follows a walk through a text along the paths that somebody asked for.

use std::borrow::Cow;
use std::collections::HashMap;

use super::wanted::{Cursor, Wanted};
use super::{Kind, Listener};
use crate::problem::Span;

/// The field that names a task.
pub(super) const TASK_ID: &str = "task_id";

/// Fills in [`Wanted`].
pub(super) struct Walk<'w, 'p> {
    wanted: &'w mut Wanted<'p>,
    /// Objects, by where they start, that stand for the beginning of paths.
    anchors: &'w HashMap<usize, Cursor>,
    around: Vec<Frame>,
}

/// A list or an object that the walk is in.
struct Frame {
    /// The node of it, if it is the first of its path.
    node: Option<usize>,
    inside: Inside,
}

enum Inside {
    List {
        /// Items that are wanted, by their number.
        wanted: std::vec::IntoIter<(usize, Cursor)>,
        /// The first of them that is still ahead.
        ahead: Option<(usize, Cursor)>,
        /// The number of the next item.
        next: usize,
    },
    Object {
        cursor: Cursor,
        /// The key whose value is next.
        key: Option<Span>,
        /// The paths that go on with it.
        value: Cursor,
        /// Whether it is `task_id`.
        names: bool,
    },
}

impl<'w, 'p> Walk<'w, 'p> {
    pub(super) fn new(wanted: &'w mut Wanted<'p>, anchors: &'w HashMap<usize, Cursor>) -> Self {
        Self { wanted, anchors, around: Vec::new() }
    }

    /// The paths that lead to the value that is next, and its key.
    fn next(&mut self) -> (Cursor, Option<Span>) {
        match self.around.last_mut().map(|frame| &mut frame.inside) {
            None => (self.wanted.root(), None),
            Some(Inside::Object { key, value, .. }) => (*value, *key),
            Some(Inside::List { wanted, ahead, next }) => {
                let number = *next;
                *next += 1;
                while ahead.is_some_and(|(ahead, _)| ahead < number) {
                    *ahead = wanted.next();
                }
                match *ahead {
                    Some((ahead, cursor)) if ahead == number => (cursor, None),
                    _ => (Cursor::NOWHERE, None),
                }
            }
        }
    }
}

impl Listener for Walk<'_, '_> {
    fn key(&mut self, name: &str, span: Span) {
        if let Some(Inside::Object { cursor, key, value, names }) =
            self.around.last_mut().map(|frame| &mut frame.inside)
        {
            *key = Some(span);
            *value = match cursor.is_empty() {
                true => Cursor::NOWHERE,
                false => self.wanted.key(*cursor, name),
            };
            *names = name == TASK_ID;
        }
    }

    fn open(&mut self, kind: Kind, offset: usize) -> bool {
        let (mut cursor, key) = self.next();
        if let Some(anchor) = self.anchors.get(&offset) {
            cursor = *anchor;
        }
        let mut node = None;
        if !cursor.is_empty() {
            node = self.wanted.note(cursor, key, Span { offset, length: 0 });
            if node.is_none() {
                cursor = Cursor::NOWHERE;
            }
        }
        if cursor.is_empty() && self.anchors.is_empty() {
            return false;
        }
        let inside = match kind {
            Kind::List => {
                let mut wanted = self.wanted.items(cursor).into_iter();
                Inside::List { ahead: wanted.next(), wanted, next: 0 }
            }
            Kind::Object => {
                Inside::Object { cursor, key: None, value: Cursor::NOWHERE, names: false }
            }
        };
        self.around.push(Frame { node, inside });
        true
    }

    fn close(&mut self, end: usize) {
        if let Some(node) = self.around.pop().and_then(|frame| frame.node) {
            let value = &mut self.wanted.node(node).value;
            *value = Span::between(value.offset, end);
        }
    }

    fn scalar<'t>(&mut self, span: Span, _: impl FnOnce() -> Cow<'t, str>) {
        let (cursor, key) = self.next();
        if !cursor.is_empty() {
            self.wanted.note(cursor, key, span);
        }
        if let Some(Frame { node: Some(node), inside: Inside::Object { names: true, .. } }) =
            self.around.last()
        {
            let id = &mut self.wanted.node(*node).id;
            *id = id.or(Some(span));
        }
    }
}
