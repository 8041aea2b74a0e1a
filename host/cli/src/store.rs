//! The *store* a command works with: the file that runs are recorded in.

use std::path::PathBuf;

use clap::Args;
use consort_engine::control::TaskStatus;
use consort_engine::{Origin, PastRun, ResumeError};
use consort_store::{Options, Reader, Store, StoreError};

use crate::diagnose;
use crate::document::Document;
use crate::error::CommandError;

/// Which store, for commands that need one.
#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// File that runs are recorded in
    #[arg(long, value_name = "FILE", env = "CONSORT_STORE", hide_env_values = true)]
    store: PathBuf,
}

/// Which store, if any.
#[derive(Debug, Args)]
pub(crate) struct MaybeStoreArgs {
    /// Record the run in this file, which is made if it is not there
    /// [default: in memory]
    #[arg(long, value_name = "FILE", env = "CONSORT_STORE", hide_env_values = true)]
    store: Option<PathBuf>,
}

impl StoreArgs {
    /// Opens the store for reading. Others may be using it.
    pub(crate) fn reader(&self) -> Result<Reader, CommandError> {
        Reader::open(&self.store).map_err(failed)
    }

    /// Opens the store for writing, which only one process may at a time.
    pub(crate) fn open(&self) -> Result<Store, CommandError> {
        // A store that is not there is a slip of the pen, not to be made.
        Reader::open(&self.store).map_err(failed)?;
        Store::open(&self.store, Options::default()).map_err(failed)
    }

    /// What is recorded of a run.
    pub(crate) fn run(&self, id: &str) -> Result<PastRun, CommandError> {
        PastRun::read(&self.reader()?, id).map_err(unreadable)
    }

    /// The file.
    pub(crate) fn path(&self) -> &PathBuf {
        &self.store
    }
}

impl MaybeStoreArgs {
    /// Whether there is one.
    pub(crate) fn is_given(&self) -> bool {
        self.store.is_some()
    }

    /// Opens the store for writing, or makes it.
    pub(crate) fn open(&self) -> Result<Option<Store>, CommandError> {
        let store = self.store.as_ref();
        store.map(|path| Store::open(path, Options::default())).transpose().map_err(failed)
    }
}

/// A task of a recorded run.
pub(crate) fn find_task(run: &mut PastRun, id: &str) -> Result<TaskStatus, CommandError> {
    run.task(id).map_err(|error| CommandError::invalid(error.to_string()))
}

/// A document as the store keeps it.
pub(crate) fn origin(document: &Document) -> Origin {
    Origin {
        text: document.text.as_str().into(),
        format: document.format,
        name: document.name.clone(),
    }
}

/// An error of the store for people.
pub(crate) fn failed(error: StoreError) -> CommandError {
    let said = match error {
        StoreError::UnknownRun { .. }
        | StoreError::AmbiguousRun { .. }
        | StoreError::NotFound { .. }
        | StoreError::NotAStore { .. }
        | StoreError::RunOver { .. }
        | StoreError::Exists { .. } => CommandError::invalid(error.to_string()),
        _ => CommandError::failed(error.to_string()),
    };
    match error {
        StoreError::UnknownRun { .. } => said.hint("'consort list' shows the runs of the store"),
        StoreError::NotFound { .. } => {
            said.hint("'--store FILE' or the environment variable CONSORT_STORE names the store")
        }
        StoreError::Full { .. } => said.hint(
            "make room on the disk, or see 'consort gc'; what was recorded is safe, and 'consort resume' goes on",
        ),
        StoreError::Locked { .. } => {
            said.hint("'consort list', 'status', 'history' and 'result' work while it is in use")
        }
        _ => said,
    }
}

/// A run that cannot be read or resumed, for people.
pub(crate) fn unreadable(error: ResumeError) -> CommandError {
    match error {
        ResumeError::Journal(consort_engine::JournalError::Store(error)) => failed(error),
        ResumeError::Over { ref id, .. } => {
            let hint = format!("'consort result {id}' prints what came of it");
            CommandError::invalid(error.to_string()).hint(hint)
        }
        ResumeError::Invalid { origin, problems, .. } => {
            let document = Document {
                name: origin.name,
                text: origin.text.to_string(),
                format: origin.format,
            };
            diagnose::problems(&document, problems)
        }
        error => CommandError::failed(error.to_string()),
    }
}
