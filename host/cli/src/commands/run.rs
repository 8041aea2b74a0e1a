//! `consort run`: carries a workflow out and shows what came of it.

use std::path::PathBuf;

use clap::Args;
use consort_engine::{Engine, Run};
use serde_json::{Map, Value};

use crate::approvals::{self, Answer};
use crate::document::Document;
use crate::error::{CommandError, Exit};
use crate::execution::{OperatorArgs, ShowArgs, also_as_json, execute};
use crate::host::{PolicyArgs, prepare};
use crate::inputs::{Setting, inputs};
use crate::store::{MaybeStoreArgs, origin};
use crate::terminal::complain;

/// Run a workflow and print its results
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consort run flow.yaml
  consort run flow.yaml --set topic=tea --set text=@article.txt
  consort run flow.yaml --policy critical-path --concurrency 8
  consort run flow.yaml --policy priority --policy-config '{\"ageing\": 5}'
  consort run flow.yaml --secret OPENAI_API_KEY --json > report.json
  consort run flow.yaml --store runs.db      then 'consort resume' goes on after a crash
  consort run release.yaml --answer review=true
  generate | consort run - --quiet

Whoever runs a workflow is its operator: agents may reach the URLs that the file names.

Exit codes: 0 succeeded, 1 failed, 2 not valid, 130 interrupted and cleanly cancelled")]
pub(crate) struct RunArgs {
    /// Workflow file, YAML or JSON; '-' reads standard input
    file: PathBuf,

    #[command(flatten)]
    operator: OperatorArgs,

    #[command(flatten)]
    policy: PolicyArgs,

    #[command(flatten)]
    store: MaybeStoreArgs,

    /// Give an input a value: JSON, else text; '@FILE' is the text of a file
    #[arg(long, value_name = "KEY=JSON")]
    set: Vec<Setting>,

    /// Tasks at once [default: the configuration's, else 1024]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    concurrency: Option<u32>,

    /// Answer a task that waits for a person: true, false, or any JSON as its
    /// result [default: ask on the terminal]
    #[arg(long, value_name = "TASK=JSON")]
    answer: Vec<Answer>,

    #[command(flatten)]
    show: ShowArgs,
}

/// Carries the command out.
pub(crate) fn run(args: &RunArgs) -> Result<Exit, CommandError> {
    carry_out(args).inspect_err(|error| also_as_json(&args.show, error))
}

fn carry_out(args: &RunArgs) -> Result<Exit, CommandError> {
    let document = Document::read(&args.file)?;
    let (engine, policy) =
        args.operator.set_up(&args.show, Some(&args.policy), args.concurrency)?;
    execute(&args.show, args.store.is_given(), async || {
        make_ready(args, &document, &engine, &policy).await
    })
}

async fn make_ready(
    args: &RunArgs,
    document: &Document,
    engine: &Engine,
    policy: &Document,
) -> Result<(Run, Map<String, Value>), CommandError> {
    let compiled = document.compile(engine.known());
    let warn = |warnings: &_| {
        if !args.show.quiet {
            complain(warnings);
        }
    };
    let mut run = prepare(engine, compiled, document, policy, warn).await?;
    let inputs = inputs(&args.set, run.plan())?;
    let someone = approvals::somebody_is_there() || args.store.is_given();
    approvals::check(&args.answer, run.plan(), someone)?;
    for Answer { task, value } in &args.answer {
        run.answer(task.as_str(), value.clone());
    }
    if let Some(store) = args.store.open()? {
        run.record(store, origin(document));
    }
    Ok((run, inputs))
}
