//! A *plugin's configuration*, as written for an agent, a transformer or the
//! policy: checked against the schema in the plugin's manifest, and with
//! placeholders where secrets belong.

use consort_core::problem::Problem;
use consort_plugin_host::Plugin;
use consort_plugin_host::egress::Placeholder;
use serde_json::{Map, Value};

use crate::setup::{Engine, KnownSecret};

/// In a plugin's configuration schema: this string names a secret.
const SECRET_MARK: &str = "x-consort-secret";

/// Checks a configuration against the plugin's schema.
pub(crate) fn check_config(
    plugin: &Plugin,
    config: &Map<String, Value>,
    path: &str,
    problems: &mut Vec<Problem>,
) {
    let Some(schema) = &plugin.manifest().config_schema else {
        if !config.is_empty() {
            problems.push(
                Problem::error(
                    "bad-config",
                    path,
                    format!("'{}' takes no configuration", plugin.name()),
                )
                .hint("remove it"),
            );
        }
        return;
    };
    let validator = match jsonschema::validator_for(schema) {
        Ok(validator) => validator,
        Err(error) => {
            let message =
                format!("the configuration schema of '{}' is not valid: {error}", plugin.name());
            problems.push(Problem::error("plugin", path, message));
            return;
        }
    };
    let hint = format!("'consort plugin inspect {}' shows what it takes", plugin.name());
    let config = Value::Object(config.clone());
    for error in validator.iter_errors(&config) {
        let place = path_of(path, error.instance_path().as_str(), &config);
        let message = error.to_string().replace('"', "'");
        problems.push(Problem::error("bad-config", place, message).hint(hint.clone()));
    }
}

/// The path of what a JSON Pointer leads to in the configuration at `path`, as far
/// as there is something.
pub(crate) fn path_of(path: &str, pointer: &str, config: &Value) -> String {
    let mut path = path.to_owned();
    let mut here = config;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        let (next, part) = match here {
            Value::Array(items) => {
                let item = step.parse().ok().and_then(|n: usize| items.get(n));
                (item, format!("[{step}]"))
            }
            _ => (here.get(&step), format!(".{step}")),
        };
        let Some(next) = next else { break };
        path.push_str(&part);
        here = next;
    }
    path
}

/// Puts placeholders where the schema says that a string names a secret.
pub(crate) fn replace_secrets(
    engine: &Engine,
    schema: &Value,
    config: &mut Value,
    path: &str,
    used: &mut Vec<(Placeholder, KnownSecret)>,
    problems: &mut Vec<Problem>,
) {
    if schema.get(SECRET_MARK) == Some(&Value::Bool(true))
        && let Value::String(name) = config
    {
        match engine.secret(name) {
            Some(secret) => {
                let placeholder = Placeholder::new();
                *name = placeholder.as_str().to_owned();
                used.push((placeholder, secret.clone()));
            }
            None => problems.push(
                Problem::error("unknown-secret", path, format!("there is no secret '{name}'"))
                    .hint(format!(
                        "pass '--secret {name}' with the environment variable set, or define it \
                         under 'secrets' in the host's configuration"
                    ))
                    .suggest(name, engine.secret_names()),
            ),
        }
        return;
    }
    match config {
        Value::Object(fields) => {
            let properties = schema.get("properties");
            let additional = schema.get("additionalProperties");
            for (name, value) in fields {
                let schema = properties.and_then(|known| known.get(name)).or(additional);
                if let Some(schema) = schema {
                    let path = format!("{path}.{name}");
                    replace_secrets(engine, schema, value, &path, used, problems);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                for (n, item) in items.iter_mut().enumerate() {
                    replace_secrets(engine, schema, item, &format!("{path}[{n}]"), used, problems);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pointer_leads_to_what_there_is() {
        let config = json!({"a": [{"b/c": 1}], "d~": {"0": 2}});
        for (pointer, expected) in [
            ("", "x.config"),
            ("/a/0/b~1c", "x.config.a[0].b/c"),
            ("/d~0/0", "x.config.d~.0"),
            ("/a/7", "x.config.a"),
            ("/a/zero/b", "x.config.a"),
            ("/missing/deeper", "x.config"),
            ("no pointer", "x.config"),
        ] {
            assert_eq!(path_of("x.config", pointer, &config), expected, "{pointer}");
        }
    }
}
