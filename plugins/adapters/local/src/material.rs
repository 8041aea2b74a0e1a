//! *Material* is what a task gives the agent to work on: its input and the
//! results of its dependencies, or, when it has neither, its description.
//!
//! The text of a value is the string itself, the `text` of an object that has
//! one, and otherwise every string inside, in order. Bytes count when they are
//! UTF-8.

use consort_plugin_sdk::serde_json::Value;
use consort_plugin_sdk::{Failure, Invocation, Payload};

use crate::document::Source;

/// One value the task was given.
#[derive(Debug, PartialEq)]
pub(crate) struct Part {
    /// `input`, or the name of the dependency.
    pub(crate) name: String,
    /// The task that produced it; none for input.
    pub(crate) task: Option<String>,
    /// The value.
    pub(crate) value: Value,
}

/// Everything there is to work on.
#[derive(Debug, PartialEq)]
pub(crate) struct Material {
    /// What the task was given, input first.
    pub(crate) parts: Vec<Part>,
    /// The text of each part that has some; or the description's.
    pub(crate) sources: Vec<Source>,
    /// What a reader of the result should know about where the text is from.
    pub(crate) note: Option<&'static str>,
}

impl Material {
    /// Gathers it. `InvalidInput` when a payload does not parse.
    pub(crate) fn of(call: &Invocation) -> Result<Self, Failure> {
        let mut parts = Vec::new();
        if let Some(input) = &call.input {
            let value = value_of("the task's input", input)?;
            // `null` and `{}` are how generated workflows write "no input".
            if !value.is_null() && value.as_object().is_none_or(|fields| !fields.is_empty()) {
                parts.push(Part { name: "input".into(), task: None, value });
            }
        }
        for dependency in &call.dependencies {
            let what = format!("the result of '{}'", dependency.name);
            parts.push(Part {
                name: dependency.name.clone(),
                task: Some(dependency.task.clone()),
                value: value_of(&what, &dependency.value)?,
            });
        }
        let mut sources: Vec<Source> = parts
            .iter()
            .map(|part| Source { name: part.name.clone(), text: text_of(&part.value) })
            .filter(|source| source.text.contains(char::is_alphanumeric))
            .collect();
        let mut note = None;
        if parts.is_empty() {
            let text = subject(&call.description).trim();
            if text.contains(char::is_alphanumeric) {
                sources.push(Source { name: "description".into(), text: text.into() });
                note = Some(
                    "the task has no input and no dependencies, so its description is the text",
                );
            } else {
                note = Some(
                    "nothing to work on: the task has no input, no dependencies and no description",
                );
            }
        } else if sources.is_empty() {
            note = Some("nothing to work on: what the task was given holds no text");
        }
        Ok(Self { parts, sources, note })
    }

    /// Refuses input without text where no dependency makes up for it: whoever
    /// wrote the input meant it to be worked on. Dependencies without text are
    /// no fault of this task.
    pub(crate) fn require_text(&self) -> Result<(), Failure> {
        let has_input = self.parts.iter().any(|part| part.task.is_none());
        if has_input && self.sources.is_empty() {
            return Err(Failure::invalid_input(
                "the task's input holds no text; make 'input' a string or an object with a 'text' field",
            )
            .with_code("no-text"));
        }
        Ok(())
    }
}

/// What a description is about: what follows the colon of "Summarise this: …"
/// or the first line of several; all of it otherwise.
pub(crate) fn subject(description: &str) -> &str {
    let description = description.trim();
    if let Some((instruction, rest)) = description.split_once('\n')
        && is_instruction(instruction)
        && rest.contains(char::is_alphanumeric)
    {
        return rest.trim();
    }
    if let Some((instruction, rest)) = description.split_once(':')
        && rest.starts_with(char::is_whitespace)
        && is_instruction(instruction)
        && rest.contains(char::is_alphanumeric)
    {
        return rest.trim();
    }
    description
}

/// A few words without a full stop.
fn is_instruction(text: &str) -> bool {
    text.split_whitespace().count() <= 8 && !text.trim_end_matches('.').contains(". ")
}

