//! Documents made to do harm: each ends in problems, soon and within memory,
//! never in a panic, a stack overflow or a document that is silently different.
//!
//! Tests run on threads with 2 MiB of stack, as the engine's do.

use consort_core::plan::{Known, Plan, compile};
use consort_core::problem::Problem;
use consort_core::spec::{Format, parse, utf8};

fn plan(text: &str, format: Format) -> Result<Plan, Vec<Problem>> {
    let known = Known {
        adapters: vec!["echo".into()],
        default_agent: Some("echo".into()),
        ..Known::default()
    };
    parse(text, format).and_then(|document| compile(document, &known, 0))
}

/// The codes of the problems of a text, each once, in order.
#[track_caller]
fn codes(text: &str, format: Format) -> Vec<&'static str> {
    let problems = plan(text, format).expect_err("a document with problems");
    assert!(problems.len() <= 1_001, "{} problems", problems.len());
    for problem in &problems {
        let length = problem.to_string().len() + problem.hint.as_deref().map_or(0, str::len);
        assert!(length < 10_000, "a problem of {length} bytes");
    }
    let mut codes: Vec<_> = problems.iter().map(|problem| problem.code).collect();
    codes.dedup();
    codes
}

#[test]
fn nesting_without_end() {
    use Format::{Json, Yaml};
    assert_eq!(codes(&"[".repeat(10_000_000), Json), ["syntax"]);
    assert_eq!(codes(&"{\"a\":".repeat(1_000_000), Json), ["syntax"]);
    let deep = "[".repeat(200_000) + &"]".repeat(200_000);
    assert_eq!(codes(&deep, Json), ["too-deep"]);
    assert_eq!(codes(&format!("[{{\"task_id\": \"a\", \"input\": {deep}}}]"), Json), ["too-deep"]);
    assert_eq!(codes(&format!("{{\"tasks\": {deep}}}"), Json), ["too-deep"]);
    assert_eq!(
        codes(&format!("{{\"inputs\": {deep}, \"tasks\": []}}"), Json),
        ["too-deep", "empty"]
    );
    for text in ["[", "{a: ", "- ", "? ", "a:\n ", "!!x &a "] {
        assert!(!codes(&text.repeat(200_000), Yaml).is_empty(), "{text}");
    }
    let steps = |levels: usize| {
        let open = r#"{"task_id":"s","type":"collaborative_task","steps":["#;
        format!("{}{{\"task_id\":\"x\"}}{}", open.repeat(levels), "]}".repeat(levels))
    };
    assert_eq!(codes(&steps(40), Json), ["too-deep", "duplicate-id"]);
    assert_eq!(codes(&steps(1_000), Json), ["too-deep"]);
}

#[test]
fn aliases_that_multiply() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for n in 1..40 {
        let item = format!("*a{}, ", n - 1);
        bomb += &format!("a{n}: &a{n} [{}]\n", item.repeat(9));
    }
    assert_eq!(codes(&bomb, Format::Yaml), ["too-large"]);
    let mut merges = String::from("a0: &a0 {k0: 1}\n");
    for n in 1..40 {
        merges += &format!("a{n}: &a{n} {{<<: [*a{0}, *a{0}], k{n}: 1}}\n", n - 1);
    }
    assert!(!codes(&merges, Format::Yaml).is_empty());
    assert!(!codes("a: &a [*a]\n", Format::Yaml).is_empty());
    assert!(!codes("a: *nobody\n", Format::Yaml).is_empty());
}

#[test]
fn strings_of_a_hundred_megabytes() {
    let long = "x".repeat(100 << 20);
    for field in ["task_id", "type", "url", "description", "when", "deadline"] {
        let text = format!("[{{\"task_id\": \"t\", \"{field}\": \"{long}\"}}]");
        assert!(!codes(&text, Format::Json).is_empty(), "{field}");
    }
    for field in ["timeout", "depends_on", "input"] {
        let text = format!("[{{\"{field}\": \"{long}\", \"task_id\": \"t\"}}]");
        assert!(!codes(&text, Format::Json).is_empty(), "{field}");
    }
    assert_eq!(
        codes(&format!("[{{\"{long}\": 1, \"task_id\": \"t\"}}]"), Format::Json),
        ["unknown-field"]
    );
    assert_eq!(
        codes(&format!("{{\"{long}\": 1, \"tasks\": [1]}}"), Format::Json),
        ["unknown-field", "wrong-type"]
    );
    assert_eq!(codes(&format!("- task_id: {long}\n"), Format::Yaml), ["too-long", "missing-id"]);
    assert_eq!(codes(&long, Format::Yaml), ["wrong-type"]);
}

#[test]
fn numbers_that_are_none() {
    let json = |number: &str| format!("[{{\"task_id\": \"t\", \"timeout\": {number}}}]");
    assert_eq!(codes(&json("1e999"), Format::Json), ["out-of-range"]);
    assert_eq!(codes(&json("1e308"), Format::Json), ["out-of-range"]);
    assert_eq!(codes(&json("NaN"), Format::Json), ["syntax"]);
    assert_eq!(codes(&json(&"9".repeat(1_000_000)), Format::Json), ["out-of-range"]);
    for number in [".nan", ".inf", "-.inf", "1e999", &"9".repeat(1_000_000)] {
        let text = format!("- {{task_id: t, timeout: {number}}}\n");
        assert!(!codes(&text, Format::Yaml).is_empty(), "{number}");
    }
}

