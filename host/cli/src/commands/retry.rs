//! `consort retry`: does a part of a run again.

use clap::Args;
use consort_core::problem::nearest;
use consort_engine::Retry;
use consort_engine::retry::{Again, Becomes, RetryError};
use serde_json::{Map, json};

use crate::approvals::Answer;
use crate::error::{CommandError, Exit};
use crate::execution::{OperatorArgs, ShowArgs, also_as_json, execute};
use crate::store::{StoreArgs, unreadable};
use crate::table::Table;
use crate::terminal::{counted, harmless, print, print_json, tell};

/// Tasks that are listed.
const MOST_ROWS: usize = 50;

/// Do a part of a run again that is over
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consort retry 019ab3 --store runs.db
  consort retry 019ab3 --store runs.db --from summary --dry-run
  consort retry 019ab3 --store runs.db --from draft --from review --json

RUN is a run's id, or its beginning or end if no other run has it. What has failed or was
cancelled is done again, or what '--from' names, and all that depends on it. The results of
the other tasks are taken over, and their agents are not called.

It is a new run with the workflow, the inputs and the policy of the earlier one, which stays
as it is. Agents of the host configuration are those of now, so that they can be mended.

Exit codes: 0 succeeded, 1 failed, 2 not valid, 130 interrupted and cleanly cancelled")]
pub(crate) struct RetryArgs {
    /// The run
    run: String,

    #[command(flatten)]
    store: StoreArgs,

    /// Do this task again, with its steps and items, whatever is cached, and all
    /// that depends on it
    #[arg(long, value_name = "TASK", conflicts_with = "failed")]
    from: Vec<String>,

    /// Do again what has failed or was cancelled, as without either
    #[arg(long)]
    failed: bool,

    /// Only say what would be done again and what is reused
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    operator: OperatorArgs,

    /// Answer a task that waits for a person: true, false, or any JSON as its
    /// result [default: ask on the terminal]
    #[arg(long, value_name = "TASK=JSON")]
    answer: Vec<Answer>,

    #[command(flatten)]
    show: ShowArgs,
}

/// Carries the command out.
pub(crate) fn retry(args: &RetryArgs) -> Result<Exit, CommandError> {
    carry_out(args).inspect_err(|error| also_as_json(&args.show, error))
}

fn carry_out(args: &RetryArgs) -> Result<Exit, CommandError> {
    let again = if args.from.is_empty() { Again::Failed } else { Again::From(args.from.clone()) };
    let retry = Retry::plan(&args.store.reader()?, &args.run, &again).map_err(refused)?;
    args.answer.iter().try_for_each(|answer| check_answer(answer, &retry))?;
    if args.dry_run {
        if args.show.json {
            print_json(&json!({"retry_of": retry.of(), "tasks": retry.tasks()}))?;
        } else {
            print(&harmless(&as_text(&retry)))?;
        }
        return Ok(Exit::Success);
    }
    if !args.show.quiet && !args.show.json {
        tell(&harmless(&as_text(&retry)));
    }
    let store = args.store.open()?;
    let (engine, _) = args.operator.set_up(&args.show, None, None)?;
    execute(&args.show, true, async || {
        let mut run = engine.retry(&store, retry).await.map_err(unreadable)?;
        for Answer { task, value } in &args.answer {
            run.answer(task.as_str(), value.clone());
        }
        Ok((run, Map::new()))
    })
}

/// Only a task that is done again asks.
fn check_answer(answer: &Answer, retry: &Retry) -> Result<(), CommandError> {
    let task = &*answer.task;
    let found = retry.tasks().iter().find(|known| &*known.task_id == task);
    match found.map(|known| known.becomes) {
        Some(Becomes::Again | Becomes::Decided) => Ok(()),
        Some(Becomes::Reused) => {
            let message = format!("task '{task}' is not asked again: its result is reused");
            let hint = format!("'--from {task}' asks it again");
            Err(CommandError::invalid(message).hint(hint))
        }
        None => {
            let names = retry.tasks().iter().map(|known| &*known.task_id);
            let error = CommandError::invalid(format!("there is no task '{task}'"));
            Err(match nearest(task, names) {
                Some(near) => error.hint(format!("did you mean '--answer {near}=…'?")),
                None => error.hint("'--dry-run' lists the tasks"),
            })
        }
    }
}

fn as_text(retry: &Retry) -> String {
    let count = |what| retry.tasks().iter().filter(|task| task.becomes == what).count();
    let mut text = format!(
        "run {}: {} again, {} reused\n\n",
        retry.of(),
        counted(count(Becomes::Again) as u64, "task"),
        counted(count(Becomes::Reused) as u64, "result")
    );
    let mut table = Table::new(&["TASK", "WAS", "NOW"]);
    let (first, others): (Vec<_>, Vec<_>) =
        retry.tasks().iter().partition(|task| task.becomes == Becomes::Again);
    let shown = first.into_iter().chain(others).take(MOST_ROWS);
    for task in shown {
        table.row([
            task.task_id.to_string(),
            task.was.map(|status| status.as_str().to_owned()).unwrap_or_default(),
            task.becomes.as_str().to_owned(),
        ]);
    }
    text.push_str(&table.to_string());
    let more = retry.tasks().len().saturating_sub(MOST_ROWS);
    if more > 0 {
        text.push_str(&format!("… and {more} more; '--dry-run --json' has all\n"));
    }
    text
}

fn refused(error: RetryError) -> CommandError {
    match error {
        RetryError::Run(error) => unreadable(error),
        RetryError::NotOver { ref id } => {
            let hint =
                format!("'consort resume {id}' goes on with it, 'consort cancel {id}' ends it");
            CommandError::invalid(error.to_string()).hint(hint)
        }
        RetryError::NothingFailed { .. } => CommandError::invalid(error.to_string())
            .hint("'--from TASK' does a task again that succeeded"),
        RetryError::Task(_) => CommandError::invalid(error.to_string()),
    }
}
