//! `consort run`: carries a workflow out and shows what came of it.

use std::collections::HashSet;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use consort_core::scheduler::Status;
use consort_engine::{CancellationToken, Engine, Report, Run};
use consort_plugin_host::egress::Rule;
use serde_json::{Map, Value, json};

use crate::approvals::{Answer, Asker};
use crate::document::Document;
use crate::error::{CommandError, Exit};
use crate::host::{HostArgs, engine, prepare};
use crate::inputs::{Setting, inputs};
use crate::secrets::SecretArg;
use crate::terminal::{harmless, print, tell};
use crate::watch::{Screen, Show};
use crate::{approvals, diagnose, outcome, process};

/// Run a workflow and print its results
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consort run flow.yaml
  consort run flow.yaml --set topic=tea --set text=@article.txt
  consort run flow.yaml --policy critical-path --concurrency 8
  consort run flow.yaml --policy priority --policy-config '{\"ageing\": 5}'
  consort run flow.yaml --secret OPENAI_API_KEY --json > report.json
  consort run release.yaml --answer review=true
  generate | consort run - --quiet

Whoever runs a workflow is its operator: agents may reach the URLs that the file names.

Exit codes: 0 succeeded, 1 failed, 2 not valid, 130 interrupted and cleanly cancelled")]
pub(crate) struct RunArgs {
    /// Workflow file, YAML or JSON; '-' reads standard input
    file: PathBuf,

    #[command(flatten)]
    host: HostArgs,

    /// Give an input a value: JSON, else text; '@FILE' is the text of a file
    #[arg(long, value_name = "KEY=JSON")]
    set: Vec<Setting>,

    /// Tasks at once [default: the configuration's, else 1024]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    concurrency: Option<u32>,

    /// Allow more requests, such as 'GET https://*.example.com/docs'
    #[arg(long, value_name = "RULE")]
    allow: Vec<Rule>,

    /// Allow addresses of this private network, where a rule allows the request
    #[arg(long, value_name = "CIDR")]
    allow_private: Vec<ipnet::IpNet>,

    /// Provide a secret [default: from the environment variable of that name]
    #[arg(long, value_name = "NAME[=env:VAR|file:PATH]")]
    secret: Vec<SecretArg>,

    /// Answer a task that waits for a person: true, false, or any JSON as its
    /// result [default: ask on the terminal]
    #[arg(long, value_name = "TASK=JSON")]
    answer: Vec<Answer>,

    /// Print one JSON object: {run_id, status, tasks, metrics}
    #[arg(long)]
    json: bool,

    /// Print nothing but the results, and why tasks failed
    #[arg(long, short)]
    quiet: bool,

    /// Show what plugins log, too
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,
}

/// Carries the command out.
pub(crate) fn run(args: &RunArgs) -> Result<Exit, CommandError> {
    carry_out(args).inspect_err(|error| {
        if args.json {
            let status = if error.exit() == Exit::Invalid { "invalid" } else { "failed" };
            let report = json!({"status": status, "problems": error.findings()});
            // The error itself is shown in any case.
            let _ = print(&format!("{report:#}\n"));
        }
    })
}

fn carry_out(args: &RunArgs) -> Result<Exit, CommandError> {
    if args.verbose {
        process::log_to_stderr();
    }
    process::allow_many_files();
    let document = Document::read(&args.file)?;
    let (engine, policy) = set_up(args)?;
    let runtime = process::runtime()?;
    let stop = CancellationToken::new();
    process::obey_signals(&runtime, stop.clone());
    let ended = runtime.block_on(async {
        let (run, inputs) = tokio::select! {
            ready = make_ready(args, &document, &engine, &policy) => ready?,
            () = stop.cancelled() => return Ok(None),
        };
        let last = outcome::last_tasks(run.plan());
        let show = Show { quiet: args.quiet, json: args.json, verbose: args.verbose };
        let asker = Arc::new(Asker::new(Screen::new(show), run.control()));
        Ok(Some((run.execute(inputs, asker, stop.clone()).await, last)))
    });
    runtime.shutdown_background();
    let Some((report, last)) = ended? else {
        if args.json {
            print("{\"status\": \"cancelled\", \"problems\": []}\n")?;
        }
        return Ok(Exit::Interrupted);
    };
    show(args, &report, &last)?;
    Ok(match report.status {
        Status::Succeeded => Exit::Success,
        _ if stop.is_cancelled() => Exit::Interrupted,
        _ => Exit::Failed,
    })
}

fn set_up(args: &RunArgs) -> Result<(Engine, Document), CommandError> {
    let (mut setup, policy) = args.host.setup()?;
    let config = &mut setup.config;
    config.concurrency = args.concurrency.or(config.concurrency);
    config.network.allow.extend(args.allow.iter().cloned());
    config.network.options.private.extend(&args.allow_private);
    for secret in &args.secret {
        secret.apply(&mut config.secrets)?;
    }
    Ok((engine(setup)?, policy))
}

async fn make_ready(
    args: &RunArgs,
    document: &Document,
    engine: &Engine,
    policy: &Document,
) -> Result<(Run, Map<String, Value>), CommandError> {
    let invalid = |problems| diagnose::problems(document, problems);
    let plan = document.compile(engine.known()).map_err(invalid)?;
    if !args.quiet {
        diagnose::warn(document, plan.warnings.clone());
    }
    let inputs = inputs(&args.set, &plan)?;
    approvals::check(&args.answer, &plan, approvals::somebody_is_there())?;
    let mut run = prepare(engine, plan, document, policy).await?;
    for Answer { task, value } in &args.answer {
        run.answer(task.as_str(), value.clone());
    }
    Ok((run, inputs))
}

fn show(args: &RunArgs, report: &Report, last: &HashSet<Arc<str>>) -> Result<(), CommandError> {
    if args.json {
        let json = serde_json::to_string_pretty(report).map_err(|error| {
            CommandError::failed(format!("could not write the report: {error}"))
        })?;
        return print(&format!("{json}\n"));
    }
    let mut text = String::new();
    if !args.quiet {
        text.push_str(&outcome::table(report));
    }
    text.push_str(&outcome::outputs(report, last, !args.quiet));
    // A file gets what an agent said as it is; a terminal must not obey it.
    print(&if std::io::stdout().is_terminal() { harmless(&text) } else { text })?;
    let errors = outcome::errors(report);
    if !errors.is_empty() {
        tell(harmless(&errors).trim_end());
    }
    Ok(())
}
