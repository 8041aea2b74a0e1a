//! To *poll* is to look how far a run has got and to say what that means for the
//! task.

use std::time::Duration;

use consort_plugin_sdk::host::{self, Level};
use consort_plugin_sdk::{Failure, Invocation, Step};

use crate::answer;
use crate::begin;
use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::question;
use crate::server::Server;
use crate::standing::{Standing, look};

/// How often in a row the server may be out of reach before the attempt fails:
/// the run goes on without a connection.
const MAX_MISSES: u32 = 5;

/// The longest time between two looks that were missed, unless the server asks
/// for more.
const MAX_WAIT: Duration = Duration::from_secs(30);

pub(crate) fn poll(
    call: &Invocation,
    config: &Config,
    server: &Server<'_>,
    checkpoint: Checkpoint,
) -> Result<Step, Failure> {
    let standing = match look(server, &checkpoint) {
        Ok(standing) => standing,
        Err(failure) => return missed(config, checkpoint, failure),
    };
    let go_on = |message| {
        Checkpoint { misses: 0, ..checkpoint.clone() }.pending(config.poll_interval()?, message)
    };
    match standing {
        Standing::Queued => go_on("queued at the server"),
        Standing::Running => go_on("running at the server"),
        Standing::Finished(values) => answer::finish(config, &values),
        Standing::Asks(state) => question::ask(&state, checkpoint),
        Standing::Failed(failure) => Err(failure),
        // This attempt found the run of the one before while it was being
        // stopped, and took it for one that goes on.
        Standing::Cancelled(run) if run.is_before(call.attempt) => {
            host::log(Level::Info, &format!("run {} was cancelled by an earlier attempt", run.id));
            begin::find_or_start(call, config, server)
        }
        Standing::Cancelled(run) => {
            let message = format!("run {} was cancelled at the server", run.id);
            Err(Failure::permanent(message).with_code("run-cancelled"))
        }
    }
}

/// The server could not be asked: later, if that may help.
fn missed(config: &Config, checkpoint: Checkpoint, failure: Failure) -> Result<Step, Failure> {
    let interval = config.poll_interval()?;
    let wait = match &failure {
        Failure::Transient(_) => Duration::ZERO,
        Failure::Throttled(throttle) => Duration::from_millis(throttle.retry_after.unwrap_or(0)),
        Failure::Permanent(_) if failure.code() == Some("http-404") => {
            let Checkpoint { thread, run, .. } = checkpoint;
            let lost = format!("the server does not know run {run} on thread {thread} any more");
            return Err(failure.context(lost).with_code("run-lost"));
        }
        _ => return Err(failure),
    };
    if checkpoint.misses >= MAX_MISSES {
        return Err(failure.context(format!("{} looks at the run failed", MAX_MISSES + 1)));
    }
    let later = Checkpoint { misses: checkpoint.misses + 1, ..checkpoint };
    let wait = wait.max(interval.saturating_mul(1 << later.misses).min(MAX_WAIT.max(interval)));
    host::log(Level::Warn, &format!("could not look at the run: {}", failure.message()));
    later.pending(wait, "out of reach")
}
