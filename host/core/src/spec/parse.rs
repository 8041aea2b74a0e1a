//! From text to [`Document`], noting every problem on the way.

use std::fmt;

use memchr::memmem;
use serde::de::{DeserializeOwned, Deserializer as _, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Error as YamlError, MergeKeyPolicy};

use super::describe::{too_deep, unknown_field};
use super::findings::Findings;
use super::free::{FreeObject, read_value, type_name};
use super::limits::{MAX_ALIASED, MAX_DEPTH, MAX_DOCUMENT, MAX_TASKS};
use super::part::{Part, Reader, field_path, strip_place};
use super::repair::Repaired;
use super::{Document, Root, TaskDoc, Unread};
use crate::problem::{Problem, Span};
use crate::source::place;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// RFC 8259.
    Json,
    /// YAML 1.2.
    Yaml,
}

impl Format {
    /// YAML for `.yaml` and `.yml`; for other names JSON when the text starts
    /// like JSON, else YAML.
    pub fn guess(file_name: &str, text: &str) -> Self {
        let lower = file_name.to_ascii_lowercase();
        let yaml = lower.ends_with(".yaml") || lower.ends_with(".yml");
        let looks_like_json = matches!(text.trim_start().bytes().next(), Some(b'{' | b'['));
        if !yaml && (lower.ends_with(".json") || looks_like_json) { Self::Json } else { Self::Yaml }
    }
}

/// The text of a file.
///
/// # Errors
///
/// The first bytes that are not UTF-8, and a file that is too large.
pub fn utf8(bytes: &[u8]) -> Result<&str, Vec<Problem>> {
    if bytes.len() > MAX_DOCUMENT {
        return Err(vec![too_large(bytes.len())]);
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let offset = error.valid_up_to();
        let message = format!("byte {offset} (0x{:02x}) is not UTF-8", bytes[offset]);
        // In the text with replacement characters, this is the first of them.
        let span = Span { offset, length: char::REPLACEMENT_CHARACTER.len_utf8() };
        let (line, column) = place(std::str::from_utf8(&bytes[..offset]).unwrap_or_default());
        let problem = Problem::error("invalid-utf8", "", message);
        let problem = problem.hint("save the file with UTF-8 encoding");
        let (line, column) = (Some(line), Some(column));
        vec![Problem { line, column, span: Some(span), ..problem }]
    })
}

/// Reads a document: a list of tasks, one task, or a workflow object. Mistakes
/// within it are left out of it, and reported when it is compiled.
///
/// # Errors
///
/// What keeps the document from being read at all, such as a syntax error.
pub fn parse(text: &str, format: Format) -> Result<Document<'_>, Vec<Problem>> {
    read(text, format, false)
}

/// The same for a document of an open run: a workflow that may have no tasks.
///
/// # Errors
///
/// As [`parse()`].
pub fn parse_open(text: &str, format: Format) -> Result<Document<'_>, Vec<Problem>> {
    read(text, format, true)
}

fn read(text: &str, format: Format, open: bool) -> Result<Document<'_>, Vec<Problem>> {
    let source = text;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_DOCUMENT {
        return Err(vec![too_large(text.len())]);
    }
    let mut reader = Reader { text, findings: Findings::default() };
    let root = match format {
        Format::Json => Part::Json(text),
        Format::Yaml => Part::Value(yaml(text, &mut reader.findings)?),
    };
    let mut document = Document { open, ..Document::default() };
    if root.is_list() {
        document.root = Root::List;
        reader.tasks(root, "", &mut document);
    } else if root.is_object() {
        reader.object(root, &mut document);
    } else {
        return Err(vec![neither(root, &mut reader)]);
    }
    document.findings = reader.findings;
    document.source = Some((source, format));
    let nothing = document.tasks.is_empty() && document.agents.is_empty();
    let hopeless = nothing && document.findings.has_errors();
    if hopeless { Err(document.findings.into_problems()) } else { Ok(document) }
}

/// Reads any other document with the same care, such as a host's
/// configuration.
///
/// # Errors
///
/// Every problem found.
pub fn parse_typed<T: DeserializeOwned>(text: &str, format: Format) -> Result<T, Vec<Problem>> {
    let mut reader = Reader { text, findings: Findings::default() };
    let root = match format {
        Format::Json => Part::Json(text),
        Format::Yaml => Part::Value(yaml(text, &mut reader.findings)?),
    };
    let read = reader.typed(root, "");
    match read {
        Some(doc) if !reader.findings.has_errors() => Ok(doc),
        _ => Err(reader.findings.into_problems()),
    }
}

