//! What the server does for each path.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use serde_json::{Map, Value, json};

use super::ledger::Ledger;
use super::{Recorded, Shared, openai};

pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The most of a request's body that is kept.
const KEPT: usize = 1 << 20;

pub(super) async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.to_string();
    let recorded = || Recorded {
        method: parts.method.to_string(),
        path: path.clone(),
        headers: parts.headers.clone(),
    };
    let _in_flight = shared.arrived(recorded);
    let query = query(parts.uri.query().unwrap_or_default());
    let number = |name: &str| number(&query, name);
    let response = match parts.uri.path() {
        "/redirect" => status(302, &[("location", text(&query, "to"))]),
        "/status" => match query.get("retry-after") {
            Some(seconds) => status(number("code"), &[("retry-after", seconds)]),
            None => status(number("code"), &[]),
        },
        "/flaky" if shared.asked_before(text(&query, "key")) < number("times") => {
            status(number("code"), &[])
        }
        "/body" => streamed(flood(number("bytes"))),
        "/headers" => many_headers(number("count"), number("bytes")),
        "/trickle" => streamed(trickle()),
        "/hangup" => hang_up(),
        "/never" => pending().await,
        "/work" => work(&shared, &parts.headers, &query, &collect(body).await).await,
        path if path.starts_with("/runs") => {
            let body = collect(body).await;
            runs(&shared, &parts.method, path, &parts.headers, &query, &body).await
        }
        "/v1/chat/completions" => openai::answer(&collect(body).await),
        path => {
            match path {
                "/slow" => tokio::time::sleep(Duration::from_millis(number("ms") as u64)).await,
                "/gather" => shared.gathered(number("n")).await,
                _ => {}
            }
            echo(&recorded(), &collect(body).await)
        }
    };
    Ok(response)
}

fn number(query: &HashMap<String, String>, name: &str) -> usize {
    query.get(name).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn key(headers: &HeaderMap) -> &str {
    headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or_default()
}

/// A piece of work that takes its time, and may fail at first.
async fn work(
    shared: &Shared,
    headers: &HeaderMap,
    query: &HashMap<String, String>,
    body: &[u8],
) -> Response<Body> {
    let _busy = Ledger::busy(&shared.ledger);
    let before = shared.ledger.call(key(headers));
    tokio::time::sleep(Duration::from_millis(number(query, "ms") as u64)).await;
    if before < number(query, "fails") {
        return status(number(query, "code"), &[]);
    }
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let description = asked["description"].as_str().unwrap_or_default();
    let answer = match number(query, "list") {
        0 => json!(format!("did {description}")),
        length => (0..length).map(|n| json!(format!("{description} {n}"))).collect(),
    };
    json_body(&json!({ "answer": answer }))
}

/// Work that is done by itself.
async fn runs(
    shared: &Shared,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    query: &HashMap<String, String>,
    body: &[u8],
) -> Response<Body> {
    let ledger = &shared.ledger;
    let id = path.trim_start_matches("/runs/");
    if *method == Method::DELETE {
        return match ledger.end(id) {
            Some(false) => pending().await,
            answered => status(if answered.is_some() { 204 } else { 404 }, &[]),
        };
    }
    let _busy = Ledger::busy(ledger);
    if *method == Method::POST {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let (polls, deaf) = (number(query, "polls"), number(query, "deaf"));
        return json_body(&ledger.begin(key(headers), &asked["work"], polls, deaf));
    }
    ledger.poll(id).map_or_else(|| status(404, &[]), |run| json_body(&run))
}

fn query(query: &str) -> HashMap<String, String> {
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

fn text<'a>(query: &'a HashMap<String, String>, name: &str) -> &'a str {
    query.get(name).map_or("", String::as_str)
}

/// The beginning of a body; the rest is read and forgotten.
async fn collect(mut body: Incoming) -> Vec<u8> {
    let mut kept = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(data) = frame.data_ref() {
            kept.extend_from_slice(&data[..data.len().min(KEPT - kept.len())]);
        }
    }
    kept
}

fn echo(request: &Recorded, body: &[u8]) -> Response<Body> {
    let headers: Map<String, Value> = request
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
        .collect();
    json_body(&json!({
        "method": request.method,
        "path": request.path,
        "headers": headers,
        "body": String::from_utf8_lossy(body),
    }))
}

pub(super) fn json_body(value: &Value) -> Response<Body> {
    Response::builder()
        .header("content-type", "application/json")
        .body(full(value.to_string()))
        .expect("these headers are valid")
}

fn full(text: String) -> Body {
    Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync()
}

fn status(code: usize, headers: &[(&str, &str)]) -> Response<Body> {
    let code = u16::try_from(code).ok().and_then(|code| StatusCode::from_u16(code).ok());
    let code = code.unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = Response::builder().status(code);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(full(format!("status {code}"))).unwrap_or_else(|error| {
        let mut refusal = Response::new(full(error.to_string()));
        *refusal.status_mut() = StatusCode::BAD_REQUEST;
        refusal
    })
}

pub(super) fn streamed(pieces: BoxStream<'static, io::Result<Bytes>>) -> Response<Body> {
    Response::new(StreamBody::new(pieces.map(|piece| piece.map(Frame::data))).boxed_unsync())
}

fn flood(bytes: usize) -> BoxStream<'static, io::Result<Bytes>> {
    const PIECE: usize = 64 << 10;
    static ZEROS: [u8; PIECE] = [0; PIECE];
    stream::unfold(bytes, |left| async move {
        let next = left.min(PIECE);
        (next > 0).then(|| (Ok(Bytes::from_static(&ZEROS[..next])), left - next))
    })
    .boxed()
}

fn trickle() -> BoxStream<'static, io::Result<Bytes>> {
    stream::repeat(())
        .then(|()| async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(Bytes::from_static(b"."))
        })
        .boxed()
}

fn hang_up() -> Response<Body> {
    let pieces = [Ok(Bytes::from_static(b"0123456789")), Err(io::ErrorKind::BrokenPipe.into())];
    let mut response = streamed(stream::iter(pieces).boxed());
    response.headers_mut().insert("content-length", http::HeaderValue::from_static("1000"));
    response
}

fn many_headers(count: usize, bytes: usize) -> Response<Body> {
    let mut response = Response::new(full("ok".to_owned()));
    for i in 0..count {
        let name: HeaderName = format!("x-filler-{i}").parse().expect("a valid name");
        let value = "x".repeat(bytes).parse().expect("a valid value");
        response.headers_mut().insert(name, value);
    }
    response
}
