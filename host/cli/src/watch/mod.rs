//! *Watching* a run: bars on a terminal, lines with the time anywhere else.
//!
//! * [`words`]: what happened, in words.
//! * [`lines`]: one line for each thing that happens.
//! * [`bars`]: what runs now, and how far the whole is.

mod bars;
mod lines;
mod words;

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;

use consort_engine::Watcher;
use consort_engine::watch::Nobody;

use bars::Bars;
use lines::Lines;

pub(crate) use words::{say, seconds};

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

/// Where a run is shown. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Screen {
    /// Bars, which make room for a question.
    Bars(Arc<Bars>),
    /// Lines.
    Lines(Arc<Lines>),
    /// Nothing.
    Silent,
}

impl Screen {
    /// The screen for these wishes and for where standard error goes.
    pub(crate) fn new(show: Show) -> Self {
        if show.quiet {
            Self::Silent
        } else if std::io::stderr().is_terminal() {
            Self::Bars(Arc::new(Bars::new(show.verbose)))
        } else if show.json && !show.verbose {
            Self::Silent
        } else {
            Self::Lines(Arc::new(Lines::new(show.verbose)))
        }
    }

    pub(crate) fn watcher(&self) -> &dyn Watcher {
        match self {
            Self::Bars(bars) => &**bars,
            Self::Lines(lines) => &**lines,
            Self::Silent => &Nobody,
        }
    }

    /// Puts a question that is answered on the keyboard, until there is another
    /// or none.
    pub(crate) fn prompt(&self, question: Option<String>) {
        match (self, question) {
            (Self::Bars(bars), question) => bars.prompt(question),
            (Self::Lines(_) | Self::Silent, Some(question)) => {
                // Where nobody listens, nobody answers either.
                let _ = write!(std::io::stderr().lock(), "{question}");
            }
            (Self::Lines(_) | Self::Silent, None) => {}
        }
    }
}
