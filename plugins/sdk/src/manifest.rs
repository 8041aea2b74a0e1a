//! A *manifest* describes a plugin to the host before it is run: name, version,
//! kind, capabilities asked for, configuration schema and default limits. The
//! export macros embed it and test it with [`assert_valid`].

use serde_json::{Map, Value};

const FIELDS: &[&str] = &[
    "name",
    "version",
    "kind",
    "description",
    "capabilities",
    "config_schema",
    "needs_url",
    "limits",
];
const LIMITS: &[&str] = &[
    "fuel",
    "memory",
    "cpu_time",
    "time",
    "log",
    "output",
    "headers",
    "network",
    "network_rate",
    "requests",
];
const RULE_FIELDS: &[&str] = &["host", "port", "scheme", "path", "method", "methods"];

/// Panics with every problem of the manifest, if it has one.
pub fn assert_valid(text: &str, kind: &str) {
    let problems = problems(text, kind);
    assert!(problems.is_empty(), "the manifest is not valid:\n- {}", problems.join("\n- "));
}

/// What is wrong with a manifest of a plugin of this kind, one line a problem.
pub fn problems(text: &str, kind: &str) -> Vec<String> {
    let manifest: Map<String, Value> = match serde_json::from_str(text) {
        Ok(manifest) => manifest,
        Err(error) => return vec![format!("not a JSON object: {error}")],
    };
    let mut found = Vec::new();
    unknown_fields("the manifest", &manifest, FIELDS, &mut found);
    for field in ["name", "version", "kind", "description"] {
        if manifest.get(field).and_then(Value::as_str).is_none_or(str::is_empty) {
            found.push(format!("'{field}' must be a string that is not empty"));
        }
    }
    check_name(&manifest, &mut found);
    if manifest.get("kind").is_some_and(|written| written != kind) {
        found.push(format!("'kind' must be \"{kind}\", as the code exports"));
    }
    check_capabilities(manifest.get("capabilities"), &mut found);
    if manifest.get("config_schema").is_some_and(|schema| schema["type"] != "object") {
        found.push("'config_schema' must be a JSON Schema of type \"object\"".into());
    }
    if manifest.get("needs_url").is_some_and(|needs| !needs.is_boolean()) {
        found.push("'needs_url' must be true or false".into());
    }
    check_limits(manifest.get("limits"), &mut found);
    found
}

fn unknown_fields(
    place: &str,
    object: &Map<String, Value>,
    known: &[&str],
    found: &mut Vec<String>,
) {
    for field in object.keys().filter(|field| !known.contains(&field.as_str())) {
        found.push(format!("{place} has an unknown field '{field}'; known: {}", known.join(", ")));
    }
}

fn check_name(manifest: &Map<String, Value>, found: &mut Vec<String>) {
    let name = manifest.get("name").and_then(Value::as_str).unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.len() > 64 || name.ends_with(".wasm") || !name.chars().all(is_plain) {
        found.push(format!(
            "'name' is \"{name}\"; use at most 64 letters, digits, '-', '_' and '.', not ending in .wasm"
        ));
    }
}

fn check_capabilities(capabilities: Option<&Value>, found: &mut Vec<String>) {
    let Some(capabilities) = capabilities else {
        return;
    };
    let Some(capabilities) = capabilities.as_object() else {
        found.push("'capabilities' must be an object".into());
        return;
    };
    unknown_fields("'capabilities'", capabilities, &["http"], found);
    let Some(rules) = capabilities.get("http") else {
        return;
    };
    let Some(rules) = rules.as_array() else {
        found.push("'capabilities.http' must be a list".into());
        return;
    };
    for rule in rules {
        match rule {
            Value::String(rule) if !rule.is_empty() => {}
            Value::Object(rule) if rule.get("host").is_some_and(Value::is_string) => {
                unknown_fields("a rule of 'capabilities.http'", rule, RULE_FIELDS, found);
            }
            other => found.push(format!(
                "'capabilities.http' has {other}; use \"endpoint\", a rule such as \
                 \"https://api.example.com/v1\", or an object with 'host'"
            )),
        }
    }
}

fn check_limits(limits: Option<&Value>, found: &mut Vec<String>) {
    let Some(limits) = limits else { return };
    let Some(limits) = limits.as_object() else {
        found.push("'limits' must be an object".into());
        return;
    };
    unknown_fields("'limits'", limits, LIMITS, found);
    for (field, value) in limits.iter().filter(|(_, value)| !value.is_u64()) {
        found.push(format!("'limits.{field}' is {value}; use a whole number that is not negative"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{
        "name": "my-agent", "version": "1.2.0", "kind": "adapter",
        "description": "speaks to my agent",
        "capabilities": {"http": ["endpoint", {"host": "auth.example.com", "path": "/token"}]},
        "config_schema": {"type": "object"},
        "limits": {"fuel": 1000000000, "memory": 67108864, "time": 30000}
    }"#;

    #[test]
    fn the_example_of_the_contract_is_valid() {
        assert_eq!(problems(GOOD, "adapter"), Vec::<String>::new());
    }

    #[test]
    fn every_problem_is_named_in_one_pass() {
        let bad = r#"{"name": "My Agent", "version": "", "kind": "transformer", "licence": 1,
            "capabilities": {"http": [{"hots": "a"}]}, "config_schema": [], "limits": {"fule": -1}}"#;
        let found = problems(bad, "adapter").join("\n");
        for part in [
            "unknown field 'licence'",
            "'version' must be",
            "'description' must be",
            "\"My Agent\"",
            "'kind' must be \"adapter\"",
            "{\"hots\":\"a\"}",
            "'config_schema' must be",
            "unknown field 'fule'",
            "'limits.fule' is -1",
        ] {
            assert!(found.contains(part), "{part} is not in:\n{found}");
        }
    }

    #[test]
    #[should_panic(expected = "not a JSON object")]
    fn an_invalid_manifest_fails_the_test_of_the_plugin() {
        assert_valid("[]", "adapter");
    }
}
