//! From text to [`Document`], collecting every problem on the way.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{AgentDoc, Document, Located, OnFailureDoc, TaskDoc, WorkflowDoc};
use crate::problem::{Problem, nearest};

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// Reads a document: a list of tasks, one task, or a workflow object.
///
/// # Errors
///
/// Every problem found, not just the first; syntax errors come alone.
pub fn parse(text: &str, format: Format) -> Result<Document, Vec<Problem>> {
    let value = read(text, format)?;
    let mut problems = Vec::new();
    let mut document = Document::default();
    let tasks = match value {
        Value::Array(tasks) => (String::new(), tasks),
        Value::Object(object) if object.contains_key("task_id") || object.contains_key("steps") => {
            let task = typed(Value::Object(object), String::new(), &mut problems);
            document.tasks.extend(task);
            return finish(document, problems);
        }
        Value::Object(object) => {
            let Some(workflow) =
                typed::<WorkflowDoc>(Value::Object(object), String::new(), &mut problems)
            else {
                return Err(problems);
            };
            let WorkflowDoc { name, inputs, agents, tasks, on_failure } = workflow.doc;
            document.name = name;
            document.inputs = inputs;
            for (name, agent) in agents {
                let path = format!("agents.{name}");
                if let Some(agent) = typed::<AgentDoc>(agent, path, &mut problems) {
                    document.agents.insert(name, agent.doc);
                }
            }
            document.on_failure = on_failure
                .and_then(|rule| typed::<OnFailureDoc>(rule, "on_failure".into(), &mut problems))
                .map(|rule| rule.doc);
            ("tasks".to_owned(), tasks)
        }
        other => {
            return Err(vec![
                Problem::error(
                    "wrong-type",
                    "",
                    format!("a workflow cannot be {}", type_name(&other)),
                )
                .hint("write a list of tasks, one task, or an object with 'tasks'"),
            ]);
        }
    };
    let (prefix, tasks) = tasks;
    if tasks.is_empty() && problems.is_empty() {
        problems.push(
            Problem::error("empty", prefix.clone(), "the workflow has no tasks")
                .hint("add at least one task with a 'task_id'"),
        );
    }
    for (index, task) in tasks.into_iter().enumerate() {
        let task = typed::<TaskDoc>(task, format!("{prefix}[{index}]"), &mut problems);
        document.tasks.extend(task);
    }
    finish(document, problems)
}

/// Reads any other document with the same care, such as a host's
/// configuration.
///
/// # Errors
///
/// The problem found.
pub fn parse_typed<T: DeserializeOwned>(text: &str, format: Format) -> Result<T, Vec<Problem>> {
    let value = read(text, format)?;
    let mut problems = Vec::new();
    match typed(value, String::new(), &mut problems) {
        Some(located) => Ok(located.doc),
        None => Err(problems),
    }
}

fn finish(document: Document, problems: Vec<Problem>) -> Result<Document, Vec<Problem>> {
    if problems.is_empty() { Ok(document) } else { Err(problems) }
}

fn read(text: &str, format: Format) -> Result<Value, Vec<Problem>> {
    match format {
        Format::Json => serde_json::from_str(text).map_err(|error| {
            let mut problem = Problem::error("syntax", "", strip_place(&error.to_string()));
            problem.line = Some(error.line());
            problem.column = Some(error.column());
            vec![problem]
        }),
        Format::Yaml => {
            serde_saphyr::from_str_with_options(text, yaml_options()).map_err(|error| {
                let place = error.location();
                let message = error.without_snippet().to_string();
                let mut problem = Problem::error("syntax", "", strip_place(&message));
                problem.line = place.map(|place| place.line() as usize);
                problem.column = place.map(|place| place.column() as usize);
                vec![problem]
            })
        }
    }
}

/// YAML 1.2: `yes`, `on` and `y` are words.
fn yaml_options() -> serde_saphyr::Options {
    serde_saphyr::options! { strict_booleans: true }
}

