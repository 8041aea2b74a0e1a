//! A *transport* carries one request to a server and brings the response back.

use crate::failure::Failure;
use crate::http::{Request, Response};

/// Carries one request; it knows nothing of redirects or of what a status
/// means.
pub trait Transport {
    /// Sends the request and waits until the response's headers are there. A
    /// failure means that there is no response at all: the host refused
    /// (`Denied`), the request cannot be written (`InvalidInput`), or the
    /// connection broke or timed out (`Transient`).
    fn exchange(&self, request: &Request) -> Result<Response, Failure>;
}

/// The transport of a running plugin: `wasi:http`, which the host serves within
/// the plugin's network rights. On targets other than wasm every exchange is
/// `Denied`: native tests pass a [`FakeAgent`](crate::testing::FakeAgent).
pub struct Wasi;

impl Transport for Wasi {
    fn exchange(&self, request: &Request) -> Result<Response, Failure> {
        #[cfg(target_family = "wasm")]
        {
            super::wasi::exchange(request)
        }
        #[cfg(not(target_family = "wasm"))]
        {
            Err(Failure::denied(format!(
                "{request} needs the plugin host; outside of it, pass a fake agent"
            )))
        }
    }
}
