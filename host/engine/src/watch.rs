//! What happens during a run, for whoever watches.

use std::sync::Arc;
use std::time::Duration;

use consort_core::scheduler::Status;
use consort_plugin_host::{Level, Progress};

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use crate::error::TaskError;
use crate::notice::Topic;
use crate::question::Question;

/// Sees what happens. Called from several threads, in order for each task;
/// implementations hand over rather than work.
pub trait Watcher: Send + Sync {
    /// What follows happened at that time, milliseconds since the epoch. Told
    /// only of what has been recorded; else it happens now.
    fn time(&self, _: i64) {}

    /// Something happened.
    fn event(&self, event: &RunEvent);
}

/// A watcher that looks away.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Watcher for Nobody {
    fn event(&self, _: &RunEvent) {}
}

/// Something that happened in a run. In JSON it is an object whose `event` says
/// what; spans are milliseconds, and their names say so.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RunEvent {
    /// First of all.
    RunStarted {
        /// The run's id.
        run_id: Arc<str>,
        /// How many tasks there are.
        tasks: usize,
    },
    /// First of all, when the run was begun by an earlier process.
    RunResumed {
        /// The run's id.
        run_id: Arc<str>,
        /// How many tasks there are, items and additions included.
        tasks: usize,
        /// How many of them are finished.
        finished: usize,
    },
    /// An attempt begins, or goes on after it was pending.
    TaskStarted {
        /// The task.
        task: Arc<str>,
        /// Who does it.
        agent: Arc<str>,
        /// Attempts so far, this one included.
        attempt: u32,
        /// Whether it goes on.
        resumed: bool,
    },
    /// A plugin reported progress.
    Progress {
        /// The task.
        task: Arc<str>,
        /// What it said.
        #[serde(serialize_with = "progress")]
        update: Progress,
    },
    /// A plugin logged something, or the host about it.
    Log {
        /// The task; none for the prioritizer.
        task: Option<Arc<str>>,
        /// The plugin.
        plugin: Arc<str>,
        /// How much it matters.
        level: Level,
        /// What it said.
        message: String,
    },
    /// An attempt failed and another follows.
    Retrying {
        /// The task.
        task: Arc<str>,
        /// Why it failed.
        error: Option<Box<TaskError>>,
        /// Who is next.
        agent: Arc<str>,
        /// How long it waits.
        #[serde(rename = "wait_ms", serialize_with = "millis")]
        wait: Duration,
    },
    /// The prioritizer could not score, and the built-in order decides.
    PolicyFault {
        /// The prioritizer.
        plugin: Arc<str>,
        /// What happened.
        message: String,
    },
    /// The prioritizer failed several times in a row and is not asked for a
    /// while; the built-in order decides.
    PolicyRested {
        /// The prioritizer.
        plugin: Arc<str>,
        /// For how long.
        #[serde(rename = "rest_ms", serialize_with = "millis")]
        rest: Duration,
    },
    /// A task is done for items, which are tasks `task[0]`, `task[1]` and so on.
    FannedOut {
        /// The task.
        task: Arc<str>,
        /// How many items.
        items: u32,
    },
    /// A person is asked; the answer goes to [`RunControl::answer`].
    ///
    /// [`RunControl::answer`]: crate::RunControl::answer
    Asked {
        /// The task.
        task: Arc<str>,
        /// What it is asked.
        question: Arc<Question>,
        /// When the task's own time is over, milliseconds since the epoch.
        until: Option<i64>,
    },
    /// A person has answered.
    Answered {
        /// The task.
        task: Arc<str>,
        /// Whether it was no refusal.
        accepted: bool,
    },
    /// A task has been added to the run.
    Added {
        /// The task.
        task: Arc<str>,
        /// The task whose agent wanted it; none if it came from outside.
        by: Option<Arc<str>>,
    },
    /// A task was to be added to the run and is not, or not yet.
    NotAdded {
        /// The task, as far as it has an id.
        task: Arc<str>,
        /// The task whose agent wanted it; none if it came from outside.
        by: Option<Arc<str>>,
        /// Whether it is held until what it waits for has been added.
        held: bool,
        /// Why.
        why: String,
    },
    /// The result of a task, or a failure of it, was delivered from outside.
    Delivered {
        /// The task.
        task: Arc<str>,
        /// Whether it is a failure.
        failure: bool,
    },
    /// Nothing starts until the run goes on.
    Paused,
    /// The end of a pause.
    Resumed,
    /// No more tasks come from outside; the run, which was open, ends with its
    /// last task.
    Closed,
    /// A task is finished for good.
    TaskFinished {
        /// The task.
        task: Arc<str>,
        /// With what result.
        status: Status,
        /// Why it has none.
        error: Option<Box<TaskError>>,
        /// Whether its result is that of an equal task.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        cached: bool,
        /// Whether its result is that of the run which this one repeats.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        reused: bool,
        /// Since its first attempt began; zero if none did.
        #[serde(rename = "elapsed_ms", serialize_with = "millis")]
        elapsed: Duration,
    },
    /// The run is over; all that may follow is what webhooks are told.
    RunFinished {
        /// With what result.
        status: Status,
        /// Since the run began.
        #[serde(rename = "elapsed_ms", serialize_with = "millis")]
        elapsed: Duration,
        /// Notifications that are still to be delivered or given up, over all
        /// webhooks.
        #[serde(skip_serializing_if = "is_zero")]
        notifications: u64,
    },
    /// A webhook has taken a notification.
    Notified {
        /// What the webhook is called.
        webhook: Arc<str>,
        /// The notification's id, its `webhook-id`.
        id: String,
        /// What it is about.
        about: Topic,
        /// The task it is about, if it is about one.
        task: Option<Arc<str>>,
        /// How often it was sent.
        tries: u32,
    },
    /// A webhook has not taken a notification.
    NotNotified {
        /// What the webhook is called.
        webhook: Arc<str>,
        /// The notification's id, its `webhook-id`.
        id: String,
        /// What it is about.
        about: Topic,
        /// The task it is about, if it is about one.
        task: Option<Arc<str>>,
        /// How often it was sent.
        tries: u32,
        /// Why it was not taken.
        why: String,
        /// How long until it is sent again; none if it is given up.
        #[serde(rename = "wait_ms", serialize_with = "maybe_millis")]
        wait: Option<Duration>,
        /// How many that waited behind it are given up as well.
        #[serde(skip_serializing_if = "is_zero")]
        others: u64,
    },
}

