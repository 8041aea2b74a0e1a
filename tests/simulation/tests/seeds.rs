//! The seeds that are simulated with every change; the long lane has more.

use consort_simulation::simulate;

#[test]
fn five_hundred_runs_keep_every_promise() {
    for seed in 0..500 {
        let run = simulate(seed);
        if let Some(problem) = &run.problem {
            run.ticks.iter().for_each(|tick| print!("{tick}"));
            panic!("seed {seed}: {problem}\nsee it again with: {}", run.replay());
        }
    }
}
