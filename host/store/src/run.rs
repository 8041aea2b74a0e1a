//! A *run* is one execution of a workflow: it begins with its first entry, and
//! is over when its journal is closed. What listings show of it is a row.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A run that is about to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// Unique in the store; chosen by the caller.
    pub id: Arc<str>,
    /// The workflow's name.
    pub name: Arc<str>,
    /// How many tasks it has.
    pub tasks: u32,
    /// In milliseconds since the epoch.
    pub submitted_at: i64,
    /// JSON the store passes on to listings.
    pub about: String,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnd {
    /// In milliseconds since the epoch.
    pub at: i64,
    /// Not [`Running`](RunStatus::Running).
    pub status: RunStatus,
    /// JSON the store passes on to listings.
    pub summary: String,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Not over: a process works on it, or none does any more.
    Running,
    /// Over: every task it needed is done.
    Succeeded,
    /// Over: some task was not.
    Failed,
    /// Over: somebody ended it.
    Cancelled,
}

impl RunStatus {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// Its name, as written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// What stands in the file; never changes its meaning.
    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Running => 0,
            Self::Succeeded => 1,
            Self::Failed => 2,
            Self::Cancelled => 3,
        }
    }

    pub(crate) fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that is not a [`RunStatus`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a run's status: write running, succeeded, failed or cancelled")]
pub struct InvalidStatus {
    /// What was written.
    pub text: String,
}

impl FromStr for RunStatus {
    type Err = InvalidStatus;

    fn from_str(text: &str) -> Result<Self, InvalidStatus> {
        let known = Self::ALL.into_iter().find(|status| status.as_str() == text);
        known.ok_or_else(|| InvalidStatus { text: text.to_owned() })
    }
}

/// What is known of a run without its entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunRow {
    /// Unique in the store.
    pub id: String,
    /// The workflow's name.
    pub name: String,
    /// How many tasks it had when it was submitted.
    pub tasks: u32,
    /// In milliseconds since the epoch.
    pub submitted_at: i64,
    /// JSON from whoever submitted it.
    pub about: String,
    /// How it stands.
    pub status: RunStatus,
    /// In milliseconds since the epoch; `None` while it is running.
    pub ended_at: Option<i64>,
    /// JSON from whoever closed it; `None` while it is running.
    pub summary: Option<String>,
    /// How many entries its journal has, which is also the number of the next.
    pub entries: u64,
}

/// Which runs are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only those that stand so.
    pub status: Option<RunStatus>,
    /// Only those of the workflow with this name.
    pub name: Option<String>,
    /// Only those submitted before this, in milliseconds since the epoch.
    pub before: Option<i64>,
    /// Only so many, the newest.
    pub limit: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_has_one_name_and_one_code() {
        for status in RunStatus::ALL {
            assert_eq!(status.to_string().parse(), Ok(status));
            assert_eq!(RunStatus::from_code(status.code()), Some(status));
            assert_eq!(serde_json::to_string(&status).unwrap(), format!("\"{status}\""));
        }
        assert_eq!(RunStatus::from_code(9), None);
        assert!("done".parse::<RunStatus>().is_err());
    }
}
