//! `cargo xtask`: what a developer does with one command each.
//!
//! * [`demo`]: builds Consort and shows it at work.
//! * [`ci`]: everything the gate checks.
//! * [`examples`]: runs every example.
//! * [`tools`]: what has to be installed, and is.
//! * [`step`]: other programs, run one after the other.

mod ci;
mod demo;
mod examples;
mod step;
mod tools;

use std::process::ExitCode;

use step::{Failed, Step};

const USAGE: &str = "\
cargo xtask COMMAND

  demo             build Consort and run a multi-agent workflow on real texts
  test [ARGS…]     build everything and run all tests; ARGS go to 'cargo test'
  agents [ARGS…]   run the tests against real agents and other languages' tools,
                   which are installed into target/agents first
  crash [--kills N] [--seed N]
                   kill consort until 200, or N, processes have died, and see that
                   their runs come to their end all the same
  bench [ARGS…]    measure, and print a table; ARGS go to the benchmark
  examples         run every workflow in examples/ that needs no server, and the
                   program in host/engine/examples
  ci               everything the gate checks: tests, real agents, format, lints,
                   docs, dependencies, examples

Each first adds the compilation target for plugins (wasm32-wasip2) if it is
missing, and says so.";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let done = match command.as_str() {
        "demo" => demo::demo(),
        "test" => test(&rest),
        "agents" => agents(&rest),
        "crash" => crash(&rest),
        "bench" => bench(&rest),
        "examples" => tools::ensure_target().and_then(|()| examples::examples()),
        "ci" => ci::ci(),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        "" => Err(Failed::new(format!("no command\n\n{USAGE}"))),
        other => Err(Failed::new(format!("there is no command '{other}'\n\n{USAGE}"))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("error: {failed}");
            ExitCode::FAILURE
        }
    }
}

/// All tests of the workspace; the test runner's own summary is printed.
fn test(args: &[String]) -> Result<(), Failed> {
    tools::ensure_target()?;
    Step::cargo(["test", "--locked", "--workspace"]).args(args).run()
}

/// The tests that plain `cargo test` leaves out, because they install servers and
/// tools from PyPI and npm.
pub(crate) fn agents(args: &[String]) -> Result<(), Failed> {
    tools::ensure_target()?;
    Step::cargo(["test", "--locked", "--workspace", "--test", "agents", "--test", "languages"])
        .args(["--", "--ignored", "--nocapture"])
        .args(args)
        .run()
}

/// The crash test, for as long as it takes.
fn crash(args: &[String]) -> Result<(), Failed> {
    tools::ensure_target()?;
    let filter = "runs_survive_being_killed_by_the_hundred";
    let mut test = Step::cargo(["test", "--locked", "--workspace", "--test", "crash", "--"])
        .args(["--ignored", "--nocapture", "--exact", filter]);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let variable = match arg.as_str() {
            "--kills" => "CONSORT_CRASH_KILLS",
            "--seed" => "CONSORT_CRASH_SEED",
            other => return Err(Failed::new(format!("there is no argument '{other}'\n\n{USAGE}"))),
        };
        let number = args.next().filter(|number| number.parse::<u64>().is_ok());
        let number = number.ok_or_else(|| Failed::new(format!("'{arg}' needs a number")))?;
        test = test.env(variable, number);
    }
    test.run()
}

/// The table of measurements.
fn bench(args: &[String]) -> Result<(), Failed> {
    tools::ensure_target()?;
    let built = tools::build(&["consort", "consort-bench"])?;
    Step::new(built.join("consort-bench")).args(args).run()
}
