//! The *state* of one call: everything the host keeps for the guest while it
//! runs. It lives and dies with the wasmtime store.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::call::CallContext;
use crate::egress::{CallEgress, EgressReport, Grants};
use crate::fault::{Exceeded, lifting_allowance};
use crate::limits::{LimitKind, Limits};
use crate::meter::{MemoryMeter, Stopwatch};
use crate::plugin::Plugin;
use crate::voice::{StandardStream, Voice};

/// Host resources (streams, pollables, header maps, …) a guest may hold.
const RESOURCES: usize = 1024;
/// Handles of any kind, also between the guest's own parts.
const HANDLES: usize = 16 << 10;
/// Random bytes a guest may ask for at once; a guest that wants more asks again
/// and can be interrupted in between.
const RANDOM_BYTES: u64 = 256 << 10;

/// What the host keeps for one guest.
pub(crate) struct State {
    plugin: Plugin,
    resources: ResourceTable,
    /// Made when the guest first asks for something of WASI: many never do.
    wasi: Option<WasiCtx>,
    http: WasiHttpCtx,
    /// Made when the guest first comes near the network.
    egress: Option<CallEgress>,
    grants: Arc<Grants>,
    pub(crate) memory: MemoryMeter,
    pub(crate) voice: Arc<Voice>,
    pub(crate) watch: Arc<Stopwatch>,
    pub(crate) config: Arc<str>,
    limits: Limits,
}

impl State {
    pub(crate) fn new(plugin: &Plugin, cx: &CallContext) -> Self {
        let limits = &cx.limits;
        let mut resources = ResourceTable::new();
        resources.set_max_capacity(RESOURCES);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(header_allowance(limits));
        Self {
            plugin: plugin.clone(),
            resources,
            wasi: None,
            http,
            egress: None,
            grants: Arc::clone(&cx.grants),
            memory: MemoryMeter::new(limits.memory),
            voice: Arc::default(),
            watch: Arc::new(Stopwatch::new()),
            config: Arc::clone(&cx.config),
            limits: *limits,
        }
    }

    /// Puts the state into a store of `engine` that enforces its limits.
    pub(crate) fn into_store(self, engine: &Engine) -> Store<Self> {
        let mut store = Store::new(engine, self);
        store.limiter(|state| &mut state.memory);
        store.epoch_deadline_callback(|context| context.data().on_tick());
        store.set_max_component_handles(HANDLES);
        arm(&mut store);
        store
    }

    /// Prepares a store that stays for its next call.
    pub(crate) fn renew(store: &mut Store<Self>, cx: &CallContext) {
        let state = store.data_mut();
        state.egress = None;
        state.grants = Arc::clone(&cx.grants);
        state.http.set_field_size_limit(header_allowance(&cx.limits));
        state.limits = cx.limits;
        state.memory.allow(cx.limits.memory);
        state.watch = Arc::new(Stopwatch::new());
        state.config = Arc::clone(&cx.config);
        arm(store);
    }

    /// What became of the guest's requests.
    pub(crate) fn egress_report(&self) -> EgressReport {
        self.egress.as_ref().map(CallEgress::report).unwrap_or_default()
    }

    /// How many requests the guest made, and their bytes in both directions.
    pub(crate) fn traffic(&self) -> (u64, u64) {
        self.egress.as_ref().map(CallEgress::traffic).unwrap_or_default()
    }

    /// Runs whenever an epoch ends while the guest computes.
    fn on_tick(&self) -> wasmtime::Result<UpdateDeadline> {
        let used = self.watch.spent().as_millis() as u64;
        let allowed = self.limits.cpu_time;
        if used > allowed {
            let exceeded = Exceeded { limit: LimitKind::CpuTime, allowed, used };
            return Err(wasmtime::Error::new(exceeded));
        }
        // Behind everything else that is ready on this thread, timers included.
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    }
}

/// Fills the account and sets the deadlines of one call.
fn arm(store: &mut Store<State>) {
    let limits = store.data().limits;
    store.set_fuel(limits.fuel).expect("the engines count fuel");
    store.set_epoch_deadline(1);
    store.set_hostcall_fuel(lifting_allowance(&limits));
}

/// What one map of headers may take in memory. Twice what it may take on the
/// wire, and room for many small ones: the `headers` limit itself is checked,
/// and its breach named, when a request is sent.
fn header_allowance(limits: &Limits) -> usize {
    usize::try_from(limits.headers.saturating_mul(2).saturating_add(64 << 10)).unwrap_or(usize::MAX)
}

/// No files, no environment, no arguments, no sockets; only what is written
/// goes somewhere.
fn bare_wasi(voice: &Arc<Voice>) -> WasiCtx {
    WasiCtx::builder()
        .stdout(StandardStream::out(voice))
        .stderr(StandardStream::err(voice))
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .max_random_size(RANDOM_BYTES)
        .build()
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let ctx = self.wasi.get_or_insert_with(|| bare_wasi(&self.voice));
        WasiCtxView { ctx, table: &mut self.resources }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let Self { plugin, grants, limits, resources, http, egress, .. } = self;
        let hooks = egress.get_or_insert_with(|| plugin.egress(grants, limits));
        WasiHttpCtxView { hooks, table: resources, ctx: http }
    }
}
