//! *Egress* is what leaves the sandbox: the HTTP requests of plugins.
//!
//! A plugin reaches the network through `wasi:http` only, and the host serves
//! that with one pooled client. A request passes these stations in order, and
//! the files read in the same order:
//!
//! - [`options`](EgressOptions): what the operator sets once for the process;
//! - `target`: the request's URL in the one spelling that is checked *and* sent;
//! - [`rule`](Rule): which requests somebody allows, and how that is written;
//! - `address`: which addresses nobody reaches unless they are named;
//! - [`grants`](Grants): what one call may reach, and with which secrets;
//! - `policy`: the decision, a pure function of all of these;
//! - [`secret`](SecretGrant): placeholders turned into secrets on the way out;
//! - `mask`: secrets that a server sends back, made illegible;
//! - `meter`: bytes counted and slowed down;
//! - `resolve`, [`client`](EgressClient): names, connections, TLS;
//! - `body`, `send`, `fault`: streaming both ways, timeouts, error codes;
//! - [`call`](CallEgress): one call's egress, as wasmtime sees it.
//!
//! Beside that way, the host sends something itself, with the same client:
//!
//! - [`signing`](SigningKey): that it is the operator's;
//! - [`post`](Post): to a URL that the operator has written down.
//!
//! Redirects are never followed here: the guest sees the 3xx answer, and the
//! request it makes next is checked like any other.

mod address;
mod body;
mod call;
mod client;
mod connect;
mod fault;
mod grants;
mod mask;
mod meter;
mod options;
mod policy;
mod post;
mod resolve;
mod rule;
mod rule_syntax;
mod secret;
mod send;
mod signing;
mod target;

#[cfg(test)]
mod tests;

pub use call::{CallEgress, EgressReport, Overrun};
pub use client::EgressClient;
pub use grants::{Grants, HttpCapability};
pub use options::EgressOptions;
pub use policy::{Denial, DeniedBy};
pub use post::{Answer, Post, PostError};
pub use rule::{HostPattern, PathPrefix, Ports, Rule, Scheme};
pub use rule_syntax::InvalidRule;
pub use secret::{InvalidSecret, Placeholder, Secret, SecretGrant};
pub use signing::{InvalidKey, SigningKey};
