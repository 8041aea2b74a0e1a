//! Requests that must not leave, and answers that must not be swallowed whole.
//!
//! The endpoint is a server of the test's; what else a behaviour needs is in
//! the task's input.

use std::mem;

use consort_plugin_sdk::bindings::wasi::http::outgoing_handler;
use consort_plugin_sdk::bindings::wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme,
};
use consort_plugin_sdk::http::{Request, Wasi};
use consort_plugin_sdk::serde_json::Value;
use consort_plugin_sdk::{Failure, Invocation, Step};

type Answer = Result<Step, Failure>;

fn get(url: &str) -> Answer {
    Ok(Step::text(Request::get(url).send(&Wasi)?.success()?.text()?))
}

/// A path of the endpoint.
fn at(call: &Invocation, path: &str) -> Result<String, Failure> {
    Ok(format!("{}{path}", call.endpoint()?.trim_end_matches('/')))
}

/// A string of the task's input.
fn given(call: &Invocation, name: &str) -> Result<String, Failure> {
    let input = call.input.as_ref().map(|input| input.to_value()).transpose()?;
    let value = input.as_ref().and_then(|input| input.get(name)).and_then(Value::as_str);
    value
        .map(str::to_owned)
        .ok_or_else(|| Failure::invalid_input(format!("the input has no '{name}'")))
}

fn api_key(call: &Invocation) -> Result<String, Failure> {
    let config: Value = call.parse_config()?;
    Ok(config["api_key"].as_str().unwrap_or_default().to_owned())
}

pub(crate) fn ask_denied_host(_: &Invocation) -> Answer {
    get("http://denied.example/")
}

pub(crate) fn ask_link_local(_: &Invocation) -> Answer {
    get("http://169.254.169.254/latest/meta-data/")
}

pub(crate) fn ask_name_of_private_address(call: &Invocation) -> Answer {
    get(&given(call, "url")?)
}

/// Whatever the endpoint redirects to.
pub(crate) fn follow_redirect(call: &Invocation) -> Answer {
    get(&at(call, &format!("/redirect?to={}", given(call, "to")?))?)
}

pub(crate) fn connect_tunnel(call: &Invocation) -> Answer {
    let request = bare(call, &Fields::new())?;
    request.set_method(&Method::Connect).map_err(|()| refused("the method"))?;
    answer(outgoing_handler::handle(request, None).map_err(named)?)
}

pub(crate) fn send_secret_elsewhere(call: &Invocation) -> Answer {
    let request = Request::get(given(call, "elsewhere")?).bearer(&api_key(call)?);
    Ok(Step::text(request.send(&Wasi)?.success()?.text()?))
}

pub(crate) fn send_secret_in_url(call: &Invocation) -> Answer {
    get(&at(call, &format!("/echo?key={}", api_key(call)?))?)
}

pub(crate) fn read_huge_body(call: &Invocation) -> Answer {
    get(&at(call, "/body?bytes=1073741824")?)
}

pub(crate) fn read_huge_headers(call: &Invocation) -> Answer {
    get(&at(call, "/headers?count=100&bytes=4096")?)
}

pub(crate) fn send_huge_headers(call: &Invocation) -> Answer {
    let mut request = Request::get(at(call, "/echo")?);
    for i in 0..64 {
        request = request.header(&format!("x-filler-{i}"), "x".repeat(4096));
    }
    Ok(Step::text(request.send(&Wasi)?.success()?.text()?))
}

pub(crate) fn send_endless_body(call: &Invocation) -> Answer {
    let (request, body) = upload(call)?;
    let response = outgoing_handler::handle(request, None).map_err(named)?;
    let stream = body.write().map_err(|()| refused("the body"))?;
    let chunk = [b'x'; 4096];
    while stream.blocking_write_and_flush(&chunk).is_ok() {}
    drop(stream);
    drop(body);
    answer(response)
}

