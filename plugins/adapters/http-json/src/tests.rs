//! The adapter from task to result, with a fake agent.

use consort_plugin_sdk::testing::{FakeAgent, invocation};
use consort_plugin_sdk::{Outcome, Payload};
use serde_json::{Value, json};

use super::*;

const URL: &str = "http://agent.example/run";

/// What the task gets when the agent, configured like this, answers like that.
fn answered(config: Value, status: u16, body: &str) -> Result<Outcome, Failure> {
    let agent = FakeAgent::new().reply(status, body);
    match ask(&invocation("go").at(URL).configured(config), &agent)? {
        Step::Done(outcome) => Ok(outcome),
        other => panic!("http-json always finishes: {other:?}"),
    }
}

fn output(config: Value, body: &str) -> Payload {
    answered(config, 200, body).unwrap().output
}

/// The request that this configuration makes.
fn sent(config: Value) -> Request {
    let agent = FakeAgent::new().reply(200, "{}");
    let call = invocation("go").at(URL).configured(config).after("a", Payload::Json("1".into()));
    ask(&call, &agent).unwrap();
    agent.request()
}

#[test]
fn by_default_the_whole_task_is_posted() {
    let request = sent(json!({}));
    assert_eq!((request.method(), request.url()), (Method::Post, URL));
    assert_eq!(request.headers().get("content-type"), Some("application/json"));
    assert_eq!(request.headers().get("idempotency-key"), Some("run/task"));
    let body: Value = serde_json::from_slice(request.bytes()).unwrap();
    assert_eq!(body, json!({"description": "go", "input": null, "results": {"a": 1}}));
}

#[test]
fn method_headers_and_secret_are_the_operators() {
    let request =
        sent(json!({"method": "GET", "headers": {"X-Team": "red"}, "api_key": "secret:k"}));
    assert_eq!((request.method(), request.bytes()), (Method::Get, &[][..]));
    assert_eq!(request.headers().get("x-team"), Some("red"));
    assert_eq!(request.headers().get("authorization"), Some("Bearer secret:k"));

    let request = sent(json!({"api_key": "secret:k", "api_key_header": "x-api-key"}));
    assert_eq!(request.headers().get("x-api-key"), Some("secret:k"));
    assert_eq!(request.headers().get("authorization"), None);
}

#[test]
fn the_answer_is_read_by_its_path() {
    let body = r#"{"output": {"text": "done", "n": [1]}}"#;
    assert_eq!(output(json!({"answer": "output.text"}), body), Payload::Text("done".into()));
    assert_eq!(output(json!({"answer": "/output/n"}), body), Payload::Json("[1]".into()));
    assert_eq!(output(json!({}), "\n\n {\"a\": 1}"), Payload::Json(r#"{"a":1}"#.into()));
    assert_eq!(output(json!({}), "just words"), Payload::Text("just words".into()));
}

#[test]
fn an_answer_that_is_not_there_is_permanent() {
    let failure = answered(json!({"answer": "output"}), 200, r#"{"result": 1}"#).unwrap_err();
    assert!(matches!(failure, Failure::Permanent(_)), "{failure:?}");
    assert_eq!(failure.message(), "the agent's answer has nothing at 'output'");
    assert!(failure.problem().unwrap().detail.as_deref().unwrap().contains("result"));
}

#[test]
fn a_good_status_is_not_success_when_there_is_an_error() {
    let config = json!({"answer": "output", "error": "__error__"});
    let body = r#"{"__error__": {"error": "ValueError", "message": "bad tool"}, "output": ""}"#;
    let failure = answered(config.clone(), 200, body).unwrap_err();
    assert!(matches!(failure, Failure::Permanent(_)), "{failure:?}");
    assert_eq!(failure.message(), "the agent reported an error: bad tool");
    for fine in [r#"{"output": "x"}"#, r#"{"output": "x", "__error__": null}"#] {
        assert_eq!(output(config.clone(), fine), Payload::Text("x".into()));
    }
}

#[test]
fn an_error_that_names_its_status_is_treated_like_it() {
    let case = |error: &str| {
        answered(json!({"error": "error"}), 200, &format!(r#"{{"error": {error}}}"#)).unwrap_err()
    };
    assert!(matches!(case(r#"{"code": 503, "message": "busy"}"#), Failure::Transient(_)));
    assert!(matches!(case(r#"{"code": "429", "message": "slow down"}"#), Failure::Throttled(_)));
    assert!(matches!(case(r#"{"status": 401}"#), Failure::Denied(_)));
    assert!(matches!(case(r#"{"code": -32001, "message": "not found"}"#), Failure::Permanent(_)));
    assert!(matches!(case("true"), Failure::Permanent(_)));
}

#[test]
fn a_bad_status_is_explained_whatever_the_body_is() {
    let failure = answered(json!({}), 500, "Internal Server Error").unwrap_err();
    assert!(matches!(failure, Failure::Transient(_)), "{failure:?}");
    assert!(failure.message().ends_with("500: Internal Server Error"), "{failure:?}");
    let failure = answered(json!({}), 422, r#"{"detail": "no field 'input'"}"#).unwrap_err();
    assert!(matches!(failure, Failure::InvalidInput(_)), "{failure:?}");
    assert!(failure.message().ends_with("no field 'input'"), "{failure:?}");
}

#[test]
fn a_garbled_answer_may_work_next_time() {
    let failure = answered(json!({"answer": "output"}), 200, "{malformed").unwrap_err();
    assert!(matches!(failure, Failure::Transient(_)), "{failure:?}");
    assert_eq!(failure.code(), Some("malformed-response"));
}

#[test]
fn usage_is_read_by_its_paths() {
    let config = json!({"answer": "out", "usage": {
        "input_tokens": "u.in", "output_tokens": "u.out", "cost": "u.usd", "model": "m"}});
    let body = r#"{"out": "x", "m": "big", "u": {"in": 3, "out": 5, "usd": 0.25}}"#;
    let usage = answered(config.clone(), 200, body).unwrap().usage.unwrap();
    assert_eq!(
        (usage.input_tokens, usage.output_tokens, usage.cost),
        (Some(3), Some(5), Some(0.25))
    );
    assert_eq!(usage.model.as_deref(), Some("big"));
    assert_eq!(answered(config, 200, r#"{"out": "x"}"#).unwrap().usage, None);
}

#[test]
fn a_configuration_that_cannot_work_is_refused_before_anything_is_sent() {
    for config in [json!({"method": "BREW"}), json!({"timeout": 0}), json!({"anwser": "x"})] {
        let call = invocation("go").at(URL).configured(config);
        let failure = ask(&call, &FakeAgent::new()).unwrap_err();
        assert!(matches!(failure, Failure::InvalidInput(_)), "{failure:?}");
        assert_eq!(failure.code(), Some("invalid-config"));
    }
}