/// The fields of a workflow.
pub(super) const WORKFLOW_FIELDS: [&str; 8] =
    ["name", "inputs", "agents", "tasks", "budget", "deadline", "on_failure", "on_conflict"];

impl<'a> Reader<'a> {
    /// A task, if it has what only tasks have, else a workflow.
    fn object(&mut self, root: Part<'a>, document: &mut Document<'a>) {
        let (fields, text) = match root {
            Part::Value(value) if is_task(|field| value.get(field).is_some()) => {
                document.root = Root::Task;
                return document.tasks.push(self.task(Part::Value(value), &String::new));
            }
            Part::Value(_) => (self.fields(root, ""), ""),
            Part::Json(text) => (self.fields(root, ""), text),
        };
        let Some(fields) = fields else { return };
        if is_task(|field| fields.iter().any(|(key, _)| key.as_str() == field)) {
            document.root = Root::Task;
            return document.tasks.push(self.task(Part::Json(text), &String::new));
        }
        let fields = self.once(fields, "");
        document.root = Root::Workflow;
        let mut tasks = None;
        for (key, part) in fields {
            let path = field_path("", &key);
            match key.as_str() {
                "name" => document.name = self.typed(part, &path).unwrap_or_default(),
                "inputs" => {
                    let FreeObject(inputs) = self.typed(part, &path).unwrap_or_default();
                    document.inputs = inputs;
                }
                "agents" => {
                    let agents = self.fields(part, &path).unwrap_or_default();
                    for (name, agent) in self.once(agents, &path) {
                        self.agent(name.to_string(), agent, &field_path(&path, &name), document);
                    }
                }
                "tasks" => tasks = Some(part),
                "budget" => document.budget = self.typed(part, &path),
                "deadline" => document.deadline = self.typed(part, &path),
                "on_failure" => document.on_failure = self.typed(part, &path),
                "on_conflict" => document.on_conflict = self.typed(part, &path),
                wrong => self.findings.push(unknown_field(wrong, WORKFLOW_FIELDS, path.clone())),
            }
        }
        match tasks {
            Some(tasks) => self.tasks(tasks, "tasks", document),
            None if document.open => {}
            None => self.findings.push(
                Problem::error("missing-field", "", "the field 'tasks' is missing")
                    .hint("a workflow has 'tasks'; a single task has a 'task_id'"),
            ),
        }
    }

    fn agent(&mut self, name: String, part: Part<'a>, path: &str, document: &mut Document<'a>) {
        let Repaired { doc, unread } = self.repaired(part, path);
        match (doc, unread.is_empty()) {
            (Some(agent), true) => {
                document.agents.insert(name, agent);
            }
            (Some(agent), false) => {
                document.unread_agents.insert(name.clone(), Unread::Fields(unread.into()));
                document.agents.insert(name, agent);
            }
            (None, _) => {
                document.unread_agents.insert(name, Unread::Everything);
            }
        }
    }

    fn tasks(&mut self, part: Part<'a>, path: &str, document: &mut Document<'a>) {
        // The good case costs one pass over the text.
        if let Part::Json(text) = part
            && let Ok(tasks) = all_tasks(text)
            && !tasks.is_empty()
        {
            document.tasks = tasks;
            return;
        }
        let Some(parts) = self.list(part, path) else { return };
        if parts.is_empty() && !document.open {
            self.findings.push(
                Problem::error("empty", path, "the workflow has no tasks")
                    .hint("add at least one task with a 'task_id'"),
            );
        }
        document.tasks.reserve_exact(parts.len());
        for (n, part) in parts.into_iter().enumerate() {
            let task = self.task(part, &|| format!("{path}[{n}]"));
            document.tasks.push(task);
        }
    }
}

/// A list of tasks without mistakes. Room is made for all at once: as the list
/// grew, a million of them would be copied twenty times.
fn all_tasks(text: &str) -> Result<Vec<TaskDoc<'_>>, serde_json::Error> {
    let ids = memmem::find_iter(text.as_bytes(), "\"task_id\"").count();
    let mut reader = serde_json::Deserializer::from_str(text);
    let tasks = reader.deserialize_seq(List { room: ids.min(MAX_TASKS) })?;
    reader.end()?;
    Ok(tasks)
}

/// A list of tasks, for as many as there is room for, or more.
struct List {
    room: usize,
}

