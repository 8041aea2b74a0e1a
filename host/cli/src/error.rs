//! How a command ends: an *exit code*, which is documented API, and for people
//! an error with a hint, or the problems of a file.

use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;

use consort_core::problem::Problem;
use serde_json::Value;

use crate::diagnose::finding;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// What was asked for was done.
    Success = 0,
    /// A run failed, or this machine could not do what was asked for.
    Failed = 1,
    /// The workflow, the configuration or the command line is not valid.
    Invalid = 2,
    /// Stopped by a signal, and cleanly cancelled.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) enum CommandError {
    /// One thing, and perhaps what to do about it.
    Said {
        /// How the process ends.
        exit: Exit,
        /// What is wrong.
        message: String,
        /// The remedy.
        hint: Option<String>,
        /// A part of what was to be printed is out already.
        cut_off: bool,
    },
    /// Files that are not valid.
    Problems {
        /// For programs: each problem with its file's name, as in messages.
        problems: Vec<(Arc<str>, Problem)>,
        /// For people.
        shown: String,
    },
}

impl CommandError {
    /// Something the user can mend in what they wrote.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Said { exit: Exit::Invalid, message: message.into(), hint: None, cut_off: false }
    }

    /// Something that went wrong here.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Said { exit: Exit::Failed, message: message.into(), hint: None, cut_off: false }
    }

    /// The same with a remedy. Problems have their own.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        match self {
            Self::Said { exit, message, cut_off, .. } => {
                Self::Said { exit, message, hint: Some(hint.into()), cut_off }
            }
            problems @ Self::Problems { .. } => problems,
        }
    }

    /// What was being printed broke off.
    pub(crate) fn cut_off(message: impl Into<String>) -> Self {
        Self::Said { exit: Exit::Failed, message: message.into(), hint: None, cut_off: true }
    }

    /// Whether something that was printed broke off: nothing fits behind it.
    pub(crate) fn is_cut_off(&self) -> bool {
        matches!(self, Self::Said { cut_off: true, .. })
    }

    /// Problems of two files together.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (
                Self::Problems { mut problems, shown },
                Self::Problems { problems: more, shown: also },
            ) => {
                problems.extend(more);
                Self::Problems { problems, shown: format!("{shown}\n{also}") }
            }
            (first, _) => first,
        }
    }

    /// For programs: the problems of the file, or the one thing as a problem.
    pub(crate) fn findings(&self) -> Vec<Value> {
        match self {
            Self::Said { exit, message, hint, .. } => {
                let code = if *exit == Exit::Invalid { "invalid" } else { "failed" };
                let mut problem = Problem::error(code, "", message.as_str());
                problem.hint.clone_from(hint);
                vec![finding(None, &problem)]
            }
            Self::Problems { problems, .. } => {
                problems.iter().map(|(file, problem)| finding(Some(file), problem)).collect()
            }
        }
    }

    /// How the process ends.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Said { exit, .. } => *exit,
            Self::Problems { .. } => Exit::Invalid,
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said { message, hint: None, .. } => write!(f, "error: {message}"),
            Self::Said { message, hint: Some(hint), .. } => {
                write!(f, "error: {message}\n  hint: {hint}")
            }
            Self::Problems { shown, .. } => f.write_str(shown.trim_end()),
        }
    }
}
