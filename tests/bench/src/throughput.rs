//! Independent tasks that do nothing: each is scored by the prioritizer
//! `priority` and done by a fresh instance of the adapter `echo`.
//!
//! Measured is a run from its submission to its report, the workflow being
//! compiled and the plugins loaded; then the same calls in a bare loop, on the same two
//! threads; in turn. Cost is processor time a task, of all threads.

use consort_engine::HostConfig;

use crate::Failure;
use crate::bare::Bare;
use crate::clock::{Clock, median, micros};
use crate::table::{Bar, Table};
use crate::workload::{POLICY, engine, execute, independent, prepare, runtime};

const TASKS: usize = 20_000;
const ROUNDS: usize = 9;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Side {
    /// Runs of the engine.
    Consort,
    /// The bare loop.
    Bare,
}

/// Does the same thing for long enough to be looked at.
pub(crate) fn repeat(side: Side, rounds: usize) -> Result<(), Failure> {
    let runtime = runtime()?;
    let engine = engine(HostConfig::default(), None)?;
    let bare = Bare::new("echo", POLICY)?;
    let workflow = independent(TASKS);
    let prepare = |_| runtime.block_on(prepare(&engine, &workflow));
    let runs = match side {
        Side::Consort => (0..rounds).map(prepare).collect::<Result<Vec<_>, _>>()?,
        Side::Bare => Vec::new(),
    };
    let clock = Clock::start();
    for run in runs {
        runtime.block_on(execute(run))?;
    }
    if side == Side::Bare {
        for _ in 0..rounds {
            runtime.block_on(bare.run(TASKS, 1))?;
        }
    }
    let tasks = (rounds * TASKS) as f64;
    let took = clock.stop();
    let (wall, processor) = (micros(took.wall) / tasks, micros(took.processor) / tasks);
    println!("{wall:.1} µs on the clock and {processor:.1} µs of processor time a task");
    Ok(())
}

pub(crate) fn measure(table: &mut Table) -> Result<(), Failure> {
    let runtime = runtime()?;
    let engine = engine(HostConfig::default(), None)?;
    let bare = Bare::new("echo", POLICY)?;
    let workflow = independent(TASKS);

    let mut rounds = Vec::new();
    // The first warms up.
    for round in 0..=ROUNDS {
        let run = runtime.block_on(prepare(&engine, &workflow))?;
        let clock = Clock::start();
        let report = runtime.block_on(execute(run))?;
        let (consort, batches) = (clock.stop(), report.metrics.policy.ticks as usize);
        let loop_alone = runtime.block_on(bare.run(TASKS, batches))?;
        if round > 0 {
            rounds.push((consort, loop_alone, batches));
        }
    }

    let tasks = TASKS as f64;
    let rate = median(rounds.iter().map(|(consort, ..)| tasks / consort.wall.as_secs_f64()));
    let cost = median(rounds.iter().map(|(consort, ..)| micros(consort.processor) / tasks));
    let bare_rate = median(rounds.iter().map(|(_, bare, _)| tasks / bare.wall.as_secs_f64()));
    let bare_cost = median(rounds.iter().map(|(_, bare, _)| micros(bare.processor) / tasks));
    let ratio = |of: fn(&crate::clock::Took) -> f64| {
        median(rounds.iter().map(|(consort, bare, _)| of(consort) / of(bare)))
    };
    table.figure("independent tasks", rate, "tasks/s", Bar::AtLeast(25_000.0));
    table.figure(
        "  processor time, as a multiple of a bare loop's",
        ratio(|took| took.processor.as_secs_f64()),
        "times",
        Bar::AtMost(2.0),
    );
    table.figure(
        "  time on the clock, as a multiple of a bare loop's",
        ratio(|took| took.wall.as_secs_f64()),
        "times",
        Bar::AtMost(2.0),
    );
    table.detail("  processor time a task", cost, "µs");
    table.detail("  processor time a task in the bare loop", bare_cost, "µs");
    table.detail("  tasks in the bare loop", bare_rate, "tasks/s");
    let batches = median(rounds.iter().map(|(.., batches)| *batches as f64));
    table.detail("  calls of the prioritizer", batches, "calls");
    Ok(())
}