impl RunEvent {
    /// The task it is about, if it is about one.
    pub fn task(&self) -> Option<&Arc<str>> {
        match self {
            Self::TaskStarted { task, .. }
            | Self::Progress { task, .. }
            | Self::Retrying { task, .. }
            | Self::FannedOut { task, .. }
            | Self::Asked { task, .. }
            | Self::Answered { task, .. }
            | Self::Added { task, .. }
            | Self::NotAdded { task, .. }
            | Self::Delivered { task, .. }
            | Self::TaskFinished { task, .. } => Some(task),
            Self::Log { task, .. }
            | Self::Notified { task, .. }
            | Self::NotNotified { task, .. } => task.as_ref(),
            Self::RunStarted { .. }
            | Self::RunResumed { .. }
            | Self::PolicyFault { .. }
            | Self::PolicyRested { .. }
            | Self::Paused
            | Self::Resumed
            | Self::Closed
            | Self::RunFinished { .. } => None,
        }
    }
}

fn millis<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(span.as_millis().min(u64::MAX.into()) as u64)
}

fn maybe_millis<S: Serializer>(span: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    match span {
        Some(span) => millis(span, to),
        None => to.serialize_none(),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's rule")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn progress<S: Serializer>(update: &Progress, to: S) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(None)?;
    if let Some(fraction) = update.fraction {
        map.serialize_entry("fraction", &fraction)?;
    }
    if let Some(message) = &update.message {
        map.serialize_entry("message", message)?;
    }
    if let Some(partial) = &update.partial {
        map.serialize_entry("partial", partial)?;
    }
    map.end()
}
