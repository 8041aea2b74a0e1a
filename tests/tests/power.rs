//! The power fails: runs of the engine, recorded by the real store on a disk that
//! keeps of all that was not synced what it likes, in any order, torn at any
//! sector. Whatever somebody has heard of is still there, a task that was finished
//! is not done again, and the run comes to the end that it would have come to.
//!
//! What fails follows from a seed: `CONSORT_POWER_SEED` runs one alone, and
//! `CONSORT_POWER_SEEDS` so many.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use consort_core::plan::compile;
use consort_core::retry::random;
use consort_core::spec::{Format, parse};
use consort_engine::{
    CancellationToken, Engine, HostConfig, Operator, Origin, PastRun, Report, RunEvent, Setup,
    Watcher, now,
};
use consort_plugin_host::EmbeddedPlugin;
use consort_store::power::{self, Disk};
use consort_store::{Options, Reader, RunFilter, RunRow, RunStatus, Store, StoreError};
use consort_tests::command::target_dir;
use serde_json::{Map, Value, json};

/// Seeds that are tried.
const SEEDS: u64 = 40;
/// Failures after which the power stays on.
const MOST_FAILURES: u64 = 8;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let defaults = consort_default_plugins::DEFAULT_PLUGINS.iter();
    let mut plugins: Vec<EmbeddedPlugin> = defaults
        .map(|&(name, digest, component)| EmbeddedPlugin { name, digest, component })
        .collect();
    let (component, digest) = consort_tests::guests::component("scripted");
    plugins.push(EmbeddedPlugin { name: "scripted", digest, component });
    let config = "{default_agent: scripted, snapshot_every: 1}";
    Engine::new(Setup {
        config: HostConfig::parse(config, Format::Yaml).unwrap(),
        embedded: plugins.leak(),
        operator: Operator::Workflow,
        // Plugins are compiled once for all processes.
        cache_dir: Some(Path::new(&target_dir()).join("tests/code")),
        ..Setup::default()
    })
    .unwrap()
});

/// A bit of everything, with results that are stored apart.
const WORKFLOW: &str = r#"
tasks:
  - {task_id: first, description: first}
  - {task_id: retried, description: fail until 3, retry_policy: {max_attempts: 3, initial_delay: 0.001}}
  - {task_id: polled, description: poll 4}
  - {task_id: large, description: "0123456789", transform: [{transformer: jq, config: {filter: ". * 40000"}}]}
  - {task_id: list, description: "a b c d", transform: [{transformer: jq, config: {filter: "split(\" \")"}}]}
  - {task_id: items, description: "of {{ item }}", depends_on: [list], for_each: results.list, max_parallel: 2}
  - {task_id: spawner, description: spawn, input: [{task_id: spawned, description: said}], depends_on: [first]}
  - {task_id: group, type: collaborative_task, steps: [{task_id: one, description: one}, {task_id: two, description: two}]}
  - {task_id: review, type: approval, description: go on?, depends_on: [items, retried]}
  - {task_id: length, description: "{{ results.large | length }} {{ results.review }}", depends_on: [large, review, polled, group, spawner]}
"#;

/// What was heard of a run, from all its processes.
#[derive(Default)]
struct Heard {
    /// The run began.
    begun: bool,
    /// Tasks that were finished.
    finished: BTreeSet<Arc<str>>,
    /// Something that must not be.
    wrong: Option<String>,
}

struct Ear(Mutex<Heard>);

impl Watcher for Ear {
    fn event(&self, event: &RunEvent) {
        let mut heard = self.0.lock().unwrap();
        match event {
            RunEvent::RunStarted { .. } => heard.begun = true,
            RunEvent::TaskStarted { task, .. } if heard.finished.contains(task) => {
                heard.wrong = Some(format!("'{task}' is done again"));
            }
            RunEvent::TaskFinished { task, .. } if !heard.finished.insert(task.clone()) => {
                heard.wrong = Some(format!("'{task}' is finished twice"));
            }
            _ => {}
        }
    }
}

/// How each task ended, and its result.
fn ends(report: &Report) -> BTreeMap<String, (Value, Value)> {
    let report = serde_json::to_value(report).unwrap();
    let tasks = report["tasks"].as_object().unwrap().iter();
    tasks.map(|(id, task)| (id.clone(), (task["status"].clone(), task["output"].clone()))).collect()
}

/// The only run of a store, if there is one.
fn only_run(reader: &Reader) -> Option<RunRow> {
    let mut rows = reader.runs(&RunFilter::default()).unwrap();
    assert!(rows.len() <= 1, "{rows:?}");
    rows.pop()
}