/// Says 1,000 bytes will follow, sends ten and hangs up.
pub(crate) fn send_unfinished_body(call: &Invocation) -> Answer {
    let (request, body) = upload(call)?;
    let response = outgoing_handler::handle(request, None).map_err(named)?;
    let stream = body.write().map_err(|()| refused("the body"))?;
    let _ = stream.blocking_write_and_flush(b"0123456789");
    drop(stream);
    drop(body);
    answer(response)
}

pub(crate) fn read_trickle(call: &Invocation) -> Answer {
    get(&at(call, "/trickle")?)
}

pub(crate) fn wait_for_answer(call: &Invocation) -> Answer {
    get(&at(call, "/never")?)
}

pub(crate) fn ask_many_times(call: &Invocation) -> Answer {
    for _ in 0..1000 {
        get(&at(call, "/echo")?)?;
    }
    Ok(Step::text("asked"))
}

/// All at once, none awaited.
pub(crate) fn start_many_requests(call: &Invocation) -> Answer {
    for _ in 0..1000 {
        let request = bare(call, &Fields::new())?;
        mem::forget(outgoing_handler::handle(request, None).map_err(named)?);
    }
    Ok(Step::text("started"))
}

/// Says which of the spellings the host let through.
pub(crate) fn inject_header(_: &Invocation) -> Answer {
    let accepted: Vec<String> = ["a\r\nx-injected: 1", "a\nx-injected: 1", "a\0b"]
        .into_iter()
        .filter(|value| Fields::new().append("x-plain", value.as_bytes()).is_ok())
        .map(|value| format!("{value:?}"))
        .collect();
    Ok(Step::text(accepted.join(", ")))
}

/// Sends `Host: denied.example` to the endpoint, if the host lets it.
pub(crate) fn claim_other_host(call: &Invocation) -> Answer {
    let fields = Fields::new();
    if let Err(error) = fields.append("host", b"denied.example") {
        return Ok(Step::text(format!("refused: {error}")));
    }
    answer(outgoing_handler::handle(bare(call, &fields)?, None).map_err(named)?)
}

/// A request to `/echo` at the endpoint, below the SDK.
fn bare(call: &Invocation, fields: &Fields) -> Result<OutgoingRequest, Failure> {
    let endpoint = call.endpoint()?;
    let authority = endpoint.trim_start_matches("http://").trim_end_matches('/');
    let request = OutgoingRequest::new(fields.clone());
    request.set_scheme(Some(&Scheme::Http)).map_err(|()| refused("the scheme"))?;
    request.set_authority(Some(authority)).map_err(|()| refused("the authority"))?;
    request.set_path_with_query(Some("/echo")).map_err(|()| refused("the path"))?;
    Ok(request)
}

fn upload(call: &Invocation) -> Result<(OutgoingRequest, OutgoingBody), Failure> {
    let fields = Fields::new();
    if call.description == "send_unfinished_body" {
        fields.append("content-length", b"1000").map_err(|_| refused("the length"))?;
    }
    let request = bare(call, &fields)?;
    request.set_method(&Method::Post).map_err(|()| refused("the method"))?;
    let body = request.body().map_err(|()| refused("the body"))?;
    Ok((request, body))
}

/// The status of the answer, or the error's name.
fn answer(response: FutureIncomingResponse) -> Answer {
    response.subscribe().block();
    match response.get() {
        Some(Ok(Ok(response))) => Ok(Step::text(response.status().to_string())),
        Some(Ok(Err(code))) => Err(named(code)),
        Some(Err(())) | None => Err(refused("the answer")),
    }
}

fn named(code: ErrorCode) -> Failure {
    match code {
        ErrorCode::HttpRequestDenied => Failure::denied(code.to_string()),
        _ => Failure::permanent(code.to_string()),
    }
}

fn refused(what: &str) -> Failure {
    Failure::Other(format!("the host refused {what}"))
}
