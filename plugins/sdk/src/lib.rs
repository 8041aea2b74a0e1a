//! What a Consort plugin written in Rust is built with.
//!
//! A *plugin* is one WebAssembly component that implements one of three traits,
//! [`Adapter`], [`Prioritizer`] or [`Transformer`], and is exported with one
//! macro. (An adapter whose agent takes several tasks at once implements
//! [`BatchAdapter`] as well, a transformer that can tell a wrong configuration before a
//! run [`CheckedTransformer`].) This is a whole adapter, with its test; beside it stands a
//! `plugin.json`, the manifest, which the macro embeds and a generated test
//! checks:
//!
//! ```
//! use consort_plugin_sdk::http::{Request, Transport, Wasi};
//! use consort_plugin_sdk::{Adapter, Failure, Invocation, Step};
//!
//! struct Shout;
//!
//! fn ask(call: &Invocation, http: &dyn Transport) -> Result<Step, Failure> {
//!     let request = Request::post(call.endpoint()?).text(call.description.as_str());
//!     Ok(Step::text(request.send(http)?.success()?.text()?))
//! }
//!
//! impl Adapter for Shout {
//!     fn start(call: Invocation) -> Result<Step, Failure> {
//!         ask(&call, &Wasi)
//!     }
//! }
//! # #[cfg(any())]
//! consort_plugin_sdk::export_adapter!(Shout, "plugin.json");
//!
//! # #[cfg(any())]
//! #[test]
//! # fn _only_to_show() {}
//! fn answers_with_what_the_agent_says() {
//!     let agent = consort_plugin_sdk::testing::FakeAgent::new().reply(200, "HELLO");
//!     let call = consort_plugin_sdk::testing::invocation("hello").at("http://agent.example/");
//!     assert_eq!(ask(&call, &agent), Ok(Step::text("HELLO")));
//! }
//! # answers_with_what_the_agent_says();
//! ```
//!
//! Build it with `cargo build --target wasm32-wasip2 --release` and a
//! `crate-type` of `["cdylib", "rlib"]`; `cargo test` tests the logic natively.
//!
//! # Layout
//!
//! - [`adapter`], [`transformer`], [`prioritizer`]: the traits and what their
//!   arguments can do
//! - [`payload`], [`failure`], [`config`]: values, refusals, configuration
//! - [`message`], [`template`], [`path`]: a task as a message or a document, and a
//!   place in the answer
//! - [`host`]: log, progress and metrics
//! - [`http`]: a blocking client over `wasi:http`
//! - [`export`]: the export macros; [`manifest`]: what they embed
//! - [`testing`]: what native tests need in place of the host

#![expect(
    clippy::test_attr_in_doctest,
    reason = "the example shows a whole plugin, test included, and runs the test as well"
)]

pub mod adapter;
pub mod config;
pub mod export;
pub mod failure;
pub mod host;
pub mod http;
pub mod message;
pub mod path;
pub mod payload;
pub mod prioritizer;
pub mod template;
pub mod transformer;

#[cfg(not(target_family = "wasm"))]
pub mod manifest;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

#[doc(hidden)]
pub mod bindings;

pub use adapter::{
    Adapter, BatchAdapter, Dependency, Invocation, Outcome, Pending, Question, Step, Usage,
};
pub use failure::{Failure, Problem, Throttle};
pub use payload::{Blob, Payload};
pub use prioritizer::{Candidate, Prioritizer, Snapshot};
pub use transformer::{CheckedTransformer, Complaint, TransformContext, Transformer};

/// The JSON library the helpers of this crate speak.
pub use serde_json;