impl<'de> Visitor<'de> for List {
    type Value = Vec<TaskDoc<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tasks")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut tasks = Vec::with_capacity(self.room);
        while let Some(task) = items.next_element()? {
            tasks.push(task);
        }
        Ok(tasks)
    }
}

/// Whether an object with these fields is a task by itself.
fn is_task(has: impl Fn(&str) -> bool) -> bool {
    has("task_id") || (has("steps") && !has("tasks"))
}

/// What stands where a workflow should.
fn neither<'a>(root: Part<'a>, reader: &mut Reader<'a>) -> Problem {
    let found = match root {
        Part::Value(value) => value,
        Part::Json(text) => match serde_json::from_str::<Value>(text) {
            Ok(value) => value,
            Err(_) => {
                // Whoever reads it as a list says what is wrong and where.
                reader.list(Part::Json(text), "");
                let findings = std::mem::take(&mut reader.findings);
                return findings.into_problems().remove(0);
            }
        },
    };
    if found.is_null() && reader.text.lines().all(says_nothing) {
        return Problem::error("empty", "", "there is nothing in this file")
            .hint("write a list of tasks, one task, or an object with 'tasks'");
    }
    Problem::error("wrong-type", "", format!("a workflow cannot be {}", type_name(&found)))
        .hint("write a list of tasks, one task, or an object with 'tasks'")
}

/// Whether a line of YAML is empty, a comment or a mark between documents.
fn says_nothing(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#') || matches!(line, "---" | "...")
}

fn too_large(bytes: usize) -> Problem {
    let message = format!("a document of {bytes} bytes is too large");
    Problem::error("too-large", "", message).hint(format!("{MAX_DOCUMENT} bytes are the most"))
}

/// The tree of a YAML document.
fn yaml(text: &str, findings: &mut Findings) -> Result<Value, Vec<Problem>> {
    let read = serde_saphyr::with_deserializer_from_str_with_options(
        text,
        yaml_options(text.len()),
        |deserializer| read_value(deserializer, ""),
    );
    match read {
        Ok((value, faults)) => {
            faults.into_iter().for_each(|fault| findings.push(fault));
            Ok(value)
        }
        Err(error) => Err(vec![yaml_problem(&error)]),
    }
}

fn yaml_problem(error: &YamlError) -> Problem {
    let place = error.location();
    let mut plain = error.without_snippet();
    while let YamlError::AliasError { error, .. } = plain {
        plain = error.as_ref();
    }
    let message = plain.to_string();
    let mut problem = match plain {
        YamlError::Budget { breach: BudgetBreach::Depth { .. }, .. } => too_deep(String::new()),
        YamlError::Budget { breach: BudgetBreach::Documents { .. }, .. }
        | YamlError::MultipleDocuments { .. } => {
            Problem::error("syntax", "", "a second document begins here, and a file is one")
                .hint("remove the line '---', or put what follows into a file of its own")
        }
        YamlError::RecursiveReferencesRequireWeakTypes { .. } => {
            Problem::error("syntax", "", "an alias stands within what it is an alias of")
                .hint("write out what is meant")
        }
        YamlError::Budget { .. }
        | YamlError::AliasReplayLimitExceeded { .. }
        | YamlError::AliasExpansionLimitExceeded { .. }
        | YamlError::AliasReplayStackDepthExceeded { .. }
        | YamlError::AliasReplayCounterOverflow { .. } => Problem::error(
            "too-large",
            "",
            "with its aliases written out, the document is too large",
        )
        .hint("use fewer anchors and aliases"),
        _ if message.starts_with("recursion limit") => too_deep(String::new()),
        _ => Problem::error("syntax", "", super::brief(strip_place(&message))),
    };
    problem.line = place.map(|place| place.line() as usize);
    problem.column = place.map(|place| place.column() as usize);
    problem
}

/// YAML 1.2: `yes`, `on` and `y` are words. What a document may hold is bounded
/// by its length, except for what aliases repeat.
fn yaml_options(bytes: usize) -> serde_saphyr::Options {
    serde_saphyr::options! {
        strict_booleans: true,
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Merge,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_ALIASED },
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_documents: 1,
            max_anchors: bytes,
            max_events: bytes.saturating_add(MAX_ALIASED).saturating_mul(2),
            max_nodes: bytes.saturating_add(MAX_ALIASED),
            max_total_scalar_bytes: bytes.saturating_add(64 << 20),
        },
    }
}

#[cfg(test)]
mod tests;
