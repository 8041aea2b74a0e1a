//! What goes into the scheduler and what comes out.

use crate::graph::TaskIx;

use super::rules::{ClassIx, Submission};

/// Something that happened. Events carry no time: it is given with them.
#[derive(Debug)]
pub enum Event {
    /// The tasks of the run. Comes first, once.
    Submit(Box<Submission>),
    /// The answer to [`Action::Score`]: one score for each task, or none when
    /// the prioritizer could not give any and the built-in order decides.
    Scored {
        /// The scores, in the order of the action's tasks.
        scores: Option<Vec<f64>>,
    },
    /// An attempt came to its end. Every [`Action::Start`] gets exactly one.
    Ended {
        /// The task.
        task: TaskIx,
        /// How the attempt ended.
        end: End,
    },
    /// Time has passed; due timers fire.
    Timer,
    /// Somebody wants the run to stop.
    Cancel,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It produced a result, which the engine has stored.
    Succeeded,
    /// It produced none.
    Failed(Retry),
    /// The agent goes on by itself; ask again after this many milliseconds.
    Pending {
        /// Milliseconds from now.
        poll_after: u64,
    },
    /// It stopped because of [`Action::Abort`].
    Aborted,
}

/// Whether another attempt makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It may work next time.
    Yes,
    /// It may work next time, not before this many milliseconds.
    After(u64),
    /// It would fail again.
    Never,
}

/// Something to be done. Actions are done in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Score these ready tasks. There is one such call at a time.
    Score {
        /// In the order they became ready.
        tasks: Vec<TaskIx>,
    },
    /// Start an attempt, or go on with one that was pending.
    Start {
        /// The task.
        task: TaskIx,
        /// Which of its agents, from 0.
        agent: u32,
        /// Attempts so far, this one included, over all agents.
        attempt: u32,
        /// Whether the attempt was pending and goes on.
        resume: bool,
        /// When the attempt is out of time, milliseconds since the epoch.
        deadline: i64,
    },
    /// Stop a running attempt; its end must still be reported.
    Abort {
        /// The task.
        task: TaskIx,
        /// Why.
        why: Stop,
    },
    /// Stop what an agent does by itself for a pending attempt. Nothing is
    /// waited for: for the scheduler the attempt is over.
    CancelRemote {
        /// The task.
        task: TaskIx,
        /// Why.
        why: Stop,
    },
    /// A failed attempt is followed by another; for whoever watches.
    Retrying {
        /// The task.
        task: TaskIx,
        /// When it is ready again, milliseconds since the epoch.
        at: i64,
        /// Which of its agents is next, from 0.
        agent: u32,
    },
    /// A task is finished for good. Comes before any start this makes possible.
    Finished {
        /// The task.
        task: TaskIx,
        /// With what result.
        status: Status,
        /// Whose fault it is, if it was neither done nor failed itself.
        because: Option<TaskIx>,
    },
    /// All tasks are finished. Comes last, once.
    RunEnded {
        /// With what result.
        status: Status,
    },
}

/// Why an attempt is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The attempt is out of time.
    Timeout,
    /// The run was cancelled.
    Cancelled,
    /// Another task failed, and with it the run.
    RunFailed,
}

/// How a task, or the run, is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// With a result.
    Succeeded,
    /// Without one, after its last attempt.
    Failed,
    /// Never started, since something it depends on has no result.
    Skipped,
    /// Stopped, or never started, since the run was stopped.
    Cancelled,
}

/// Where a task is between submission and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waits for dependencies.
    Blocked,
    /// Could start; waits for its turn in this class.
    Ready(ClassIx),
    /// An attempt is running.
    Running,
    /// Waits for something outside: holds no slot, memory or plugin instance.
    Parked(Park),
    /// Over.
    Finished(Status),
}

/// What a parked task waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Park {
    /// The time of its next attempt.
    Backoff,
    /// An agent that works by itself.
    Remote,
}
