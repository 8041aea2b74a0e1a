//! The transformer as a whole: text in, text out.

use consort_plugin_sdk::testing::context;
use consort_plugin_sdk::{Blob, Failure, Payload, Transformer};
use serde_json::{Value, json};

use crate::Text;

fn run(config: &Value, value: Payload) -> Result<Payload, Failure> {
    Text::transform(value, context(&config.to_string()))
}

#[track_caller]
fn check(config: Value, text: &str, expected: &str) {
    assert_eq!(
        run(&config, text.into()),
        Ok(Payload::Text(expected.into())),
        "{config} of {text:?}"
    );
}

#[test]
fn nothing_configured_changes_nothing() {
    for text in ["", " a\n\n\tb ", "# *x*", "e\u{301} 😀 שלום\u{202e}\u{0}"] {
        check(json!({}), text, text);
    }
}

#[test]
fn each_step_does_its_work() {
    for (config, text, expected) in [
        (json!({"trim": true}), "\u{a0} a b \n", "a b"),
        (json!({"whitespace": "collapse"}), " a \n\t b\u{3000}c", " a b c"),
        (json!({"whitespace": "lines"}), "a  b \n\n\n \nc\r\nd\n", "a b\n\nc\nd\n"),
        (json!({"case": "lower"}), "ÀB İ", "àb i\u{307}"),
        (json!({"case": "upper"}), "straße", "STRASSE"),
        (
            json!({"case": "title"}),
            "the QUICK brown-fox isn't élan",
            "The Quick Brown-Fox Isn't Élan",
        ),
        (json!({"replace": [{"from": "a", "to": "b"}, {"from": "bb", "to": "c"}]}), "ab a", "c b"),
        (json!({"markdown": "strip"}), "# A\n\n**b** [c](d)", "A\n\nb c"),
    ] {
        check(config, text, expected);
    }
}

#[test]
fn steps_are_done_in_the_documented_order() {
    let config = json!({
        "max_words": 3, "case": "upper", "trim": true, "whitespace": "collapse",
        "replace": [{"from": "Title", "to": "  my title"}], "markdown": "strip", "ellipsis": " >",
    });
    check(config, "# Title\n\n* one\n* two", "MY TITLE - >");
}

#[test]
fn text_is_cut_at_the_strictest_limit() {
    for (config, text, expected) in [
        (json!({"max_chars": 5}), "hello", "hello"),
        (json!({"max_chars": 5}), "hello!", "hell…"),
        (json!({"max_chars": 6}), "hello world", "hello…"),
        (json!({"max_chars": 7}), "hello world", "hello…"),
        (json!({"max_chars": 5, "ellipsis": ""}), "hello!", "hello"),
        (json!({"max_chars": 5, "ellipsis": "[…]"}), "hello!", "he[…]"),
        (json!({"max_chars": 1}), "hello", "…"),
        (json!({"max_chars": 4}), "a👨‍👩‍👧b", "a…"),
        (json!({"max_graphemes": 3}), "a👨‍👩‍👧b", "a👨‍👩‍👧b"),
        (json!({"max_graphemes": 2}), "a👨‍👩‍👧b", "a…"),
        (json!({"max_graphemes": 3}), "e\u{301}e\u{301}e\u{301}e\u{301}", "e\u{301}e\u{301}…"),
        (json!({"max_words": 2}), "one, two, three", "one, two,…"),
        (json!({"max_words": 2}), " one  two ", " one  two "),
        (json!({"max_words": 9, "max_chars": 4}), "one two", "one…"),
        (json!({"max_words": 1, "max_chars": 9}), "one two", "one…"),
        (json!({"max_chars": 4}), "שלום עולם", "שלו…"),
        (json!({"max_words": 5}), "", ""),
    ] {
        check(config, text, expected);
    }
}

