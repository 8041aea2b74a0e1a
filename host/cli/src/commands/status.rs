//! `consort status`: where a recorded run is.

use clap::Args;
use consort_engine::PastRun;
use consort_engine::control::TaskStatus;
use consort_engine::past::{NotificationProgress, RunProgress};
use consort_store::RunRow;
use serde::Serialize;

use crate::error::{CommandError, Exit};
use crate::store::{StoreArgs, find_task};
use crate::table::Table;
use crate::terminal::{harmless, one_line, print, print_json};
use crate::watch::seconds;

/// Tasks in the table; of larger runs those that are finished well come last.
const MOST_ROWS: usize = 60;
/// Characters of an error in the table.
const WIDEST: usize = 72;

/// Show where a recorded run is: its progress and its tasks
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consort status 019ab3 --store runs.db
  consort status 019ab3 review --store runs.db
  consort status 019ab3 --store runs.db --json

Exit codes: 0 shown, 1 the store failed, 2 there is no such run or task")]
pub(crate) struct StatusArgs {
    /// The run
    run: String,

    /// Only this task; `task[n]` for an item
    task: Option<String>,

    #[command(flatten)]
    store: StoreArgs,

    /// Print one JSON object: {run, progress, tasks}, and notifications if there are webhooks
    #[arg(long)]
    json: bool,
}

/// Carries the command out.
pub(crate) fn status(args: &StatusArgs) -> Result<Exit, CommandError> {
    let mut run = args.store.run(&args.run)?;
    let tasks = match &args.task {
        None => run.tasks(),
        Some(task) => {
            vec![find_task(&mut run, task)?]
        }
    };
    if args.json {
        let notifications = run.notifications();
        let (run, progress) = (run.row(), run.progress());
        print_json(&Shown { run, progress, tasks: &tasks, notifications })?;
    } else {
        print(&harmless(&as_text(&run, &tasks)))?;
    }
    Ok(Exit::Success)
}

/// The object that `--json` prints.
#[derive(Serialize)]
struct Shown<'a> {
    run: &'a RunRow,
    progress: RunProgress,
    tasks: &'a [TaskStatus],
    #[serde(skip_serializing_if = "Option::is_none")]
    notifications: Option<NotificationProgress>,
}

fn as_text(run: &PastRun, tasks: &[TaskStatus]) -> String {
    let (row, progress) = (run.row(), run.progress());
    let name = if row.name.is_empty() { String::new() } else { format!(" ({})", row.name) };
    let mut text = format!(
        "run {}{name}: {}, {} of {} tasks finished, {:.0} %",
        row.id,
        row.status,
        progress.finished,
        progress.tasks,
        progress.share * 100.0
    );
    if let Some(left) = progress.remaining_ms {
        let left = seconds(std::time::Duration::from_millis(left));
        text.push_str(&format!(", about {left} to go"));
    }
    if progress.open {
        text.push_str(", open to more");
    }
    if let Some(told) = run.notifications() {
        text.push_str(&format!(
            "\n{} notifications delivered, {} not, {} waiting",
            told.delivered, told.failed, told.waiting
        ));
    }
    text.push_str("\n\n");
    let (well, open): (Vec<_>, Vec<_>) = tasks.iter().partition(|task| task.state == "succeeded");
    let shown: Vec<&TaskStatus> = if tasks.len() <= MOST_ROWS {
        tasks.iter().collect()
    } else {
        open.into_iter().chain(well).take(MOST_ROWS).collect()
    };
    let mut table = Table::new(&["TASK", "STATE", "AGENT", "ATTEMPTS", "NOTE"]);
    for task in &shown {
        let asks = task.question.as_ref().map(|question| &*question.prompt);
        let error = task.error.as_ref().map(|error| error.message.as_str());
        table.row([
            task.task_id.to_string(),
            task.state.to_owned(),
            task.agent.as_deref().unwrap_or_default().to_owned(),
            if task.cached {
                "cached".to_owned()
            } else if task.reused {
                "reused".to_owned()
            } else if task.attempts > 0 {
                task.attempts.to_string()
            } else {
                String::new()
            },
            one_line(asks.or(error).unwrap_or_default(), WIDEST),
        ]);
    }
    text.push_str(&table.to_string());
    if tasks.len() > shown.len() {
        text.push_str(&format!("… and {} more; '--json' has all\n", tasks.len() - shown.len()));
    }
    text
}
