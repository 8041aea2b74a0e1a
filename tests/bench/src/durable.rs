//! Runs that are recorded: what that costs, and what it takes to come back.
//!
//! Rates and hops are compared with runs in memory, and with the machine's own
//! `fdatasync`, of the same rounds. Memory is that of a process which does a
//! million tasks and then dies with one left; the time to come back is another
//! process's, from before it opens the store until it goes on.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use consort_core::spec::Format;
use consort_engine::{CancellationToken, Engine, HostConfig, Origin, Run, RunEvent, Watcher};
use consort_store::{Options, Store};
use consort_tests::command::target_dir;
use consort_tests::guests;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::Failure;
use crate::clock::{Clock, median, micros};
use crate::memory::status;
use crate::table::{Bar, Table};
use crate::workload::{
    chain, description, engine, execute, independent, prepare, prepare_text, runtime,
};

const TASKS: usize = 20_000;
const HOPS: usize = 1_000;
const ROUNDS: usize = 7;
const ACCEPTED: usize = 10_000;
const MANY: u64 = 1_000_000;
const PAGE: usize = 4_096;

pub(crate) fn measure(table: &mut Table) -> Result<(), Failure> {
    // Not where temporary files are, which may be memory.
    let folder = tempfile::tempdir_in(target_dir())?;
    rates(table, &folder)?;
    hops(table, &folder)?;
    acceptance(table, &folder)?;
    many(table, &folder)
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

/// What a process says that has done a million tasks.
#[derive(Debug, Serialize, Deserialize)]
struct Endured {
    run: String,
    /// Bytes: after half of them, after all.
    anonymous: [u64; 2],
    seconds: f64,
}

fn many(table: &mut Table, folder: &TempDir) -> Result<(), Failure> {
    let this = std::env::current_exe()?;
    let (store, cache) = (folder.path().join("many.db"), folder.path().join("code"));
    let part = |name: &str, more: &[&str]| -> Result<Vec<u8>, Failure> {
        let output = Command::new(&this).arg(name).arg(&store).arg(&cache).args(more).output()?;
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
        }
    };
    let endured: Endured = serde_json::from_slice(&part("endure", &[])?)?;
    let [half, all] = endured.anonymous.map(|bytes| bytes as f64);
    let name = "all memory, by each of 1,000,000 finished tasks";
    table.figure(name, all / MANY as f64, "bytes", Bar::AtMost(1_024.0));
    let more = (all - half) / (MANY / 2) as f64;
    table.figure("  by each task of the second half", more, "bytes", Bar::AtMost(1_024.0));
    table.detail("  all of them, recorded", endured.seconds, "s");
    let mut times = Vec::new();
    for _ in 0..3 {
        let seconds: f64 = serde_json::from_slice(&part("come-back", &[&endured.run])?)?;
        times.push(seconds);
    }
    let name = "start-up of a run with 1,000,000 finished tasks";
    table.figure(name, median(times), "s", Bar::AtMost(2.0));
    Ok(())
}

/// Does a million tasks, says what that took, and dies while one is left.
pub(crate) fn endure(store: &Path, cache: &Path) -> Result<(), Failure> {
    let engine = engine(HostConfig::default(), Some(cache))?;
    // Written down at once: as values they would be most of the memory.
    let mut text = String::from(r#"{"agents": {"echo": {"adapter": "echo"}}, "tasks": ["#);
    for task in 0..MANY {
        let description = description(task as usize);
        let task =
            json!({"task_id": format!("t{task}"), "agent": "echo", "description": description});
        text += &format!("{task}, ");
    }
    text += r#"{"task_id": "gate", "type": "approval", "description": "go on?"}]}"#;
    let runtime = runtime()?;
    let store = Store::open(store, Options::default())?;
    let run = runtime.block_on(record(&engine, text, &store))?;
    let watcher = Arc::new(Endurance {
        run: run.id().to_string(),
        begun: Instant::now(),
        finished: AtomicU64::new(0),
        half: AtomicU64::new(0),
    });
    runtime.block_on(run.execute(Map::new(), watcher, CancellationToken::new()))?;
    Err("it was not over".into())
}

struct Endurance {
    run: String,
    begun: Instant,
    finished: AtomicU64,
    half: AtomicU64,
}

impl Watcher for Endurance {
    fn event(&self, event: &RunEvent) {
        if !matches!(event, RunEvent::TaskFinished { .. }) {
            return;
        }
        let now = || status("RssAnon:").unwrap_or_default();
        match self.finished.fetch_add(1, Ordering::Relaxed) + 1 {
            n if n == MANY / 2 => self.half.store(now(), Ordering::Relaxed),
            MANY => {
                let endured = Endured {
                    run: self.run.clone(),
                    anonymous: [self.half.load(Ordering::Relaxed), now()],
                    seconds: self.begun.elapsed().as_secs_f64(),
                };
                println!("{}", serde_json::to_string(&endured).unwrap_or_default());
                // As if it were killed.
                std::process::exit(0);
            }
            _ => {}
        }
    }
}

/// Brings the run back and says, in seconds, how long that took.
pub(crate) fn come_back(store: &Path, cache: &Path, run: &str) -> Result<(), Failure> {
    let begun = Instant::now();
    let engine = engine(HostConfig::default(), Some(cache))?;
    let runtime = runtime()?;
    let store = Store::open(store, Options::default())?;
    let run = runtime.block_on(engine.resume(&store, run))?;
    let watcher = Arc::new(Return(begun));
    runtime.block_on(run.execute(Map::new(), watcher, CancellationToken::new()))?;
    Err("nobody was asked".into())
}

struct Return(Instant);

impl Watcher for Return {
    fn event(&self, event: &RunEvent) {
        // It asks, so it goes on.
        if matches!(event, RunEvent::Asked { .. }) {
            println!("{}", self.0.elapsed().as_secs_f64());
            std::process::exit(0);
        }
    }
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

async fn record(engine: &Engine, text: String, store: &Store) -> Result<Run, Failure> {
    let mut run = prepare_text(engine, &text).await?;
    let origin = Origin { text: text.into(), format: Format::Json, name: "workload".to_owned() };
    run.record(store.clone(), origin);
    Ok(run)
}
