//! What happens during a run, for whoever watches.

use std::sync::Arc;
use std::time::Duration;

use consort_core::scheduler::Status;
use consort_plugin_host::{Level, Progress};

use crate::error::TaskError;

/// Sees what happens. Called from several threads, in order for each task;
/// implementations hand over rather than work.
pub trait Watcher: Send + Sync {
    /// Something happened.
    fn event(&self, event: &RunEvent<'_>);
}

/// A watcher that looks away.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Watcher for Nobody {
    fn event(&self, _: &RunEvent<'_>) {}
}

/// Something that happened in a run.
#[derive(Debug)]
pub enum RunEvent<'a> {
    /// First of all.
    RunStarted {
        /// The run's id.
        run_id: &'a Arc<str>,
        /// How many tasks there are.
        tasks: usize,
    },
    /// An attempt begins, or goes on after it was pending.
    TaskStarted {
        /// The task.
        task: &'a Arc<str>,
        /// Who does it.
        agent: &'a Arc<str>,
        /// Attempts so far, this one included.
        attempt: u32,
        /// Whether it goes on.
        resumed: bool,
    },
    /// A plugin reported progress.
    Progress {
        /// The task.
        task: &'a Arc<str>,
        /// What it said.
        update: &'a Progress,
    },
    /// A plugin logged something, or the host about it.
    Log {
        /// The task; none for the prioritizer.
        task: Option<&'a Arc<str>>,
        /// The plugin.
        plugin: &'a Arc<str>,
        /// How much it matters.
        level: Level,
        /// What it said.
        message: &'a str,
    },
    /// An attempt failed and another follows.
    Retrying {
        /// The task.
        task: &'a Arc<str>,
        /// Why it failed.
        error: Option<&'a TaskError>,
        /// Who is next.
        agent: &'a Arc<str>,
        /// How long it waits.
        wait: Duration,
    },
    /// The prioritizer could not score, and the built-in order decides.
    PolicyFault {
        /// The prioritizer.
        plugin: &'a Arc<str>,
        /// What happened.
        message: &'a str,
    },
    /// The prioritizer failed several times in a row and is not asked for a
    /// while; the built-in order decides.
    PolicyRested {
        /// The prioritizer.
        plugin: &'a Arc<str>,
        /// For how long.
        rest: Duration,
    },
    /// A task is done for items, which are tasks `task[0]`, `task[1]` and so on.
    FannedOut {
        /// The task.
        task: &'a Arc<str>,
        /// How many items.
        items: u32,
    },
    /// A person is asked; the answer goes to [`RunControl::answer`].
    ///
    /// [`RunControl::answer`]: crate::RunControl::answer
    Asked {
        /// The task.
        task: &'a Arc<str>,
        /// Its description, filled in.
        question: &'a Arc<str>,
        /// When the task's own time is over, milliseconds since the epoch.
        until: Option<i64>,
    },
    /// A task has been added to the run.
    Added {
        /// The task.
        task: &'a Arc<str>,
        /// The task whose agent wanted it; none if it came from outside.
        by: Option<&'a Arc<str>>,
    },
    /// A task was to be added to the run and is not, or not yet.
    NotAdded {
        /// The task, as far as it has an id.
        task: &'a Arc<str>,
        /// The task whose agent wanted it; none if it came from outside.
        by: Option<&'a Arc<str>>,
        /// Whether it is held until what it waits for has been added.
        held: bool,
        /// Why.
        why: &'a str,
    },
    /// Nothing starts until the run goes on.
    Paused,
    /// The end of a pause.
    Resumed,
    /// A task is finished for good.
    TaskFinished {
        /// The task.
        task: &'a Arc<str>,
        /// With what result.
        status: Status,
        /// Why it has none.
        error: Option<&'a TaskError>,
        /// Since its first attempt began; zero if none did.
        elapsed: Duration,
    },
    /// Last of all.
    RunFinished {
        /// With what result.
        status: Status,
        /// Since the run began.
        elapsed: Duration,
    },
}
