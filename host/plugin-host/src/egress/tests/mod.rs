//! Requests through the whole of egress, against servers on this machine.

mod allowed;
mod https;
mod limits;
mod many;
mod names;
mod posts;
mod rules;
mod secrets;
mod streaming;
mod timeouts;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::*;
use crate::limits::Limits;

/// One call's egress, allowed everything on the loopback address unless a test
/// says otherwise.
struct Call {
    options: EgressOptions,
    grants: Grants,
    manifest: Vec<HttpCapability>,
    limits: Limits,
}

/// Names the loopback address, with all its ports.
const LOOPBACK: &str = "127.0.0.1:*";

impl Call {
    fn new() -> Self {
        Self {
            options: EgressOptions::default(),
            grants: Grants { operator: rules(&[LOOPBACK]), ..Grants::none() },
            manifest: asks(&["*:*"]),
            limits: Limits::DEFAULT,
        }
    }

    fn operator(mut self, allowed: &[&str]) -> Self {
        self.grants.operator = rules(allowed);
        self
    }

    fn manifest(mut self, asked: &[&str]) -> Self {
        self.manifest = asks(asked);
        self
    }

    fn host(mut self, name: &str, address: &str) -> Self {
        let address = address.parse().expect("an address");
        self.options.hosts.entry(name.to_owned()).or_default().push(address);
        self
    }

    fn private(mut self, range: &str) -> Self {
        self.options.private.push(range.parse().expect("a range"));
        self
    }

    fn start(self) -> CallEgress {
        let client = Arc::new(EgressClient::new(self.options));
        let capabilities = self.manifest.into();
        CallEgress::new(
            &client,
            &Arc::new(self.grants),
            &capabilities,
            &self.limits,
            &"probe".into(),
        )
    }
}

fn rules(rules: &[&str]) -> Vec<Rule> {
    rules.iter().map(|rule| rule.parse().expect("a rule")).collect()
}

fn asks(capabilities: &[&str]) -> Vec<HttpCapability> {
    let read = |text| serde_json::from_value(serde_json::Value::from(text));
    capabilities.iter().map(|&text| read(text).expect("a capability")).collect()
}

/// What a server answered.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }
}

fn empty() -> WasiBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

fn full(text: impl Into<Bytes>) -> WasiBody {
    Full::new(text.into()).map_err(|never| match never {}).boxed_unsync()
}

fn request(method: Method, url: &str) -> http::request::Builder {
    Request::builder().method(method).uri(url)
}

/// Sends a request and reads the whole answer.
async fn exchange(
    egress: &CallEgress,
    request: Request<WasiBody>,
    options: Option<RequestOptions>,
) -> Result<Answer, Error> {
    let (parts, body) = egress.send(request, options).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Answer { status: parts.status, headers: parts.headers, body })
}

async fn get(egress: &CallEgress, url: &str) -> Result<Answer, Error> {
    exchange(egress, request(Method::GET, url).body(empty()).expect("a request"), None).await
}

/// The only denial of a call.
fn denial(egress: &CallEgress) -> Denial {
    let denials = egress.report().denials;
    assert_eq!(denials.len(), 1, "{denials:?}");
    denials[0].clone()
}

/// Answers every request with what `answer` says. Runs until the test ends.
async fn serve<F, A>(answer: F) -> SocketAddr
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    listen(move |stream| {
        let answer = answer.clone();
        async move {
            let service = service_fn(move |request| {
                let answering = answer(request);
                async move { Ok::<_, Infallible>(answering.await) }
            });
            let http = hyper::server::conn::http1::Builder::new();
            // Ends when the client closes the connection.
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        }
    })
    .await
}

/// Answers every request with its method, path and query.
async fn serve_paths() -> SocketAddr {
    serve(async |request| Response::new(format!("{} {}", request.method(), request.uri()).into()))
        .await
}

/// Answers every connection's first request with these bytes, and then keeps
/// the connection open without another word.
async fn serve_bytes(answer: &'static str) -> SocketAddr {
    listen(move |mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(answer.as_bytes()).await;
        std::future::pending::<()>().await;
    })
    .await
}

async fn listen<F, A>(handle: F) -> SocketAddr
where
    F: Fn(TcpStream) -> A + Send + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(handle(stream));
        }
    });
    address
}

/// Reads a request's header section, as it was sent.
async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).expect("text")
}
