//! Simulates runs by the thousand, or shows one.

use std::process::ExitCode;

use clap::Parser;
use consort_simulation::{Run, simulate};

/// Simulate whole runs of the scheduler, with faulty agents and plugins
#[derive(Debug, Parser)]
struct Arguments {
    /// Simulate this many seeds, from --seed on
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print the workflow and all that happens
    #[arg(long)]
    trace: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (mut ticks, mut tasks) = (0, 0);
    for seed in arguments.seed..arguments.seed.saturating_add(arguments.seeds) {
        let run = simulate(seed);
        if arguments.trace {
            print(&run);
        }
        if let Some(problem) = &run.problem {
            eprintln!("seed {seed}: {problem}\nsee it again with: {}", run.replay());
            return ExitCode::FAILURE;
        }
        ticks += run.ticks.len();
        tasks += run.finished();
    }
    println!("{} runs in order: {tasks} tasks finished in {ticks} ticks", arguments.seeds);
    ExitCode::SUCCESS
}

fn print(run: &Run) {
    println!("{}", run.document);
    for tick in &run.ticks {
        print!("{tick}");
    }
}
