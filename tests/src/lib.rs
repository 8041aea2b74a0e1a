//! What the whole-program tests share: hostile plugins, a server that plays the
//! agent, and the context of a call.
//!
//! # Layout
//!
//! - [`guests`]: the components built from `tests/guests`
//! - [`modules`]: hostile plugins written in the text format, and how one
//!   becomes a component
//! - [`server`]: an HTTP server in the test's process that behaves as asked
//! - [`receiver`]: a webhook in the test's process
//! - [`agents`]: servers that nobody here wrote
//! - [`command`]: the real `consort`
//! - [`lab`]: a plugin host, a server and calls between them

pub mod agents;
pub mod command;
pub mod guests;
pub mod lab;
pub mod modules;
pub mod receiver;
pub mod server;
