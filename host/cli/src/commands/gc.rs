//! `consort gc`: forgets runs and cached results of long ago.

use clap::Args;

use crate::error::{CommandError, Exit};
use crate::process;
use crate::store::{StoreArgs, failed};
use crate::terminal::{counted, print, print_json};
use crate::when::Span;

/// Forget runs and cached results of long ago, and give their room back
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consort gc --older-than 30d --store runs.db --dry-run
  consort gc --older-than 12h --store runs.db

Runs that have not ended are never forgotten. Cached results go when they have expired or
are as old, payloads when nothing refers to them any more.

Exit codes: 0 done, 1 the store failed or is in use, 2 there is no such store")]
pub(crate) struct GcArgs {
    /// How long ago a run must have ended, such as 30d, 12h or '1h 30m'
    #[arg(long, value_name = "SPAN")]
    older_than: Span,

    #[command(flatten)]
    store: StoreArgs,

    /// Only say what would go
    #[arg(long)]
    dry_run: bool,

    /// Print one JSON object: {runs, entries, cached, blobs, bytes}
    #[arg(long)]
    json: bool,
}

/// Carries the command out.
pub(crate) fn gc(args: &GcArgs) -> Result<Exit, CommandError> {
    let store = args.store.open()?;
    let age = args.older_than.0.as_millis().min(i64::MAX as u128) as i64;
    let before = consort_engine::now().saturating_sub(age);
    let runtime = process::runtime()?;
    let report = runtime.block_on(store.gc(before, args.dry_run)).map_err(failed)?;
    if args.json {
        print_json(&report)?;
    } else {
        let verb = if args.dry_run { "would forget" } else { "forgot" };
        print(&format!(
            "{verb} {} with {}, {}, {} of {}\n",
            counted(report.runs, "run"),
            counted(report.entries, "entry"),
            counted(report.cached, "cached result"),
            counted(report.blobs, "payload"),
            counted(report.bytes, "byte")
        ))?;
    }
    Ok(Exit::Success)
}
