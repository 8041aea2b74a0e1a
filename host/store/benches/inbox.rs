//! What it costs the process that carries a run out to look into the run's
//! inbox, and how long a post takes while that process writes.
//! `cargo bench -p consort-store --bench inbox`, with `CONSORT_BENCH_DIR` for
//! another folder than the system's temporary one.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use consort_store::{Durability, Entry, NewRun, Options, Reader, RunJournal, Store, StoreError};
use futures::executor::block_on;

/// How often each figure is measured.
const TIMES: usize = 2_000;

/// How many posts are timed.
const POSTS: usize = 300;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = match std::env::var_os("CONSORT_BENCH_DIR") {
        Some(dir) => tempfile::tempdir_in(dir)?,
        None => tempfile::tempdir()?,
    };
    let file = dir.path().join("runs.db");
    let store = Store::open(&file, Options::default())?;
    for run in 0..1_000 {
        begin(&store, &format!("other-{run}"))?;
    }
    let mut journal = begin(&store, "run")?;
    println!("{:>40} {:>10} {:>10} {:>10}", "us", "median", "99 %", "max");
    measure_looks(&file, &mut journal)?;
    measure_posts("post, nobody writes", &file, TIMES / 10)?;
    for pipelined in [1, 16, 4096] {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writing = scope.spawn(|| append(&mut journal, pipelined, &stop));
            let posting =
                measure_posts(&format!("post, {pipelined} appends on the way"), &file, POSTS);
            stop.store(true, Ordering::Relaxed);
            posting.and(writing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })?;
        block_on(store.forget_posts("run", i64::MAX))?;
    }
    Ok(())
}

fn measure_looks(file: &Path, journal: &mut RunJournal) -> Result<(), StoreError> {
    let reader = Reader::open(file)?;
    report("changed, it is not", time(TIMES, || reader.changed())?);
    report("posts, there are none", time(TIMES, || reader.posts("run", 0))?);
    let mut commit = || block_on(journal.append(entry(), Durability::Synced));
    let mut after_commit = |look: &dyn Fn() -> Result<(), StoreError>| {
        let mut times = Vec::new();
        for _ in 0..POSTS {
            commit()?;
            times.extend(time(1, look)?);
        }
        Ok::<_, StoreError>(times)
    };
    let changed = after_commit(&|| reader.changed().map(drop))?;
    report("changed, it is", changed);
    let posts = after_commit(&|| reader.posts("run", 0).map(drop))?;
    report("posts after a commit, there are none", posts);
    Ok(())
}

fn measure_posts(what: &str, file: &Path, times: usize) -> Result<(), StoreError> {
    report(what, time(times, || consort_store::post(file, "run", 0, b"an answer"))?);
    Ok(())
}

fn time<T>(
    times: usize,
    mut act: impl FnMut() -> Result<T, StoreError>,
) -> Result<Vec<Duration>, StoreError> {
    let mut each = || {
        let begin = Instant::now();
        act().map(|_| begin.elapsed())
    };
    (0..times).map(|_| each()).collect()
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let micros = |index: usize| times[index.min(times.len() - 1)].as_secs_f64() * 1e6;
    let (median, high, max) =
        (micros(times.len() / 2), micros(times.len() * 99 / 100), micros(times.len()));
    println!("{what:>40} {median:>10.1} {high:>10.1} {max:>10.1}");
}

fn append(journal: &mut RunJournal, pipelined: usize, stop: &AtomicBool) -> Result<(), StoreError> {
    let mut on_the_way = VecDeque::new();
    while !stop.load(Ordering::Relaxed) {
        while on_the_way.len() < pipelined {
            on_the_way.push_back(journal.append(entry(), Durability::Synced));
        }
        for append in on_the_way.drain(..pipelined.div_ceil(2)) {
            block_on(append)?;
        }
    }
    on_the_way.into_iter().try_for_each(block_on)
}

fn begin(store: &Store, id: &str) -> Result<RunJournal, StoreError> {
    let (id, name) = (id.into(), "bench".into());
    let new = NewRun { id, name, tasks: 1, submitted_at: 0, about: String::new() };
    block_on(store.create_run(new, entry()))
}

fn entry() -> Entry {
    Entry { at: 0, version: 1, body: vec![b'x'; 120], blobs: Vec::new() }
}
