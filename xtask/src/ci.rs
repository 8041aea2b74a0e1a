//! The *gate*: everything that must hold before a change goes in.

use std::time::Instant;

use crate::examples::examples;
use crate::step::{Failed, Step};
use crate::tools::{cargo_deny, ensure_target};

type Check = fn() -> Result<(), Failed>;

/// What is checked, in this order: what most often fails comes first.
const CHECKS: [(&str, Check); 7] = [
    ("format", format),
    ("tests", tests),
    ("agents", agents),
    ("lints", lints),
    ("documentation", documentation),
    ("dependencies", dependencies),
    ("examples", examples),
];

/// Checks everything; stops at the first thing that does not hold.
pub(crate) fn ci() -> Result<(), Failed> {
    ensure_target()?;
    let mut done = Vec::new();
    for (name, check) in CHECKS {
        println!("\n== {name}");
        let start = Instant::now();
        check().map_err(|failed| Failed::new(format!("{name}: {failed}")))?;
        done.push(format!("{name} {} s", start.elapsed().as_secs()));
    }
    println!("\nall checks passed: {}", done.join(", "));
    Ok(())
}

fn format() -> Result<(), Failed> {
    Step::cargo(["fmt", "--all", "--check"]).run()
}

fn tests() -> Result<(), Failed> {
    Step::cargo(["test", "--locked", "--workspace"]).run()
}

fn agents() -> Result<(), Failed> {
    crate::agents(&[])
}

fn lints() -> Result<(), Failed> {
    Step::cargo(["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"])
        .run()
}

fn documentation() -> Result<(), Failed> {
    Step::cargo(["doc", "--locked", "--workspace", "--no-deps"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .run()
}

fn dependencies() -> Result<(), Failed> {
    let deny = cargo_deny()?;
    Step::new(deny)
        .args(["--workspace", "check", "bans", "licenses", "sources"])
        .within(crate::step::workspace())
        .run()
}
