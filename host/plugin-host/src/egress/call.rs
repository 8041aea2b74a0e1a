//! The egress of one plugin call: what it may reach, what it has used, and what
//! it was refused.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{Request, Response};
use serde::Serialize;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::client::EgressClient;
use super::grants::{Grants, HttpCapability};
use super::meter::{Meter, Spent};
use super::options::EgressOptions;
use super::policy::{Denial, DeniedBy, Policy};
use super::secret::SecretGrant;
use super::send::send;
use crate::limits::{LimitKind, Limits};

/// The `wasi:http` hooks of one call. Made fresh for each call, which costs one
/// allocation; nothing of it outlives the call's last request.
#[derive(Debug)]
pub struct CallEgress {
    state: Arc<CallState>,
}

/// What became of a call's requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EgressReport {
    /// Requests that were refused, the first [`EgressReport::MAX_DENIALS`].
    pub denials: Vec<Denial>,
    /// The first limit that a request broke. The guest saw an error, whatever
    /// it made of it.
    pub overrun: Option<Overrun>,
    /// How the last request broke, if it did.
    pub broken: Option<String>,
    /// Requests the guest tried.
    pub requests: u64,
    /// Bytes sent and received, headers and bodies.
    pub bytes: u64,
}

impl EgressReport {
    /// Denials kept for one call.
    pub const MAX_DENIALS: usize = 32;
}

/// A limit that a request broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Overrun {
    /// `Network`, `Headers` or `Requests`.
    pub limit: LimitKind,
    /// What the call was given, in the limit's unit.
    pub allowed: u64,
    /// What it used or asked for when it was stopped.
    pub used: u64,
}

impl CallEgress {
    /// Egress for one call of `plugin`, whose manifest asks for `capabilities`.
    pub fn new(
        client: &Arc<EgressClient>,
        grants: &Arc<Grants>,
        capabilities: &Arc<[HttpCapability]>,
        limits: &Limits,
        plugin: &Arc<str>,
    ) -> Self {
        let state = CallState {
            client: Arc::clone(client),
            grants: Arc::clone(grants),
            capabilities: Arc::clone(capabilities),
            plugin: Arc::clone(plugin),
            limits: *limits,
            meter: Meter::new(limits.network, limits.network_rate),
            requests: AtomicU64::new(0),
            record: Mutex::default(),
        };
        Self { state: Arc::new(state) }
    }

    /// What has happened so far; after the call, what happened.
    pub fn report(&self) -> EgressReport {
        let record = self.state.record();
        EgressReport {
            denials: record.denials.clone(),
            overrun: record.overrun,
            broken: record.broken.clone(),
            requests: self.state.requests.load(Ordering::Relaxed),
            bytes: self.state.meter.used(),
        }
    }

    /// Requests the guest tried, and bytes sent and received.
    pub fn traffic(&self) -> (u64, u64) {
        (self.state.requests.load(Ordering::Relaxed), self.state.meter.used())
    }

    /// Sends one request the way the guest's are sent. It counts from now on, and
    /// not from when the future first runs: a guest may be gone by then.
    pub(super) fn send(
        &self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> impl Future<Output = Result<Response<WasiBody>, Error>> + Send + use<> {
        let state = Arc::clone(&self.state);
        let counted = state.count_request();
        async move {
            counted?;
            send(state, request, options).await
        }
    }
}

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for CallEgress {
    /// The client writes it, from the URL that was checked.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _fut: Io,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Io), Error>> + Send> {
        let sending = self.send(request, options);
        Box::new(async move {
            let response = sending.await?;
            // The client's own tasks drive the connection.
            Ok((response, Box::new(std::future::ready(Ok(()))) as Io))
        })
    }

    /// What the host holds of a body that the guest writes faster than the
    /// network takes it is twice this.
    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        64 << 10
    }
}

/// Shared by the call's requests.
#[derive(Debug)]
pub(super) struct CallState {
    client: Arc<EgressClient>,
    grants: Arc<Grants>,
    capabilities: Arc<[HttpCapability]>,
    plugin: Arc<str>,
    limits: Limits,
    meter: Meter,
    requests: AtomicU64,
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    denials: Vec<Denial>,
    overrun: Option<Overrun>,
    broken: Option<String>,
}

impl CallState {
    pub(super) fn client(&self) -> &EgressClient {
        &self.client
    }

    pub(super) fn options(&self) -> &EgressOptions {
        self.client.options()
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn meter(&self) -> &Meter {
        &self.meter
    }

    pub(super) fn plugin(&self) -> &str {
        &self.plugin
    }

    pub(super) fn secrets(&self) -> &[SecretGrant] {
        &self.grants.secrets
    }

    pub(super) fn policy(&self) -> Policy<'_> {
        Policy {
            grants: &self.grants,
            capabilities: &self.capabilities,
            plugin: &self.plugin,
            private: &self.options().private,
        }
    }

    fn count_request(&self) -> Result<(), Error> {
        let requests = self.requests.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if requests > self.limits.requests {
            self.overrun(LimitKind::Requests, self.limits.requests, requests);
            return Err(Error::ConnectionLimitReached);
        }
        Ok(())
    }

    /// Counts bytes; the error is what was allowed.
    pub(super) fn charge(&self, bytes: u64) -> Result<(), u64> {
        self.meter.charge(bytes).map_err(|Spent { allowed, used }| {
            self.overrun(LimitKind::Network, allowed, used);
            allowed
        })
    }

    /// Records a denial; gives what the guest is told.
    pub(super) fn deny(&self, denial: Denial) -> Error {
        tracing::warn!(plugin = %self.plugin, attempted = denial.attempted, reason = denial.reason,
            "egress refused");
        let code = match denial.by {
            DeniedBy::Address => Error::DestinationIpProhibited,
            _ => Error::HttpRequestDenied,
        };
        let mut record = self.record();
        if record.denials.len() < EgressReport::MAX_DENIALS {
            record.denials.push(denial);
        }
        code
    }

    /// Records a response's header that is too large; gives what the guest is
    /// told.
    pub(super) fn break_headers(&self, used: u64) -> Error {
        let allowed = self.limits.headers;
        self.overrun(LimitKind::Headers, allowed, used);
        Error::HttpResponseHeaderSectionSize(u32::try_from(allowed).ok())
    }

    /// Records a broken limit; the first one stands.
    pub(super) fn overrun(&self, limit: LimitKind, allowed: u64, used: u64) {
        self.record().overrun.get_or_insert(Overrun { limit, allowed, used });
    }

    /// Records how the last request broke; none: it did not.
    pub(super) fn note(&self, broken: Option<String>) {
        self.record().broken = broken;
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
