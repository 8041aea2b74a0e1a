//! `consort list`: the runs of a store.

use clap::Args;
use consort_store::{RunFilter, RunRow, RunStatus};

use crate::error::{CommandError, Exit};
use crate::store::{StoreArgs, failed};
use crate::table::Table;
use crate::terminal::{harmless, one_line, print, print_json};
use crate::when::moment;

/// Characters of a name in the table.
const WIDEST: usize = 40;

/// List recorded runs, the newest first
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consort list --store runs.db
  consort list --store runs.db --status failed --limit 5
  consort list --store runs.db --json | jq -r '.[].id'

A run whose status is 'running' is going on in some process, or was interrupted:
'consort resume' goes on with it.

Exit codes: 0 listed, 1 the store failed, 2 there is no such store")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    store: StoreArgs,

    /// Only those with this status: running, succeeded, failed or cancelled
    #[arg(long)]
    status: Option<RunStatus>,

    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,

    /// Print a JSON list: [{id, name, tasks, status, submitted_at, ended_at, …}]
    #[arg(long)]
    json: bool,
}

/// Carries the command out.
pub(crate) fn list(args: &ListArgs) -> Result<Exit, CommandError> {
    let filter = RunFilter { status: args.status, limit: Some(args.limit), ..RunFilter::default() };
    let rows = args.store.reader()?.runs(&filter).map_err(failed)?;
    if args.json {
        print_json(&rows)?;
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["RUN", "STATUS", "TASKS", "SUBMITTED", "ENDED", "NAME"]);
    for row in &rows {
        table.row([
            row.id.clone(),
            row.status.to_string(),
            row.tasks.to_string(),
            moment(row.submitted_at),
            row.ended_at.map(moment).unwrap_or_default(),
            one_line(name(row), WIDEST),
        ]);
    }
    print(&harmless(&table.to_string()))?;
    Ok(Exit::Success)
}

fn name(row: &RunRow) -> &str {
    &row.name
}
