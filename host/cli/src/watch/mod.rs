//! *Watching* a run: bars on a terminal, lines with the time anywhere else.
//!
//! * [`words`]: what happened, in words.
//! * [`lines`]: one line for each thing that happens.
//! * [`bars`]: what runs now, and how far the whole is.

mod bars;
mod lines;
mod words;

use std::io::IsTerminal as _;
use std::sync::Arc;

use consort_engine::Watcher;
use consort_engine::watch::Nobody;

use bars::Bars;
use lines::Lines;

pub(crate) use words::{seconds, status_name};

/// How much is shown while a run goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Show {
    /// Nothing at all.
    pub(crate) quiet: bool,
    /// Only what a terminal shows and forgets: standard output is for programs.
    pub(crate) json: bool,
    /// What plugins log, too.
    pub(crate) verbose: bool,
}

/// The watcher for these wishes and for where standard error goes.
pub(crate) fn watcher(show: Show) -> Arc<dyn Watcher> {
    if show.quiet {
        Arc::new(Nobody)
    } else if std::io::stderr().is_terminal() {
        Arc::new(Bars::new(show.verbose))
    } else if show.json && !show.verbose {
        Arc::new(Nobody)
    } else {
        Arc::new(Lines::new(show.verbose))
    }
}