#[test]
fn bytes_that_are_not_text() {
    let problem = utf8(b"name: a\nok: \xff\n").unwrap_err().remove(0);
    assert_eq!((problem.code, problem.line, problem.column), ("invalid-utf8", Some(2), Some(5)));
    assert!(problem.message.contains("byte 12 (0xff)"), "{problem}");
    assert!(codes("[\0]", Format::Json) == ["syntax"]);
    assert!(!codes("\0", Format::Yaml).is_empty());
    assert!(plan("\u{feff}[{\"task_id\": \"a\"}]", Format::Json).is_ok());
    assert_eq!(codes(r#"[{"task_id": "\ud800"}]"#, Format::Json), ["syntax"]);
}

#[test]
fn templates_that_recurse() {
    let describe = |template: &str| {
        let text = serde_json::json!([{"task_id": "t", "description": template}]).to_string();
        plan(&text, Format::Json).map(drop)
    };
    let chains = ["+1", ".a", "[0]", "|abs", " and 1", " if 1 else 1", "()", "~1", "<1", " is odd"];
    for link in chains {
        for length in [100, 400, 5_000, 50_000] {
            let _ = describe(&format!("{{{{ 1{} }}}}", link.repeat(length)));
        }
    }
    for prefix in ["-", "not ", "(", "[", "{1:", "a(", "{% if 1 %}", "{% for a in a %}"] {
        for length in [100, 400, 5_000, 50_000] {
            let _ = describe(&format!("{{{{ {}1 }}}}", prefix.repeat(length)));
            let _ = describe(&prefix.repeat(length));
        }
    }
    for length in [400, 900, 20_000] {
        let _ = describe(&format!("{{% if 1 %}}{}{{% endif %}}", "{% elif 1 %}".repeat(length)));
        let _ = describe(&format!("{{% set a %}}{}", "{% filter upper %}".repeat(length)));
    }
    assert!(describe(&format!("{{{{ 1{} }}}}", "+1".repeat(50_000))).is_err());
    assert!(describe(r#"{{ "}}" ~ 1 }} {# {{ ' #} {% raw %} {{ ' {% endraw %}"#).is_ok());
}

#[test]
fn mistakes_by_the_hundred_thousand() {
    let many = |task: &dyn Fn(usize) -> String| {
        let tasks: Vec<String> = (0..200_000).map(task).collect();
        codes(&format!("[{}]", tasks.join(",")), Format::Json)
    };
    let missing = many(&|n| format!(r#"{{"task_id":"task{n}","depends_on":["tusk{n}"]}}"#));
    assert_eq!(missing, ["missing-dependency", "too-many-problems"]);
    let unknown = many(&|n| format!(r#"{{"task_id":"task{n}","prioritty":5}}"#));
    assert_eq!(unknown, ["unknown-field", "too-many-problems"]);
    let agents = many(&|n| format!(r#"{{"task_id":"task{n}","agent":"echoo"}}"#));
    assert_eq!(agents, ["unknown-agent", "too-many-problems"]);
    let same = many(&|_| r#"{"task_id":"same"}"#.to_owned());
    assert_eq!(same, ["duplicate-id", "too-many-problems"]);
    let pairs = many(&|n| format!(r#"{{"task_id":"t{n}","depends_on":["t{}"]}}"#, n ^ 1));
    assert_eq!(pairs, ["cycle", "too-many-problems"]);
    let ring =
        many(&|n| format!(r#"{{"task_id":"t{n}","depends_on":["t{}"]}}"#, (n + 1) % 200_000));
    assert_eq!(ring, ["cycle"]);
}

#[test]
fn tasks_with_a_hundred_thousand_dependencies_or_steps() {
    let ids: Vec<String> = (0..100_000).map(|n| format!("t{n}")).collect();
    let tasks: Vec<String> = ids.iter().map(|id| format!("{{\"task_id\":\"{id}\"}}")).collect();
    let (tasks, list) = (tasks.join(","), format!("{ids:?}"));
    let fan = format!("[{tasks},{{\"task_id\":\"all\",\"depends_on\":{list}}}]");
    assert_eq!(plan(&fan, Format::Json).unwrap().graph.edge_count(), 100_000);
    let again = format!(
        r#"[{{"task_id":"a"}},{{"task_id":"b","depends_on":[{}"a"]}}]"#,
        "\"a\",".repeat(100_000)
    );
    assert_eq!(plan(&again, Format::Json).unwrap().warnings.len(), 1_001);
    let wrong = format!(r#"[{{"task_id":"b","depends_on":[{}1]}}]"#, "1,".repeat(100_000));
    assert_eq!(codes(&wrong, Format::Json), ["wrong-type"]);
    let parallel = tasks.replace('}', ",\"parallel\":true}");
    let group = |steps: &str| {
        format!("[{{\"task_id\":\"g\",\"type\":\"collaborative_task\",\"steps\":[{steps}]}}]")
    };
    assert_eq!(plan(&group(&parallel), Format::Json).unwrap().graph.edge_count(), 100_000);
    let twice = format!(
        "{parallel},{{\"task_id\":\"mid\"}},{{\"task_id\":\"m\",\"parallel\":true}},{}",
        parallel.replace("\"t", "\"u").replace("\"uask_id", "\"task_id")
    );
    assert_eq!(codes(&group(&twice), Format::Json), ["too-large"]);
}
