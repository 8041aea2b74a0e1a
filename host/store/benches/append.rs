//! How many synced appends a second the store takes, next to what the disk
//! allows: the time one small write takes to get to the disk in the same
//! folder, measured in the same run. `cargo bench -p consort-store`, with
//! `CONSORT_BENCH_DIR` for another folder than the system's temporary one.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use consort_store::{Durability, Entry, NewRun, Options, RunJournal, Store};
use futures::executor::block_on;

/// How long each figure is measured.
const TIME: Duration = Duration::from_secs(2);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = match std::env::var_os("CONSORT_BENCH_DIR") {
        Some(dir) => tempfile::tempdir_in(dir)?,
        None => tempfile::tempdir()?,
    };
    println!(
        "{:>28} {:>10} {:>12} {:>14} {:>12} {:>12}",
        "", "entries/s", "fdatasync us", "per fdatasync", "us/entry", "cpu us/entry"
    );
    for (runs, pipelined) in [(1, 1), (1, 16), (1, 256), (1, 4096), (16, 256), (256, 256)] {
        // Before each figure: what else happens to a disk changes by the second.
        let sync = measure_sync(dir.path())?;
        let cpu = cpu_time()?;
        let (entries, took) = measure_appends(dir.path(), runs, pipelined)?;
        let rate = entries as f64 / took.as_secs_f64();
        let each = |time: Duration| micros(time) / entries as f64;
        println!(
            "{:>28} {rate:>10.0} {:>12.0} {:>14.2} {:>12.2} {:>12.2}",
            format!("{pipelined} pipelined of {runs} runs"),
            micros(sync),
            rate * sync.as_secs_f64(),
            each(took),
            each(cpu_time()? - cpu),
        );
    }
    Ok(())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// The median time one page takes to the disk.
fn measure_sync(dir: &Path) -> std::io::Result<Duration> {
    let mut file = File::create(dir.join("sync"))?;
    let mut times = Vec::new();
    for _ in 0..200 {
        let begin = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

/// Keeps as many appends on the way as `pipelined` says, round the runs.
fn measure_appends(
    dir: &Path,
    runs: usize,
    pipelined: usize,
) -> Result<(u64, Duration), Box<dyn std::error::Error>> {
    let file = dir.join(format!("{runs}-{pipelined}.db"));
    let store = Store::open(&file, Options::default())?;
    let mut journals = begin_runs(&store, runs)?;
    let mut on_the_way = VecDeque::with_capacity(pipelined);
    let (begin, mut entries) = (Instant::now(), 0_u64);
    block_on(async {
        while begin.elapsed() < TIME {
            while on_the_way.len() < pipelined {
                let journal = &mut journals[entries as usize % runs];
                on_the_way.push_back(journal.append(entry(), Durability::Synced));
                entries += 1;
            }
            for append in on_the_way.drain(..pipelined.div_ceil(2)) {
                append.await?;
            }
        }
        for append in on_the_way {
            append.await?;
        }
        Ok((entries, begin.elapsed()))
    })
}

fn begin_runs(store: &Store, runs: usize) -> Result<Vec<RunJournal>, consort_store::StoreError> {
    let begin = |number| {
        let (id, name) = (format!("run-{number}").into(), "bench".into());
        let new = NewRun { id, name, tasks: 1, submitted_at: 0, about: String::new() };
        block_on(store.create_run(new, entry()))
    };
    (0..runs).map(begin).collect()
}

fn entry() -> Entry {
    Entry { at: 0, version: 1, body: vec![b'x'; 120], blobs: Vec::new() }
}

/// What this process has used of all processors.
fn cpu_time() -> std::io::Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2);
    Ok(ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>())
        .map(|ticks| Duration::from_millis(ticks * 10))
}
