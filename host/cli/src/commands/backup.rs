//! `consort backup`: copies a store that may be in use.

use std::path::PathBuf;

use clap::Args;

use crate::error::{CommandError, Exit};
use crate::store::{StoreArgs, failed};
use crate::terminal::{print, tell};

/// Copy a store, even while it is in use
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consort backup runs-2027-01-15.db --store runs.db

The copy is complete and consistent: a store of its own, as the other was at one moment.

Exit codes: 0 copied, 1 the store failed, 2 there is no such store, or the copy is there already")]
pub(crate) struct BackupArgs {
    /// Where the copy goes; nothing may be there
    to: PathBuf,

    #[command(flatten)]
    store: StoreArgs,

    /// Do not show progress
    #[arg(long, short)]
    quiet: bool,
}

/// Carries the command out.
pub(crate) fn backup(args: &BackupArgs) -> Result<Exit, CommandError> {
    let mut told = 0;
    let mut progress = |done: u64, total: u64| {
        let tenth = (done * 10).checked_div(total).unwrap_or(10);
        if tenth > told && !args.quiet {
            told = tenth;
            tell(&format!("copied {} %", tenth * 10));
        }
    };
    args.store.reader()?.backup(&args.to, &mut progress).map_err(failed)?;
    print(&format!("copied {} to {}\n", args.store.path().display(), args.to.display()))?;
    Ok(Exit::Success)
}
