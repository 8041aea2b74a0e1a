//! A *part* of a document: a list, an object or a value in it that has not been
//! understood yet.
//!
//! JSON stays text until a part's type is known, so that a million tasks never
//! stand in memory as a tree. YAML has no such luck.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::Text;
use super::describe::{describe, too_deep};
use super::findings::{Findings, brief};
use super::free::read_value;
use super::repair::{MAX_ROUNDS, Repaired, repair};
use super::task::{MoreDoc, TaskDoc, Unread};
use crate::problem::Problem;

/// A part of a document.
pub(super) enum Part<'a> {
    /// JSON text.
    Json(&'a str),
    /// A value out of YAML, or out of JSON that has something wrong in it.
    Value(Value),
}

/// The fields of an object, in order.
pub(super) type Fields<'a> = Vec<(Text<'a>, Part<'a>)>;

impl<'a> Part<'a> {
    /// Whether it is a list.
    pub(super) fn is_list(&self) -> bool {
        match self {
            Self::Json(text) => text.trim_start().starts_with('['),
            Self::Value(value) => value.is_array(),
        }
    }

    /// Whether it is an object.
    pub(super) fn is_object(&self) -> bool {
        match self {
            Self::Json(text) => text.trim_start().starts_with('{'),
            Self::Value(value) => value.is_object(),
        }
    }
}

/// Reads parts and notes what is wrong with them.
pub(super) struct Reader<'a> {
    /// The whole document, for the places of syntax errors.
    pub(super) text: &'a str,
    /// What is wrong so far.
    pub(super) findings: Findings,
}

