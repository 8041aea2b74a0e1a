//! `consort validate`: everything a run would find wrong before its first task.

use std::path::{Path, PathBuf};

use clap::Args;
use consort_core::plan;
use consort_engine::Engine;
use consort_plugin_host::egress::Secret;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::document::Document;
use crate::error::{CommandError, Exit};
use crate::host::{HostArgs, PolicyArgs, Written, engine, verdict};
use crate::process::runtime;
use crate::terminal::{complain, print, print_json};

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

    #[command(flatten)]
    policy: PolicyArgs,

    /// Take a secret of this name for given
    #[arg(long, value_name = "NAME")]
    secret: Vec<String>,

    /// Take a workflow with warnings for not valid
    #[arg(long)]
    deny_warnings: bool,

    /// Print one list of what is wrong with all files, empty when all is well:
    /// [{code, severity, message, file, path, line, column, hint}]
    #[arg(long)]
    json: bool,
}

/// What became of one file.
struct Checked {
    tasks: usize,
    /// What is legal but surely wrong.
    warnings: Option<CommandError>,
}

/// Carries the command out.
pub(crate) fn validate(args: &ValidateArgs) -> Result<Exit, CommandError> {
    let (mut setup, Written { config, policy }) = args.host.setup(Some(&args.policy))?;
    let configured = std::mem::take(&mut setup.config.secrets);
    for name in configured.into_keys().chain(args.secret.iter().cloned()) {
        let stand_in = Secret::new("stand-in").expect("a word without control characters");
        setup.secrets.insert(name, stand_in);
    }
    let engine = engine(setup, &config)?;
    let runtime = runtime()?;
    let mut findings: Vec<Value> = Vec::new();
    let mut exit = Exit::Success;
    for file in &args.files {
        let checked = check(&engine, &runtime, &policy, file);
        let wrong = match &checked {
            Ok(checked) => checked.warnings.as_ref(),
            Err(error) => Some(error),
        };
        let valid = checked.is_ok() && (wrong.is_none() || !args.deny_warnings);
        if !valid {
            exit = Exit::Invalid;
        }
        if args.json {
            findings.extend(wrong.into_iter().flat_map(CommandError::findings));
            continue;
        }
        if let Some(wrong) = wrong {
            complain(wrong);
        }
        if let (true, Ok(Checked { tasks, .. })) = (valid, &checked) {
            let plural = if *tasks == 1 { "" } else { "s" };
            print(&format!("{}: valid, {tasks} task{plural}\n", file.display()))?;
        }
    }
    if args.json {
        print_json(&findings)?;
    }
    Ok(exit)
}

/// Does everything to one file but run it.
fn check(
    engine: &Engine,
    runtime: &Runtime,
    policy: &Document,
    file: &Path,
) -> Result<Checked, CommandError> {
    let document = Document::read(file)?;
    let plan::Checked { tasks, mut problems, needs } = document.check(engine.known());
    problems.extend(runtime.block_on(engine.check(&needs, engine.policy())));
    let warnings = verdict(problems, &document, policy)?;
    Ok(Checked { tasks, warnings })
}
