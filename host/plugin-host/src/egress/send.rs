//! The way of one request: checked, given its secrets, counted, sent, and its
//! response handed back while it streams.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Method, Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tokio::time::Instant;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::body::{IncomingBody, OutgoingBody};
use super::call::CallState;
use super::connect;
use super::fault;
use super::mask::Mask;
use super::options::EgressOptions;
use super::policy::{Denial, DeniedBy};
use super::resolve::OnlySpecial;
use super::secret;
use super::target::{Target, shorten};
use crate::limits::LimitKind;

/// The timeouts of one request: the operator's, or the guest's where shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Timeouts {
    connect: Duration,
    first_byte: Duration,
    idle: Duration,
    total: Duration,
}

impl Timeouts {
    fn of(operator: &EgressOptions, guest: Option<RequestOptions>) -> Self {
        let guest = guest.unwrap_or_default();
        let shorter = |operator: Duration, guest: Option<Duration>| {
            guest.map_or(operator, |guest| guest.min(operator))
        };
        Self {
            connect: shorter(operator.connect_timeout, guest.connect_timeout),
            first_byte: shorter(operator.first_byte_timeout, guest.first_byte_timeout),
            idle: shorter(operator.idle_timeout, guest.between_bytes_timeout),
            total: operator.total_timeout,
        }
    }
}

/// Sends one request of `call`. Dropping the future, or the response's body,
/// ends the exchange.
pub(super) async fn send(
    call: Arc<CallState>,
    request: Request<WasiBody>,
    guest: Option<RequestOptions>,
) -> Result<Response<WasiBody>, Error> {
    let start = Instant::now();
    let timeouts = Timeouts::of(call.options(), guest);
    let deadline = later(start, timeouts.total);

    let (parts, body) = request.into_parts();
    let method = parts.method;
    let mut headers = parts.headers;
    let target = Target::parse(&parts.uri).map_err(|reason| {
        let attempted = shorten(format!("{method} {}", without_user(&parts.uri)));
        call.deny(Denial { attempted, reason: reason.to_owned(), by: DeniedBy::Host })
    })?;
    call.policy().check(&method, &target).map_err(|denial| call.deny(denial))?;

    strip_connection_headers(&mut headers);
    // A length without a body would make the server wait for the next request
    // on the connection, which may be another call's.
    let announced = headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    if announced && body.is_end_stream() {
        return Err(Error::HttpRequestBodySize(Some(0)));
    }
    let used = secret::substitute(call.secrets(), &method, &target, &mut headers)
        .map_err(|reason| {
            let attempted = target.describe(&method);
            call.deny(Denial { attempted, reason, by: DeniedBy::Secret })
        })?
        .into_iter()
        .cloned()
        .collect::<Vec<_>>();
    pay_request_header(&call, &method, &target, &headers).await?;

    let mut outgoing = reqwest::Request::new(method.clone(), target.clone().into_url());
    *outgoing.headers_mut() = headers;
    if !body.is_end_stream() {
        *outgoing.body_mut() =
            Some(reqwest::Body::wrap(OutgoingBody::new(body, Arc::clone(&call))));
    }
    let client = call.client().get().await.map_err(|reason| {
        tracing::error!(%reason, "no egress");
        Error::ConfigurationError
    })?;
    let first_byte = later(start, timeouts.first_byte).min(deadline);
    let exchange = connect::within(timeouts.connect, client.execute(outgoing));
    let response = match tokio::time::timeout_at(first_byte, exchange).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return Err(failed(&call, &method, &target, &error)),
        Err(_) => {
            let waited = (first_byte - start).as_secs_f64();
            let broken = format!("{}: no answer within {waited} s", target.describe(&method));
            call.note(Some(broken));
            let over = first_byte == deadline;
            return Err(if over {
                Error::HttpResponseTimeout
            } else {
                Error::ConnectionReadTimeout
            });
        }
    };
    call.note(None);

    let (mut parts, body) = Response::<reqwest::Body>::from(response).into_parts();
    accept_response_header(&call, &parts.headers)?;
    secret::redact(&used, &mut parts.headers);
    // reqwest's notes to itself, such as the final URL.
    parts.extensions.clear();
    let mask = Mask::new(used.iter().map(|secret| secret.value.clone()));
    let body = IncomingBody::new(body, mask, call, timeouts.idle, deadline);
    Ok(Response::from_parts(parts, body.boxed_unsync()))
}