fn value_of(what: &str, payload: &Payload) -> Result<Value, Failure> {
    match payload {
        Payload::Blob(blob) => match std::str::from_utf8(&blob.data) {
            Ok(text) => Ok(Value::String(text.to_owned())),
            Err(_) => payload.to_value(),
        },
        other => other.to_value().map_err(|failure| failure.context(what)),
    }
}

/// The text of a value; empty when it has none.
pub(crate) fn text_of(value: &Value) -> String {
    let mut text = String::new();
    collect(value, &mut text);
    text
}

fn collect(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => {
            if !out.is_empty() {
                out.push_str("\n\n");
            }
            out.push_str(text);
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, out)),
        Value::Object(fields) => match fields.get("text") {
            Some(Value::String(text)) => {
                if !out.is_empty() {
                    out.push_str("\n\n");
                }
                out.push_str(text);
            }
            _ if is_bytes(value) => {}
            _ => fields.values().for_each(|field| collect(field, out)),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether a value is how bytes look in JSON.
pub(crate) fn is_bytes(value: &Value) -> bool {
    value.as_object().is_some_and(|fields| {
        fields.len() == 2 && fields.contains_key("media_type") && fields.contains_key("base64")
    })
}

#[cfg(test)]
mod tests {
    use consort_plugin_sdk::Blob;
    use consort_plugin_sdk::serde_json::json;
    use consort_plugin_sdk::testing::invocation;

    use super::*;

    #[test]
    fn text_is_found_wherever_it_is() {
        for (value, expected) in [
            (json!("a"), "a"),
            (json!({"text": "a", "title": "b"}), "a"),
            (json!({"title": "b", "body": ["c", {"text": "d", "x": "y"}, 1, null]}), "b\n\nc\n\nd"),
            (json!({"media_type": "image/png", "base64": "AQID"}), ""),
            (json!([1, true, {}]), ""),
        ] {
            assert_eq!(text_of(&value), expected, "{value}");
        }
    }

    #[test]
    fn input_comes_first_and_the_description_is_left_alone() {
        let call = invocation("Merge").with_input("one".into()).after("two", "2".into());
        let material = Material::of(&call).unwrap();
        let names: Vec<_> = material.sources.iter().map(|source| source.name.as_str()).collect();
        assert_eq!((names, material.note), (vec!["input", "two"], None));
    }

    #[test]
    fn a_bare_description_is_the_text_and_its_instruction_is_not() {
        for (description, expected) in [
            ("Research topic", "Research topic"),
            ("Summarise this: It is short. Very.", "It is short. Very."),
            ("Summarise\n\nIt is short.", "It is short."),
            ("At 10:30 we met", "At 10:30 we met"),
            ("Summarise:", "Summarise:"),
            ("One. Two. Three: four", "One. Two. Three: four"),
        ] {
            let material = Material::of(&invocation(description)).unwrap();
            assert_eq!(material.sources[0].text, expected);
            assert!(material.note.is_some());
        }
    }

    #[test]
    fn input_without_text_is_refused_and_dependencies_without_text_are_not() {
        for input in [Payload::Text(String::new()), Payload::Json(r#"{"text": " "}"#.into())] {
            let material = Material::of(&invocation("Go").with_input(input)).unwrap();
            let failure = material.require_text().unwrap_err();
            assert!(failure.message().contains("make 'input' a string"), "{failure:?}");
        }
        let given = invocation("Go").with_input(Payload::Json("{}".into())).after("a", "".into());
        let material = Material::of(&given).unwrap();
        assert_eq!(material.require_text(), Ok(()));
        assert!(material.note.unwrap().starts_with("nothing to work on"));
    }

    #[test]
    fn bytes_count_when_they_are_text() {
        let blob = |data: &[u8]| {
            Payload::Blob(Blob { media_type: "text/plain".into(), data: data.to_vec() })
        };
        let material = Material::of(&invocation("").with_input(blob(b"hello"))).unwrap();
        assert_eq!(material.sources[0].text, "hello");
        let material = Material::of(&invocation("").with_input(blob(&[0xff]))).unwrap();
        assert!(material.require_text().is_err());
    }
}
