//! A chain: 5,000 tasks of which each waits for the one before and is given its
//! result. What a hop takes is what Consort adds to an agent's answer before
//! the next agent is asked.

use consort_engine::HostConfig;
use consort_tests::guests;

use crate::Failure;
use crate::clock::{Clock, median, micros};
use crate::table::{Bar, Table};
use crate::workload::{chain, engine, execute, prepare, runtime};

const TASKS: usize = 5_000;
const ROUNDS: usize = 9;

pub(crate) fn measure(table: &mut Table) -> Result<(), Failure> {
    let runtime = runtime()?;
    let engine = engine(HostConfig::default(), None)?;
    let folder = tempfile::tempdir()?;
    let relay = folder.path().join("relay.wasm");
    std::fs::write(&relay, guests::component("relay").0)?;
    let workflow = chain(TASKS, &relay);

    let mut rounds = Vec::new();
    // The first warms up.
    for round in 0..=ROUNDS {
        let run = runtime.block_on(prepare(&engine, &workflow))?;
        let clock = Clock::start();
        runtime.block_on(execute(run))?;
        let took = clock.stop();
        if round > 0 {
            rounds.push(took);
        }
    }
    let hops = TASKS as f64;
    let hop = median(rounds.iter().map(|took| micros(took.wall) / hops));
    let processor = median(rounds.iter().map(|took| micros(took.processor) / hops));
    table.figure("a hop in a chain of 5,000", hop, "µs", Bar::AtMost(50.0));
    table.detail("  processor time a hop", processor, "µs");
    Ok(())
}
