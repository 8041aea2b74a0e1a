//! The adapter from task to result, with a fake server.

use consort_plugin_sdk::testing::{FakeAgent, invocation, take_log, take_progress};
use consort_plugin_sdk::{Outcome, Payload, Usage};
use serde_json::{Value, json};

use super::*;

const SSE: &[(&str, &str)] = &[("content-type", "text/event-stream")];

fn call(config: &Value) -> Invocation {
    let mut config = config.clone();
    config["model"] = json!("small");
    invocation("Say hi").at("http://model.example/v1").configured(config)
}

fn done(step: Step) -> Outcome {
    match step {
        Step::Done(outcome) => outcome,
        other => panic!("openai always finishes: {other:?}"),
    }
}

/// What the task gets when the server answers like that.
fn answered(config: Value, status: u16, body: &str) -> Result<Outcome, Failure> {
    ask(&call(&config), &FakeAgent::new().reply(status, body)).map(done)
}

/// What the task gets when the server streams this.
fn streamed(config: Value, body: &str) -> Result<Outcome, Failure> {
    ask(&call(&config), &FakeAgent::new().reply_with(200, SSE, body)).map(done)
}

fn sent(config: Value) -> (Value, consort_plugin_sdk::http::Request) {
    let server = FakeAgent::new().reply(200, &completion("hi"));
    let _ = ask(&call(&config), &server);
    let request = server.request();
    (serde_json::from_slice(request.bytes()).unwrap(), request)
}

