//! The *template* transformer renders a Jinja template over a result.
//!
//! The template sees `value`, `task` (`{task_id, run_id, for_task}`) and
//! `metadata`. A value that is not defined is an error, unlike in most template
//! languages: text with a hole in it is worse than a task that fails. Where a
//! hole is meant, `default` fills it.
//!
//! The language is minijinja's, without `include`, `import` and `macro`: there
//! is nothing to include. One rendering has a budget of steps, so that an
//! endless loop ends with an error that names the line.

use consort_plugin_sdk::{
    CheckedTransformer, Complaint, Failure, Payload, TransformContext, Transformer, config,
};
use minijinja::value::Serde;
use minijinja::{Environment, Error, Template as Parsed, UndefinedBehavior};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

/// Steps of one rendering: instructions of minijinja's, not of the plugin's.
const MAX_STEPS: u64 = 5_000_000;

/// How much of a document an error quotes, in characters.
const EXCERPT: usize = 60;

/// Renders a template.
pub struct Template;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    template: String,
    #[serde(default)]
    output: Output,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Output {
    #[default]
    Text,
    Json,
}

impl Transformer for Template {
    fn transform(value: Payload, context: TransformContext) -> Result<Payload, Failure> {
        let config: Config = context.parse_config()?;
        let known = json!({
            "value": value.to_value()?,
            "task": {
                "task_id": context.task_id,
                "run_id": context.run_id,
                "for_task": context.for_task,
            },
            "metadata": context.metadata()?,
        });
        let rendered = render(&config.template, known)?;
        match config.output {
            Output::Text => Ok(Payload::Text(rendered)),
            Output::Json => check(rendered),
        }
    }
}

impl CheckedTransformer for Template {
    fn check(text: &str) -> Vec<Complaint> {
        match config::parse::<Config>(text) {
            Ok(config) => Complaint::of("/template", parse(&environment(), &config.template)),
            Err(failure) => Complaint::of::<()>("", Err(failure)),
        }
    }
}

consort_plugin_sdk::export_checked_transformer!(Template, "plugin.json");

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(MAX_STEPS));
    environment.set_debug(true);
    environment
}

fn parse<'t>(
    environment: &'t Environment<'static>,
    template: &'t str,
) -> Result<Parsed<'t, 't>, Failure> {
    environment.template_from_str(template).map_err(|error| {
        let message = format!("'template' is not valid: {}", explain(template, &error));
        Failure::invalid_input(message).with_code("template-syntax")
    })
}

fn render(template: &str, known: Value) -> Result<String, Failure> {
    let environment = environment();
    let parsed = parse(&environment, template)?;
    parsed.render(minijinja::Value::from(Serde(known))).map_err(|error| {
        let message = format!("the template failed: {}", explain(template, &error));
        Failure::invalid_input(message).with_code("template-error")
    })
}

/// What is wrong, on which line, and what stands there.
fn explain(template: &str, error: &Error) -> String {
    let what = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    let excerpt = error.range().and_then(|range| template.get(range)).unwrap_or("").trim();
    match (error.line(), excerpt) {
        (Some(line), "") => format!("{what} (line {line})"),
        (Some(line), excerpt) => {
            format!(
                "{what} (line {line}, at '{}')",
                excerpt.chars().take(EXCERPT).collect::<String>()
            )
        }
        (None, _) => what,
    }
}

/// Accepts JSON as it was rendered, so that numbers keep their digits.
fn check(rendered: String) -> Result<Payload, Failure> {
    match serde_json::from_str::<IgnoredAny>(&rendered) {
        Ok(IgnoredAny) => Ok(Payload::Json(rendered.trim().to_owned())),
        Err(error) => {
            let line = rendered.lines().nth(error.line().saturating_sub(1)).unwrap_or("");
            let message = format!(
                "the rendered template is not JSON: {error}, in '{}'; write values with 'tojson', \
                 or set 'output' to \"text\"",
                around(line, error.column())
            );
            Err(Failure::invalid_input(message).with_code("not-json"))
        }
    }
}

/// The characters of a line around a byte column counted from 1.
fn around(line: &str, column: usize) -> String {
    let at = line.floor_char_boundary(column);
    let before: Vec<char> = line[..at].chars().rev().take(EXCERPT / 2).collect();
    before.into_iter().rev().chain(line[at..].chars().take(EXCERPT / 2)).collect()
}

#[cfg(test)]
mod tests {
    use consort_plugin_sdk::Blob;
    use consort_plugin_sdk::testing::context;

    use super::*;

    fn run(config: Value, value: Payload) -> Result<Payload, Failure> {
        Template::transform(value, context(&config.to_string()))
    }

    #[track_caller]
    fn message(config: Value, value: Payload) -> String {
        match run(config.clone(), value) {
            Err(failure @ Failure::InvalidInput(_)) => failure.message().to_owned(),
            other => panic!("{config}: {other:?}"),
        }
    }

