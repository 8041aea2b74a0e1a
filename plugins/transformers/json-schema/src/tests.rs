//! The transformer as a whole: values in, the same values or failures out.

use consort_plugin_sdk::testing::context;
use consort_plugin_sdk::{Failure, Payload, Transformer};
use serde_json::{Value, json};

use crate::JsonSchema;

fn run(config: &Value, value: Payload) -> Result<Payload, Failure> {
    JsonSchema::transform(value, context(&config.to_string()))
}

fn detail(failure: &Failure) -> Value {
    serde_json::from_str(failure.problem().unwrap().detail.as_ref().unwrap()).unwrap()
}

fn article() -> Value {
    json!({
        "type": "object",
        "required": ["title", "tags"],
        "properties": {
            "title": {"type": "string", "minLength": 3},
            "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "maxItems": 3},
            "mail": {"format": "email"},
        },
        "$defs": {"tag": {"type": "string", "pattern": "^[a-z]+$"}},
    })
}

#[test]
fn what_fits_passes_unchanged() {
    for value in [
        Payload::Json(r#" {"title":"abc", "tags":[], "n":12345678901234567890123} "#.into()),
        Payload::Json(r#"{"title":"日本語","tags":["a"]}"#.into()),
    ] {
        assert_eq!(run(&json!({"schema": article()}), value.clone()), Ok(value));
    }
    let text = Payload::Text("שלום 😀".into());
    assert_eq!(run(&json!({"schema": {"type": "string", "maxLength": 6}}), text.clone()), Ok(text));
    let anything = Payload::Json("null".into());
    assert_eq!(run(&json!({"schema": true}), anything.clone()), Ok(anything));
}

#[test]
fn every_violation_is_listed_with_its_path() {
    let value = Payload::Json(r#"{"title":"a","tags":["ok","NO",3],"mail":"nobody"}"#.into());
    let failure = run(&json!({"schema": article()}), value).unwrap_err();
    assert!(matches!(failure, Failure::Permanent(_)), "{failure:?}");
    assert_eq!(failure.code(), Some("schema-mismatch"));
    assert!(
        failure.message().starts_with("the value does not fit its schema: at /"),
        "{failure:?}"
    );
    assert!(failure.message().ends_with("(and 3 more)"), "{failure:?}");
    let detail = detail(&failure);
    let mut paths: Vec<&str> = detail["violations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["path"].as_str().unwrap())
        .collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/mail", "/tags/1", "/tags/2", "/title"]);
    assert_eq!(detail["omitted"], 0);
}

#[test]
fn a_mismatch_is_retried_when_configured() {
    let config = json!({"schema": {"type": "object"}, "on_mismatch": "retry", "parse": true});
    for answer in ["[1]", "Sorry."] {
        let failure = run(&config, answer.into()).unwrap_err();
        assert!(matches!(failure, Failure::Transient(_)), "{failure:?}");
        assert_eq!(failure.code(), Some("schema-mismatch"));
    }
}

#[test]
fn answers_are_parsed_when_configured() {
    let answer = "Sure!\n```json\n{\"title\": \"abc\", \"tags\": []}\n```";
    let config = json!({"schema": article(), "parse": true});
    let parsed = Payload::Json("{\"title\": \"abc\", \"tags\": []}".into());
    assert_eq!(run(&config, answer.into()), Ok(parsed));
    let failure = run(&json!({"schema": article()}), answer.into()).unwrap_err();
    assert!(failure.message().contains("is not of type \"object\""), "{failure:?}");
}

#[test]
fn formats_are_checked_unless_configured() {
    let value = Payload::Text("not a date".into());
    let schema = json!({"format": "date-time"});
    assert!(run(&json!({"schema": schema}), value.clone()).is_err());
    assert!(run(&json!({"schema": schema, "formats": false}), value).is_ok());
}

#[test]
fn problems_of_the_configuration_name_the_field() {
    for (config, part) in [
        (json!({}), "`schema`"),
        (json!({"schema": {"type": "strin"}}), "'schema' is not a valid schema at /type"),
        (json!({"schema": 1}), "'schema' is not a valid schema"),
        (json!({"schema": {"pattern": "("}}), "'schema' is not a valid schema"),
        (json!({"schema": {"$ref": "#/$defs/none"}}), "/$defs/none"),
        (
            json!({"schema": {"$ref": "https://example.com/schema.json"}}),
            "https://example.com/schema.json",
        ),
        (json!({"schema": true, "on_mismatch": "ignore"}), "`ignore`"),
        (json!({"schema": true, "parse": "yes"}), "parse"),
        (json!({"schema": true, "on_missmatch": "fail"}), "`on_missmatch`"),
    ] {
        match run(&config, Payload::Text(String::new())) {
            Err(failure @ Failure::InvalidInput(_)) => {
                assert!(failure.message().contains(part), "{part:?} is not in {failure:?}");
            }
            other => panic!("{config}: {other:?}"),
        }
    }
}

#[test]
fn older_drafts_are_understood() {
    let config = json!({"schema": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": {"n": {"type": "integer"}},
        "items": [{"$ref": "#/definitions/n"}],
    }});
    assert!(run(&config, Payload::Json("[1]".into())).is_ok());
    assert!(run(&config, Payload::Json("[\"1\"]".into())).is_err());
}

#[test]
fn floods_of_violations_and_large_values_stay_small() {
    let value: Vec<String> = vec!["x".repeat(1_000); 1_000];
    let config = json!({"schema": {"items": {"type": "integer"}}});
    let failure = run(&config, Payload::json(&value).unwrap()).unwrap_err();
    let detail = detail(&failure);
    assert_eq!(detail["violations"].as_array().unwrap().len(), 100);
    assert_eq!(detail["omitted"], 900);
    assert!(detail.to_string().len() < 60_000);
    assert!(failure.message().len() < 500, "{failure:?}");
}

#[test]
fn recursive_schemas_and_deep_values_end() {
    let schema = json!({"$defs": {"t": {"items": {"$ref": "#/$defs/t"}}}, "$ref": "#/$defs/t"});
    let nested = |depth| Payload::Json(format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
    assert_eq!(run(&json!({"schema": schema}), nested(100)), Ok(nested(100)));
    let failure = run(&json!({"schema": schema}), nested(200)).unwrap_err();
    assert!(matches!(failure, Failure::InvalidInput(_)), "{failure:?}");
}

#[test]
fn a_configuration_that_cannot_be_used_is_known_beforehand() {
    use consort_plugin_sdk::CheckedTransformer as _;

    assert_eq!(JsonSchema::check(r#"{"schema": {"type": "string"}}"#), []);
    let complaints = JsonSchema::check(r#"{"schema": {"type": "strnig"}}"#);
    let [complaint] = complaints.as_slice() else { panic!("{complaints:?}") };
    assert_eq!(complaint.path, "/schema");
    assert!(
        JsonSchema::check("{\"nonsense\": 1}").iter().all(|complaint| complaint.path.is_empty())
    );
}
