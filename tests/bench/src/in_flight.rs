//! 10,000 agent calls at once, through the adapter `http-json`, to a server that
//! answers none of them before all have arrived.
//!
//! Server and engine are processes of their own: the server counts how many
//! requests were there at the same time, and the engine's peak memory is its
//! alone.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use consort_engine::HostConfig;
use consort_tests::server::Server;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Failure;
use crate::clock::Clock;
use crate::table::{Bar, Table};
use crate::workload::{engine, execute, prepare, runtime};

const CALLS: usize = 10_000;

/// What the engine's process says at its end.
#[derive(Debug, Serialize, Deserialize)]
struct Flown {
    succeeded: usize,
    seconds: f64,
    peak_memory: u64,
}

pub(crate) fn measure(table: &mut Table) -> Result<(), Failure> {
    allow_many_files()?;
    let this = std::env::current_exe()?;
    let mut server = Part::start(Command::new(&this).arg("serve"))?;
    let url = server.line()?;
    let url = url.trim();
    let fly = Command::new(&this).args(["fly", url, &CALLS.to_string()]).output()?;
    if !fly.status.success() {
        return Err(format!("the calls failed: {}", String::from_utf8_lossy(&fly.stderr)).into());
    }
    let flown: Flown = serde_json::from_slice(&fly.stdout)?;
    let most: usize = server.end()?.trim().parse()?;

    let all = CALLS as f64;
    table.figure("agent calls that succeed", flown.succeeded as f64, "calls", Bar::AtLeast(all));
    table.figure("  at once, as the server counted", most as f64, "calls", Bar::AtLeast(all));
    let gib = flown.peak_memory as f64 / f64::from(1 << 30);
    table.figure("  peak memory of the process", gib, "GiB", Bar::AtMost(1.5));
    table.detail("  all of them", flown.seconds, "s");
    Ok(())
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
pub(crate) fn fly(url: &str, calls: usize) -> Result<(), Failure> {
    allow_many_files()?;
    let concurrency = u32::try_from(calls).ok();
    let engine = engine(HostConfig { concurrency, ..HostConfig::default() })?;
    let runtime = runtime()?;
    let run = runtime.block_on(prepare(&engine, &workflow(url, calls)))?;
    let clock = Clock::start();
    let report = runtime.block_on(execute(run))?;
    let flown = Flown {
        succeeded: report.tasks.len(),
        seconds: clock.stop().wall.as_secs_f64(),
        peak_memory: peak_memory()?,
    };
    println!("{}", serde_json::to_string(&flown)?);
    Ok(())
}

fn workflow(url: &str, calls: usize) -> Value {
    let task = |i| json!({"task_id": format!("t{i}"), "agent": "slow", "description": format!("call {i}")});
    json!({
        "agents": {"slow": {"adapter": "http-json", "url": url, "config": {"answer": "/method"}}},
        "tasks": (0..calls).map(task).collect::<Vec<_>>(),
    })
}

/// The most physical memory this process has had, in bytes.
fn peak_memory() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")).ok_or("no VmHWM")?;
    Ok(kib.trim().parse::<u64>()? * 1024)
}
