//! The *demonstration*: a workflow of several agents on real texts.

use crate::examples::run_example;
use crate::step::{Failed, Step, workspace};
use crate::tools::{build, ensure_target};

const NEXT: &str = "
Every task of an agent went through three sandboxed WebAssembly plugins: a
prioritizer chose it, an adapter did it, a transformer shaped its result.

Where to look next, in examples/:
  consort graph 03-demo.yaml                      the workflow, level by level
  consort graph 03-demo.yaml --format svg         the same as a picture
  consort run 06-policy.yaml --policy critical-path --concurrency 1
                                                  another order, no restart
  consort plugin list                             what is inside the binary
  consort plugin inspect openai                   what a plugin asks for

'consort' is target/debug/consort; 'cargo install --path host/cli' puts it on your
path. README.md has the five-minute tour.";

/// Builds Consort and runs the demonstration.
pub(crate) fn demo() -> Result<(), Failed> {
    ensure_target()?;
    println!("building Consort and its plugins; the first time takes several minutes");
    let consort = build(&["consort"])?.join("consort");
    let examples = workspace().join("examples");
    println!();
    Step::new(&consort).args(["graph", "03-demo.yaml"]).within(&examples).run()?;
    println!();
    run_example(&consort, &examples, "03-demo.yaml")?;
    println!("{NEXT}");
    Ok(())
}
