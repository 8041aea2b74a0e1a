//! Consort's end-to-end benchmark: `cargo xtask bench`.
//!
//! It prints a table of *figures*, each with the *bar* it must reach, and exits
//! with 1 when one does not. What shares the machine while it runs shows: every
//! figure is the median of several rounds, figures that are compared are
//! measured in turn, and cost is counted in processor time as well as on the
//! clock.
//!
//! # Layout
//!
//! - [`table`]: figures and bars, printed or as JSON
//! - [`clock`]: time on the wall and on the processor
//! - [`workload`]: workflows, and the engine that runs them
//! - [`bare`]: the same plugin calls in a loop, without Consort
//! - [`memory`]: what this process has of it
//! - [`throughput`], [`chain`], [`in_flight`], [`startup`], [`durable`] with
//!   [`past`], [`soak`]: one benchmark each

mod bare;
mod chain;
mod clock;
mod durable;
mod in_flight;
mod memory;
mod past;
mod soak;
mod startup;
mod table;
mod throughput;
mod workload;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use crate::table::Table;

/// Measure Consort from end to end and compare with what it promises
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  cargo xtask bench
  cargo xtask bench throughput chain
  cargo xtask bench soak --minutes 10
  cargo xtask bench --json > figures.json")]
struct Args {
    /// Which benchmarks to run [default: all but soak]
    benchmarks: Vec<Benchmark>,

    /// How long a soak lasts
    #[arg(long, value_name = "N", default_value_t = 3)]
    minutes: u64,

    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,

    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Benchmark {
    /// Independent tasks that do nothing
    Throughput,
    /// Tasks that wait for one another
    Chain,
    /// Agent calls that all wait for a server
    InFlight,
    /// One task, from the start of the process to its end
    Startup,
    /// Runs that are recorded, and a million tasks
    Durable,
    /// Minutes of load, with failures and cancellations
    Soak,
}

/// Processes of their own: parts of a benchmark, and what a profiler looks at
#[derive(Debug, Subcommand)]
enum Part {
    /// A million tasks, recorded
    #[command(hide = true)]
    Endure {
        /// Where they are recorded
        store: PathBuf,
        /// Where compiled code is kept
        cache: PathBuf,
    },
    /// A million commands to a run, recorded
    #[command(hide = true)]
    Toggle {
        /// Where they are recorded
        store: PathBuf,
        /// Where compiled code is kept
        cache: PathBuf,
        /// How much happens before the state is saved
        every: Option<u64>,
    },
    /// What comes after
    #[command(hide = true)]
    ComeBack {
        /// Where they are recorded
        store: PathBuf,
        /// Where compiled code is kept
        cache: PathBuf,
        /// The run
        run: String,
    },
    /// The server that agents call: says where it is, ends with its input
    #[command(hide = true)]
    Serve,
    /// Repeats one side of the throughput benchmark, for a profiler to look at
    Repeat {
        /// Which side
        side: throughput::Side,

        /// Runs of 20,000 tasks
        #[arg(default_value_t = 20)]
        rounds: usize,
    },
    /// The consort that calls it
    #[command(hide = true)]
    Fly {
        /// The server
        url: String,
        /// Calls at once
        calls: usize,
        /// Where compiled code is kept
        cache: PathBuf,
    },
}

/// As in the command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a benchmark ends with when it could not measure.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match args.part {
        Some(Part::Serve) => in_flight::serve().map(|()| true),
        Some(Part::Fly { url, calls, cache }) => in_flight::fly(&url, calls, &cache).map(|()| true),
        Some(Part::Endure { store, cache }) => past::endure(&store, &cache).map(|()| true),
        Some(Part::Toggle { store, cache, every }) => {
            past::toggle(&store, &cache, every).map(|()| true)
        }
        Some(Part::ComeBack { store, cache, run }) => {
            past::come_back(&store, &cache, &run).map(|()| true)
        }
        Some(Part::Repeat { side, rounds }) => throughput::repeat(side, rounds).map(|()| true),
        None => measure(&args),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args) -> Result<bool, Failure> {
    let wanted = |benchmark| args.benchmarks.is_empty() || args.benchmarks.contains(&benchmark);
    let mut table = Table::new();
    if wanted(Benchmark::Throughput) {
        throughput::measure(&mut table)?;
    }
    if wanted(Benchmark::Chain) {
        chain::measure(&mut table)?;
    }
    if wanted(Benchmark::InFlight) {
        in_flight::measure(&mut table)?;
    }
    if wanted(Benchmark::Startup) {
        startup::measure(&mut table)?;
    }
    if wanted(Benchmark::Durable) {
        durable::measure(&mut table)?;
    }
    if args.benchmarks.contains(&Benchmark::Soak) {
        soak::measure(&mut table, Duration::from_secs(60 * args.minutes))?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&table)?);
    } else {
        print!("{table}");
    }
    Ok(table.all_reached())
}