/// One process: opens the store, goes on with the run, or begins it, until it is
/// over or the power fails.
async fn process(file: &Path, ear: &Arc<Ear>) -> Result<Report, String> {
    let in_words = |error: &dyn std::error::Error| error.to_string();
    let store = Store::open(file, Options::default()).map_err(|error| in_words(&error))?;
    let reader = store.reader().map_err(|error: StoreError| in_words(&error))?;
    let run = match only_run(&reader) {
        // It failed when the end had been written down and nobody had been told.
        Some(row) if row.status != RunStatus::Running => {
            let past = PastRun::read(&reader, &row.id).map_err(|error| in_words(&error))?;
            return Ok(past.into_report().unwrap());
        }
        Some(row) => ENGINE.resume(&store, &row.id).await.map_err(|error| in_words(&error))?,
        None => {
            let plan = parse(WORKFLOW, Format::Yaml)
                .and_then(|document| compile(document, ENGINE.known(), now()))
                .unwrap();
            let mut run = ENGINE.prepare(plan, "priority").await.unwrap();
            let origin =
                Origin { text: WORKFLOW.into(), format: Format::Yaml, name: "test".to_owned() };
            run.record(store.clone(), origin);
            run.answer("review", json!(true));
            run
        }
    };
    let ended = run.execute(Map::new(), ear.clone(), CancellationToken::new()).await;
    ended.map_err(|error| in_words(&error))
}

/// What is on the disk is in order, and has all that was heard of.
fn check(file: &Path, ear: &Ear) {
    let heard = ear.0.lock().unwrap();
    assert_eq!(heard.wrong, None);
    // The next process mends what the failure has left in the log.
    if !heard.begun && Reader::open(file).is_err() {
        return;
    }
    let reader = Reader::open(file).unwrap();
    assert_eq!(reader.check().unwrap(), [""; 0]);
    let Some(row) = only_run(&reader) else {
        assert!(!heard.begun, "the run that had begun is lost");
        return;
    };
    assert_eq!(PastRun::check(&reader, &row.id).unwrap(), None);
    let mut past = PastRun::read(&reader, &row.id).unwrap();
    for task in &heard.finished {
        let state = past.task(task).unwrap().state;
        assert!(["succeeded", "failed"].contains(&state), "'{task}' was finished, and is {state}");
    }
}

/// Lets the power fail again and again, until the run is over. Says how often.
async fn trial(seed: u64, expected: &BTreeMap<String, (Value, Value)>) -> u64 {
    let place = tempfile::tempdir().unwrap();
    let folder = |number: u64| place.path().join(number.to_string());
    std::fs::create_dir(folder(0)).unwrap();
    let ear = Arc::new(Ear(Mutex::default()));
    for failures in 0..=MOST_FAILURES {
        let dice = |number| random(seed, failures as u32, number);
        let most = [20, 80, 300][dice(0) as usize % 3];
        let after = (failures < MOST_FAILURES).then(|| 1 + dice(1) % most);
        let disk = Disk::plug(&folder(failures), &folder(failures + 1), after, dice(2));
        let file = folder(failures).canonicalize().unwrap().join("runs.db");
        let ended = process(&file, &ear).await;
        let failed = disk.has_failed();
        disk.unplug();
        match ended {
            Ok(report) => {
                assert_eq!(ends(&report), *expected);
                // It may fail after the end was heard of, and before that is
                // written down.
                check(&file, &ear);
                return failures;
            }
            Err(why) => assert!(failed, "it fails although the power is on: {why}"),
        }
        check(&folder(failures + 1).join("runs.db"), &ear);
    }
    unreachable!("with the power on, the run ends");
}

/// Says how a trial that fails is seen again.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("see it again with: CONSORT_POWER_SEED={}", self.0);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_heard_of_is_lost_when_the_power_fails() {
    power::install();
    let place = tempfile::tempdir().unwrap();
    let ear = Arc::new(Ear(Mutex::default()));
    let report = process(&place.path().join("runs.db"), &ear).await.unwrap();
    let expected = ends(&report);
    assert_eq!(expected["length"].1, json!("400000 true"));
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let one = number("CONSORT_POWER_SEED");
    let many = number("CONSORT_POWER_SEEDS").unwrap_or(SEEDS);
    let seeds = one.map_or(0..many, |seed| seed..seed + 1);
    let mut failures = 0;
    for seed in seeds.clone() {
        let replay = Replay(seed);
        failures += trial(seed, &expected).await;
        drop(replay);
    }
    println!("the power failed {failures} times");
    assert!(one.is_some() || failures > 2 * many, "it fails often enough: {failures}");
}
