//! The plugins that do their work inside the sandbox: `local` and the
//! transformers. What they do is tested natively; here that they do the same as
//! components, where integers have 32 bits, stacks are small and fuel is counted.

use std::sync::Arc;

use consort_plugin_host::{
    CallContext, CallError, Dependency, Failure, FaultKind, LimitKind, Limits, Payload,
    TransformContext,
};
use serde_json::{Value, json};

use crate::support::{adapter, done, invocation, plugin};

const TEXTS: [&str; 3] = [
    include_str!("../../../../examples/texts/origin-of-species.txt"),
    include_str!("../../../../examples/texts/chemical-history-of-a-candle.txt"),
    include_str!("../../../../examples/texts/moby-dick.txt"),
];

/// What a call with this configuration and the manifest's limits is given.
async fn context_of(name: &str, config: &Value) -> CallContext {
    let manifest = plugin(name).await.manifest().limits;
    let limits = Limits::settle(&[&manifest], &Limits::DEFAULT, &Limits::CEILING);
    CallContext { config: config.to_string().into(), ..CallContext::new(limits) }
}

async fn transform(name: &str, config: &Value, value: Payload) -> Result<Payload, CallError> {
    let cx = context_of(name, config).await;
    let transformer = plugin(name).await.transformer().expect("it is a transformer");
    let about = TransformContext {
        run_id: "run".into(),
        task_id: "task".into(),
        for_task: None,
        metadata: "{}".into(),
        config: Arc::clone(&cx.config),
    };
    transformer.transform(value, &about, &cx).await
}

async fn work(config: &Value, description: &str, input: &[&str]) -> Payload {
    let cx = context_of("local", config).await;
    let mut call = invocation(description);
    call.config = Arc::clone(&cx.config);
    call.dependencies = input
        .iter()
        .enumerate()
        .map(|(number, text)| Dependency {
            name: format!("text_{number}").into(),
            task: "task".into(),
            value: Payload::Text((*text).into()),
        })
        .collect();
    done(adapter("local").await.start(&call, &cx).await).output
}

fn json_of(payload: &Payload) -> Value {
    let Payload::Json(text) = payload else { panic!("expected JSON: {payload:?}") };
    serde_json::from_str(text).expect("the host has checked it")
}

fn json(text: &str) -> Payload {
    Payload::Json(text.into())
}

fn text(text: &str) -> Payload {
    Payload::Text(text.into())
}

#[tokio::test]
async fn local_reads_three_books() {
    let about = json_of(&work(&json!({}), "Extract keywords", &TEXTS).await);
    let phrases = about["text"].as_str().expect("keywords as text");
    assert!(phrases.contains("species") && phrases.contains("candle"), "{phrases}");

    let summary = json_of(&work(&json!({"sentences": 3}), "Summarise", &TEXTS).await);
    assert_eq!(summary["sentences"].as_array().map(Vec::len), Some(3));

    let figures = json_of(&work(&json!({}), "Statistics, please", &TEXTS).await);
    assert_eq!(figures["words"], 1984);

    let Payload::Text(report) = work(&json!({}), "Combine: Books", &TEXTS).await else {
        panic!("a report is text")
    };
    assert!(report.starts_with("# Books\n\n## Text 0\n\nWhen on board H.M.S."), "{report}");
}

#[tokio::test]
async fn local_takes_a_book_of_a_megabyte_within_its_limits() {
    let book = TEXTS.concat().repeat(96);
    assert!(book.len() > 1 << 20);
    for operation in ["keywords", "summary", "statistics", "merge"] {
        work(&json!({"operation": operation}), "", &[&book]).await;
    }
}

#[tokio::test]
async fn jq_keeps_every_digit_where_integers_have_32_bits() {
    let document = "[2147483648,12345678901234567890123,1.00000000000000000001]";
    let filter = |filter: &str| json!({"filter": filter});
    let same = transform("jq", &filter("."), json(document)).await;
    assert_eq!(same.expect("a result"), json(document));
    let sum = transform("jq", &filter("(.[0] * .[0]) + 1"), json(document)).await;
    assert_eq!(sum.expect("a result"), json("4611686018427387905"));
}

#[tokio::test]
async fn an_endless_filter_runs_out_of_fuel() {
    let endless = transform("jq", &json!({"filter": "[repeat(1)] | length"}), json("0")).await;
    let Err(CallError::Fault(fault)) = endless else { panic!("it ended: {endless:?}") };
    let FaultKind::Limit { limit, .. } = fault.kind else { panic!("{fault}") };
    assert!(matches!(limit, LimitKind::Fuel | LimitKind::Memory), "{limit:?}");
}

#[tokio::test]
async fn deep_documents_do_not_overflow_the_stack() {
    let nested = |depth: usize| json(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
    for (name, config, depth) in [
        ("jq", json!({"filter": "."}), 127),
        ("template", json!({"template": "{{ value|tojson }}", "output": "json"}), 127),
        ("json-schema", json!({"schema": {"items": {"$ref": "#"}}}), 127),
    ] {
        let result = transform(name, &config, nested(depth)).await;
        assert_eq!(
            result.unwrap_or_else(|error| panic!("{name}: {error}")),
            nested(depth),
            "{name}"
        );
    }
}

#[tokio::test]
async fn template_fills_in() {
    let config = json!({"template": "{{ task.task_id }}: {{ value.a|upper }}"});
    let filled = transform("template", &config, json(r#"{"a": "é"}"#)).await;
    assert_eq!(filled.expect("a result"), text("task: É"));
}

#[tokio::test]
async fn json_schema_lets_pass_or_says_what_is_wrong() {
    let config = json!({"schema": {"type": "object", "required": ["a"]}, "parse": true});
    let passed = transform("json-schema", &config, text("```json\n{\"a\": 1}\n```")).await;
    assert_eq!(passed.expect("it fits"), json("{\"a\": 1}"));
    let refused = transform("json-schema", &config, text("{}")).await;
    let Err(CallError::Failed(Failure::Permanent(problem))) = refused else {
        panic!("it passed: {refused:?}")
    };
    assert_eq!(problem.code.as_deref(), Some("schema-mismatch"));
    assert!(problem.detail.is_some_and(|detail| detail.contains("violations")));
}

#[tokio::test]
async fn text_is_cleaned_and_cut() {
    let config = json!({"markdown": "strip", "whitespace": "collapse", "max_words": 3});
    let cut = transform("text", &config, text("# One\n\n*two* [three](x) four")).await;
    assert_eq!(cut.expect("a result"), text("One two three…"));
}
