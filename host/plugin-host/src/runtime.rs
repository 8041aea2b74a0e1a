//! The *runtime*: wasmtime's engines, from the one most instances come from to
//! the one that always has room.
//!
//! All engines compile alike, so that code compiled once runs in each of them.
//! They differ in where instances live:
//!
//! 1. a small pool, cheap to set up, enough for a run on one machine;
//! 2. a large pool, set up when the small one is first exhausted;
//! 3. on demand, one mapping at a time: slower, for components that do not fit
//!    a pool and for bursts beyond it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;

use wasmtime::component::Linker;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Result,
    WasmBacktraceDetails,
};

use crate::error::HostError;
use crate::room::Room;
use crate::store::State;
use crate::ticker::Ticker;
use crate::v0_1;

/// Instances of the pool that is set up with the host.
const SMALL_POOL: u32 = 128;
/// Native stack of the guest's own functions. Interpreters compiled to
/// WebAssembly need this much; pages nobody touches cost nothing.
const WASM_STACK: usize = 512 << 10;
/// The same plus room for the host functions that run on top of it.
const FIBER_STACK: usize = 1 << 20;
/// Bytes of an instance's memory and tables that stay mapped when it ends, so
/// that the next one in its place faults no pages in.
const KEEP_RESIDENT: usize = 128 << 10;
/// Elements of a pooled table. Few, since every table takes at least the part of
/// a page table that covers its slot; larger tables are for the on-demand tier.
pub(crate) const TABLE_ELEMENTS: usize = 20_000;
/// Core instances, memories and tables a component can bring into the pool; one
/// that has more is instantiated on demand.
const MEMORIES_PER_COMPONENT: u32 = 4;
const TABLES_PER_COMPONENT: u32 = 8;
const CORE_INSTANCES_PER_COMPONENT: u32 = 64;

/// The engines of one host.
pub(crate) struct Runtime {
    tiers: Vec<Tier>,
    ticker: Ticker,
    room: Room,
    compatibility: u64,
}

/// One engine, made when it is first needed.
struct Tier {
    allocation: Allocation,
    workshop: OnceLock<Result<Workshop, String>>,
}

#[derive(Debug, Clone, Copy)]
enum Allocation {
    Pool(u32),
    OnDemand,
}

/// An engine and the imports it offers.
pub(crate) struct Workshop {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<State>,
}

impl Runtime {
    /// `pool`: instances that can live at once before they are made on demand.
    pub(crate) fn new(pool: u32) -> Result<Self, HostError> {
        let small = pool.min(SMALL_POOL);
        let mut allocations = Vec::new();
        if small > 0 {
            allocations.push(Allocation::Pool(small));
        }
        if pool > small {
            allocations.push(Allocation::Pool(pool - small));
        }
        allocations.push(Allocation::OnDemand);
        let tiers = allocations
            .into_iter()
            .map(|allocation| Tier { allocation, workshop: OnceLock::new() })
            .collect();
        let ticker = Ticker::start().map_err(HostError::Thread)?;
        let mut runtime = Self { tiers, ticker, room: Room::new(pool), compatibility: 0 };
        let mut hasher = DefaultHasher::new();
        runtime.compiler()?.precompile_compatibility_hash().hash(&mut hasher);
        runtime.compatibility = hasher.finish();
        Ok(runtime)
    }

    /// How many tiers there are; they are numbered from the preferred one.
    pub(crate) fn tiers(&self) -> usize {
        self.tiers.len()
    }

    /// Whether instances of a tier come from a pool.
    pub(crate) fn is_pool(&self, tier: usize) -> bool {
        matches!(self.tiers[tier].allocation, Allocation::Pool(_))
    }

    /// The engine of a tier; an error says why this machine cannot have it.
    pub(crate) fn workshop(&self, tier: usize) -> Result<&Workshop, &str> {
        let Tier { allocation, workshop } = &self.tiers[tier];
        let made = workshop.get_or_init(|| {
            let workshop = Workshop::new(*allocation).map_err(|e| format!("{e:#}"))?;
            self.ticker.add(&workshop.engine);
            Ok(workshop)
        });
        made.as_ref().map_err(String::as_str)
    }

    /// An engine to compile with: the first this machine can have.
    pub(crate) fn compiler(&self) -> Result<&Engine, HostError> {
        let mut reason = "";
        for tier in 0..self.tiers() {
            match self.workshop(tier) {
                Ok(workshop) => return Ok(&workshop.engine),
                Err(why) => reason = why,
            }
        }
        Err(HostError::Engine(reason.to_owned()))
    }

    /// Equal for hosts that can run each other's compiled code.
    pub(crate) fn compatibility(&self) -> u64 {
        self.compatibility
    }

    /// Where instances wait for room.
    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    /// Says that a guest is about to run.
    pub(crate) fn touch(&self) {
        self.ticker.touch();
    }
}

impl Workshop {
    fn new(allocation: Allocation) -> Result<Self> {
        let mut config = common();
        if let Allocation::Pool(instances) = allocation {
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances)));
        }
        let engine = Engine::new(&config)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
        v0_1::add_to_linker(&mut linker)?;
        Ok(Self { engine, linker })
    }
}

/// What all engines have in common, and what compiled code depends on.
fn common() -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .cranelift_opt_level(OptLevel::Speed)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(FIBER_STACK)
        .concurrency_support(false)
        // Unwinding goes by frame pointers; the tables would only be registered
        // and unregistered with every plugin.
        .native_unwind_info(false)
        // Guests may carry debug information as hostile as themselves.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .memory_init_cow(true);
    config
}

fn pool(instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES_PER_COMPONENT))
        .total_memories(instances)
        .total_tables(instances.saturating_mul(2))
        .total_stacks(instances)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_memories_per_module(MEMORIES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .max_tables_per_module(TABLES_PER_COMPONENT)
        .table_elements(TABLE_ELEMENTS)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT)
        .pagemap_scan(Enabled::Auto);
    pool
}
