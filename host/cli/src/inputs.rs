//! An *input* is a value that the caller of a run gives its templates:
//! `--set key=value`.

use std::fs::File;
use std::io;
use std::path::Path;

use consort_core::plan::Plan;
use consort_core::problem::nearest;
use serde_json::{Map, Value};

use crate::document::read_file;
use crate::error::CommandError;

/// One `--set`: a key and what was written behind the `=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    key: String,
    value: String,
}

impl std::str::FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((key, value)) = text.split_once('=') else {
            return Err("there is no '='; write KEY=VALUE, such as topic=tea".to_owned());
        };
        let starts_well = key.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if !starts_well || !key.chars().all(|c| c.is_alphanumeric() || c == '_') {
            return Err(format!(
                "'{key}' is not a key; use letters, digits and '_', beginning with a letter"
            ));
        }
        Ok(Self { key: key.to_owned(), value: value.to_owned() })
    }
}

/// The values of all settings; of two with the same key the last counts.
///
/// # Errors
///
/// A file cannot be read, or a key means nothing to the workflow.
pub(crate) fn inputs(
    settings: &[Setting],
    plan: &Plan,
) -> Result<Map<String, Value>, CommandError> {
    let mut inputs = Map::new();
    for Setting { key, value } in settings {
        check_use(key, plan)?;
        let value = match value.strip_prefix('@') {
            Some(file) => Value::String(read(key, Path::new(file))?),
            None => serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.clone())),
        };
        inputs.insert(key.clone(), value);
    }
    Ok(inputs)
}

/// A key that the workflow does not declare and that no template or expression of
/// it reads is a slip of the pen.
fn check_use(key: &str, plan: &Plan) -> Result<(), CommandError> {
    if plan.inputs.contains_key(key) {
        return Ok(());
    }
    let Some(read) = plan.inputs_read().filter(|read| !read.contains(key)) else { return Ok(()) };
    let known = plan.inputs.keys().chain(&read).map(String::as_str);
    let error = CommandError::invalid(format!("the workflow has no input '{key}'"));
    Err(match nearest(key, known) {
        Some(near) => error.hint(format!("did you mean '--set {near}=…'?")),
        None => error.hint(format!(
            "inputs are those under 'inputs', or that templates and expressions of tasks read, as \
             in {{{{ inputs.{key} }}}}"
        )),
    })
}

fn read(key: &str, path: &Path) -> Result<String, CommandError> {
    let bytes = File::open(path).and_then(read_file);
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other));
    text.map_err(|error| {
        let path = path.display();
        CommandError::invalid(format!("could not read '{path}' for the input '{key}': {error}"))
            .hint("'@' names a file; a value that begins with '@' is written as JSON: '\"@…\"'")
    })
}

#[cfg(test)]
mod tests {
    use consort_core::plan::{Known, Plan, compile};
    use consort_core::spec::{Format, parse};
    use serde_json::json;

    use super::*;

    fn given(settings: &[&str]) -> Result<Value, String> {
        let declared = ["a", "topic"].map(|key| (key.to_owned(), Value::Null));
        let plan = Plan { inputs: declared.into_iter().collect(), ..Plan::default() };
        let settings: Result<Vec<Setting>, String> =
            settings.iter().map(|text| text.parse()).collect();
        inputs(&settings?, &plan).map(Value::Object).map_err(|error| error.to_string())
    }

    #[test]
    fn values_are_json_or_else_text() {
        assert_eq!(given(&["a=3", "topic=green tea"]), Ok(json!({"a": 3, "topic": "green tea"})));
        assert_eq!(given(&["a=[1, {}]", "topic=a=b"]), Ok(json!({"a": [1, {}], "topic": "a=b"})));
        assert_eq!(given(&["a=1", "a=\"@x\"", "topic="]), Ok(json!({"a": "@x", "topic": ""})));
    }

    #[test]
    fn a_file_is_read_as_text() {
        let file = concat!("a=@", env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let value = given(&[file]).unwrap();
        assert!(value["a"].as_str().unwrap().starts_with("[package]"));
        assert!(given(&["a=@/no/such/file"]).unwrap_err().contains("hint"));
    }

    #[test]
    fn bad_and_unknown_keys_are_refused() {
        for bad in ["topic", "=1", "a b=1", "1a=2", "a-b=1"] {
            assert!(given(&[bad]).is_err(), "{bad}");
        }
        assert!(given(&["topci=1"]).unwrap_err().contains("did you mean '--set topic=…'"));
    }

    fn read_by(task: &str, setting: &str) -> Result<(), String> {
        let text = format!("- {{task_id: a, agent: echo, {task}}}");
        let known = Known { anything: true, ..Known::default() };
        let document = parse(&text, Format::Yaml).unwrap();
        let plan = compile(document, &known, 0).unwrap_or_else(|problems| panic!("{problems:?}"));
        let setting = setting.parse().unwrap();
        inputs(&[setting], &plan).map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn an_input_that_is_not_declared_is_one_that_something_reads() {
        for task in [
            r#"description: "{{ inputs.topic }}""#,
            r#"description: "{{ inputs['topic'] }}""#,
            r#"description: "{{ inputs }}""#,
            r#"description: "{% for key in inputs %}{{ inputs[key] }}{% endfor %}""#,
            r#"when: inputs.topic == 'tea'"#,
            r#"for_each: inputs.topic"#,
            r#"cache: {key: "{{ inputs.topic }}"}"#,
        ] {
            assert_eq!(read_by(task, "topic=tea"), Ok(()), "{task}");
        }
        let topi = r#"description: "topi: {{ inputs.topic }}""#;
        assert!(read_by(topi, "topi=tea").unwrap_err().contains("did you mean '--set topic=…'"));
        for task in ["description: topi", r#"metadata: {topi: 1}"#, r#"when: "'topi' == 'topi'""#] {
            let error = read_by(task, "topi=tea").unwrap_err();
            assert!(error.contains("{{ inputs.topi }}"), "{task}: {error}");
        }
    }
}
