//! A *template* is a JSON document with *placeholders* in its strings:
//! `{{ input.text }}` stands for what is at that [path](crate::path) of the task.
//! A string that is one placeholder alone stands for the value and keeps its
//! type; inside other text, a string is inserted as it is and anything else as
//! JSON.
//!
//! There are no loops and conditions, and so no engine for them in every
//! instance that waits for an agent: the task's description is a template of the
//! host's with all of that, and transformers reshape what a task is given.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::adapter::Invocation;
use crate::failure::Failure;
use crate::path::find;

/// Fills in every string of the document; keys stay as they are. `name` is what
/// the configuration calls the document; `InvalidInput` says with it which
/// string cannot be filled in.
pub fn fill(name: &str, template: &Value, call: &Invocation) -> Result<Value, Failure> {
    Filler { context: context(call)? }.fill(template, name)
}

/// What placeholders can name.
fn context(call: &Invocation) -> Result<Value, Failure> {
    let input = call.input.as_ref().map(|input| input.to_value()).transpose()?;
    let mut dependencies = Vec::with_capacity(call.dependencies.len());
    for dependency in &call.dependencies {
        let value = dependency.value.to_value()?;
        dependencies.push(json!({
            "name": dependency.name,
            "task": dependency.task,
            "value": value,
        }));
    }
    Ok(json!({
        "description": call.description,
        "input": input,
        "results": call.results()?,
        "dependencies": dependencies,
        "metadata": call.metadata()?,
        "task": {"id": call.task_id, "type": call.task_type, "attempt": call.attempt},
        "run_id": call.run_id,
        "agent": call.agent,
        "idempotency_key": call.idempotency_key,
    }))
}

struct Filler {
    context: Value,
}

impl Filler {
    fn fill(&self, template: &Value, place: &str) -> Result<Value, Failure> {
        match template {
            Value::String(text) => self.fill_string(text).map_err(|reason| {
                let message = format!("'{place}' cannot be filled in: {reason}");
                Failure::invalid_input(message).with_code("template")
            }),
            Value::Array(items) => {
                let filled = items.iter().enumerate();
                filled.map(|(i, item)| self.fill(item, &format!("{place}[{i}]"))).collect()
            }
            Value::Object(fields) => {
                let filled = fields.iter().map(|(name, field)| {
                    Ok((name.clone(), self.fill(field, &format!("{place}.{name}"))?))
                });
                filled.collect::<Result<Map<_, _>, Failure>>().map(Value::Object)
            }
            other => Ok(other.clone()),
        }
    }

    fn fill_string(&self, text: &str) -> Result<Value, String> {
        if let Some((before, placeholder, after)) = split(text)?
            && before.trim().is_empty()
            && after.trim().is_empty()
        {
            return self.value(placeholder).map(Cow::into_owned);
        }
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, placeholder, after)) = split(rest)? {
            filled.push_str(before);
            match &*self.value(placeholder)? {
                Value::String(text) => filled.push_str(text),
                other => filled.push_str(&other.to_string()),
            }
            rest = after;
        }
        filled.push_str(rest);
        Ok(Value::String(filled))
    }

    /// What a placeholder stands for.
    fn value(&self, placeholder: &str) -> Result<Cow<'_, Value>, String> {
        if let Some(literal) = literal(placeholder) {
            return Ok(Cow::Owned(Value::from(literal)));
        }
        let (path, filter) = match placeholder.split_once('|') {
            Some((path, filter)) => (path.trim(), Some(filter.trim())),
            None => (placeholder, None),
        };
        let missing = || format!("there is nothing called '{path}'");
        let value = Some(path).filter(|path| !path.is_empty()).and_then(|p| find(&self.context, p));
        let value = value.ok_or_else(missing)?;
        match filter {
            None => Ok(Cow::Borrowed(value)),
            Some("tojson") => Ok(Cow::Owned(Value::String(value.to_string()))),
            Some(other) => {
                Err(format!("there is no filter '{other}'; the one there is, is 'tojson'"))
            }
        }
    }
}

