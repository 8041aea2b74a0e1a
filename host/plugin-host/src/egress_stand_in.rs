//! Stands in for the egress module while that is being written.
#![allow(missing_docs, unreachable_pub)]
use std::sync::Arc;
use http::{Request, Response};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};
#[derive(Debug, Clone, Default)]
pub struct EgressOptions {}
#[derive(Debug, Clone, Default)]
pub struct Grants {}
impl Grants {
    pub fn none() -> Self {
        Self::default()
    }
}
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HttpCapability(serde_json::Value);
pub(crate) struct CallEgress;
impl CallEgress {
    pub(crate) fn new(_: &Arc<Grants>) -> Self {
        Self
    }
}
impl WasiHttpHooks for CallEgress {
    fn send_request(
        &mut self,
        _: Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<
        dyn Future<
                Output = Result<
                    (Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>),
                    Error,
                >,
            > + Send,
    > {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}