fn completion(content: &str) -> String {
    json!({"model": "small-2", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": content}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}})
    .to_string()
}

fn chunk(delta: Value, finish_reason: Option<&str>) -> String {
    let chunk = json!({"object": "chat.completion.chunk", "model": "small-2",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]});
    format!("data: {chunk}\n\n")
}

fn is_transient(result: Result<Outcome, Failure>) -> Failure {
    let failure = result.unwrap_err();
    assert!(matches!(failure, Failure::Transient(_)), "{failure:?}");
    failure
}

#[test]
fn a_request_holds_what_was_configured_and_nothing_else() {
    let (body, request) = sent(json!({"api_key": "secret:k"}));
    assert_eq!(request.url(), "http://model.example/v1/chat/completions");
    assert_eq!(request.headers().get("authorization"), Some("Bearer secret:k"));
    assert_eq!(request.headers().get("idempotency-key"), Some("run/task"));
    assert_eq!(
        body,
        json!({"model": "small",
        "messages": [{"role": "user", "content": "Say hi"}]})
    );

    let (body, request) = sent(json!({
        "system": "Be brief", "temperature": 0, "top_p": 0.5, "max_tokens": 9, "seed": 7,
        "stop": ["\n"], "json_schema": {"type": "string"}, "stream": true,
        "headers": {"OpenAI-Organization": "org"}, "extra": {"n": 1, "seed": 8},
    }));
    assert_eq!(body["messages"][0], json!({"role": "system", "content": "Be brief"}));
    assert_eq!(body["temperature"], 0.0);
    assert_eq!((&body["top_p"], &body["max_tokens"]), (&json!(0.5), &json!(9)));
    assert_eq!((&body["seed"], &body["n"]), (&json!(7), &json!(1)));
    assert_eq!(body["stop"], json!(["\n"]));
    assert_eq!(body["response_format"]["json_schema"]["schema"], json!({"type": "string"}));
    assert_eq!(body["stream_options"], json!({"include_usage": true}));
    assert_eq!(request.headers().get("openai-organization"), Some("org"));
    assert_eq!(request.headers().get("authorization"), None);
}

#[test]
fn the_answer_comes_with_what_it_cost() {
    let prices = json!({"prices": {"input_per_million": 2.0, "output_per_million": 10.0}});
    let outcome = answered(prices.clone(), 200, &completion("hi")).unwrap();
    assert_eq!(outcome.output, Payload::Text("hi".into()));
    let expected = Usage {
        input_tokens: Some(10),
        output_tokens: Some(4),
        cost: Some(0.00006),
        model: Some("small-2".into()),
    };
    assert_eq!(outcome.usage, Some(expected));

    let own = completion("hi").replace(r#""total_tokens":14"#, r#""cost":0.5"#);
    assert_eq!(answered(prices, 200, &own).unwrap().usage.unwrap().cost, Some(0.5));
    let usage = answered(json!({}), 200, &completion("hi")).unwrap().usage.unwrap();
    assert_eq!(usage.cost, None);
}

#[test]
fn a_list_of_parts_is_one_text() {
    let body = completion("PARTS")
        .replace(r#""PARTS""#, r#"[{"type":"text","text":"a"},{"type":"text","text":"b"}]"#);
    assert_eq!(answered(json!({}), 200, &body).unwrap().output, Payload::Text("ab".into()));
}

#[test]
fn json_that_was_asked_for_is_json() {
    let config = json!({"response_format": {"type": "json_object"}});
    let outcome = answered(config.clone(), 200, &completion("{\"a\": 1}")).unwrap();
    assert_eq!(outcome.output, Payload::Json("{\"a\": 1}".into()));
    let failure = is_transient(answered(config, 200, &completion("Sure! {")));
    assert_eq!(failure.code(), Some("malformed-answer"));
    let text = json!({"response_format": {"type": "text"}});
    assert_eq!(answered(text, 200, &completion("1")).unwrap().output, Payload::Text("1".into()));
}

#[test]
fn a_cut_answer_is_kept_with_a_warning_or_explained() {
    let cut = completion("half a sent").replace("\"stop\"", "\"length\"");
    let outcome = answered(json!({}), 200, &cut).unwrap();
    assert_eq!(outcome.output, Payload::Text("half a sent".into()));
    assert!(take_log().iter().any(|(_, message)| message.contains("max_tokens")));

    let empty = completion("").replace("\"stop\"", "\"length\"");
    for (config, body) in [(json!({}), &empty), (json!({"json_schema": {}}), &cut)] {
        let failure = answered(config, 200, body).unwrap_err();
        assert_eq!(failure.code(), Some("answer-truncated"));
        let detail = failure.problem().unwrap().detail.clone().unwrap();
        assert!(detail.contains(r#""finish_reason":"length""#), "{detail}");
    }
}

#[test]
fn filters_and_refusals_are_permanent() {
    let filtered = completion("par").replace("\"stop\"", "\"content_filter\"");
    let failure = answered(json!({}), 200, &filtered).unwrap_err();
    assert!(matches!(failure, Failure::Permanent(_)), "{failure:?}");
    assert_eq!(failure.code(), Some("content-filter"));
    let refused = completion("X").replace(r#""content":"X""#, r#""content":null,"refusal":"No.""#);
    let failure = answered(json!({}), 200, &refused).unwrap_err();
    assert_eq!(failure.message(), "the model refused: No.");
}

#[test]
fn tool_calls_without_content_are_the_result() {
    let tools = r#""content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]"#;
    let body =
        completion("X").replace(r#""content":"X""#, tools).replace("\"stop\"", "\"tool_calls\"");
    let output = answered(json!({}), 200, &body).unwrap().output.to_value().unwrap();
    assert_eq!(output["tool_calls"][0]["function"]["name"], "f");
    assert!(output.get("content").is_none());
}

#[test]
fn an_answer_that_is_no_answer_is_transient() {
    is_transient(answered(json!({}), 200, "{malformed json"));
    is_transient(answered(json!({}), 200, ""));
    is_transient(answered(json!({}), 200, r#"{"choices": []}"#));
    let empty = r#"{"choices": [{"message": {"content": ""}, "finish_reason": null}]}"#;
    is_transient(answered(json!({}), 200, empty));
}

#[test]
fn errors_may_have_numbers_or_words_for_codes() {
    let error = |status: u16, error: Value| {
        answered(json!({}), status, &json!({"error": error}).to_string()).unwrap_err()
    };
    let failure =
        error(400, json!({"code": 400, "message": "bad", "type": "invalid_request_error"}));
    assert!(matches!(failure, Failure::InvalidInput(_)), "{failure:?}");
    assert_eq!(failure.code(), Some("http-400"));
    assert!(failure.message().ends_with(": bad"), "{failure:?}");

    let failure = error(
        400,
        json!({"code": 400, "message": "too many tokens",
        "type": "exceed_context_size_error", "n_prompt_tokens": 900, "n_ctx": 512}),
    );
    assert!(matches!(failure, Failure::InvalidInput(_)), "{failure:?}");
    assert_eq!(failure.code(), Some("context-length-exceeded"));
    assert!(failure.problem().unwrap().detail.as_deref().unwrap().contains("900"));
    let failure = error(400, json!({"code": "context_length_exceeded", "message": "too long"}));
    assert_eq!(failure.code(), Some("context-length-exceeded"));

    assert!(matches!(error(401, json!({"message": "bad key"})), Failure::Denied(_)));
    assert!(matches!(error(500, json!("oops")), Failure::Transient(_)));
    assert!(matches!(error(429, json!({"code": "429"})), Failure::Throttled(_)));
    assert!(matches!(error(429, json!({"code": "insufficient_quota"})), Failure::Denied(_)));
    assert_eq!(error(404, json!({"code": "model_not_found"})).code(), Some("model-not-found"));
}

#[test]
fn errors_that_are_not_json_are_quoted() {
    let failure = is_transient(answered(json!({}), 500, "Internal Server Error"));
    assert!(failure.message().ends_with("500: Internal Server Error"), "{failure:?}");
}

#[test]
fn the_time_to_wait_is_found_under_either_name() {
    for name in ["retry-after", "llm_provider-retry-after"] {
        let server =
            FakeAgent::new().reply_with(429, &[(name, "3")], r#"{"error": {"code": "429"}}"#);
        let failure = ask(&call(&json!({})), &server).unwrap_err();
        let Failure::Throttled(throttle) = failure else { panic!("{failure:?}") };
        assert_eq!(throttle.retry_after, Some(3000));
    }
}

#[test]
fn an_error_under_a_good_status_is_an_error() {
    let error = |code: Value| {
        let body = json!({"error": {"code": code, "message": "upstream"}}).to_string();
        answered(json!({}), 200, &body).unwrap_err()
    };
    assert!(matches!(error(json!(502)), Failure::Transient(_)));
    assert!(matches!(error(json!("429")), Failure::Throttled(_)));
    assert!(matches!(error(json!(null)), Failure::Transient(_)));
    assert!(matches!(error(json!("rate_limit_exceeded")), Failure::Throttled(_)));
}

#[test]
fn a_stream_is_shown_piece_by_piece_and_kept_whole() {
    let body = [
        ": heartbeat\n\n".to_owned(),
        "id: 0\ndata: \n\n".to_owned(),
        chunk(json!({"role": "assistant", "content": null}), None),
        chunk(json!({"content": "Hel"}), None),
        chunk(json!({"content": "lo"}), None),
        chunk(json!({}), Some("stop")),
        "data:{\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n"
            .to_owned(),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat();
    let outcome = streamed(json!({"stream": true}), &body).unwrap();
    assert_eq!(outcome.output, Payload::Text("Hello".into()));
    let usage = outcome.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens), (Some(3), Some(2)));
    assert_eq!(usage.model.as_deref(), Some("small-2"));
    let shown: Vec<_> = take_progress().into_iter().map(|update| update.partial.unwrap()).collect();
    assert_eq!(shown, ["Hel", "lo"]);
}

#[test]
fn a_stream_may_end_without_its_last_word() {
    let body = chunk(json!({"content": "hi"}), Some("stop"));
    assert_eq!(
        streamed(json!({"stream": true}), &body).unwrap().output,
        Payload::Text("hi".into())
    );
}

#[test]
fn a_stream_that_is_cut_is_transient() {
    let start = chunk(json!({"content": "half"}), None);
    let failure = is_transient(streamed(json!({"stream": true}), &start));
    assert_eq!(failure.code(), Some("stream-cut"));

    let broken = Failure::transient("connection reset").with_code("connection-broken");
    let server = FakeAgent::new().stream(200, SSE, vec![Ok(start.into_bytes()), Err(broken)]);
    let failure = is_transient(ask(&call(&json!({"stream": true})), &server).map(done));
    assert_eq!(failure.message(), "the answer broke off: connection reset");
    is_transient(streamed(json!({"stream": true}), "data: {half a chu\n\n"));
    is_transient(streamed(json!({"stream": true}), ""));
}

#[test]
fn an_error_in_mid_stream_ends_it() {
    let start = chunk(json!({"content": "half"}), None);
    let as_event = format!("{start}event: error\ndata: {{\"message\": \"lost the model\"}}\n\n");
    let failure = is_transient(streamed(json!({"stream": true}), &as_event));
    assert!(failure.message().ends_with("lost the model"), "{failure:?}");
    let as_text = format!("{start}event: error\ndata: lost the model\n\n");
    let failure = is_transient(streamed(json!({"stream": true}), &as_text));
    assert!(failure.message().ends_with("lost the model"), "{failure:?}");
    let as_data =
        format!("{start}data: {{\"error\": {{\"code\": 429, \"message\": \"slow\"}}}}\n\n");
    let failure = streamed(json!({"stream": true}), &as_data).unwrap_err();
    assert!(matches!(failure, Failure::Throttled(_)), "{failure:?}");
}

#[test]
fn tool_calls_are_put_together_from_a_stream() {
    let piece = |function: Value| json!({"tool_calls": [{"index": 0, "id": function.get("name").map(|_| "c1"), "function": function}]});
    let body = [
        chunk(piece(json!({"name": "f", "arguments": ""})), None),
        chunk(piece(json!({"arguments": "{\"a\""})), None),
        chunk(piece(json!({"arguments": ":1}"})), None),
        chunk(json!({}), Some("tool_calls")),
    ]
    .concat();
    let output = streamed(json!({"stream": true}), &body).unwrap().output.to_value().unwrap();
    assert_eq!(
        output,
        json!({"tool_calls": [{"id": "c1", "type": "function",
            "function": {"name": "f", "arguments": "{\"a\":1}"}}]})
    );
}

#[test]
fn a_server_that_does_not_stream_is_understood() {
    let json = [("content-type", "application/json; charset=utf-8")];
    let server = FakeAgent::new().reply_with(200, &json, &completion("hi"));
    let outcome = ask(&call(&json!({"stream": true})), &server).map(done).unwrap();
    assert_eq!(outcome.output, Payload::Text("hi".into()));
}

#[test]
fn a_stream_is_known_by_its_request_when_the_server_calls_it_something_else() {
    let body = chunk(json!({"content": "hi"}), Some("stop"));
    let outcome = answered(json!({"stream": true}), 200, &body).unwrap();
    assert_eq!(outcome.output, Payload::Text("hi".into()));
}
