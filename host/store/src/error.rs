//! A *store error* says which file or run something was wrong with, why, and
//! what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ErrorCode;

use crate::hash::Hash;

/// What the store could not do. Cheap to clone: a failed commit answers
/// everyone who waited for it with the same error.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// There is no file.
    #[error("there is no store at '{}'; a run that is kept creates it", path.display())]
    NotFound {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("'{}' is not a Consort store; name another file", path.display())]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// The file is from a later version of Consort.
    #[error(
        "store '{}' has format {found}, this version of Consort knows up to {known}; \
         use the newer version that wrote it",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The newest this crate knows.
        known: u32,
    },
    /// The file is from an earlier version, which has no place for what is
    /// asked; only a process that opens it for writing brings it up to date.
    #[error(
        "store '{}' has format {found}, which is older than {known}; \
         resume or start a run with it once to bring it up to date",
        path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The one this crate writes.
        known: u32,
    },
    /// Somebody else writes to it.
    #[error(
        "store '{}' is being written to by {}; wait until it is done, or use another file",
        path.display(), holder(*pid)
    )]
    Locked {
        /// The file.
        path: PathBuf,
        /// The process, if it is known.
        pid: Option<u32>,
    },
    /// No space left.
    #[error(
        "no space left on disk for store '{}'; free some and resume the run: \
         all that was acknowledged is kept",
        path.display()
    )]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// It may not be written to, or not be opened at all.
    #[error(
        "store '{}' cannot be written to; change the permissions of the file and its folder, \
         or use another file",
        path.display()
    )]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error("store '{}' is damaged: {detail}; restore it from a backup", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong, as far as it is known.
        detail: String,
    },
    /// The operating system said no.
    #[error("could not {doing} '{}': {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was being done, such as "open".
        doing: &'static str,
        /// Why not.
        source: Arc<std::io::Error>,
    },
    /// A backup's destination is there already.
    #[error("'{}' exists already; remove it or name another file", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// There is no such run.
    #[error("there is no run '{id}'{}", or_near(near))]
    UnknownRun {
        /// What was asked for.
        id: String,
        /// Ids that look like it, the most similar first.
        near: Vec<String>,
    },
    /// Several runs begin, or end, like that.
    #[error("'{id}' could be any of {}; write more of it", candidates.join(", "))]
    AmbiguousRun {
        /// What was asked for.
        id: String,
        /// Some of them, the newest first.
        candidates: Vec<String>,
    },
    /// There is a run with this id already.
    #[error("there is a run '{id}' already; choose another id, or resume that one")]
    DuplicateRun {
        /// The id.
        id: String,
    },
    /// The run is over: its journal takes no more entries.
    #[error("run '{id}' is over and takes no more entries; start a new run")]
    RunOver {
        /// Its id.
        id: String,
    },
    /// The run's journal is open already in this process.
    #[error("run '{id}' is being worked on already in this process")]
    RunInUse {
        /// Its id.
        id: String,
    },
    /// The run's inbox takes nothing more; nothing was posted.
    #[error(
        "run '{id}' has {posts} requests waiting, which is as much as the store takes; \
         resume the run, which takes them up"
    )]
    InboxFull {
        /// Its id.
        id: String,
        /// How many there are.
        posts: u64,
    },
    /// A run cannot end as one that is running.
    #[error("run '{id}' cannot end as running; say how it ended")]
    NotAnEnd {
        /// Its id.
        id: String,
    },
    /// There is no such blob.
    #[error("there is no payload {hash} in the store; its run may have been deleted")]
    UnknownBlob {
        /// What was asked for.
        hash: Hash,
    },
    /// Too many bytes; nothing was written.
    #[error("{what} of {size} bytes is larger than the store takes, which is {cap} bytes")]
    TooLarge {
        /// "payload", "entry" or "request".
        what: &'static str,
        /// In bytes.
        size: u64,
        /// In bytes.
        cap: u64,
    },
    /// The writer has stopped and takes nothing more.
    #[error("the store takes nothing more{}", because(cause.as_deref()))]
    Closed {
        /// The failure it stopped at; `None` if the store was closed.
        cause: Option<Arc<StoreError>>,
    },
    /// Anything else SQLite reports.
    #[error("store '{}': {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
}

fn holder(pid: Option<u32>) -> impl fmt::Display {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

fn or_near(near: &[String]) -> String {
    match near {
        [] => String::new(),
        near => format!("; did you mean {}?", near.join(" or ")),
    }
}

fn because(cause: Option<&StoreError>) -> String {
    cause.map_or_else(|| ": it was closed".to_owned(), |cause| format!(" since {cause}"))
}

impl StoreError {
    pub(crate) fn io(path: &Path, doing: &'static str, source: std::io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            std::io::ErrorKind::StorageFull => Self::Full { path },
            _ => Self::Io { path, doing, source: Arc::new(source) },
        }
    }

    pub(crate) fn corrupt(path: &Path, detail: impl fmt::Display) -> Self {
        Self::Corrupt { path: path.to_owned(), detail: detail.to_string() }
    }

    /// What an error of SQLite means for the file it was working on.
    pub(crate) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        if let Some(detail) = damage(&source) {
            return Self::Corrupt { path, detail };
        }
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly { path },
            Some(ErrorCode::NotADatabase) => Self::NotAStore { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Locked { path, pid: None }
            }
            Some(ErrorCode::SystemIoFailure) => {
                let source = Arc::new(std::io::Error::other(source));
                Self::Io { path, doing: "read or write", source }
            }
            _ => Self::Sqlite { path, source: Arc::new(source) },
        }
    }
}

/// Whether a lock of somebody else was in the way, for as long as this waits.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

/// What is damaged, if it is that: the file's structure, or a row that is not
/// as the store writes them.
pub(crate) fn damage(error: &rusqlite::Error) -> Option<String> {
    use rusqlite::Error;
    match error {
        Error::FromSqlConversionFailure(_, _, what) => Some(what.to_string()),
        Error::InvalidColumnType(..) | Error::IntegralValueOutOfRange(..) => {
            Some(error.to_string())
        }
        _ if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            Some(error.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_thing_the_reason_and_the_remedy() {
        let full = StoreError::Full { path: "runs.db".into() };
        let cases = [
            (
                StoreError::UnknownRun { id: "a".into(), near: vec!["b".into(), "c".into()] },
                "there is no run 'a'; did you mean b or c?",
            ),
            (StoreError::UnknownRun { id: "a".into(), near: vec![] }, "there is no run 'a'"),
            (
                StoreError::Locked { path: "runs.db".into(), pid: Some(7) },
                "store 'runs.db' is being written to by process 7; \
                 wait until it is done, or use another file",
            ),
            (
                StoreError::Closed { cause: Some(Arc::new(full)) },
                "the store takes nothing more since no space left on disk for store 'runs.db'; \
                 free some and resume the run: all that was acknowledged is kept",
            ),
            (StoreError::Closed { cause: None }, "the store takes nothing more: it was closed"),
        ];
        for (error, text) in cases {
            assert_eq!(error.to_string(), text);
        }
    }
}
