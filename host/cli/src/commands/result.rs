//! `consort result`: what came of a recorded run, or of one of its tasks.

use std::io::IsTerminal as _;

use clap::Args;
use consort_engine::PastRun;
use consort_engine::output::{Form, OutputError};
use consort_store::RunStatus;

use crate::error::{CommandError, Exit};
use crate::outcome::{self, Style};
use crate::store::StoreArgs;
use crate::terminal::print_by;

/// Print the results of a recorded run
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consort result 019ab3 --store runs.db             what 'consort run' printed
  consort result 019ab3 summary --store runs.db     one task's result, as it is
  consort result 019ab3 --store runs.db --json      the whole report

Exit codes: 0 printed, 1 there is no result (yet) or the store failed, 2 no such run or task")]
pub(crate) struct ResultArgs {
    /// The run
    run: String,

    /// One task, whose result is printed byte for byte; `task[n]` for an item
    task: Option<String>,

    #[command(flatten)]
    store: StoreArgs,

    /// Print one JSON object: {run_id, status, tasks, metrics}
    #[arg(long, conflicts_with = "task")]
    json: bool,
}

/// Carries the command out.
pub(crate) fn result(args: &ResultArgs) -> Result<Exit, CommandError> {
    let mut run = args.store.run(&args.run)?;
    if let Some(task) = &args.task {
        return of_task(&mut run, task);
    }
    let (id, last) = (run.row().id.clone(), outcome::last_tasks(run.plan()));
    let ongoing = run.row().status == RunStatus::Running;
    let Some(report) = run.into_report().filter(|_| !ongoing) else {
        return Err(CommandError::failed(format!("run {id} is not over")).hint(format!(
            "'consort status {id}' shows where it is; 'consort result {id} TASK' has a task's result"
        )));
    };
    if args.json {
        outcome::print_report(&report)?;
    } else {
        let printed = print_by(|out| outcome::outputs(&report, &last, Style::default(), out));
        printed.map_err(|error| outcome::blame(&report, error))?;
    }
    Ok(Exit::Success)
}

fn of_task(run: &mut PastRun, task: &str) -> Result<Exit, CommandError> {
    let output = run.result(task).map_err(|error| CommandError::invalid(error.to_string()))?;
    let Some(output) = output else {
        let id = run.row().id.clone();
        return Err(CommandError::failed(format!("task '{task}' has no result"))
            .hint(format!("'consort status {id} {task}' says why")));
    };
    // Elsewhere than on a terminal it is what the task came to, and nothing else.
    let ends_line = std::io::stdout().is_terminal() && !matches!(output.form(), Form::Blob { .. });
    let printed = print_by(|out| {
        output.write_to(out)?;
        if ends_line { out.write_all(b"\n").map_err(OutputError::Write) } else { Ok(()) }
    });
    printed.map_err(|error| outcome::unreadable(task, error))?;
    Ok(Exit::Success)
}
