//! The adapter as a whole: tasks in, results out.

use consort_plugin_sdk::serde_json::{Value, json};
use consort_plugin_sdk::testing::{invocation, take_log, take_progress};
use consort_plugin_sdk::{Adapter, Failure, Invocation, Outcome, Payload, Step};

use crate::Local;

const TEXT: &str = "Bees visit flowers. A bee carries pollen from flower to flower. \
    Without bees many flowers would not be pollinated. The weather was fine.";

fn output(call: Invocation) -> Payload {
    match Local::start(call) {
        Ok(Step::Done(Outcome { output, usage: None, .. })) => output,
        other => panic!("{other:?}"),
    }
}

fn result(call: Invocation) -> Value {
    output(call).to_value().unwrap()
}

fn failure(call: Invocation) -> Failure {
    match Local::start(call) {
        Err(failure @ Failure::InvalidInput(_)) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn keywords_of_an_input() {
    let call = invocation("Extract keywords").with_input(TEXT.into());
    let found = result(call.configured(r#"{"keywords": 2}"#));
    assert_eq!(found["operation"], "keywords");
    assert_eq!(found["text"], "flowers, bee");
    assert_eq!(found["keywords"][0], json!({"phrase": "flowers", "score": 1.0, "count": 4}));
    assert_eq!(found["sources"], json!(["input"]));
    assert_eq!(found.get("note"), None);
}

#[test]
fn a_summary_keeps_the_order_and_names_its_sources() {
    let call = invocation("Summarise").after("bees", TEXT.into()).after(
        "ants",
        Payload::Json(json!({"text": "Ants live in colonies. Ants like flowers."}).to_string()),
    );
    let summary = result(call.configured(r#"{"sentences": 3}"#));
    let sentences = summary["sentences"].as_array().unwrap();
    assert_eq!(sentences.len(), 3);
    let order: Vec<_> =
        sentences.iter().map(|s| (s["source"] == "ants", s["position"].as_u64())).collect();
    assert!(order.is_sorted(), "{order:?}");
    assert!(!summary["text"].as_str().unwrap().contains("weather"), "{summary}");
    assert_eq!((&summary["available"], &summary["ranked"]), (&json!(6), &json!(6)));
}

#[test]
fn statistics_count() {
    let statistics = result(invocation("Count").with_input("One two. Two three four!".into()));
    for (field, expected) in [
        ("words", json!(5)),
        ("unique_words", json!(4)),
        ("sentences", json!(2)),
        ("average_sentence_length", json!(2.5)),
        ("longest_sentence", json!(3)),
        ("type_token_ratio", json!(0.8)),
    ] {
        assert_eq!(statistics[field], expected, "{field}");
    }
    let text = statistics["text"].as_str().unwrap();
    assert!(text.starts_with("5 words in 2 sentences, 4 of them different"), "{text}");
}

#[test]
fn a_merge_is_one_markdown_report() {
    let keywords =
        result(invocation("keywords").with_input(TEXT.into()).configured(r#"{"keywords": 1}"#));
    let summary =
        result(invocation("summary").with_input(TEXT.into()).configured(r#"{"sentences": 1}"#));
    let call = invocation("Combine into a report: Bees and flowers.")
        .after("keywords_bees", Payload::Json(keywords.to_string()))
        .after("summary_bees", Payload::Json(summary.to_string()));
    let Payload::Text(report) = output(call.clone()) else { panic!("Markdown is text") };
    assert_eq!(
        report,
        "# Bees and flowers\n\n## Keywords bees\n\n| keyword | count | score |\n|---|---:|---:|\n\
         | flowers | 4 | 1.00 |\n\n## Summary bees\n\n\
         A bee carries pollen from flower to flower.\n"
    );
    let object = result(call.configured(r#"{"format": "json", "title": "T"}"#));
    assert_eq!(object["title"], "T");
    assert_eq!(object["sections"][1]["value"], summary);
}

#[test]
fn the_simple_chain_of_the_specification_succeeds() {
    let research = result(invocation("Research topic"));
    assert_eq!(
        (&research["operation"], &research["text"]),
        (&json!("summary"), &json!("Research topic"))
    );
    assert!(research["note"].as_str().unwrap().contains("description"));
    let call =
        invocation("Analyze findings").after("research", Payload::Json(research.to_string()));
    let analysis = result(call);
    assert_eq!(analysis["text"], "research topic");
}

#[test]
fn steps_without_description_or_text_succeed_and_say_so() {
    let mut collection = invocation("");
    collection.task_id = "data_collection".into();
    let collected = result(collection);
    assert_eq!(collected["text"], "");
    assert!(collected["note"].as_str().unwrap().starts_with("nothing to work on"));
    let mut analysis =
        invocation("").after("data_collection", Payload::Json(collected.to_string()));
    analysis.task_id = "analysis".into();
    let analysed = result(analysis);
    assert_eq!(analysed["keywords"], json!([]));
    assert!(analysed["note"].as_str().unwrap().starts_with("nothing to work on"));
}

#[test]
fn empty_input_is_refused_with_the_remedy() {
    for input in [
        Payload::Text("".into()),
        Payload::Text(" … ".into()),
        Payload::Json("[]".into()),
        Payload::Json("7".into()),
    ] {
        let failure = failure(invocation("Summarise").with_input(input));
        assert!(failure.message().contains("make 'input' a string"), "{failure:?}");
        assert_eq!(failure.code(), Some("no-text"));
    }
}

#[test]
fn weird_input_neither_panics_nor_fails() {
    let deep = format!("{}\"deep\"{}", "[".repeat(100), "]".repeat(100));
    let cases = [
        Payload::Text("😀".repeat(50_000) + " word"),
        Payload::Text("שלום עולם. مرحبا بالعالم؟ نعم.".into()),
        Payload::Text("word ".repeat(200_000)),
        Payload::Text("Sentence number one is here. ".repeat(40_000)),
        Payload::Text(
            (0..3_000).map(|n| format!("Fact {n} is about item{n} and thing{}. ", n % 7)).collect(),
        ),
        Payload::Text("a".repeat(1 << 20)),
        Payload::Text(". ".repeat(1 << 19) + "end"),
        Payload::Text("Mr. ".repeat(1 << 18)),
        Payload::Text("a.\n\n".repeat(1 << 16)),
        Payload::Text("\u{0}\u{1}\u{202e}abc\u{feff}. \r\n\r\n| | |\n# \n- \n> ".into()),
        Payload::Text("e\u{301}".repeat(1_000)),
        Payload::Json(deep),
    ];
    for input in cases {
        for operation in ["keywords", "summary", "statistics", "merge"] {
            let config = json!({"operation": operation});
            let call = invocation("").with_input(input.clone()).configured(&config);
            let first = output(call.clone());
            assert_eq!(first, output(call), "{operation} is not deterministic");
        }
    }
}

#[test]
fn many_sentences_are_capped_and_the_result_says_so() {
    let text: String = (0..1_000).map(|n| format!("Fact {n} is about item{n}. ")).collect();
    let summary = result(invocation("Summarise").with_input(text.into()));
    assert_eq!((&summary["available"], &summary["ranked"]), (&json!(1000), &json!(400)));
}

#[test]
fn nesting_beyond_what_json_readers_take_is_refused_by_name() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let failure = failure(invocation("Merge").after("deep", Payload::Json(deep)));
    assert!(failure.message().starts_with("the result of 'deep'"), "{failure:?}");
}

#[test]
fn progress_and_the_choice_are_reported() {
    take_progress();
    take_log();
    result(invocation("Summarise").with_input(TEXT.into()));
    let fractions: Vec<_> = take_progress().into_iter().map(|update| update.fraction).collect();
    assert_eq!(fractions, [Some(0.1), Some(0.5), Some(1.0)]);
    assert_eq!(take_log()[0].1, "operation summary, chosen by the task's description");
}
