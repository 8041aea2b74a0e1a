//! A *soak*: minutes of steady load, with failures, retries, fan-outs, polls and
//! cancellations, all recorded. Nothing may grow, nothing may get stuck, and what
//! became of the tasks must add up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use consort_core::scheduler::Status;
use consort_engine::{CancellationToken, Engine, HostConfig, Report, RunEvent, Watcher};
use consort_store::{Options, Store};
use consort_tests::command::target_dir;
use consort_tests::guests;
use serde_json::{Map, Value, json};

use crate::Failure;
use crate::durable::recorded;
use crate::memory::{NO_MEMORY, open_files, status};
use crate::table::{Bar, Table};
use crate::workload::{engine, runtime};

/// Runs that go on at the same time.
const SIDE_BY_SIDE: u64 = 4;
/// Groups of tasks in a run.
const GROUPS: usize = 60;
/// A run that takes longer is stuck.
const STUCK: Duration = Duration::from_secs(120);
/// How far memory may grow from a third of the way on.
const GROWTH: f64 = 1.1;

/// What became of everything so far.
#[derive(Debug, Default)]
struct Count {
    runs: AtomicU64,
    cancelled: AtomicU64,
    tasks: AtomicU64,
}

pub(crate) fn measure(table: &mut Table, span: Duration) -> Result<(), Failure> {
    let folder = tempfile::tempdir_in(target_dir())?;
    let scripted = folder.path().join("scripted.wasm");
    std::fs::write(&scripted, guests::component("scripted").0)?;
    let engine = engine(HostConfig::default(), None)?;
    let path = folder.path().join("soak.db");
    let store = Store::open(&path, Options::default())?;
    let workflow = Arc::new(workflow(scripted.to_str().ok_or("a path that is no text")?));
    let count = Arc::new(Count::default());
    let runtime = runtime()?;
    let begun = Instant::now();
    let mut samples = Vec::new();
    runtime.block_on(async {
        let mut workers = tokio::task::JoinSet::new();
        for seed in 0..SIDE_BY_SIDE {
            let (engine, store, workflow, count) =
                (engine.clone(), store.clone(), workflow.clone(), count.clone());
            workers.spawn(async move {
                let mut turn = seed;
                while begun.elapsed() < span {
                    one(&engine, &store, &workflow, turn, &count).await?;
                    turn += SIDE_BY_SIDE;
                }
                Ok::<(), Failure>(())
            });
        }
        let mut look = tokio::time::interval(span / 60);
        loop {
            tokio::select! {
                ended = workers.join_next() => match ended {
                    Some(ended) => ended??,
                    None => return Ok::<(), Failure>(()),
                },
                _ = look.tick() => {
                    // Everything that is over is forgotten at once.
                    store.gc(consort_engine::now(), false).await?;
                    let size = std::fs::metadata(&path)?.len();
                    let memory = status("RssAnon:").ok_or(NO_MEMORY)?;
                    samples.push((memory, size, open_files().ok_or(NO_MEMORY)?));
                }
            }
        }
    })?;
    // From a third of the way on it may not grow: the highest of the last third
    // against the highest of the middle one.
    let third = samples.len() / 3;
    let growth = |what: fn(&(u64, u64, u64)) -> u64| {
        let most = |part: &[(u64, u64, u64)]| part.iter().map(what).max().unwrap_or(1) as f64;
        most(&samples[2 * third..]) / most(&samples[third..2 * third])
    };
    let get = |number: &AtomicU64| number.load(Ordering::Relaxed) as f64;
    table.detail("soak: runs that ended as they had to", get(&count.runs), "runs");
    table.detail("  of those, cancelled on the way", get(&count.cancelled), "runs");
    table.detail("  tasks", get(&count.tasks), "tasks");
    table.figure("  memory, late over early", growth(|s| s.0), "times", Bar::AtMost(GROWTH));
    table.figure("  store, late over early", growth(|s| s.1), "times", Bar::AtMost(1.5));
    table.figure("  open files, late over early", growth(|s| s.2), "times", Bar::AtMost(1.0));
    Ok(())
}