    #[test]
    fn a_template_that_does_not_parse_is_known_beforehand() {
        let check = |template: &str| Template::check(&json!({"template": template}).to_string());
        assert_eq!(check("{{ value.missing }}"), []);
        let complaints = check("{{ value");
        let [complaint] = complaints.as_slice() else { panic!("{complaints:?}") };
        assert_eq!(complaint.path, "/template");
        assert!(complaint.message.starts_with("'template' is not valid: "), "{complaint:?}");
        assert_eq!(Template::check("{}")[0].path, "");
    }

    #[test]
    fn templates_are_filled_in() {
        for (template, value, expected) in [
            ("", Payload::Text("x".into()), ""),
            ("{{ value }}!", Payload::Text("naïve 😀 שלום".into()), "naïve 😀 שלום!"),
            ("{{ value.a }}/{{ value.b[1] }}", Payload::Json(r#"{"a":1,"b":[2,3]}"#.into()), "1/3"),
            (
                "{% for x in value %}{{ loop.index }}={{ x }} {% endfor %}",
                Payload::Json("[5,6]".into()),
                "1=5 2=6 ",
            ),
            (
                "{{ value|tojson }}",
                Payload::Json(r#"{"b":1,"a":[null]}"#.into()),
                r#"{"b": 1, "a": [null]}"#,
            ),
            ("{{ value.missing|default('none') }}", Payload::Json("{}".into()), "none"),
            (
                "{{ value.media_type }} {{ value.base64 }}",
                Payload::Blob(Blob { media_type: "a/b".into(), data: vec![1, 2, 3] }),
                "a/b AQID",
            ),
            ("<b>{{ value }}</b>", Payload::Text("a < b".into()), "<b>a < b</b>"),
        ] {
            assert_eq!(
                run(json!({"template": template}), value),
                Ok(Payload::Text(expected.into())),
                "{template}"
            );
        }
    }

    #[test]
    fn a_template_knows_its_task() {
        let mut about = context(
            r#"{"template": "{{ task.task_id }} → {{ task.for_task }}, {{ metadata.team }}"}"#,
        );
        about.for_task = Some("next".into());
        about.metadata = r#"{"team": "red"}"#.into();
        assert_eq!(
            Template::transform("".into(), about),
            Ok(Payload::Text("task → next, red".into()))
        );
    }

    #[test]
    fn json_output_is_checked_and_keeps_its_digits() {
        let config =
            json!({"template": " {\"n\": {{ value }}00000000000000000001} ", "output": "json"});
        let digits = Payload::Json(r#"{"n": 1200000000000000000001}"#.into());
        assert_eq!(run(config, Payload::Json("12".into())), Ok(digits));
        let config = json!({"template": "{\n \"a\": {{ value }}\n}", "output": "json"});
        let message = message(config, Payload::Text("naïve words".into()));
        for part in ["is not JSON", "line 2", "naïve words", "'tojson'"] {
            assert!(message.contains(part), "{part:?} is not in {message:?}");
        }
    }

    #[test]
    fn problems_say_what_and_where() {
        for (template, parts) in [
            ("ok\n{{ value.x }}", vec!["undefined value", "line 2", "value.x"]),
            ("{{ valeu }}", vec!["undefined value", "line 1"]),
            ("a\n\n{% if %}", vec!["'template' is not valid", "line 3"]),
            ("{{ value|frobnicate }}", vec!["unknown filter", "frobnicate", "line 1"]),
            ("{% include 'x' %}", vec!["unknown statement", "include"]),
            (
                "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
                vec!["fuel"],
            ),
            ("{{ 1 + 'a' }}", vec!["the template failed", "line 1"]),
        ] {
            let message = message(json!({"template": template}), Payload::Json("{}".into()));
            for part in parts {
                assert!(message.contains(part), "{part:?} is not in {message:?}");
            }
        }
    }

    #[test]
    fn problems_of_the_configuration_name_the_field() {
        for (config, part) in [
            (json!({}), "`template`"),
            (json!({"template": 1}), "template"),
            (json!({"template": "", "output": "xml"}), "`xml`"),
            (json!({"template": "", "ouput": "text"}), "`ouput`"),
        ] {
            let message = message(config, "".into());
            assert!(message.contains(part), "{part:?} is not in {message:?}");
        }
    }

    #[test]
    fn large_and_deep_values_are_no_danger() {
        let large = "x".repeat(1 << 20);
        assert_eq!(
            run(json!({"template": "{{ value }}"}), Payload::Text(large.clone())),
            Ok(Payload::Text(large))
        );
        let nested = |depth| Payload::Json(format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
        assert_eq!(
            run(json!({"template": "{{ value|tojson }}", "output": "json"}), nested(100)),
            Ok(nested(100))
        );
        assert!(
            message(json!({"template": "{{ value }}"}), nested(200)).contains("recursion limit")
        );
        let parentheses = format!("{{{{ {}1{} }}}}", "(".repeat(10_000), ")".repeat(10_000));
        assert!(message(json!({"template": parentheses}), "".into()).contains("not valid"));
    }
}
