//! The JSON Schema of the workflow format, for editors; `workflow.schema.json`
//! is what this makes.
//!
//! It says what a document may look like. What makes sense only within the whole
//! document or on a certain host, such as references, is the compiler's to check.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::{
    AgentDoc, BudgetDoc, ConflictWord, DeadlineDoc, Free, FreeObject, OnFailureDoc, TaskDoc, Text,
};

/// The schema, in the dialect of 2020-12.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let task = generator.subschema_for::<TaskDoc<'static>>();
    let workflow = workflow(&mut generator);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Consort workflow",
        "description": "A list of tasks, one task, or a workflow.",
        "type": ["array", "object"],
        "if": {"type": "array"},
        "then": {"items": task, "minItems": 1},
        "else": {
            "if": {
                "anyOf": [
                    {"required": ["task_id"]},
                    {"required": ["steps"], "not": {"required": ["tasks"]}},
                ],
            },
            "then": task,
            "else": workflow,
        },
        "$defs": generator.take_definitions(true),
    })
}

/// The object around the tasks.
fn workflow(generator: &mut SchemaGenerator) -> Schema {
    let fields = [
        ("name", generator.subschema_for::<String>(), "What it is called."),
        (
            "inputs",
            generator.subschema_for::<Map<String, Value>>(),
            "Values for templates, overridden by the caller of a run.",
        ),
        (
            "agents",
            json_schema!({
                "type": "object",
                "additionalProperties": generator.subschema_for::<AgentDoc>(),
            }),
            "Agents by name.",
        ),
        (
            "tasks",
            json_schema!({
                "type": "array",
                "items": generator.subschema_for::<TaskDoc<'static>>(),
                "minItems": 1,
            }),
            "The tasks; those that do not wait for each other run in parallel.",
        ),
        ("budget", generator.subschema_for::<BudgetDoc>(), "What a run may spend on its agents."),
        (
            "deadline",
            generator.subschema_for::<DeadlineDoc<'static>>(),
            "When a run must be over: RFC 3339, a duration, or seconds from submission.",
        ),
        (
            "on_failure",
            generator.subschema_for::<OnFailureDoc<'static>>(),
            "What the failure of a task means for others, unless the task says.",
        ),
        (
            "on_conflict",
            generator.subschema_for::<ConflictWord>(),
            "What happens to a task added to a run that does not fit.",
        ),
    ];
    let properties = fields.into_iter().map(|(name, mut schema, description)| {
        schema.insert("description".to_owned(), description.into());
        (name.to_owned(), schema.to_value())
    });
    json_schema!({
        "type": "object",
        "properties": properties.collect::<Map<String, Value>>(),
        "required": ["tasks"],
        "additionalProperties": false,
    })
}

impl JsonSchema for Text<'_> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string"})
    }
}

impl JsonSchema for Free {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Free".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({})
    }
}

impl JsonSchema for FreeObject {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "FreeObject".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object"})
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::WORKFLOW_FIELDS;
    use super::*;

    #[test]
    fn the_fields_of_a_workflow_are_those_that_are_read() {
        let schema = schema();
        let known = schema["else"]["else"]["properties"].as_object().unwrap();
        let known: Vec<&str> = known.keys().map(String::as_str).collect();
        assert_eq!(known, WORKFLOW_FIELDS);
    }
}
