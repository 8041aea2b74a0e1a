//! `consort validate`: everything a run would find wrong before its first task.

use std::path::PathBuf;

use clap::Args;
use consort_core::plan::compile;
use consort_engine::Engine;
use consort_plugin_host::egress::Secret;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::diagnose;
use crate::document::Document;
use crate::error::{CommandError, Exit};
use crate::host::{HostArgs, engine};
use crate::process::runtime;
use crate::terminal::{complain, print};

/// Check workflows: format, references, cycles, plugins and their configuration
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consort validate flow.yaml            every problem, with line and remedy
  consort validate flows/*.yaml --json  the same for programs
  generate | consort validate -         from standard input

Secrets need not be there to validate.

Exit codes: 0 all are valid, 2 at least one is not")]
pub(crate) struct ValidateArgs {
    /// Workflow files, YAML or JSON; '-' reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    host: HostArgs,

    /// Take a secret of this name for given
    #[arg(long, value_name = "NAME")]
    secret: Vec<String>,

    /// Print one JSON object: {valid, files: [{file, valid, tasks, problems}]}
    #[arg(long)]
    json: bool,
}

/// Carries the command out.
pub(crate) fn validate(args: &ValidateArgs) -> Result<Exit, CommandError> {
    let mut setup = args.host.setup()?;
    let configured = std::mem::take(&mut setup.config.secrets);
    for name in configured.into_keys().chain(args.secret.iter().cloned()) {
        let stand_in = Secret::new("stand-in").expect("a word without control characters");
        setup.secrets.insert(name, stand_in);
    }
    let engine = engine(setup)?;
    let runtime = runtime()?;
    let mut reports = Vec::with_capacity(args.files.len());
    let mut exit = Exit::Success;
    for file in &args.files {
        let report = match check(&engine, &runtime, &args.host.policy, file) {
            Ok(tasks) => {
                if !args.json {
                    let plural = if tasks == 1 { "" } else { "s" };
                    print(&format!("{}: valid, {tasks} task{plural}\n", file.display()))?;
                }
                json!({"file": file.display().to_string(), "valid": true, "tasks": tasks, "problems": []})
            }
            Err(error) => {
                exit = Exit::Invalid;
                complain(&error);
                json!({"file": file.display().to_string(), "valid": false, "problems": error.problems()})
            }
        };
        reports.push(report);
    }
    if args.json {
        let valid = exit == Exit::Success;
        let report: Value = json!({"valid": valid, "files": reports});
        print(&format!("{report:#}\n"))?;
    }
    Ok(exit)
}

/// Does everything to one file but run it; returns how many tasks there are.
fn check(
    engine: &Engine,
    runtime: &Runtime,
    policy: &str,
    file: &std::path::Path,
) -> Result<usize, CommandError> {
    let document = Document::read(file)?;
    let plan = document
        .parse()
        .and_then(|workflow| compile(workflow, engine.known()))
        .and_then(|plan| runtime.block_on(engine.prepare(plan, policy)))
        .map_err(|problems| diagnose::problems(&document.name, &document.text, problems))?;
    Ok(plan.plan().tasks.len())
}
