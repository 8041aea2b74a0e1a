//! Looking around in the sandbox. Every behaviour answers with what it found.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::{env, fs};

use consort_plugin_sdk::serde_json::{Value, json};
use consort_plugin_sdk::{Failure, Invocation, Payload, Step};

type Answer = Result<Step, Failure>;

fn found(found: &Value) -> Answer {
    Ok(Step::done(Payload::Json(found.to_string())))
}

pub(crate) fn look_around(_: &Invocation) -> Answer {
    let readable: Vec<&str> = ["/", ".", "/etc/passwd", "/proc/self/environ", "plugin.json"]
        .into_iter()
        .filter(|path| fs::metadata(path).is_ok() || fs::read(path).is_ok())
        .collect();
    let written = fs::write("/tmp/hostile", "was here").is_ok();
    found(&json!({
        "variables": env::vars().map(|(name, _)| name).collect::<Vec<_>>(),
        "arguments": env::args().collect::<Vec<_>>(),
        "readable": readable,
        "written": written,
    }))
}

/// The endpoint's host and port.
fn authority(call: &Invocation) -> Result<&str, Failure> {
    Ok(call.endpoint()?.trim_start_matches("http://").trim_end_matches('/'))
}

pub(crate) fn open_tcp(call: &Invocation) -> Answer {
    found(&json!({ "connected": TcpStream::connect(authority(call)?).is_ok() }))
}

pub(crate) fn open_udp(call: &Invocation) -> Answer {
    let to = authority(call)?;
    let sent = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.send_to(b"hello", to));
    found(&json!({ "sent": sent.is_ok() }))
}

pub(crate) fn look_up_name(_: &Invocation) -> Answer {
    found(&json!({ "resolved": "localhost:80".to_socket_addrs().is_ok() }))
}

pub(crate) fn listen(_: &Invocation) -> Answer {
    found(&json!({ "listening": TcpListener::bind("127.0.0.1:0").is_ok() }))
}

pub(crate) fn read_stdin(_: &Invocation) -> Answer {
    let mut input = String::new();
    let read = std::io::stdin().read_to_string(&mut input).unwrap_or_default();
    found(&json!({ "read": read }))
}