/// Both parsers append " at line L…", which is said
/// elsewhere.
fn strip_place(message: &str) -> &str {
    message.rfind(" at line ").map_or(message, |at| &message[..at])
}

/// Reads one part of the document; what is wrong with it becomes a problem
/// with the full path.
pub(crate) fn typed<T: DeserializeOwned>(
    value: Value,
    path: String,
    problems: &mut Vec<Problem>,
) -> Option<Located<T>> {
    match serde_path_to_error::deserialize::<_, T>(value) {
        Ok(doc) => Some(Located { path, doc }),
        Err(error) => {
            let inner = error.path().to_string();
            let path = match (path.as_str(), inner.as_str()) {
                (_, "." | "?") => path,
                ("", _) => inner,
                (_, inner) if inner.starts_with('[') => format!("{path}{inner}"),
                (_, inner) => format!("{path}.{inner}"),
            };
            problems.push(describe(&error.into_inner().to_string(), path));
            None
        }
    }
}

/// Gives a serde message a code, and a hint where a name is near.
fn describe(message: &str, path: String) -> Problem {
    let mut quoted = message.split('`').skip(1).step_by(2);
    if message.starts_with("unknown field") || message.starts_with("unknown variant") {
        let code =
            if message.starts_with("unknown field") { "unknown-field" } else { "unknown-value" };
        let wrong = quoted.next().unwrap_or_default();
        let known: Vec<&str> = quoted.collect();
        let what = if code == "unknown-field" { "there is no field" } else { "there is no value" };
        let problem = Problem::error(code, path, format!("{what} '{wrong}'"));
        return match nearest(wrong, known.iter().copied()) {
            Some(near) => problem.hint(format!("did you mean '{near}'?")),
            None => problem.hint(format!("expected one of {}", known.join(", "))),
        };
    }
    if message.starts_with("missing field") {
        let field = quoted.next().unwrap_or_default();
        let code = if field == "task_id" { "missing-id" } else { "missing-field" };
        return Problem::error(code, path, format!("the field '{field}' is missing"));
    }
    Problem::error("wrong-type", path, message.replace('`', "'"))
}

/// A JSON type in words.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        match parse(text, Format::guess("", text)) {
            Ok(_) => Vec::new(),
            Err(problems) => problems
                .iter()
                .map(|p| format!("{} {p} {}", p.code, p.hint.clone().unwrap_or_default()))
                .collect(),
        }
    }

    #[test]
    fn all_three_shapes_are_read() {
        for text in [
            r#"[{"task_id": "a"}]"#,
            r#"{"task_id": "a", "type": "collaborative_task", "steps": []}"#,
            "name: w\ntasks:\n  - task_id: a\n    depends_on: [{task: b, as: c}]\n",
        ] {
            let document = parse(text, Format::guess("", text)).unwrap();
            assert_eq!(document.tasks[0].doc.task_id, "a");
        }
    }

    #[test]
    fn every_problem_is_reported_with_its_path() {
        let text = r#"{"tasks": [
            {"task_id": "a", "retry_policy": {"max_attempt": 3}},
            {"description": "x"},
            {"task_id": "c", "timeout": "soon"},
            {"task_id": "d", "on_failure": "explode"}]}"#;
        assert_eq!(
            problems(text),
            [
                "unknown-field tasks[0].retry_policy.max_attempt: there is no field 'max_attempt' did you mean 'max_attempts'?",
                "missing-id tasks[1]: the field 'task_id' is missing ",
                "wrong-type tasks[2].timeout: invalid type: string \"soon\", expected f64 ",
                "wrong-type tasks[3].on_failure: 'fail', 'skip', 'continue', or an object {fallback: [agent, …]} ",
            ]
        );
    }

    #[test]
    fn syntax_errors_have_a_line_and_a_column() {
        for (text, line) in [("[{\"task_id\": }]", 1), ("a: b\nc: [1\n", 2)] {
            let problem = parse(text, Format::guess("", text)).unwrap_err().remove(0);
            assert_eq!((problem.code, problem.line), ("syntax", Some(line)), "{problem}");
        }
    }
}