impl<'a> Reader<'a> {
    /// The items of a list. Anything else is a problem.
    pub(super) fn list(&mut self, part: Part<'a>, path: &str) -> Option<Vec<Part<'a>>> {
        match part {
            Part::Value(Value::Array(items)) => Some(items.into_iter().map(Part::Value).collect()),
            Part::Value(other) => {
                self.findings.push(wrong_type("a list", &other, path));
                None
            }
            Part::Json(text) => {
                let items = serde_json::from_str::<Vec<&RawValue>>(text);
                self.said(items, text, path)
                    .map(|items| items.into_iter().map(|raw| Part::Json(raw.get())).collect())
            }
        }
    }

    /// The fields of an object, in order. Anything else is a problem.
    pub(super) fn fields(&mut self, part: Part<'a>, path: &str) -> Option<Fields<'a>> {
        match part {
            Part::Value(Value::Object(fields)) => Some(
                fields.into_iter().map(|(key, value)| (key.into(), Part::Value(value))).collect(),
            ),
            Part::Value(other) => {
                self.findings.push(wrong_type("an object", &other, path));
                None
            }
            Part::Json(text) => {
                let mut json = serde_json::Deserializer::from_str(text);
                let fields = json
                    .deserialize_map(FieldsVisitor)
                    .and_then(|fields| json.end().map(|()| fields));
                self.said(fields, text, path)
            }
        }
    }

    /// The fields without those that come a second time, which are reported.
    pub(super) fn once(&mut self, fields: Fields<'a>, path: &str) -> Fields<'a> {
        let mut seen = std::collections::HashSet::with_capacity(fields.len());
        let (once, again): (Fields<'a>, Fields<'a>) =
            fields.into_iter().partition(|(key, _)| seen.insert(key.clone()));
        for (key, _) in again {
            let message = format!("the key '{}' is given twice", brief(&key));
            let problem = Problem::error("duplicate-key", field_path(path, &key), message);
            self.findings.push(problem.hint("remove one of the two"));
        }
        once
    }

    /// Reads a part as `T` with what is wrong in it left out.
    pub(super) fn typed<T: Deserialize<'a>>(&mut self, part: Part<'a>, path: &str) -> Option<T> {
        self.repaired(part, path).doc
    }

    /// The same, with the fields that had something wrong.
    pub(super) fn repaired<T: Deserialize<'a>>(
        &mut self,
        part: Part<'a>,
        path: &str,
    ) -> Repaired<T> {
        match self.value(part, path) {
            Some(value) => repair(value, path, &mut self.findings),
            None => Repaired { doc: None, unread: Vec::new() },
        }
    }

    /// Reads a task and its steps. The good case costs one pass over the text.
    pub(super) fn task(&mut self, part: Part<'a>, path: &dyn Fn() -> String) -> TaskDoc<'a> {
        let read = match &part {
            Part::Json(text) => serde_json::from_str(text),
            Part::Value(value) => TaskDoc::deserialize(value.clone()),
        };
        match read {
            Ok(task) => task,
            Err(_) => self.faulty_task(part, &path()),
        }
    }

    /// Reads a task that has something wrong in it.
    fn faulty_task(&mut self, part: Part<'a>, path: &str) -> TaskDoc<'a> {
        let more = MoreDoc { unread: Unread::Everything, ..MoreDoc::default() };
        let nothing = TaskDoc { more: Some(more.into()), ..TaskDoc::default() };
        if self.findings.is_full() {
            self.findings.push(Problem::error("wrong-type", path, "something is wrong here"));
            return nothing;
        }
        let Some(mut value) = self.value(part, path) else { return nothing };
        let Some(object) = value.as_object_mut() else {
            self.findings.push(wrong_type("a task, which is an object", &value, path));
            return nothing;
        };
        let steps = object.shift_remove("steps").filter(|steps| !steps.is_null());
        let Repaired { doc, mut unread } = repair::<TaskDoc<'a>>(value, path, &mut self.findings);
        let Some(mut task) = doc else { return nothing };
        if let Some(steps) = steps {
            let at = field_path(path, "steps");
            match self.list(Part::Value(steps), &at) {
                None => unread.push("steps".to_owned()),
                Some(steps) => {
                    let steps = steps.into_iter().enumerate();
                    let read = steps.map(|(n, step)| self.task(step, &|| format!("{at}[{n}]")));
                    task.steps = Some(read.collect());
                }
            }
        }
        if !unread.is_empty() {
            task.unread = Unread::Fields(unread.into());
        }
        task
    }

    /// The part as a value, without keys that come twice.
    fn value(&mut self, part: Part<'a>, path: &str) -> Option<Value> {
        let text = match part {
            Part::Value(value) => return Some(value),
            Part::Json(text) => text,
        };
        let read = |text: &str| {
            let mut json = serde_json::Deserializer::from_str(text);
            read_value(&mut json, path).and_then(|value| json.end().map(|()| value))
        };
        let mut mended = Cow::Borrowed(text);
        let mut value = read(&mended);
        for _ in 0..MAX_ROUNDS {
            // The parser stops at a number it cannot hold; nothing else does.
            let Some(number) = value.as_ref().err().and_then(|error| too_large(&mended, error))
            else {
                break;
            };
            let _ = self.said(value, text, path);
            let blank = " ".repeat(number.len() - NULL.len());
            mended.to_mut().replace_range(number, &format!("{NULL}{blank}"));
            value = read(&mended);
        }
        let (value, faults) = self.said(value, text, path)?;
        faults.into_iter().for_each(|fault| self.findings.push(fault));
        Some(value)
    }

    /// Notes what the JSON parser said about the part `text`.
    fn said<T>(&mut self, read: serde_json::Result<T>, text: &str, path: &str) -> Option<T> {
        read.map_err(|error| {
            let message = error.to_string();
            let message = strip_place(&message);
            let mut problem = if error.is_data() {
                describe(message, path.to_owned())
            } else if message.starts_with("recursion limit") {
                too_deep(path.to_owned())
            } else if message.starts_with(OUT_OF_RANGE) {
                Problem::error("out-of-range", path, "a number is too large to be held")
                    .hint("put it in quotes to mean a string")
            } else {
                Problem::error("syntax", path, message)
            };
            if !error.is_data() {
                // Where the part begins, then the place within it.
                let start = (text.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
                let before = self.text.get(..start).unwrap_or_default();
                let line = before.bytes().filter(|byte| *byte == b'\n').count();
                let margin = before.len() - before.rfind('\n').map_or(0, |end| end + 1);
                let first = error.line() <= 1;
                problem.line = Some(line + error.line().max(1));
                // The parser is behind a number when it finds that it is too large.
                let number = too_large(text, &error).map(|number| {
                    let line = text[..number.start].rfind('\n').map_or(0, |end| end + 1);
                    number.start - line + 1
                });
                let column = number.unwrap_or(error.column());
                problem.column = Some(column + if first { margin } else { 0 });
            }
            self.findings.push(problem);
        })
        .ok()
    }
}

/// How the JSON parser says that it cannot hold a number.
const OUT_OF_RANGE: &str = "number out of range";

/// What stands in for such a number, which is always longer.
const NULL: &str = "null";

/// The number in `text` that the parser says it cannot hold.
fn too_large(text: &str, error: &serde_json::Error) -> Option<Range<usize>> {
    if !error.to_string().starts_with(OUT_OF_RANGE) {
        return None;
    }
    let lines = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    let end = (lines.map(str::len).sum::<usize>() + error.column()).min(text.len());
    let part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    let bytes = text.as_bytes();
    let end = end + bytes[end..].iter().take_while(|byte| part(byte)).count();
    let length = bytes[..end].iter().rev().take_while(|byte| part(byte)).count();
    (length >= NULL.len()).then(|| end - length..end)
}

/// Both parsers append " at line L…", which is said elsewhere.
pub(super) fn strip_place(message: &str) -> &str {
    message.rfind(" at line ").map_or(message, |at| &message[..at])
}

/// The path of a field of the object at `path`.
pub(super) fn field_path(path: &str, field: &str) -> String {
    let dot = if path.is_empty() { "" } else { "." };
    format!("{path}{dot}{}", brief(field))
}

fn wrong_type(expected: &str, found: &Value, path: &str) -> Problem {
    let found = super::free::type_name(found);
    Problem::error("wrong-type", path, format!("expected {expected}, found {found}"))
        .hint(format!("write {expected} here"))
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some((key, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
            fields.push((key, Part::Json(value.get())));
        }
        Ok(fields)
    }
}
