//! The *remote* adapter begins a run at an agent that works by itself, keeps
//! the run's id as its checkpoint, asks after it until it is done, and ends it
//! when it is told to stop. The endpoint is where runs are begun, with
//! `?polls=N` for how often one is to be asked after.

use consort_plugin_sdk::http::{Method, Request, Response, Wasi};
use consort_plugin_sdk::serde_json::{Value, json};
use consort_plugin_sdk::{Adapter, Failure, Invocation, Payload, Pending, Step};

/// How long the host waits before it asks again, in milliseconds.
const POLL_AFTER: u64 = 100;

/// Begins runs and asks after them.
pub struct Remote;

impl Adapter for Remote {
    fn start(call: Invocation) -> Result<Step, Failure> {
        let request = Request::post(call.endpoint()?).json(&json!({"work": call.description}))?;
        let begun: Value = send(&call, request)?.json()?;
        let id = begun["id"].as_str().ok_or_else(|| Failure::transient("a run without an id"))?;
        Ok(pending(id))
    }

    fn resume(call: Invocation, checkpoint: Vec<u8>, _: Option<Payload>) -> Result<Step, Failure> {
        let (id, url) = of(&call, &checkpoint)?;
        let run: Value = send(&call, Request::get(url))?.json()?;
        match run["result"].as_str() {
            Some(result) => Ok(Step::text(result)),
            None => Ok(pending(&id)),
        }
    }

    fn cancel(call: Invocation, checkpoint: Vec<u8>) -> Result<(), Failure> {
        let (_, url) = of(&call, &checkpoint)?;
        send(&call, Request::new(Method::Delete, url)).map(drop)
    }
}

consort_plugin_sdk::export_adapter!(Remote, "plugin.json");

fn send(call: &Invocation, request: Request) -> Result<Response, Failure> {
    request.header("idempotency-key", call.idempotency_key.as_str()).send(&Wasi)?.success()
}

fn pending(id: &str) -> Step {
    Step::Pending(Pending {
        checkpoint: id.as_bytes().to_vec(),
        poll_after: POLL_AFTER,
        fraction: None,
        message: None,
    })
}

/// The run's id and its URL.
fn of(call: &Invocation, checkpoint: &[u8]) -> Result<(String, String), Failure> {
    let id = String::from_utf8_lossy(checkpoint).into_owned();
    let runs = call.endpoint()?.split('?').next().unwrap_or_default();
    let url = format!("{runs}/{id}");
    Ok((id, url))
}
