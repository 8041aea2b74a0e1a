//! Runs with a long *past*: a million tasks that are finished, or a million things
//! that have happened to a few.
//!
//! A process does them and dies with something left; the time to come back is
//! another process's, from before it opens the store until it goes on.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use consort_engine::{CancellationToken, HostConfig, RunControl, RunEvent, Watcher};
use consort_store::{Options, Store};
use futures::future::join_all;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::Failure;
use crate::clock::median;
use crate::durable::record;
use crate::memory::status;
use crate::table::{Bar, Table};
use crate::workload::{description, engine, runtime};

const MANY: u64 = 1_000_000;
/// Commands on their way at once.
const AT_ONCE: u64 = 4_000;

pub(crate) fn measure(table: &mut Table, folder: &TempDir) -> Result<(), Failure> {
    tasks(table, &Parts::new(folder)?)?;
    events(table, &Parts::new(folder)?)
}

/// Processes of their own, which share a store.
struct Parts(TempDir);

impl Parts {
    fn new(folder: &TempDir) -> Result<Self, Failure> {
        Ok(Self(tempfile::tempdir_in(folder)?))
    }

    /// What a process says.
    fn run<T: DeserializeOwned>(&self, name: &str, more: &[&str]) -> Result<T, Failure> {
        let (store, cache) = (self.0.path().join("runs.db"), self.0.path().join("code"));
        let mut command = Command::new(std::env::current_exe()?);
        let output = command.arg(name).arg(store).arg(cache).args(more).output()?;
        match output.status.success() {
            true => Ok(serde_json::from_slice(&output.stdout)?),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
        }
    }

    /// Seconds until a run has come back.
    fn come_back(&self, run: &str) -> Result<f64, Failure> {
        let mut times = Vec::new();
        for _ in 0..3 {
            times.push(self.run("come-back", &[run])?);
        }
        Ok(median(times))
    }
}

fn tasks(table: &mut Table, parts: &Parts) -> Result<(), Failure> {
    let endured: Endured = parts.run("endure", &[])?;
    let [half, all] = endured.anonymous.map(|bytes| bytes as f64);
    let name = "all memory, by each of 1,000,000 finished tasks";
    table.figure(name, all / MANY as f64, "bytes", Bar::AtMost(1_024.0));
    let more = (all - half) / (MANY / 2) as f64;
    table.figure("  by each task of the second half", more, "bytes", Bar::AtMost(1_024.0));
    table.detail("  all of them, recorded", endured.seconds, "s");
    let name = "start-up of a run with 1,000,000 finished tasks";
    table.figure(name, parts.come_back(&endured.run)?, "s", Bar::AtMost(2.0));
    Ok(())
}

/// The same run with snapshots and without.
fn events(table: &mut Table, parts: &Parts) -> Result<(), Failure> {
    let mut times = [0.0; 2];
    for (time, every) in times.iter_mut().zip([None, Some("0")]) {
        let run: String = parts.run("toggle", every.as_slice())?;
        *time = parts.come_back(&run)?;
    }
    let [saved, whole] = times;
    let name = "start-up of a run to which 1,000,000 things happened";
    table.figure(name, saved, "s", Bar::AtMost(2.0));
    let name = "  as a share of that without snapshots";
    table.figure(name, saved / whole, "times", Bar::AtMost(0.25));
    Ok(())
}

/// Pauses a run and lets it go on, again and again, says which it is, and dies
/// while it goes on.
pub(crate) fn toggle(store: &Path, cache: &Path, every: Option<u64>) -> Result<(), Failure> {
    let config = HostConfig { snapshot_every: every, ..HostConfig::default() };
    let engine = engine(config, Some(cache))?;
    let workflow = json!([{"task_id": "gate", "type": "approval", "description": "go on?"}]);
    let runtime = runtime()?;
    let store = Store::open(store, Options::default())?;
    let run = runtime.block_on(record(&engine, workflow.to_string(), &store))?;
    let (id, control) = (run.id().to_string(), run.control());
    let watcher = Arc::new(Asked::default());
    let asked = watcher.clone();
    runtime.spawn(run.execute(Map::new(), watcher, CancellationToken::new()));
    runtime.block_on(async {
        asked.0.notified().await;
        for _ in 0..MANY / AT_ONCE {
            let toggled = join_all((0..AT_ONCE).map(|n| switch(&control, n % 2 == 0))).await;
            toggled.into_iter().collect::<Result<Vec<()>, _>>()?;
        }
        Ok::<(), Failure>(())
    })?;
    println!("{}", serde_json::to_string(&id)?);
    // As if it were killed.
    std::process::exit(0);
}

async fn switch(control: &RunControl, pause: bool) -> Result<(), Failure> {
    match pause {
        true => control.pause().await?,
        false => control.resume().await?,
    }
    Ok(())
}

#[derive(Default)]
struct Asked(Notify);

impl Watcher for Asked {
    fn event(&self, event: &RunEvent) {
        if matches!(event, RunEvent::Asked { .. }) {
            self.0.notify_one();
        }
    }
}

/// What a process says that has done a million tasks.
#[derive(Debug, Serialize, Deserialize)]
struct Endured {
    run: String,
    /// Bytes: after half of them, after all.
    anonymous: [u64; 2],
    seconds: f64,
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
