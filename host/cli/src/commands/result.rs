//! `consort result`: what came of a recorded run, or of one of its tasks.

use clap::Args;
use consort_engine::PastRun;
use consort_engine::output::{Form, OutputError};
use consort_store::RunStatus;

use crate::error::{CommandError, Exit};
use crate::outcome::{self, Style};
use crate::store::StoreArgs;
use crate::terminal::{print_by, print_json};

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
        print_json(&report)?;
    } else {
        print_by(|out| outcome::outputs(&report, &last, Style::default(), out))?;
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
    print_by(|out| {
        output.write_to(out)?;
        match output.form() {
            Form::Json | Form::Text => out.write_all(b"\n").map_err(OutputError::Write),
            Form::Blob { .. } => Ok(()),
        }
    })?;
    Ok(Exit::Success)
}
