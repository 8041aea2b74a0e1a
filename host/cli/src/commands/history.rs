//! `consort history`: what happened in a recorded run.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use consort_engine::{PastRun, RunEvent, Watcher};
use serde_json::{Value, json};

use crate::error::{CommandError, Exit};
use crate::store::{StoreArgs, find_task, unreadable};
use crate::terminal::{harmless, print};
use crate::watch::say;
use crate::when::exact;

/// Show what happened in a recorded run, or to one task of it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consort history 019ab3 --store runs.db
  consort history 019ab3 review --store runs.db
  consort history 019ab3 --store runs.db --json | jq 'select(.event == \"retrying\")'

Exit codes: 0 shown, 1 the store failed, 2 there is no such run or task")]
pub(crate) struct HistoryArgs {
    /// The run
    run: String,

    /// Only what concerns this task; `task[n]` for an item
    task: Option<String>,

    #[command(flatten)]
    store: StoreArgs,

    /// Print one JSON object a line: {at, event, …}
    #[arg(long)]
    json: bool,
}

/// Carries the command out.
pub(crate) fn history(args: &HistoryArgs) -> Result<Exit, CommandError> {
    let scribe = Arc::new(Scribe {
        task: args.task.clone(),
        json: args.json,
        now: AtomicI64::new(0),
        lines: Mutex::default(),
    });
    let reader = args.store.reader()?;
    let mut run = PastRun::follow(&reader, &args.run, scribe.clone()).map_err(unreadable)?;
    if let Some(task) = &args.task {
        find_task(&mut run, task)?;
    }
    let lines = std::mem::take(&mut *scribe.lines.lock().unwrap_or_else(PoisonError::into_inner));
    print(&lines)?;
    Ok(Exit::Success)
}

/// Writes down what it hears.
struct Scribe {
    task: Option<String>,
    json: bool,
    now: AtomicI64,
    lines: Mutex<String>,
}

impl Watcher for Scribe {
    fn time(&self, now: i64) {
        self.now.store(now, Ordering::Relaxed);
    }

    fn event(&self, event: &RunEvent) {
        if self.task.is_some() && self.task.as_deref() != event.task().map(|task| &**task) {
            return;
        }
        let at = self.now.load(Ordering::Relaxed);
        let line = if self.json {
            let mut line = json!(event);
            if let Value::Object(fields) = &mut line {
                fields.shift_insert(0, "at".to_owned(), json!(exact(at)));
            }
            Some(line.to_string())
        } else {
            say(event, true).map(|line| format!("{} {}", exact(at), harmless(&line)))
        };
        if let Some(line) = line {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push_str(&line);
            lines.push('\n');
        }
    }
}
