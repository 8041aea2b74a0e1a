//! Consort's engine: the only place that awaits, and it decides nothing.
//!
//! The scheduler in `consort-core` decides; plugins in `consort-plugin-host`
//! do the work; the engine carries out the one with the other. Data moves in
//! this order:
//!
//! * [`config`]: what the operator wrote down: agents, limits, network, secrets.
//! * [`setup`]: the host and its catalog, and [`Engine::prepare`], which
//!   gathers the *cast* of a plan: every plugin it needs, loaded and checked.
//! * [`Run`]: the run loop; the only `select!`.
//! * `attempt`: one attempt at one task, from its dependencies' results to its
//!   own.
//! * [`watch`]: what happens, for whoever watches.
//! * [`report`]: what came of it.

mod attempt;
mod cast;
pub mod config;
mod error;
pub mod report;
mod run;
pub mod setup;
pub mod watch;

pub use config::HostConfig;
pub use error::TaskError;
pub use report::Report;
pub use run::Run;
pub use setup::{Engine, EngineError, Operator, Setup};
pub use tokio_util::sync::CancellationToken;
pub use watch::{RunEvent, Watcher};
