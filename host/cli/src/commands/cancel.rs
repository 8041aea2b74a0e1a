//! `consort cancel`: stops a recorded run, or one task of it.

use clap::Args;
use consort_engine::Request;

use crate::error::{CommandError, Exit};
use crate::requests::post;
use crate::store::{StoreArgs, find_task};

/// Stop a recorded run, or one task of it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consort cancel 019ab3 --store runs.db
  consort cancel 019ab3 draft --store runs.db               one task
  consort cancel 019ab3 draft --subtree --store runs.db     and all that depend on it

What runs is stopped, agents that work by themselves are told. The request waits in the
store until the process that carries the run out takes it up, at once or when the run
is resumed.

Exit codes: 0 noted, 1 the store failed, 2 no such run or task")]
pub(crate) struct CancelArgs {
    /// The run
    run: String,

    /// Only this task, with its items; `task[n]` for one item
    task: Option<String>,

    /// All that depend on the task, too
    #[arg(long, requires = "task")]
    subtree: bool,

    #[command(flatten)]
    store: StoreArgs,
}

/// Carries the command out.
pub(crate) fn cancel(args: &CancelArgs) -> Result<Exit, CommandError> {
    let mut run = args.store.run(&args.run)?;
    let request = match &args.task {
        None => Request::CancelRun,
        Some(task) => {
            find_task(&mut run, task)?;
            let task = task.clone();
            match args.subtree {
                true => Request::CancelSubtree { task },
                false => Request::CancelTask { task },
            }
        }
    };
    post(&args.store, &run, &request)
}
