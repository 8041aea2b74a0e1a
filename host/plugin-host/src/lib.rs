//! Loads, limits and calls Consort's plugins, which are WebAssembly components.
//! The only crate that uses wasmtime.
//!
//! ```no_run
//! # async fn example(call: consort_plugin_host::Invocation) -> Result<(), Box<dyn std::error::Error>> {
//! use consort_plugin_host::{CallContext, HostOptions, PluginHost, Source};
//!
//! let host = PluginHost::new(HostOptions::default())?;
//! let plugin = host.load(&Source::File("echo.wasm".into())).await?;
//! let step = plugin.adapter()?.start(&call, &CallContext::new(*host.defaults())).await?;
//! # Ok(()) }
//! ```
//!
//! # Layout
//!
//! A plugin's way from a name to a result; the modules read in this order.
//!
//! - Named and found: [`Catalog`], [`Source`], `scan`, [`Manifest`].
//! - Loaded: [`PluginHost`] within [`LoadOptions`], `compile` (and its cache, which
//!   `evict` keeps small), `runtime` (the engines), `room` (how many instances
//!   fit), [`Plugin`].
//! - Called: [`CallContext`], `session` (one instance, one call), [`Adapter`],
//!   [`Transformer`], [`Prioritizer`]; `v0_1` has the wire types of that
//!   contract version, [`contract`] what they mean.
//! - Bounded: [`Limits`]; `meter` counts memory and computing time, `ticker`
//!   ends epochs, `voice` carries what the guest says and counts it, [`egress`]
//!   is its way to the network, `store` holds all of it for one instance.
//! - Judged: `fault` tells which rule was broken, [`error`] is how callers see
//!   it.
//!
//! # Threads
//!
//! Calls are futures of a tokio runtime with timers and I/O. A guest that
//! computes gives its thread back every [`EPOCH_TICK`]; one that waits holds
//! none. Dropping a call's future stops the guest.
//!
//! **Invariant:** nothing a plugin does makes this crate panic, block a thread or
//! use more memory than the call's limits say.

mod catalog;
mod manifest;
mod scan;
mod source;

mod compile;
mod evict;
mod host;
mod load_options;
mod plugin;
mod room;
mod runtime;

mod adapter;
mod call;
pub mod contract;
mod observer;
mod prioritizer;
mod session;
mod transformer;
mod v0_1;

pub mod egress;
mod limits;
mod meter;
mod store;
mod ticker;
mod voice;

pub mod error;
mod fault;

mod seconds;

#[cfg(test)]
mod testing;

pub use catalog::{Catalog, Listing, Origin};
pub use manifest::{Capabilities, Kind, Manifest};
pub use source::{EmbeddedPlugin, Source};

pub use host::{HostOptions, PluginHost};
pub use load_options::LoadOptions;
pub use plugin::Plugin;

pub use adapter::Adapter;
pub use call::CallContext;
pub use contract::*;
pub use observer::{Consumed, Level, Metric, MetricValue, Observer, Progress};
pub use prioritizer::Prioritizer;
pub use transformer::Transformer;

pub use limits::{LimitKind, LimitSpec, Limits};
pub use ticker::EPOCH_TICK;

pub use error::{CallError, Fault, FaultKind, HostError, LoadError, short_digest};
