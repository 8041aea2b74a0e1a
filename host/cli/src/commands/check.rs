//! `consort check`: whether a store is as it was written.

use clap::Args;
use consort_engine::PastRun;
use consort_store::{Reader, RunFilter, RunRow};
use serde::Serialize;

use crate::error::{CommandError, Exit};
use crate::store::{StoreArgs, failed};
use crate::terminal::{counted, harmless, print, print_json, tell};

/// Read everything in a store and say what is wrong with it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consort check --store runs.db
  consort check --store runs.db --json | jq -r '.problems[]'

Every page, entry and payload of the file is compared with its checksum, every run is gone
through from its first entry to its last, and saved states must be those that their runs'
entries lead to. The store may be in use.

Exit codes: 0 all is well, 1 something is wrong or the store failed, 2 there is no such store")]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    store: StoreArgs,

    /// Print one JSON object: {runs, entries, payloads, snapshots, problems}
    #[arg(long)]
    json: bool,

    /// Do not show progress
    #[arg(long, short)]
    quiet: bool,
}

/// What was read, and what is wrong.
#[derive(Default, Serialize)]
struct Findings {
    runs: u64,
    entries: u64,
    payloads: u64,
    /// Runs whose state is saved.
    snapshots: u64,
    /// In sentences.
    problems: Vec<String>,
}

/// Carries the command out.
pub(crate) fn check(args: &CheckArgs) -> Result<Exit, CommandError> {
    let reader = args.store.reader()?;
    let findings = look(&reader, args.quiet)?;
    if args.json {
        print_json(&findings)?;
    } else {
        print(&harmless(&in_words(&findings)))?;
    }
    Ok(if findings.problems.is_empty() { Exit::Success } else { Exit::Failed })
}

fn look(reader: &Reader, quiet: bool) -> Result<Findings, CommandError> {
    let size = reader.size().map_err(failed)?;
    let mut findings = Findings {
        problems: reader.check().map_err(failed)?,
        payloads: size.blobs,
        snapshots: size.snapshots,
        ..Findings::default()
    };
    let rows = reader.runs(&RunFilter::default()).map_err(failed)?;
    let mut told = 0;
    for (done, row) in rows.iter().enumerate() {
        let tenth = 10 * done / rows.len();
        if tenth > told && !quiet {
            told = tenth;
            tell(&format!("checked {} % of {} runs", tenth * 10, rows.len()));
        }
        findings.runs += 1;
        findings.entries += row.entries;
        look_at(reader, row, &mut findings);
    }
    Ok(findings)
}

fn look_at(reader: &Reader, row: &RunRow, findings: &mut Findings) {
    let problem = match PastRun::check(reader, &row.id) {
        Ok(problem) => problem,
        Err(error) => Some(error.to_string()),
    };
    findings.problems.extend(problem.map(|problem| format!("run {}: {problem}", row.id)));
}

fn in_words(findings: &Findings) -> String {
    let Findings { runs, entries, payloads, snapshots, problems } = findings;
    let mut out: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
    out += &format!(
        "{} with {} and {}, {}: {}\n",
        counted(*runs, "run"),
        counted(*entries, "entry"),
        counted(*snapshots, "saved state"),
        counted(*payloads, "payload"),
        match problems.len() {
            0 => "all is well".to_owned(),
            some => counted(some as u64, "problem"),
        }
    );
    out
}
