//! The same plugin calls without Consort: an engine of wasmtime's, configured
//! as Consort configures its own, and a loop on as many threads. What it leaves
//! out is what Consort adds: the graph, the scheduler, templates, limits other
//! than fuel and epochs, somebody who hears what plugins say, results, a report.
//!
//! Per task: a store, an instance, one call of `start`, its result taken out.
//! Per batch, as often as Consort asked: one call of `score` on an instance that
//! stays. Strings that are the same for all tasks are made once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

use consort_plugin_host::EPOCH_TICK;
use wasmtime::component::{
    Component, ComponentExportIndex, HasSelf, InstancePre, Linker, ResourceTable,
};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Result,
    Store, WasmBacktraceDetails,
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use self::wire::consort::host::{config, logging, metrics, progress};
use self::wire::consort::types::values::Failure as WireFailure;
use self::wire::exports::consort::agent_adapter::adapter::{Invocation, Step};
use self::wire::exports::consort::prioritizer::prioritizer::{Candidate, Snapshot};
use crate::Failure;
use crate::clock::{Clock, Took};
use crate::workload::{THREADS, component, description};

mod wire {
    wasmtime::component::bindgen!({
        inline: "
            package consort:bench;
            world plugin {
                import consort:host/logging@0.1.0;
                import consort:host/progress@0.1.0;
                import consort:host/metrics@0.1.0;
                import consort:host/config@0.1.0;
                export consort:agent-adapter/adapter@0.1.0;
                export consort:prioritizer/prioritizer@0.1.0;
            }
        ",
        path: "../../wit",
        world: "consort:bench/plugin",
        imports: { default: trappable },
        exports: { default: async },
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

const FUEL: u64 = 1_000_000_000;

type StartParameters<'a> = (Invocation<'a>,);
type Started = (std::result::Result<Step, WireFailure>,);
type ScoreParameters<'a> = (&'a [Candidate], Snapshot<'a>);
type Scored = (std::result::Result<Vec<f64>, String>,);

/// An engine with the two plugins, and a thread that ends its epochs.
pub(crate) struct Bare {
    adapter: Export,
    policy: Export,
    stop: Arc<AtomicBool>,
    ticker: Option<JoinHandle<()>>,
}

/// A component that is ready to be instantiated, and the function to call.
#[derive(Clone)]
struct Export {
    pre: InstancePre<State>,
    function: ComponentExportIndex,
}

impl Bare {
    pub(crate) fn new(adapter: &str, policy: &str) -> std::result::Result<Self, Failure> {
        let engine = Engine::new(&configuration())?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
        logging::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
        progress::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
        metrics::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
        config::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
        let start = ("consort:agent-adapter/adapter@0.1.0", "start");
        let score = ("consort:prioritizer/prioritizer@0.1.0", "score");
        let stop = Arc::new(AtomicBool::new(false));
        let ticker = std::thread::spawn({
            let (engine, stop) = (engine.clone(), Arc::clone(&stop));
            move || {
                while !stop.load(Relaxed) {
                    std::thread::sleep(EPOCH_TICK);
                    engine.increment_epoch();
                }
            }
        });
        Ok(Self {
            adapter: Export::new(&linker, component(adapter)?, start)?,
            policy: Export::new(&linker, component(policy)?, score)?,
            stop,
            ticker: Some(ticker),
        })
    }

    /// Makes the calls for that many tasks, scored in that many batches.
    pub(crate) async fn run(
        &self,
        tasks: usize,
        batches: usize,
    ) -> std::result::Result<Took, Failure> {
        let clock = Clock::start();
        let share = tasks.div_ceil(THREADS);
        let starting: Vec<_> = (0..THREADS)
            .map(|thread| {
                let adapter = self.adapter.clone();
                let range = thread * share..tasks.min((thread + 1) * share);
                tokio::spawn(async move {
                    for task in range {
                        adapter.start(task).await?;
                    }
                    Ok::<_, wasmtime::Error>(())
                })
            })
            .collect();
        self.policy.score(tasks, batches.max(1)).await?;
        for thread in starting {
            thread.await??;
        }
        Ok(clock.stop())
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(ticker) = self.ticker.take() {
            // It cannot panic.
            let _ = ticker.join();
        }
    }
}

impl Export {
    fn new(linker: &Linker<State>, bytes: &[u8], (interface, name): (&str, &str)) -> Result<Self> {
        let component = Component::new(linker.engine(), bytes)?;
        let interface = component.get_export_index(None, interface);
        let function = component
            .get_export_index(interface.as_ref(), name)
            .ok_or_else(|| wasmtime::Error::msg(format!("no function '{name}'")))?;
        Ok(Self { pre: linker.instantiate_pre(&component)?, function })
    }

    fn store(&self) -> Result<Store<State>> {
        let mut store = Store::new(self.pre.engine(), State::default());
        store.set_fuel(FUEL)?;
        store.epoch_deadline_async_yield_and_update(1);
        store.set_epoch_deadline(1);
        Ok(store)
    }

    async fn start(&self, task: usize) -> Result<()> {
        let mut store = self.store()?;
        let instance = self.pre.instantiate_async(&mut store).await?;
        let start =
            instance.get_typed_func::<StartParameters<'_>, Started>(&mut store, &self.function)?;
        let (id, description) = (format!("t{task}"), description(task));
        let invocation = Invocation {
            run_id: "01890a5d-ac96-774b-bcce-b302099a8057",
            task_id: &id,
            task_type: "task",
            attempt: 1,
            idempotency_key: &id,
            description: &description,
            input: None,
            dependencies: &[],
            metadata: "{}",
            agent: "echo",
            endpoint: None,
            config: "{}",
            remaining: 300_000,
        };
        let (started,) = start.call_async(&mut store, (invocation,)).await?;
        match started {
            Ok(Step::Done(_)) => Ok(()),
            other => Err(wasmtime::Error::msg(format!("not done: {other:?}"))),
        }
    }

    async fn score(&self, tasks: usize, batches: usize) -> Result<()> {
        let mut store = self.store()?;
        let instance = self.pre.instantiate_async(&mut store).await?;
        let score =
            instance.get_typed_func::<ScoreParameters<'_>, Scored>(&mut store, &self.function)?;
        let size = tasks.div_ceil(batches);
        for first in (0..tasks).step_by(size.max(1)) {
            let batch: Vec<Candidate> = (first..tasks.min(first + size)).map(candidate).collect();
            let names = ["task", "echo"];
            let snapshot =
                Snapshot { now: 0, names: &names, ready: batch.len() as u32, running: 0, slots: 2 };
            store.set_fuel(FUEL)?;
            let (scores,) = score.call_async(&mut store, (&batch, snapshot)).await?;
            if scores.map_err(wasmtime::Error::msg)?.len() != batch.len() {
                return Err(wasmtime::Error::msg("not as many scores as candidates"));
            }
        }
        Ok(())
    }
}

fn candidate(task: usize) -> Candidate {
    Candidate {
        id: task as u32,
        kind: 0,
        agent: 1,
        priority: 5,
        attempt: 1,
        ready_at: 0,
        deadline: None,
        expected: 1000,
        remaining_path: 1000,
        dependents: 0,
        depth: 0,
    }
}

/// As the plugin host configures its engines.
fn configuration() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(128)
        .total_core_instances(128 * 64)
        .total_memories(128)
        .total_tables(256)
        .total_stacks(128)
        .max_core_instances_per_component(64)
        .max_memories_per_component(4)
        .max_memories_per_module(4)
        .max_tables_per_component(8)
        .max_tables_per_module(8)
        .table_elements(4 << 20)
        .linear_memory_keep_resident(128 << 10)
        .table_keep_resident(128 << 10)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .consume_fuel(true)
        .epoch_interruption(true)
        .cranelift_opt_level(OptLevel::Speed)
        .max_wasm_stack(512 << 10)
        .async_stack_size(1 << 20)
        .concurrency_support(false)
        .native_unwind_info(false)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .memory_init_cow(true);
    config
}

/// The least a store can hold for WASI to be linked.
#[derive(Default)]
struct State {
    table: ResourceTable,
    wasi: Option<WasiCtx>,
    http: WasiHttpCtx,
    network: NoNetwork,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let ctx = self.wasi.get_or_insert_with(|| WasiCtx::builder().build());
        WasiCtxView { ctx, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.network, table: &mut self.table, ctx: &mut self.http }
    }
}

#[derive(Default)]
struct NoNetwork;

type Io = Box<dyn Future<Output = std::result::Result<(), Error>> + Send>;
type Sent = std::result::Result<(http::Response<WasiBody>, Io), Error>;

impl WasiHttpHooks for NoNetwork {
    fn send_request(
        &mut self,
        _: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Io,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        Box::new(std::future::ready(Err(Error::HttpRequestDenied)))
    }
}

impl logging::Host for State {
    fn log(&mut self, _: logging::Level, _: String) -> Result<()> {
        Ok(())
    }
}

impl progress::Host for State {
    fn report(&mut self, _: progress::Update) -> Result<()> {
        Ok(())
    }
}

impl metrics::Host for State {
    fn count(&mut self, _: String, _: u64) -> Result<()> {
        Ok(())
    }

    fn gauge(&mut self, _: String, _: f64) -> Result<()> {
        Ok(())
    }

    fn observe(&mut self, _: String, _: f64) -> Result<()> {
        Ok(())
    }
}

impl config::Host for State {
    fn get(&mut self) -> Result<String> {
        Ok("{}".to_owned())
    }
}
