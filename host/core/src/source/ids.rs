//! Finds the objects whose `task_id` somebody asked for.

use std::borrow::Cow;
use std::collections::HashMap;

use super::walk::TASK_ID;
use super::wanted::{Cursor, Wanted};
use super::{Kind, Listener};
use crate::problem::Span;

/// Collects, for paths that begin with a task's id instead of its place, where
/// that task starts.
pub(super) struct Ids<'w, 'p> {
    wanted: &'w Wanted<'p>,
    /// The offset of each open list or object, and whether the next value is
    /// an id.
    around: Vec<(usize, bool)>,
    /// The paths that begin with an id, by the offset of the first task that
    /// has it.
    pub(super) found: HashMap<usize, Cursor>,
}

impl<'w, 'p> Ids<'w, 'p> {
    pub(super) fn new(wanted: &'w Wanted<'p>) -> Self {
        Self { wanted, around: Vec::new(), found: HashMap::new() }
    }
}

impl Listener for Ids<'_, '_> {
    fn key(&mut self, name: &str, _: Span) {
        if let Some((_, names)) = self.around.last_mut() {
            *names = name == TASK_ID;
        }
    }

    fn open(&mut self, _: Kind, offset: usize) -> bool {
        self.around.push((offset, false));
        true
    }

    fn close(&mut self, _: usize) {
        self.around.pop();
    }

    fn scalar<'t>(&mut self, _: Span, text: impl FnOnce() -> Cow<'t, str>) {
        if let Some((offset, true)) = self.around.last() {
            let id = text();
            let cursor = self.wanted.beginning(&id);
            if !id.is_empty() && !cursor.is_empty() {
                self.found.entry(*offset).or_insert(cursor);
            }
        }
    }
}
