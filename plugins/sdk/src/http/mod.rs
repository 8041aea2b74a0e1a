//! A blocking HTTP client over `wasi:http`.
//!
//! A [`Request`] is built, sent through a [`Transport`] and answered by a
//! [`Response`]; every way this can go wrong is a
//! [`Failure`](crate::Failure) whose case already says whether another attempt
//! makes sense. [`Wasi`] is the transport of a running plugin; tests use
//! [`FakeAgent`](crate::testing::FakeAgent).
//!
//! # Layout
//!
//! - [`request`]: building a request, and sending it through redirects
//! - [`transport`]: one exchange with a server
//! - [`response`]: headers, body, and what a status means
//! - [`lines`], [`sse`]: reading a body while it arrives
//! - [`retry_after`], [`url`]: the little grammar needed

pub mod lines;
pub mod request;
pub mod response;
pub mod retry_after;
pub mod sse;
pub mod transport;
pub mod url;

#[cfg(target_family = "wasm")]
mod wasi;

pub use request::{Method, Request};
pub use response::{Headers, Response};
pub use sse::Event;
pub use transport::{Transport, Wasi};
