//! To *begin* is to find the run of the task, or to start one when there is none
//! that could still come to something.

use consort_plugin_sdk::host::{self, Level};
use consort_plugin_sdk::{Failure, Invocation, Step};
use serde_json::{Map, Value, json};

use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::run::{ATTEMPT, Run};
use crate::server::Server;
use crate::thread_id::thread_id;

/// The most threads a task may have: those of runs that failed, and one more.
/// Two requests each stay within what a call may make.
const MAX_THREADS: u32 = 24;

/// Goes through the task's threads until one has a run that has not failed, or
/// none at all.
pub(crate) fn find_or_start(
    call: &Invocation,
    config: &Config,
    server: &Server<'_>,
) -> Result<Step, Failure> {
    for number in 1..=MAX_THREADS {
        let thread = thread_id(&call.idempotency_key, &config.assistant, number);
        match server.newest_run(&thread)? {
            Some(run) if run.status.is_failure() => {}
            Some(run) => return go_on(config, &thread, &run),
            None => return start(call, config, server, &thread),
        }
    }
    let message = format!("{MAX_THREADS} runs of this task have failed at the server");
    Err(Failure::permanent(message).with_code("too-many-runs"))
}

fn start(
    call: &Invocation,
    config: &Config,
    server: &Server<'_>,
    thread: &str,
) -> Result<Step, Failure> {
    let input = config.input(call)?;
    server.make_thread(thread, &metadata(call))?;
    start_on(call, config, server, thread, ("input", input))
}

/// Starts a run on a thread that has none that goes on. When there is one after
/// all, the same call was made twice at once, and the run is the one wanted.
pub(crate) fn start_on(
    call: &Invocation,
    config: &Config,
    server: &Server<'_>,
    thread: &str,
    (field, value): (&str, Value),
) -> Result<Step, Failure> {
    let mut body: Map<String, Value> = config.extra.clone();
    body.insert("assistant_id".into(), json!(config.assistant));
    body.insert(field.into(), value);
    body.insert("multitask_strategy".into(), json!("reject"));
    body.insert("metadata".into(), metadata(call));
    let run = match server.start_run(thread, &Value::Object(body)) {
        Err(failure) if failure.code() == Some("http-409") => {
            let run = server.newest_run(thread)?.ok_or(failure)?;
            return go_on(config, thread, &run);
        }
        started => started?,
    };
    host::log(Level::Info, &format!("started run {} on thread {thread}", run.id));
    pending(config, thread, &run)
}

/// Goes on with a run that somebody started before.
pub(crate) fn go_on(config: &Config, thread: &str, run: &Run) -> Result<Step, Failure> {
    let message = format!("run {} on thread {thread} was started before; going on with it", run.id);
    host::log(Level::Info, &message);
    pending(config, thread, run)
}

fn pending(config: &Config, thread: &str, run: &Run) -> Result<Step, Failure> {
    Checkpoint::new(thread, &run.id).pending(config.poll_interval()?, "started at the server")
}

/// What people who look at the server find the task by.
fn metadata(call: &Invocation) -> Value {
    json!({
        "consort_run": call.run_id,
        "consort_task": call.task_id,
        ATTEMPT: call.attempt,
    })
}