/// One run; every third is cancelled at some point.
async fn one(
    engine: &Engine,
    store: &Store,
    workflow: &Value,
    turn: u64,
    count: &Count,
) -> Result<(), Failure> {
    let run = recorded(engine, workflow, store).await?;
    let id = run.id().clone();
    let stop = CancellationToken::new();
    // Spread over the run by a constant that has no pattern.
    let after = turn.is_multiple_of(3).then(|| turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 300);
    let watcher = Canceller { stop: stop.clone(), after, finished: AtomicU64::new(0) };
    let ending = run.execute(Map::new(), Arc::new(watcher), stop.clone());
    let report =
        tokio::time::timeout(STUCK, ending).await.map_err(|_| format!("run {id} is stuck"))??;
    check(&report, stop.is_cancelled()).map_err(|why| format!("run {id}: {why}"))?;
    count.runs.fetch_add(1, Ordering::Relaxed);
    count.cancelled.fetch_add(u64::from(stop.is_cancelled()), Ordering::Relaxed);
    count.tasks.fetch_add(report.tasks.len() as u64, Ordering::Relaxed);
    Ok(())
}

/// What became of the tasks adds up.
fn check(report: &Report, cancelled: bool) -> Result<(), String> {
    let mut by_status: BTreeMap<&str, u32> = BTreeMap::new();
    for task in &report.tasks {
        *by_status.entry(task.status.as_str()).or_default() += 1;
    }
    if by_status != report.metrics.tasks {
        return Err(format!("{by_status:?} are not {:?}", report.metrics.tasks));
    }
    let attempts: u32 = report.tasks.iter().map(|task| task.attempts).sum();
    if attempts != report.metrics.attempts {
        return Err(format!("{attempts} attempts are not {}", report.metrics.attempts));
    }
    if cancelled {
        return Ok(());
    }
    let groups = GROUPS as u32;
    // Each group: six that succeed with two items and a join among them, one that
    // fails, one that is skipped for it.
    let expected =
        BTreeMap::from([("failed", groups), ("skipped", groups), ("succeeded", 7 * groups)]);
    match by_status == expected && report.status == Status::Succeeded {
        true => Ok(()),
        false => Err(format!("it has {:?}, {by_status:?}", report.status)),
    }
}

/// Stops a run when so many tasks are finished.
struct Canceller {
    stop: CancellationToken,
    after: Option<u64>,
    finished: AtomicU64,
}

impl Watcher for Canceller {
    fn event(&self, event: &RunEvent) {
        if matches!(event, RunEvent::TaskFinished { .. })
            && Some(self.finished.fetch_add(1, Ordering::Relaxed)) == self.after
        {
            self.stop.cancel();
        }
    }
}

fn workflow(scripted: &str) -> Value {
    let retry = json!({"max_attempts": 3, "backoff": "fixed", "initial_delay": 0.005});
    let group = |n: usize| {
        let id = |name: &str| format!("{name}{n}");
        [
            json!({"task_id": id("plain"), "description": "said"}),
            json!({"task_id": id("retried"), "description": "fail until 3", "retry_policy": retry}),
            json!({"task_id": id("polled"), "description": "poll 2", "depends_on": [id("plain")]}),
            json!({"task_id": id("each"), "description": "{{ item }}", "for_each": ["a", "b"],
                "depends_on": [id("plain")]}),
            json!({"task_id": id("slow"), "description": "sleep 5", "depends_on": [id("retried")]}),
            json!({"task_id": id("refused"), "description": "refuse", "on_failure": "skip"}),
            json!({"task_id": id("lost"), "description": "never", "depends_on": [id("refused")]}),
        ]
    };
    let mut tasks: Vec<Value> = (0..GROUPS).flat_map(group).collect();
    tasks.iter_mut().for_each(|task| task["agent"] = "scripted".into());
    json!({
        "agents": {"scripted": {"adapter": scripted}},
        "tasks": tasks,
    })
}