/// The first placeholder of a text, and what stands before and after it.
fn split(text: &str) -> Result<Option<(&str, &str, &str)>, String> {
    let Some((before, rest)) = text.split_once("{{") else {
        return match text.contains("{%") {
            true => Err("'{%' begins no placeholder; write what needs loops or conditions into \
                         the task's description, or let a transformer make it"
                .to_owned()),
            false => Ok(None),
        };
    };
    // A literal may hold what ends a placeholder.
    let quote = rest.trim_start().chars().next().filter(|c| matches!(c, '\'' | '"'));
    let quoted = match quote {
        Some(quote) => {
            let start = rest.find(quote).map_or(0, |at| at + 1);
            rest[start..].find(quote).map_or(start, |at| start + at + 1)
        }
        None => 0,
    };
    match rest[quoted..].find("}}") {
        Some(end) => {
            let (placeholder, after) = rest.split_at(quoted + end);
            Ok(Some((before, placeholder.trim(), &after[2..])))
        }
        None => Err("a '{{' is never closed; write '{{ \"{{\" }}' for the characters".to_owned()),
    }
}

/// The text of a placeholder that is a string in quotes.
fn literal(placeholder: &str) -> Option<&str> {
    ['\'', '"'].into_iter().find_map(|quote| placeholder.strip_prefix(quote)?.strip_suffix(quote))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Payload;
    use crate::testing::invocation;

    fn filled(template: Value) -> Result<Value, Failure> {
        let call = invocation("summarise \"it\"")
            .with_input(Payload::Json(r#"{"text": "long", "n": 3, "tags": ["z", "a"]}"#.into()))
            .after("notes", Payload::Json("[1, 2.5, null]".into()))
            .after("draft", Payload::Text("words".into()));
        fill("body", &template, &call)
    }

    #[test]
    fn one_placeholder_alone_keeps_its_type() {
        let template = json!({
            "n": "{{ input.n }}", "tags": "{{input.tags}}", "first": "{{ input.tags[0] }}",
            "all": "{{ results }}", "draft": " {{ results.draft }} ",
            "before": "{{ dependencies[1].name }}",
        });
        let expected = json!({
            "n": 3, "tags": ["z", "a"], "first": "z",
            "all": {"notes": [1, 2.5, null], "draft": "words"}, "draft": "words",
            "before": "draft",
        });
        assert_eq!(filled(template).unwrap(), expected);
    }

    #[test]
    fn text_around_placeholders_stays_text() {
        let template = json!([
            "{{ description }}: {{ input.n }}",
            {"list": "notes={{ results.notes }}; draft={{ results.draft|tojson }};"},
            "{{ task.id }}/{{ task.attempt }}",
            "{{ input.text | tojson }}",
            "a {{ '{{' }} and {{ \"}}\" }}",
            "plain", 7, null,
        ]);
        let expected = json!([
            "summarise \"it\": 3",
            {"list": "notes=[1,2.5,null]; draft=\"words\";"},
            "task/1",
            "\"long\"",
            "a {{ and }}",
            "plain", 7, null,
        ]);
        assert_eq!(filled(template).unwrap(), expected);
    }

    #[test]
    fn text_of_the_task_is_not_a_template() {
        let call = invocation("{{ input }}");
        assert_eq!(fill("body", &json!("{{ description }}"), &call), Ok(json!("{{ input }}")));
        assert_eq!(
            fill("body", &json!("1. {{ description }}"), &call),
            Ok(json!("1. {{ input }}"))
        );
    }

    #[test]
    fn a_task_without_input_has_null() {
        let filled = fill("body", &json!({"i": "{{ input }}"}), &invocation(""));
        assert_eq!(filled, Ok(json!({"i": null})));
    }

    #[test]
    fn what_cannot_be_filled_in_is_an_error_with_its_place() {
        for (text, says) in [
            ("{{ inputs }}", "there is nothing called 'inputs'"),
            ("x {{ input.nothing }}", "there is nothing called 'input.nothing'"),
            ("{{ }}", "there is nothing called ''"),
            ("{{ input.n + 1 }}", "there is nothing called 'input.n + 1'"),
            ("{{ description | upper }}", "there is no filter 'upper'"),
            ("{{ unfinished", "never closed"),
            ("{{ \"unfinished }}", "nothing called '\"unfinished'"),
            ("{% for d in dependencies %}x{% endfor %}", "the task's description"),
        ] {
            let failure = filled(json!({"a": [{"b": text}]})).unwrap_err();
            assert!(matches!(failure, Failure::InvalidInput(_)), "{failure:?}");
            let message = failure.message();
            assert!(message.starts_with("'body.a[0].b' cannot be filled in: "), "{message}");
            assert!(message.contains(says), "{text}: {message}");
        }
    }
}
