//! One task, from the start of the process to its end: the real `consort`
//! command, the plugins' code compiled by an earlier run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::json;

use crate::Failure;
use crate::clock::median;
use crate::table::{Bar, Table};

const ROUNDS: usize = 20;

pub(crate) fn measure(table: &mut Table) -> Result<(), Failure> {
    let consort = consort_tests::command::consort();
    let folder = tempfile::tempdir()?;
    let workflow = folder.path().join("one.json");
    let task = json!([{"task_id": "one", "agent": "echo", "description": "hello"}]);
    let agents = json!({"echo": {"adapter": "echo"}});
    fs::write(&workflow, json!({"agents": agents, "tasks": task}).to_string())?;

    let mut times = Vec::new();
    // The first two fill the cache of compiled code, and prove that it works.
    for round in 0..ROUNDS + 2 {
        let took = once(&consort, &workflow, folder.path())?;
        if round >= 2 {
            times.push(took);
        }
    }
    table.figure("one task, process start to exit", median(times), "ms", Bar::AtMost(60.0));
    Ok(())
}

fn once(consort: &PathBuf, workflow: &Path, folder: &Path) -> Result<f64, Failure> {
    let begun = Instant::now();
    let status = Command::new(consort)
        .args(["run", "--quiet"])
        .arg(workflow)
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    let took = begun.elapsed().as_secs_f64() * 1e3;
    if !status.success() {
        return Err(format!("'consort run' ended with {status}").into());
    }
    Ok(took)
}