/// `start` and `timeout` together, or a year later where that is beyond clocks.
fn later(start: Instant, timeout: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 86_400);
    start.checked_add(timeout.min(YEAR)).unwrap_or(start)
}

/// What a request failed for; a name that leads nowhere public is a denial.
fn failed(call: &CallState, method: &Method, target: &Target, error: &reqwest::Error) -> Error {
    if let Some(refused) = fault::find::<OnlySpecial>(error) {
        let attempted = target.describe(method);
        return call.deny(Denial { attempted, reason: refused.to_string(), by: DeniedBy::Address });
    }
    if fault::header_too_large(error) {
        let allowed = call.limits().headers;
        return call.break_headers(allowed.saturating_add(1));
    }
    let code = fault::before_response(error);
    call.note(Some(format!("{}: {}", target.describe(method), fault::causes(error))));
    tracing::debug!(plugin = call.plugin(), host = %target.host(), %code, error = %fault::causes(error),
        "request failed");
    code
}

async fn pay_request_header(
    call: &CallState,
    method: &Method,
    target: &Target,
    headers: &HeaderMap,
) -> Result<(), Error> {
    let bytes = method.as_str().len() as u64 + target.len() + header_bytes(headers);
    let allowed = call.limits().headers;
    if bytes > allowed {
        call.overrun(LimitKind::Headers, allowed, bytes);
        return Err(Error::HttpRequestHeaderSectionSize(u32::try_from(allowed).ok()));
    }
    if call.charge(bytes).is_err() {
        return Err(Error::HttpRequestBodySize(None));
    }
    if let Some(due) = call.meter().book(bytes, Instant::now()) {
        tokio::time::sleep_until(due).await;
    }
    Ok(())
}

fn accept_response_header(call: &CallState, headers: &HeaderMap) -> Result<(), Error> {
    let bytes = header_bytes(headers);
    if bytes > call.limits().headers {
        return Err(call.break_headers(bytes));
    }
    call.charge(bytes).map_err(|allowed| Error::HttpResponseBodySize(Some(allowed)))?;
    // Paid for by waiting, but with the first piece of the body.
    call.meter().book(bytes, Instant::now());
    Ok(())
}

/// Bytes of a header section as HTTP/1 writes it.
pub(super) fn header_bytes(headers: &HeaderMap) -> u64 {
    const SEPARATORS: usize = ": \r\n".len();
    headers
        .iter()
        .map(|(name, value)| (name.as_str().len() + value.len() + SEPARATORS) as u64)
        .sum()
}

/// Removes what concerns one connection only and is ours to say.
fn strip_connection_headers(headers: &mut HeaderMap) {
    let listed: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in listed.iter().chain(&[CONNECTION, HOST, TRANSFER_ENCODING, UPGRADE]) {
        headers.remove(name);
    }
    let ours = |name: &&HeaderName| {
        matches!(name.as_str(), "keep-alive" | "http2-settings")
            || name.as_str().starts_with("proxy-")
    };
    for name in headers.keys().filter(ours).cloned().collect::<Vec<_>>() {
        headers.remove(name);
    }
    if headers.get(TE).is_some_and(|te| te != "trailers") {
        headers.remove(TE);
    }
}

fn without_user(uri: &http::Uri) -> String {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit('@').next().unwrap_or(authority);
    format!("{}://{host}{}", uri.scheme_str().unwrap_or("?"), uri.path())
}
