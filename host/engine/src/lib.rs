//! Consort's engine: the only place that awaits, and it decides nothing.
//!
//! The scheduler in `consort-core` decides; plugins in `consort-plugin-host`
//! do the work; the engine carries out the one with the other. Data moves in
//! this order:
//!
//! * [`config`]: what the operator wrote down: agents, limits, network, secrets.
//! * [`setup`]: the host and its catalog, and [`Engine::prepare`], which
//!   gathers the *cast* of a plan: every plugin it needs, loaded, its
//!   configuration checked.
//! * [`Run`]: the run loop; the only `select!`. It counts in *nodes*, keeps a
//!   *record* of each, and hears of the rest by *messages*.
//! * [`control`]: what is done to a run from outside: answers, additions, stops.
//! * `draft`: a task that is added to a live run, before it is in it.
//! * `policy`: the run's prioritizer, and when it is asked.
//! * `stage` and `job`: what a whole run shares, and what one task works on;
//!   `tally`: what that uses.
//! * [`output`]: what a task came to: here, or in the store.
//! * `decide`: whether a task is done, and for which items.
//! * `attempt`: one attempt at one task, from its dependencies' results to its
//!   own.
//! * `batch`: one call for several attempts.
//! * `cache`: results that equal tasks share.
//! * `notice`, `notices`, `webhook`: what an operator is told, and where.
//! * `journal`: what happens to a run, recorded before it has consequences.
//! * `snapshot`: the state of a run, saved, so that coming back is short.
//! * [`watch`]: what happens, for whoever watches.
//! * [`report`]: what came of it.
//! * [`coordinator`]: an open run, as a program embeds it.
//! * [`past`]: a run as its journal has it.
//! * [`retry`]: a part of a past run, done again, and the *earlier* results it
//!   takes over.

mod attempt;
mod batch;
mod cache;
mod cast;
mod check;
pub mod config;
pub mod control;
pub mod coordinator;
mod decide;
mod delivery;
mod draft;
mod earlier;
mod error;
mod job;
mod journal;
mod message;
mod nodes;
mod notice;
mod notices;
pub mod output;
pub mod past;
mod plugin_config;
mod policy;
pub mod question;
mod record;
mod references;
pub mod report;
pub mod retry;
mod run;
pub mod setup;
mod snapshot;
mod stage;
mod tally;
pub mod watch;
mod webhook;

use std::time::{SystemTime, UNIX_EPOCH};

pub use config::{HostConfig, PolicyConfig, WebhookConfig};
pub use consort_core::problem::Problem;
pub use consort_plugin_host::Payload;
pub use control::{Consequence, ControlError, RunControl};
pub use coordinator::{Coordinator, TaskHandle};
pub use error::{Cause, TaskError};
pub use journal::{JournalError, Request};
pub use notice::Topic;
pub use output::Output;
pub use past::PastRun;
pub use question::Question;
pub use report::Report;
pub use retry::Retry;
pub use run::{Interrupted, Origin, ResumeError, Run};
pub use setup::{Engine, EngineError, Operator, Setup};
pub use tokio_util::sync::CancellationToken;
pub use watch::{RunEvent, Watcher};

/// The time: milliseconds since the Unix epoch.
pub fn now() -> i64 {
    let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    epoch.as_millis() as i64
}
