//! A *standing* is how far a run has got, with everything the server has to say
//! about it.

use consort_plugin_sdk::Failure;
use serde_json::Value;

use crate::checkpoint::Checkpoint;
use crate::failed::run_failed;
use crate::run::{Run, Status};
use crate::server::Server;
use crate::state::State;

pub(crate) enum Standing {
    /// It waits in the server's queue.
    Queued,
    Running,
    /// It has ended, and these are the graph's values.
    Finished(Value),
    /// It has ended where the graph waits for an answer.
    Asks(State),
    /// Someone cancelled it.
    Cancelled(Run),
    Failed(Failure),
}

/// Asks the server. A failure means that it could not be asked, or does not know
/// the run.
pub(crate) fn look(server: &Server<'_>, checkpoint: &Checkpoint) -> Result<Standing, Failure> {
    let Checkpoint { thread, run, .. } = checkpoint;
    let found = server.run(thread, run)?;
    Ok(match found.status {
        Status::Pending => Standing::Queued,
        Status::Running => Standing::Running,
        Status::Success => {
            let state = server.state(thread)?;
            if state.next.is_empty() && state.interrupts().is_empty() {
                Standing::Finished(state.values)
            } else {
                Standing::Asks(state)
            }
        }
        Status::Interrupted => {
            let state = server.state(thread)?;
            if state.is_of(run) && !state.interrupts().is_empty() {
                Standing::Asks(state)
            } else {
                Standing::Cancelled(found)
            }
        }
        Status::Error => {
            let joined = server.join(thread, run)?;
            Standing::Failed(run_failed(&joined, server.state(thread)?.error()))
        }
        Status::Timeout => Standing::Failed(
            Failure::transient("the run took longer than the server allows")
                .with_code("run-timeout"),
        ),
    })
}
