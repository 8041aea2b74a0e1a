//! A *template* is a JSON document whose strings are minijinja templates over
//! the task. A string that is one expression alone stands for the expression's
//! value and keeps its type.

use consort_plugin_sdk::{Failure, Invocation};
use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};
use serde_json::{Map, Value, json};

/// Fills in every string of the document; keys stay as they are.
pub(crate) fn fill(template: &Value, call: &Invocation) -> Result<Value, Failure> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let filler = Filler { environment, context: minijinja::Value::from(Serde(context(call)?)) };
    filler.fill(template, "body")
}

/// What expressions can name.
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
    environment: Environment<'static>,
    context: minijinja::Value,
}

impl Filler {
    fn fill(&self, template: &Value, place: &str) -> Result<Value, Failure> {
        match template {
            Value::String(text) => self.fill_string(text).map_err(|error| {
                let message = format!("'{place}' cannot be filled in: {error}");
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

    fn fill_string(&self, text: &str) -> Result<Value, Error> {
        match sole_expression(text) {
            Some(expression) => {
                let value = self.environment.compile_expression(expression)?.eval(&self.context)?;
                if value.is_undefined() {
                    let message = format!("there is nothing called '{}'", expression.trim());
                    return Err(Error::new(ErrorKind::UndefinedError, message));
                }
                serde_json::to_value(value)
                    .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
            }
            None => self.environment.render_str(text, &self.context).map(Value::String),
        }
    }
}

/// The expression of a string like `{{ input.text }}`.
fn sole_expression(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix('-').unwrap_or(inner);
    let inner = inner.strip_suffix('-').unwrap_or(inner);
    (!inner.contains("{{") && !inner.contains("}}")).then_some(inner)
}

#[cfg(test)]
mod tests {
    use consort_plugin_sdk::Payload;
    use consort_plugin_sdk::testing::invocation;

    use super::*;

    fn filled(template: Value) -> Result<Value, Failure> {
        let call = invocation("summarise \"it\"")
            .with_input(Payload::Json(r#"{"text": "long", "n": 3, "tags": ["z", "a"]}"#.into()))
            .after("notes", Payload::Json("[1, 2.5, null]".into()))
            .after("draft", Payload::Text("words".into()));
        fill(&template, &call)
    }

    #[test]
    fn one_expression_alone_keeps_its_type() {
        let template = json!({
            "n": "{{ input.n + 1 }}", "tags": "{{ input.tags }}", "all": "{{- results -}}",
            "draft": " {{ results.draft }} ",
        });
        let expected = json!({
            "n": 4, "tags": ["z", "a"], "all": {"notes": [1, 2.5, null], "draft": "words"},
            "draft": "words",
        });
        assert_eq!(filled(template).unwrap(), expected);
    }

    #[test]
    fn other_strings_are_templates_and_stay_strings() {
        let template = json!([
            "{{ description }}: {{ input.n }}",
            {"list": "{% for d in dependencies %}{{ d.name }}={{ d.value|tojson }};{% endfor %}"},
            "{{ task.id }}/{{ task.attempt }}",
            "plain", 7, null,
        ]);
        let expected = json!([
            "summarise \"it\": 3",
            {"list": "notes=[1, 2.5, null];draft=\"words\";"},
            "task/1",
            "plain", 7, null,
        ]);
        assert_eq!(filled(template).unwrap(), expected);
    }

    #[test]
    fn text_of_the_task_is_not_a_template() {
        let call = invocation("{{ input }}");
        assert_eq!(fill(&json!("{{ description }}"), &call), Ok(json!("{{ input }}")));
    }

    #[test]
    fn a_task_without_input_has_null() {
        assert_eq!(fill(&json!({"i": "{{ input }}"}), &invocation("")), Ok(json!({"i": null})));
    }

    #[test]
    fn a_name_that_does_not_exist_is_an_error_with_its_place() {
        let failure = filled(json!({"a": [{"b": "{{ inputs }}"}]})).unwrap_err();
        assert!(matches!(failure, Failure::InvalidInput(_)), "{failure:?}");
        assert!(failure.message().starts_with("'body.a[0].b' cannot be filled in"), "{failure:?}");
        let failure = filled(json!("{{ unfinished")).unwrap_err();
        assert!(matches!(failure, Failure::InvalidInput(_)), "{failure:?}");
    }
}
