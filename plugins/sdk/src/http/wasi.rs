//! One exchange over `wasi:http`.

use std::time::Duration;

use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::http::outgoing_handler;
use crate::bindings::wasi::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method as WasiMethod, OutgoingBody,
    OutgoingRequest, RequestOptions, Scheme, http_error_code,
};
use crate::bindings::wasi::io::poll::{Pollable, poll};
use crate::bindings::wasi::io::streams::{InputStream, StreamError};
use crate::failure::Failure;
use crate::http::url::Url;
use crate::http::{Headers, Method, Request, Response};

/// How many bytes are asked for at once.
const READ: u64 = 64 << 10;
/// The most that `blocking-write-and-flush` takes.
const WRITE: usize = 4096;

/// Sends the request and waits for the response's headers.
pub(super) fn exchange(request: &Request) -> Result<Response, Failure> {
    let deadline = Deadline::after(request.timeout);
    let outgoing = outgoing(request)?;
    let body = outgoing.body().map_err(|()| unusable(request, "its body was taken twice"))?;
    let options = options(request.timeout);
    let future = outgoing_handler::handle(outgoing, Some(options))
        .map_err(|code| explain(request, &code))?;
    // The host reads the body only once the request is on its way. When writing
    // fails, the reason is in the response.
    let written = write(body, &request.body);

    let pollable = future.subscribe();
    deadline.wait(&pollable, request)?;
    drop(pollable);
    let response = match future.get() {
        Some(Ok(Ok(response))) => response,
        Some(Ok(Err(code))) => return Err(explain(request, &code)),
        Some(Err(())) | None => return Err(broken(request, "its response was lost")),
    };
    // A server may answer, and stop listening, before it has read everything.
    if let Err(code) = written
        && response.status() < 300
    {
        return Err(explain(request, &code));
    }
    let headers = headers(&response);
    let status = response.status();
    let chunks = Body::new(response, deadline, request)?;
    Ok(Response::new(status, headers, chunks))
}

fn outgoing(request: &Request) -> Result<OutgoingRequest, Failure> {
    let url = Url::parse(&request.url)?;
    let fields = Fields::new();
    let set = |name: &str, value: &str| {
        fields.append(name, value.as_bytes()).map_err(|error| {
            let message = format!("header '{name}' cannot be sent: {error}");
            Failure::invalid_input(message).with_code("invalid-header")
        })
    };
    for (name, value) in request.headers.iter() {
        set(name, value)?;
    }
    let has_body = matches!(request.method, Method::Post | Method::Put | Method::Patch);
    if has_body || !request.body.is_empty() {
        set("content-length", &request.body.len().to_string())?;
    }
    let outgoing = OutgoingRequest::new(fields);
    let scheme = if url.scheme == "https" { Scheme::Https } else { Scheme::Http };
    let refused = |()| unusable(request, "its URL is not accepted");
    outgoing.set_method(&method(request.method)).map_err(refused)?;
    outgoing.set_scheme(Some(&scheme)).map_err(refused)?;
    outgoing.set_authority(Some(&url.authority)).map_err(refused)?;
    outgoing.set_path_with_query(Some(&url.path_and_query())).map_err(refused)?;
    Ok(outgoing)
}

fn method(method: Method) -> WasiMethod {
    match method {
        Method::Get => WasiMethod::Get,
        Method::Head => WasiMethod::Head,
        Method::Post => WasiMethod::Post,
        Method::Put => WasiMethod::Put,
        Method::Patch => WasiMethod::Patch,
        Method::Delete => WasiMethod::Delete,
    }
}

/// Tells the host as well, so that it need not keep a connection for longer. A
/// host that does not support an option keeps its own.
fn options(timeout: Option<Duration>) -> RequestOptions {
    let options = RequestOptions::new();
    if let Some(timeout) = timeout {
        let nanos = Some(nanos(timeout));
        let _ = options.set_connect_timeout(nanos);
        let _ = options.set_first_byte_timeout(nanos);
        let _ = options.set_between_bytes_timeout(nanos);
    }
    options
}

fn write(body: OutgoingBody, bytes: &[u8]) -> Result<(), ErrorCode> {
    let lost = |error: StreamError| match error {
        StreamError::LastOperationFailed(error) => {
            http_error_code(&error).unwrap_or(ErrorCode::ConnectionTerminated)
        }
        StreamError::Closed => ErrorCode::ConnectionTerminated,
    };
    let stream = body.write().map_err(|()| ErrorCode::InternalError(None))?;
    for chunk in bytes.chunks(WRITE) {
        stream.blocking_write_and_flush(chunk).map_err(lost)?;
    }
    drop(stream);
    OutgoingBody::finish(body, None)
}

fn headers(response: &IncomingResponse) -> Headers {
    let fields = response.headers().entries().into_iter();
    fields.map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned())).collect()
}

/// The pieces of a response's body. Fields are dropped in order: the stream is
/// a child of the body, the body one of the response.
struct Body {
    stream: Option<InputStream>,
    _body: IncomingBody,
    _response: IncomingResponse,
    deadline: Deadline,
    request: Request,
}

