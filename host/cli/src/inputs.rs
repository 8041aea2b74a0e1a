//! An *input* is a value that the caller of a run gives its templates:
//! `--set key=value`.

use std::fs::File;
use std::io;
use std::path::Path;

use consort_core::plan::{Items, Plan, Task};
use consort_core::problem::nearest;
use consort_core::template::{Expression, Template};
use serde_json::{Map, Value};

use crate::document::read_all;
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

/// A key that the workflow does not declare and no text of a task mentions is a
/// slip of the pen.
fn check_use(key: &str, plan: &Plan) -> Result<(), CommandError> {
    let mentioned = |task: &Task| {
        let settings = &task.settings;
        let when = settings.when.as_ref().map(Expression::source);
        let items = settings.for_each.as_ref().and_then(|for_each| match &for_each.items {
            Items::Expression(items) => Some(items.source()),
            Items::Literal(_) => None,
        });
        let cached = settings.cache.as_ref().and_then(|cache| cache.key.as_ref());
        let texts = [Some(task.description.source()), when, items, cached.map(Template::source)];
        texts.into_iter().flatten().any(|text| text.contains(key))
    };
    if plan.inputs.contains_key(key) || plan.tasks.iter().any(mentioned) {
        return Ok(());
    }
    let error = CommandError::invalid(format!("the workflow has no input '{key}'"));
    Err(match nearest(key, plan.inputs.keys().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean '--set {near}=…'?")),
        None => error.hint("inputs are those under 'inputs', or that a task's texts use"),
    })
}

fn read(key: &str, path: &Path) -> Result<String, CommandError> {
    let bytes = File::open(path).and_then(read_all);
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other));
    text.map_err(|error| {
        let path = path.display();
        CommandError::invalid(format!("could not read '{path}' for the input '{key}': {error}"))
            .hint("'@' names a file; a value that begins with '@' is written as JSON: '\"@…\"'")
    })
}

#[cfg(test)]
mod tests {
    use consort_core::plan::Plan;
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
}
