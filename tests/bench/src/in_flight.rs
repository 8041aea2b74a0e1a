//! 10,000 agent calls at once, through the adapter `http-json`, to a server that
//! answers none of them before all have arrived.
//!
//! Server and engine are processes of their own: the server counts how many
//! requests were there at the same time, and the engine's memory is its alone.
//!
//! Memory is the resident set at its highest (Linux: `VmHWM`), which counts a
//! page for every instance that sees it, also where all see the same. What it
//! takes of the machine, anonymous pages and pages of files, is given as a
//! detail (`RssAnon` and `RssFile`, looked at many times a second): the plugins'
//! initial data is left out there, which all instances share.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use consort_engine::HostConfig;
use consort_tests::server::Server;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Failure;
use crate::clock::Clock;
use crate::memory::{NO_MEMORY, status};
use crate::table::{Bar, Table};
use crate::workload::{engine, execute, prepare, runtime};

const CALLS: usize = 10_000;
/// Between two looks at the memory.
const LOOK: Duration = Duration::from_millis(20);

/// What the engine's process says at its end.
#[derive(Debug, Serialize, Deserialize)]
struct Flown {
    succeeded: usize,
    seconds: f64,
    /// Bytes.
    resident: u64,
    /// Bytes, without those of pages that instances share.
    unshared: u64,
}

pub(crate) fn measure(table: &mut Table) -> Result<(), Failure> {
    allow_many_files()?;
    let this = std::env::current_exe()?;
    let mut server = Part::start(Command::new(&this).arg("serve"))?;
    let url = server.line()?;
    let url = url.trim();
    // As after any earlier run, the plugins' code is compiled already.
    let cache = tempfile::tempdir()?;
    let engine = engine(HostConfig::default(), Some(cache.path()))?;
    drop(runtime()?.block_on(prepare(&engine, &workflow(url, 1)))?);
    let flown = fly_apart(&this, url, CALLS, cache.path())?;
    let most: usize = server.end()?.trim().parse()?;

    let all = CALLS as f64;
    table.figure("agent calls that succeed", flown.succeeded as f64, "calls", Bar::AtLeast(all));
    table.figure("  at once, as the server counted", most as f64, "calls", Bar::AtLeast(all));
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    table.figure("  peak resident set", gib(flown.resident), "GiB", Bar::AtMost(1.5));
    table.detail("  without pages that instances share", gib(flown.unshared), "GiB");
    table.detail("  all of them", flown.seconds, "s");
    Ok(())
}

/// Makes the calls in a process of their own.
fn fly_apart(this: &Path, url: &str, calls: usize, cache: &Path) -> Result<Flown, Failure> {
    let output = Command::new(this).args(["fly", url, &calls.to_string()]).arg(cache).output()?;
    if !output.status.success() {
        return Err(format!("the calls failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// A process of the benchmark's that lives until its input ends.
struct Part {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Part {
    fn start(command: &mut Command) -> Result<Self, Failure> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("its output is piped")?;
        Ok(Self { child, output: BufReader::new(output) })
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line)
    }

    /// Ends its input, and reads what it has to say to that.
    fn end(mut self) -> Result<String, Failure> {
        drop(self.child.stdin.take());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest)?;
        self.child.wait()?;
        Ok(rest)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Raises the soft limit of open files to the hard one.
fn allow_many_files() -> Result<(), Failure> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(())
}

/// The server: prints its URL; prints the most requests at once when its input
/// ends.
pub(crate) fn serve() -> Result<(), Failure> {
    allow_many_files()?;
    runtime()?.block_on(async {
        let server = Server::start_counting().await;
        println!("{}", server.url(&format!("/gather?n={CALLS}")));
        std::io::stdout().flush()?;
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
        println!("{}", server.most_in_flight());
        Ok(())
    })
}

/// The engine: makes the calls and prints a [`Flown`].
pub(crate) fn fly(url: &str, calls: usize, cache: &Path) -> Result<(), Failure> {
    allow_many_files()?;
    let concurrency = u32::try_from(calls).ok();
    let engine = engine(HostConfig { concurrency, ..HostConfig::default() }, Some(cache))?;
    let runtime = runtime()?;
    let run = runtime.block_on(prepare(&engine, &workflow(url, calls)))?;
    let memory = Peak::watch();
    let clock = Clock::start();
    let report = runtime.block_on(execute(run))?;
    let flown = Flown {
        succeeded: report.tasks.len(),
        seconds: clock.stop().wall.as_secs_f64(),
        resident: status("VmHWM:").ok_or(NO_MEMORY)?,
        unshared: memory.end()?,
    };
    println!("{}", serde_json::to_string(&flown)?);
    Ok(())
}

fn workflow(url: &str, calls: usize) -> Value {
    let task = |i: usize| json!({"task_id": format!("t{i}"), "agent": "slow", "description": format!("call {i}")});
    json!({
        "agents": {"slow": {"adapter": "http-json", "url": url, "config": {"answer": "/method"}}},
        "tasks": (0..calls).map(task).collect::<Vec<_>>(),
    })
}

/// Watches this process's memory from a thread.
struct Peak {
    stop: mpsc::Sender<()>,
    watching: JoinHandle<Option<u64>>,
}

impl Peak {
    fn watch() -> Self {
        let (stop, stopped) = mpsc::channel();
        let watching = thread::spawn(move || {
            let mut most = None;
            loop {
                most = most.max(status("RssAnon:").zip(status("RssFile:")).map(|(a, b)| a + b));
                if stopped.recv_timeout(LOOK) != Err(mpsc::RecvTimeoutError::Timeout) {
                    return most;
                }
            }
        });
        Self { stop, watching }
    }

    /// The most there was at once, in bytes.
    fn end(self) -> Result<u64, Failure> {
        drop(self.stop);
        let most = self.watching.join().map_err(|_| "nobody watched the memory")?;
        Ok(most.ok_or(NO_MEMORY)?)
    }
}