impl Body {
    fn new(
        response: IncomingResponse,
        deadline: Deadline,
        request: &Request,
    ) -> Result<Self, Failure> {
        let taken = |()| broken(request, "its body was taken twice");
        let body = response.consume().map_err(taken)?;
        let stream = body.stream().map_err(taken)?;
        let request = Request { body: Vec::new(), ..request.clone() };
        Ok(Self { stream: Some(stream), _body: body, _response: response, deadline, request })
    }
}

impl Iterator for Body {
    type Item = Result<Vec<u8>, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let stream = self.stream.as_ref()?;
        let read = if self.deadline.0.is_some() {
            let pollable = stream.subscribe();
            let ready = self.deadline.wait(&pollable, &self.request);
            drop(pollable);
            match ready {
                Ok(()) => stream.read(READ),
                Err(failure) => {
                    self.stream = None;
                    return Some(Err(failure));
                }
            }
        } else {
            stream.blocking_read(READ)
        };
        match read {
            Ok(chunk) => Some(Ok(chunk)),
            Err(StreamError::Closed) => {
                self.stream = None;
                None
            }
            Err(StreamError::LastOperationFailed(error)) => {
                let failure = match http_error_code(&error) {
                    Some(code) => explain(&self.request, &code),
                    None => broken(&self.request, first_part(&error.to_debug_string())),
                };
                self.stream = None;
                Some(Err(failure))
            }
        }
    }
}

/// When a request's patience ends, on the monotonic clock.
#[derive(Clone, Copy)]
struct Deadline(Option<monotonic_clock::Instant>);

impl Deadline {
    fn after(timeout: Option<Duration>) -> Self {
        Self(timeout.map(|timeout| monotonic_clock::now().saturating_add(nanos(timeout))))
    }

    /// Waits until the pollable is ready, or fails with `timeout`.
    fn wait(self, pollable: &Pollable, request: &Request) -> Result<(), Failure> {
        let Some(instant) = self.0 else {
            pollable.block();
            return Ok(());
        };
        let timer = monotonic_clock::subscribe_instant(instant);
        if poll(&[pollable, &timer]).contains(&0) {
            return Ok(());
        }
        let waited = request.timeout.unwrap_or_default().as_secs_f64();
        let message = format!("{request} took longer than its {waited} s");
        Err(Failure::transient(message).with_code("timeout"))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn unusable(request: &Request, why: &str) -> Failure {
    Failure::invalid_input(format!("{request} cannot be sent: {why}")).with_code("invalid-request")
}

fn broken(request: &Request, why: &str) -> Failure {
    Failure::transient(format!("{request} failed: {why}")).with_code("connection-broken")
}

/// Turns the host's error into the failure it means.
fn explain(request: &Request, code: &ErrorCode) -> Failure {
    let failed = |why: &str| format!("{request} failed: {why}");
    match code {
        ErrorCode::HttpRequestDenied => Failure::denied(format!(
            "{request} was denied; the operator and the plugin's manifest must both allow it"
        ))
        .with_code("http-request-denied"),
        ErrorCode::DestinationIpProhibited => Failure::denied(format!(
            "{request} was denied: its host is at an address that is not allowed"
        ))
        .with_code("destination-prohibited"),
        ErrorCode::DnsTimeout
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => {
            Failure::transient(failed("the agent did not answer in time")).with_code("timeout")
        }
        ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => {
            Failure::transient(failed("its host name was not found")).with_code("dns")
        }
        ErrorCode::ConnectionRefused
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable => {
            Failure::transient(failed("nothing answers there")).with_code("connection-refused")
        }
        ErrorCode::TlsCertificateError => {
            Failure::permanent(failed("its certificate is not trusted"))
                .with_code("tls-certificate")
        }
        ErrorCode::HttpRequestLengthRequired
        | ErrorCode::HttpRequestBodySize(_)
        | ErrorCode::HttpRequestMethodInvalid
        | ErrorCode::HttpRequestUriInvalid
        | ErrorCode::HttpRequestUriTooLong
        | ErrorCode::HttpRequestHeaderSectionSize(_)
        | ErrorCode::HttpRequestHeaderSize(_)
        | ErrorCode::HttpRequestTrailerSectionSize(_)
        | ErrorCode::HttpRequestTrailerSize(_) => {
            Failure::invalid_input(failed(&code.to_string())).with_code("invalid-request")
        }
        ErrorCode::HttpResponseHeaderSectionSize(_)
        | ErrorCode::HttpResponseHeaderSize(_)
        | ErrorCode::HttpResponseBodySize(_)
        | ErrorCode::HttpResponseTrailerSectionSize(_)
        | ErrorCode::HttpResponseTrailerSize(_)
        | ErrorCode::HttpResponseContentCoding(_)
        | ErrorCode::LoopDetected
        | ErrorCode::ConfigurationError => {
            Failure::permanent(failed(&code.to_string())).with_code("http")
        }
        ErrorCode::InternalError(Some(why)) => broken(request, why),
        _ => broken(request, "the connection broke"),
    }
}

/// An error without how the host came to it, which it may add.
fn first_part(said: &str) -> &str {
    said.split("\n\nStack backtrace:").next().unwrap_or(said)
}
