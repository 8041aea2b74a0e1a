//! Runs that are recorded: what that costs.
//!
//! Rates and hops are compared with runs in memory, and with the machine's own
//! `fdatasync`, of the same rounds.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use consort_core::spec::Format;
use consort_engine::{CancellationToken, Engine, HostConfig, Origin, Run, RunEvent, Watcher};
use consort_store::{Options, Store};
use consort_tests::command::target_dir;
use consort_tests::guests;
use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::clock::{Clock, median, micros};
use crate::table::{Bar, Table};
use crate::workload::{chain, engine, execute, independent, prepare, prepare_text, runtime};
use crate::{Failure, past};

const TASKS: usize = 20_000;
const HOPS: usize = 1_000;
const ROUNDS: usize = 7;
const ACCEPTED: usize = 10_000;
const PAGE: usize = 4_096;

pub(crate) fn measure(table: &mut Table) -> Result<(), Failure> {
    // Not where temporary files are, which may be memory.
    let folder = tempfile::tempdir_in(target_dir())?;
    rates(table, &folder)?;
    hops(table, &folder)?;
    acceptance(table, &folder)?;
    past::measure(table, &folder)
}

fn rates(table: &mut Table, folder: &TempDir) -> Result<(), Failure> {
    let runtime = runtime()?;
    let engine = engine(HostConfig::default(), None)?;
    let workflow = independent(TASKS);
    let store = Store::open(&folder.path().join("rates.db"), Options::default())?;
    let mut rounds = Vec::new();
    // The first warms up.
    for round in 0..=ROUNDS {
        let run = runtime.block_on(prepare(&engine, &workflow))?;
        let clock = Clock::start();
        runtime.block_on(execute(run))?;
        let in_memory = clock.stop();
        let run = runtime.block_on(recorded(&engine, &workflow, &store))?;
        let clock = Clock::start();
        runtime.block_on(execute(run))?;
        if round > 0 {
            rounds.push((in_memory, clock.stop()));
        }
    }
    let tasks = TASKS as f64;
    let rate = median(rounds.iter().map(|(_, durable)| tasks / durable.wall.as_secs_f64()));
    let share = median(
        rounds
            .iter()
            .map(|(memory, durable)| memory.wall.as_secs_f64() / durable.wall.as_secs_f64()),
    );
    table.figure("independent tasks, recorded", rate, "tasks/s", Bar::AtLeast(10_000.0));
    table.figure("  as a share of those in memory", share, "times", Bar::AtLeast(0.4));
    let cost =
        median(rounds.iter().map(|(memory, durable)| {
            durable.processor.as_secs_f64() / memory.processor.as_secs_f64()
        }));
    table.detail("  processor time, as a multiple of that in memory", cost, "times");
    Ok(())
}

fn hops(table: &mut Table, folder: &TempDir) -> Result<(), Failure> {
    let runtime = runtime()?;
    let engine = engine(HostConfig::default(), None)?;
    let relay = folder.path().join("relay.wasm");
    std::fs::write(&relay, guests::component("relay").0)?;
    let workflow = chain(HOPS, &relay);
    let store = Store::open(&folder.path().join("hops.db"), Options::default())?;
    let mut rounds = Vec::new();
    for round in 0..=ROUNDS {
        let run = runtime.block_on(recorded(&engine, &workflow, &store))?;
        let clock = Clock::start();
        runtime.block_on(execute(run))?;
        let hop = micros(clock.stop().wall) / HOPS as f64;
        let sync = sync_time(folder.path())?;
        if round > 0 {
            rounds.push((hop, sync));
        }
    }
    let over = median(rounds.iter().map(|(hop, sync)| hop - sync));
    let hop = median(rounds.iter().map(|(hop, _)| *hop));
    let sync = median(rounds.iter().map(|(_, sync)| *sync));
    let name = "a hop of a recorded chain, over an fdatasync";
    table.figure(name, over, "µs", Bar::AtMost(300.0));
    table.detail("  the hop", hop, "µs");
    table.detail("  an fdatasync of a page", sync, "µs");
    Ok(())
}

/// Microseconds to write a page of a file and have it on disk. The file has its
/// room already, as a journal of SQLite's has.
fn sync_time(folder: &Path) -> Result<f64, Failure> {
    const SYNCS: usize = 300;
    let mut file = File::create(folder.join("sync"))?;
    file.write_all(&vec![0; SYNCS * PAGE])?;
    file.sync_all()?;
    file.rewind()?;
    let begun = Instant::now();
    for _ in 0..SYNCS {
        file.write_all(&[7; PAGE])?;
        file.sync_data()?;
    }
    Ok(micros(begun.elapsed()) / SYNCS as f64)
}

/// From the text of a workflow until it is on disk and begins.
fn acceptance(table: &mut Table, folder: &TempDir) -> Result<(), Failure> {
    let runtime = runtime()?;
    let engine = engine(HostConfig::default(), None)?;
    let workflow = independent(ACCEPTED);
    let store = Store::open(&folder.path().join("accepted.db"), Options::default())?;
    let mut times = Vec::new();
    for round in 0..=ROUNDS {
        let begun = Instant::now();
        let run = runtime.block_on(recorded(&engine, &workflow, &store))?;
        let accepted = Arc::new(When::new(|event| matches!(event, RunEvent::RunStarted { .. })));
        let stop = CancellationToken::new();
        runtime.block_on(run.execute(Map::new(), accepted.clone(), stop))?;
        if round > 0 {
            times.push(accepted.after(begun) * 1e3);
        }
    }
    let name = "a workflow of 10,000 tasks, text to on disk";
    table.figure(name, median(times), "ms", Bar::AtMost(1_000.0));
    Ok(())
}

/// Notes when something happens for the first time.
struct When<F> {
    what: F,
    at: std::sync::OnceLock<Instant>,
}

impl<F: Fn(&RunEvent) -> bool> When<F> {
    fn new(what: F) -> Self {
        Self { what, at: std::sync::OnceLock::new() }
    }

    /// Seconds.
    fn after(&self, begun: Instant) -> f64 {
        self.at.get().map_or(f64::NAN, |at| at.duration_since(begun).as_secs_f64())
    }
}

impl<F: Fn(&RunEvent) -> bool + Send + Sync> Watcher for When<F> {
    fn event(&self, event: &RunEvent) {
        if (self.what)(event) {
            let _ = self.at.set(Instant::now());
        }
    }
}

/// A run that is recorded.
pub(crate) async fn recorded(
    engine: &Engine,
    workflow: &Value,
    store: &Store,
) -> Result<Run, Failure> {
    record(engine, workflow.to_string(), store).await
}

pub(crate) async fn record(engine: &Engine, text: String, store: &Store) -> Result<Run, Failure> {
    let mut run = prepare_text(engine, &text).await?;
    let origin = Origin { text: text.into(), format: Format::Json, name: "workload".to_owned() };
    run.record(store.clone(), origin);
    Ok(run)
}
