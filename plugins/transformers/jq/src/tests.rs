//! The transformer as a whole: values in, values out.

use consort_plugin_sdk::serde_json::json;
use consort_plugin_sdk::testing::{context, take_log};
use consort_plugin_sdk::{Blob, Failure, Payload, Transformer};

use crate::Jq;

fn run(filter: &str, value: Payload) -> Result<Payload, Failure> {
    Jq::transform(value, context(&json!({"filter": filter}).to_string()))
}

fn json(text: &str) -> Payload {
    Payload::Json(text.into())
}

#[track_caller]
fn check(filter: &str, input: &str, expected: &str) {
    assert_eq!(run(filter, json(input)), Ok(json(expected)), "{filter}");
}

#[track_caller]
fn message(config: &str, value: Payload) -> String {
    match Jq::transform(value, context(config)) {
        Err(failure @ Failure::InvalidInput(_)) => failure.message().to_owned(),
        other => panic!("{config}: {other:?}"),
    }
}

#[test]
fn filters_do_what_jq_does() {
    for (filter, input, expected) in [
        (".", r#"{"b":1,"a":[true,null]}"#, r#"{"b":1,"a":[true,null]}"#),
        (".items | map(.n) | add", r#"{"items":[{"n":1},{"n":2}]}"#, "3"),
        ("[.[] | select(. > 1)]", "[1,2,3]", "[2,3]"),
        (
            "group_by(.k) | map({(.[0].k): length}) | add",
            r#"[{"k":"a"},{"k":"b"},{"k":"a"}]"#,
            r#"{"a":2,"b":1}"#,
        ),
        ("[paths]", r#"{"a":[1]}"#, r#"[["a"],["a",0]]"#),
        (".a as [$x, $y] | {x: $x, y: $y}", r#"{"a":[1,2]}"#, r#"{"x":1,"y":2}"#),
        ("[scan(\"[a-z]+\")]", r#""ab1cd""#, r#"["ab","cd"]"#),
        ("to_entries", r#"{"a":1}"#, r#"[{"key":"a","value":1}]"#),
        ("try error(\"x\") catch .", "null", "\"x\""),
        ("[limit(3; repeat(1))]", "null", "[1,1,1]"),
        ("nan", "null", "null"),
        ("infinite", "null", "1.7976931348623157e308"),
        ("\"2024-02-29T00:00:00Z\" | fromdate", "null", "1709164800"),
        ("@base64d | fromjson", r#""eyJhIjoxfQ==""#, r#"{"a":1}"#),
        ("empty", "1", "null"),
    ] {
        match expected.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(text) => {
                assert_eq!(run(filter, json(input)), Ok(Payload::Text(text.into())), "{filter}")
            }
            None => check(filter, input, expected),
        }
    }
}

#[test]
fn large_and_precise_numbers_keep_their_digits() {
    let document = r#"[12345678901234567890123,1.00000000000000000001,1e400,-0.0,4294967296]"#;
    check(".", document, document);
    check(".[0] + 1", document, "12345678901234567890124");
    check(".[4] * 4294967296", document, "18446744073709551616");
}

#[test]
fn strings_become_text_and_text_is_a_string() {
    assert_eq!(run(".title", json(r#"{"title":"a\nb"}"#)), Ok(Payload::Text("a\nb".into())));
    assert_eq!(run("length", Payload::Text("naïve 😀".into())), Ok(json("7")));
    let shouted = run("ascii_upcase", Payload::Text("a".repeat(1 << 20)));
    assert_eq!(shouted, Ok(Payload::Text("A".repeat(1 << 20))));
    let rtl = Payload::Text("שלום\u{202e}".into());
    assert_eq!(run(".", rtl.clone()), Ok(rtl));
}

#[test]
fn bytes_are_an_object() {
    let blob = Payload::Blob(Blob { media_type: "image/png".into(), data: vec![1, 2, 3] });
    assert_eq!(run("[.media_type, .base64]", blob), Ok(json(r#"["image/png","AQID"]"#)));
}

#[test]
fn a_filter_knows_its_task() {
    let mut about = context(r#"{"filter": "[$task.task_id, $task.for_task, $metadata.team]"}"#);
    about.task_id = "draft".into();
    about.for_task = Some("review".into());
    about.metadata = r#"{"team": "red"}"#.into();
    assert_eq!(Jq::transform(json("0"), about), Ok(json(r#"["draft","review","red"]"#)));
}

#[test]
fn several_results_and_none_are_handled_as_configured() {
    for (config, expected) in [
        (r#"{"filter": ".[]", "multiple": "array"}"#, Ok("[1,2]")),
        (r#"{"filter": ".[]", "multiple": "first"}"#, Ok("1")),
        (r#"{"filter": ".[]"}"#, Err("more than one result")),
        (r#"{"filter": "empty", "multiple": "array"}"#, Ok("[]")),
        (r#"{"filter": "empty", "multiple": "first"}"#, Ok("null")),
        (r#"{"filter": "empty", "on_empty": "fail"}"#, Err("yielded nothing")),
        (r#"{"filter": "1, error(\"no\")"}"#, Err("failed: \"no\"")),
    ] {
        match expected {
            Ok(expected) => {
                assert_eq!(
                    Jq::transform(json("[1,2]"), context(config)),
                    Ok(json(expected)),
                    "{config}"
                );
            }
            Err(part) => {
                let message = message(config, json("[1,2]"));
                assert!(message.contains(part), "{part:?} is not in {message:?}");
            }
        }
    }
}

#[test]
fn problems_of_a_filter_are_named_with_their_place() {
    for (filter, parts) in [
        (".a | ", ["expected term", "the end"]),
        (".a | frobnicate", ["undefined filter 'frobnicate'", "column 6"]),
        (".\n| $x", ["undefined variable '$x'", "line 2, column 3"]),
        ("(1", ["an end to '('", "column 3"]),
        ("\"é\" + §", ["expected token", "column 7"]),
        ("import \"a\" as a; .", ["cannot be imported", "column 9"]),
        ("env", ["undefined filter 'env'", "column 1"]),
        ("now", ["undefined filter 'now'", "column 1"]),
        ("input", ["undefined filter 'input'", "column 1"]),
        ("halt", ["undefined filter 'halt'", "column 1"]),
        ("$ENV", ["undefined variable '$ENV'", "column 1"]),
        ("", ["expected term", "the end"]),
    ] {
        let message = message(&json!({"filter": filter}).to_string(), json("1"));
        assert!(message.starts_with("'filter' does not compile: "), "{message}");
        for part in parts {
            assert!(message.contains(part), "{part:?} is not in {message:?}");
        }
    }
}

#[test]
fn problems_of_a_run_say_what_happened() {
    for (filter, input, part) in [
        (".a", "[1]", "the filter failed: "),
        ("error({code: 1})", "1", "{\"code\":1}"),
        ("tobytes", "\"a\"", "use '@base64'"),
        ("{(1|tostring): 1} | with_entries(.key = 1)", "1", "key"),
    ] {
        let message = message(&json!({"filter": filter}).to_string(), json(input));
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
    let large = format!("[\"{}\"]", "é".repeat(100_000));
    let message = message(r#"{"filter": ".a"}"#, json(&large));
    assert!(message.len() < 400, "{}", message.len());
}

#[test]
fn problems_of_the_configuration_name_the_field() {
    for (config, part) in [
        ("{}", "`filter`"),
        (r#"{"filter": 1}"#, "filter"),
        (r#"{"filter": ".", "multiple": "all"}"#, "`all`"),
        (r#"{"filter": ".", "on_emtpy": "null"}"#, "`on_emtpy`"),
    ] {
        let message = message(config, json("1"));
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
}

#[test]
fn deep_documents_pass_up_to_a_limit() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    check(".", &nested(127), &nested(127));
    check("[.]", &nested(126), &nested(127));
    let config = r#"{"filter": "."}"#;
    for depth in [128, 200, 1_000_000] {
        assert!(
            message(config, json(&nested(depth))).contains("the value is nested more than 127")
        );
    }
    assert!(message(r#"{"filter": "[.]"}"#, json(&nested(127))).contains("the filter's result"));
    // Deep on the way is no harm.
    check("reduce range(200) as $_ (.; [.]) | [recurse] | length", "0", "201");
    assert!(message(config, json("{")).contains("the value is not JSON"));
}

#[test]
fn debug_writes_to_the_log() {
    take_log();
    check(".a | debug", r#"{"a":[1]}"#, "[1]");
    assert_eq!(take_log()[0].1, "[1]");
}

#[test]
fn a_configuration_that_cannot_be_used_is_known_beforehand() {
    use consort_plugin_sdk::CheckedTransformer as _;

    assert_eq!(Jq::check(r#"{"filter": ".a | map(.b)"}"#), []);
    let complaints = Jq::check(r#"{"filter": ".a |"}"#);
    let [complaint] = complaints.as_slice() else { panic!("{complaints:?}") };
    assert_eq!(complaint.path, "/filter");
    assert!(Jq::check("{\"nonsense\": 1}").iter().all(|complaint| complaint.path.is_empty()));
}