#[test]
fn markdown_becomes_what_a_reader_would_read_out() {
    for (markdown, expected) in [
        ("", ""),
        ("plain\ntext", "plain text"),
        ("Title\n=====\n\npara  \nbreak", "Title\n\npara\nbreak"),
        ("- a\n- b\n  - c\n\nafter", "- a\n- b\n  - c\n\nafter"),
        ("3. x\n4. y", "3. x\n4. y"),
        ("- [x] done\n- [ ] open", "- [x] done\n- [ ] open"),
        ("- a\n\n- b", "- a\n- b"),
        ("> quoted *text*\n\nafter", "quoted text\n\nafter"),
        ("a `code` ![alt](u) <b>bold</b> ~~gone~~", "a code alt bold gone"),
        ("```rust\nfn x() {}\n```\nafter", "fn x() {}\n\nafter"),
        ("| a | b |\n|---|---|\n| 1 | *2* |\n\nafter", "a | b\n1 | 2\n\nafter"),
        ("before\n\n---\n\n<div>\nhtml\n</div>\n\nafter", "before\n\nafter"),
        ("a[^1]\n\n[^1]: note", "a[1]\n\n[1] note"),
        ("&amp; &lt;3 \\* 😀", "& <3 * 😀"),
        ("[a][b]\n\n[b]: http://x", "a"),
        ("# *", "*"),
    ] {
        check(json!({"markdown": "strip"}), markdown, expected);
    }
}

#[test]
fn values_that_are_not_text_are_refused_with_the_remedy() {
    for value in [r#"{"text": "a"}"#, " [1]"] {
        let failure = run(&json!({}), Payload::Json(value.into())).unwrap_err();
        assert!(failure.message().contains("'.text'"), "{failure:?}");
    }
    let bytes = Payload::Blob(Blob { media_type: "image/png".into(), data: vec![0xff] });
    assert!(run(&json!({}), bytes).is_err());
    for (value, expected) in
        [(r#""a\nb""#, "a\nb"), ("12345678901234567890123", "12345678901234567890123")]
    {
        assert_eq!(
            run(&json!({}), Payload::Json(value.into())),
            Ok(Payload::Text(expected.into()))
        );
    }
}

#[test]
fn problems_of_the_configuration_name_the_field() {
    for (config, part) in [
        (json!({"trim": "yes"}), "trim"),
        (json!({"case": "camel"}), "`camel`"),
        (json!({"max_chars": 0}), "'max_chars'"),
        (json!({"max_graphemes": 2, "ellipsis": "..."}), "'max_graphemes' is 2"),
        (json!({"max_words": 0}), "'max_words'"),
        (json!({"max_words": -1}), "max_words"),
        (json!({"replace": [{"from": "", "to": "x"}]}), "'from' in 'replace'"),
        (json!({"replace": [{"from": "x"}]}), "`to`"),
        (json!({"strip": true}), "`strip`"),
    ] {
        match run(&config, "x".into()) {
            Err(failure @ Failure::InvalidInput(_)) => {
                assert!(failure.message().contains(part), "{part:?} is not in {failure:?}");
            }
            other => panic!("{config}: {other:?}"),
        }
    }
}

#[test]
fn a_megabyte_is_no_problem() {
    let config = json!({
        "markdown": "strip", "whitespace": "lines", "trim": true, "case": "title", "max_chars": 900_000,
    });
    for unit in ["word ", "😀", "> ", "[", "*a", "- a\n", "| a |\n|---|\n", "<", "`"] {
        let text = unit.repeat((1 << 20) / unit.len());
        assert!(run(&config, text.into()).is_ok(), "{unit:?}");
    }
}

#[test]
fn a_configuration_that_cannot_be_used_is_known_beforehand() {
    use consort_plugin_sdk::CheckedTransformer as _;

    assert_eq!(Text::check(r#"{"max_words": 3}"#), []);
    let complaints = Text::check(r#"{"max_words": 0}"#);
    let [complaint] = complaints.as_slice() else { panic!("{complaints:?}") };
    assert_eq!(complaint.path, "");
    assert!(Text::check("{\"nonsense\": 1}").iter().all(|complaint| complaint.path.is_empty()));
}
