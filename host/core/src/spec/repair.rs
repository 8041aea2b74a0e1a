//! Finds everything that is wrong with one part of a document.
//!
//! serde stops at the first mistake. So it is noted, taken out of the value, and
//! the rest is read again, until what is left can be read.

use serde::de::Deserialize;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use super::describe::describe;
use super::findings::Findings;
use super::part::field_path;

/// Mistakes in one part after which it is given up.
pub(super) const MAX_ROUNDS: usize = 100;

/// What could be read of a value.
pub(super) struct Repaired<T> {
    /// The value without what was wrong; none if too much was.
    pub(super) doc: Option<T>,
    /// The fields of the value that had something wrong.
    pub(super) unread: Vec<String>,
}

/// Reads a value that stands at `path` and reports all that is wrong with it.
pub(super) fn repair<'a, T: Deserialize<'a>>(
    mut value: Value,
    path: &str,
    findings: &mut Findings,
) -> Repaired<T> {
    let mut unread = Vec::new();
    let mut removed = Vec::new();
    for _ in 0..MAX_ROUNDS {
        let error = match serde_path_to_error::deserialize(value.clone()) {
            Ok(doc) => return Repaired { doc: Some(doc), unread },
            Err(error) => error,
        };
        let inner = error.path().clone();
        let at = join(path, &inner);
        let message = error.into_inner().to_string();
        // What was wrong and has been taken out is missing now, which is no news.
        let missing =
            message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        let known = |field: &str| removed.contains(&field_path(&at, field));
        if !missing.is_some_and(known) {
            findings.push(describe(&message, at.clone()));
        }
        if let Some(Segment::Map { key }) = inner.iter().next() {
            unread.push(key.clone());
        }
        match remove(&mut value, &inner) {
            Removed::Nothing => break,
            Removed::Field => removed.push(at),
            Removed::Item(list, item) => findings.item_removed(join(path, list), item),
        }
    }
    Repaired { doc: None, unread }
}

/// The path of a part of the part at `path`.
fn join<'s>(path: &str, inner: impl IntoIterator<Item = &'s Segment>) -> String {
    let mut path = path.to_owned();
    for segment in inner {
        match segment {
            Segment::Seq { index } => path.push_str(&format!("[{index}]")),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&super::brief(key));
            }
            Segment::Unknown => {}
        }
    }
    path
}

enum Removed<'p> {
    Nothing,
    Field,
    /// The path of the list and the item's place in it.
    Item(Vec<&'p Segment>, usize),
}

/// Takes out the part that `path` leads to, or the innermost part around it
/// that exists.
fn remove<'p>(value: &mut Value, path: &'p Path) -> Removed<'p> {
    let segments: Vec<&Segment> = path.iter().collect();
    for last in (0..segments.len()).rev() {
        let Some(around) = descend(value, &segments[..last]) else { continue };
        match (around, segments[last]) {
            (Value::Object(fields), Segment::Map { key }) if fields.contains_key(key) => {
                fields.shift_remove(key);
                return Removed::Field;
            }
            (Value::Array(items), Segment::Seq { index }) if *index < items.len() => {
                items.remove(*index);
                return Removed::Item(segments[..last].to_vec(), *index);
            }
            _ => {}
        }
    }
    Removed::Nothing
}

fn descend<'v>(value: &'v mut Value, path: &[&Segment]) -> Option<&'v mut Value> {
    path.iter().try_fold(value, |value, segment| match segment {
        Segment::Map { key } => value.get_mut(key.as_str()),
        Segment::Seq { index } => value.get_mut(*index),
        _ => None,
    })
}
