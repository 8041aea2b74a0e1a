//! The adapters that speak HTTP, in a real host, with a real server.

use std::sync::Arc;

use consort_plugin_host::egress::{Grants, Placeholder, Secret, SecretGrant};
use consort_plugin_host::{CallError, Failure, FaultKind, Payload};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Ear, Server, adapter, call_to, chunked, done, failed, response};

const JSON: &str = "application/json";
const SSE: &str = "text/event-stream";

fn completion(content: &str) -> Value {
    json!({"model": "small", "choices": [{"finish_reason": "stop",
        "message": {"role": "assistant", "content": content}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
}

fn delta(content: &str, finish_reason: Option<&str>) -> String {
    let chunk =
        json!({"choices": [{"delta": {"content": content}, "finish_reason": finish_reason}]});
    format!("data: {chunk}\n\n")
}

#[tokio::test]
async fn http_json_posts_a_document_and_reads_the_answer() {
    let server = Server::json(200, &json!({"out": {"text": "hi"}, "tokens": 7})).await;
    let config = json!({
        "body": {"prompt": "{{ description }}!", "key": "{{ idempotency_key }}"},
        "answer": "out.text", "usage": {"output_tokens": "tokens"}, "headers": {"x-team": "red"},
    });
    let (call, cx) = call_to(&format!("{}/run?v=1", server.url), &config);
    let outcome = done(adapter("http-json").await.start(&call, &cx).await);
    assert_eq!(outcome.output, Payload::Text("hi".into()));
    assert_eq!(outcome.usage.and_then(|usage| usage.output_tokens), Some(7));
    let received = &server.received()[0];
    assert!(received.head.starts_with("POST /run?v=1 HTTP/1.1"), "{}", received.head);
    assert_eq!(received.json(), json!({"prompt": "Say hi!", "key": "run/task"}));
    assert_eq!(received.header("x-team"), Some("red"));
    assert_eq!(received.header("content-type"), Some(JSON));
}

#[tokio::test]
async fn large_documents_pass_in_both_directions() {
    let text = "0123456789abcdef".repeat(64 << 10);
    let server = Server::json(200, &json!(text)).await;
    let (mut call, cx) = call_to(&server.url, &json!({}));
    call.input = Some(Payload::Text(text.as_str().into()));
    let outcome = done(adapter("http-json").await.start(&call, &cx).await);
    assert_eq!(outcome.output, Payload::Text(text.as_str().into()));
    assert_eq!(server.received()[0].json()["input"], text);
}

#[tokio::test]
async fn a_bad_status_is_the_failure_it_means() {
    let answers = vec![
        response(500, &[], "text/plain", "Internal Server Error"),
        response(429, &[("retry-after", "2")], JSON, r#"{"error": {"message": "slow down"}}"#),
        response(422, &[], JSON, r#"{"detail": "no field 'input'"}"#),
        response(401, &[], JSON, "{}"),
    ];
    let server = Server::start(answers).await;
    let http_json = adapter("http-json").await;
    let (call, cx) = call_to(&server.url, &json!({}));
    let Failure::Transient(problem) = failed(http_json.start(&call, &cx).await) else { panic!() };
    assert!(problem.message.ends_with("500: Internal Server Error"), "{problem:?}");
    assert_eq!(problem.code.as_deref(), Some("http-500"));
    let Failure::Throttled { retry_after, .. } = failed(http_json.start(&call, &cx).await) else {
        panic!()
    };
    assert_eq!(retry_after.map(|wait| wait.as_secs()), Some(2));
    assert!(matches!(failed(http_json.start(&call, &cx).await), Failure::InvalidInput(_)));
    assert!(matches!(failed(http_json.start(&call, &cx).await), Failure::Denied(_)));
}

#[tokio::test]
async fn a_redirect_is_followed() {
    let answers = vec![
        response(307, &[("location", "/elsewhere")], JSON, ""),
        response(200, &[], JSON, r#""found""#),
    ];
    let server = Server::start(answers).await;
    let (call, cx) = call_to(&format!("{}/here", server.url), &json!({}));
    let outcome = done(adapter("http-json").await.start(&call, &cx).await);
    assert_eq!(outcome.output, Payload::Text("found".into()));
    let received = server.received();
    assert!(received[1].head.starts_with("POST /elsewhere "), "{}", received[1].head);
    assert_eq!(received[0].body, received[1].body);
}

#[tokio::test]
async fn a_secret_reaches_the_agent_and_nobody_it_redirects_to() {
    let other = Server::json(200, &json!("elsewhere")).await;
    let redirect = response(307, &[("location", &other.url)], JSON, "");
    let server = Server::start(vec![redirect]).await;
    let placeholder = Placeholder::new();
    let config = json!({"api_key": placeholder.as_str(), "headers": {"x-team": "red"}});
    let (call, mut cx) = call_to(&server.url, &config);
    let secret = SecretGrant {
        placeholder,
        value: Secret::new("s3cret").expect("a secret"),
        to: vec![server.url.parse().expect("a rule")],
    };
    let grants = Grants { secrets: vec![secret], ..(*cx.grants).clone() };
    cx.grants = Arc::new(grants);
    let result = adapter("http-json").await.start(&call, &cx).await;
    assert!(result.is_err(), "the other origin is not the endpoint: {result:?}");
    assert_eq!(server.received()[0].header("authorization"), Some("Bearer s3cret"));
    assert_eq!(server.received()[0].header("x-team"), Some("red"));
    assert!(other.received().is_empty());
}

#[tokio::test]
async fn a_request_that_nobody_allowed_is_denied() {
    let server = Server::json(200, &json!({})).await;
    let (call, mut cx) = call_to(&server.url, &json!({}));
    let endpoint = cx.grants.endpoint.clone();
    cx.grants = Arc::new(Grants { endpoint, ..Grants::none() });
    let error = adapter("http-json").await.start(&call, &cx).await.expect_err("it is denied");
    let is_denied = match &error {
        CallError::Failed(failure) => matches!(failure, Failure::Denied(_)),
        CallError::Fault(fault) => matches!(fault.kind, FaultKind::Denied { .. }),
    };
    assert!(is_denied, "{error:?}");
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn an_agent_that_does_not_listen_is_transient() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    drop(listener);
    let (call, cx) = call_to(&url, &json!({}));
    let Failure::Transient(problem) = failed(adapter("http-json").await.start(&call, &cx).await)
    else {
        panic!()
    };
    assert_eq!(problem.code.as_deref(), Some("connection-refused"), "{problem:?}");
}

#[tokio::test]
async fn an_agent_that_does_not_answer_is_given_up_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let (call, cx) = call_to(&url, &json!({"timeout": 0.05}));
    let Failure::Transient(problem) = failed(adapter("http-json").await.start(&call, &cx).await)
    else {
        panic!()
    };
    assert_eq!(problem.code.as_deref(), Some("timeout"), "{problem:?}");
}

#[tokio::test]
async fn openai_asks_and_answers() {
    let server = Server::json(200, &completion("hi")).await;
    let config = json!({"model": "m", "system": "Be brief", "temperature": 0.0,
        "prices": {"input_per_million": 1.0, "output_per_million": 1.0}});
    let (call, cx) = call_to(&server.url, &config);
    let outcome = done(adapter("openai").await.start(&call, &cx).await);
    assert_eq!(outcome.output, Payload::Text("hi".into()));
    let usage = outcome.usage.expect("the server reports it");
    assert_eq!((usage.input_tokens, usage.output_tokens), (Some(3), Some(2)));
    assert_eq!(usage.cost, Some(0.000_005));
    let received = &server.received()[0];
    assert!(received.head.starts_with("POST /v1/chat/completions "), "{}", received.head);
    assert_eq!(received.json()["messages"][1]["content"], "Say hi");
}

#[tokio::test]
async fn openai_shows_a_stream_while_it_arrives() {
    let chunks = [
        ": heartbeat\n\n".to_owned(),
        delta("Hel", None),
        delta("lo", Some("stop")),
        "data: {\"choices\": [], \"usage\": {\"completion_tokens\": 2}}\n\ndata: [DONE]\n\n"
            .to_owned(),
    ];
    let server = Server::start(vec![chunked(SSE, &chunks, false)]).await;
    let (call, mut cx) = call_to(&server.url, &json!({"model": "m", "stream": true}));
    let ear = Arc::new(Ear::default());
    cx.observer = Some(ear.clone());
    let outcome = done(adapter("openai").await.start(&call, &cx).await);
    assert_eq!(outcome.output, Payload::Text("Hello".into()));
    assert_eq!(outcome.usage.and_then(|usage| usage.output_tokens), Some(2));
    assert_eq!(*ear.partial.lock().expect("no observer panics"), ["Hel", "lo"]);
    assert_eq!(server.received()[0].json()["stream"], true);
}

#[tokio::test]
async fn openai_does_not_take_half_an_answer_for_a_whole_one() {
    let half = [delta("half", None)];
    let answers = vec![
        chunked(SSE, &half, true),
        chunked(SSE, &half, false),
        // A head that promises more than comes, and nothing at all.
        response(200, &[], JSON, "{\"choices\": [")
            .replace("content-length: 13", "content-length: 99"),
        String::new(),
        response(200, &[], JSON, "{malformed json"),
    ];
    let count = answers.len();
    let server = Server::start(answers).await;
    let openai = adapter("openai").await;
    let (call, cx) = call_to(&server.url, &json!({"model": "m", "stream": true}));
    for round in 0..count {
        let failure = failed(openai.start(&call, &cx).await);
        assert!(matches!(failure, Failure::Transient(_)), "round {round}: {failure:?}");
    }
}

#[tokio::test]
async fn openai_explains_a_task_that_is_too_long() {
    let error = json!({"error": {"code": 400, "type": "exceed_context_size_error",
        "message": "too many tokens", "n_prompt_tokens": 900, "n_ctx": 512}});
    let server = Server::json(400, &error).await;
    let (call, cx) = call_to(&server.url, &json!({"model": "m"}));
    let Failure::InvalidInput(problem) = failed(adapter("openai").await.start(&call, &cx).await)
    else {
        panic!()
    };
    assert_eq!(problem.code.as_deref(), Some("context-length-exceeded"));
}
