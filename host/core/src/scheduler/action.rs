//! What comes out of the scheduler: everything that is to be done or known.

use serde::{Deserialize, Serialize};

use super::event::Delivery;
use super::rules::ClassIx;
use crate::graph::{Conflict, TaskIx};

/// Something to be done. Actions are done in order.
///
/// After [`Event::Recovered`](super::Event::Recovered) come once more the
/// [`Score`](Self::Score), [`Decide`](Self::Decide), [`Ask`](Self::Ask),
/// [`Start`](Self::Start) and [`Abort`](Self::Abort) that have no answer yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Score these ready tasks. There is one such call at a time, and nothing
    /// starts until it is answered.
    Score {
        /// In the order they became ready.
        tasks: Vec<TaskIx>,
    },
    /// Find out what a task's `when` and `for_each` say; its dependencies are
    /// finished.
    Decide {
        /// The task.
        task: TaskIx,
    },
    /// Put a task's question to a person.
    Ask {
        /// The task.
        task: TaskIx,
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
        /// When it is out of time, milliseconds since the epoch: the nearest of
        /// the attempt's timeout, the task's total timeout and deadline, and
        /// the run's deadline.
        deadline: i64,
    },
    /// Start the first attempt at each of several similar tasks, by its first
    /// agent, as one call where that is possible. Each is an attempt of its own:
    /// it may be stopped alone, and gets one end.
    StartBatch {
        /// The tasks, best first; at least two.
        members: Vec<Member>,
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
        /// What the attempt was too slow for; none when it failed by itself.
        why: Option<Timeout>,
    },
    /// A task is now done for items, which are tasks of their own under its
    /// rules: `first`, `first + 1` and so on, in the order of the list.
    FannedOut {
        /// The task, which is finished when all items are.
        task: TaskIx,
        /// The task of the first item.
        first: TaskIx,
        /// How many items.
        items: u32,
    },
    /// A task has been added to the live run.
    Added {
        /// The engine's number for it.
        key: u64,
        /// Its number in the run.
        task: TaskIx,
        /// Why it does not wait for all it was to wait for; empty unless the
        /// run admits what does not fit.
        without: Vec<Conflict>,
    },
    /// A task is kept back until what it waits for has been added; an `Added`
    /// or `Rejected` follows, at the latest when the run ends.
    Held {
        /// The engine's number for it.
        key: u64,
        /// What is not there yet.
        conflicts: Vec<Conflict>,
    },
    /// A task is not added.
    Rejected {
        /// The engine's number for it.
        key: u64,
        /// Why; empty when the run was over already.
        conflicts: Vec<Conflict>,
    },
    /// A task is finished for good. Comes before any start this makes possible.
    Finished {
        /// The task.
        task: TaskIx,
        /// With what result.
        status: Status,
        /// Why.
        reason: Reason,
    },
    /// All tasks are finished. Comes last, once.
    RunEnded {
        /// With what result.
        status: Status,
        /// Why.
        reason: RunReason,
    },
}

/// One of the tasks that are started together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The task.
    pub task: TaskIx,
    /// As in [`Action::Start`].
    pub deadline: i64,
}

/// What a task may be too slow for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timeout {
    /// An attempt, from its start; of a person, the answer.
    Attempt,
    /// A stay in line.
    Queue,
    /// A running attempt without a sign of life.
    Idle,
    /// The task as a whole, from when its dependencies were finished.
    Total,
    /// The moment at which it had to be finished.
    Deadline,
}

/// Why an attempt is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stop {
    /// It, or its task, is out of time.
    Timeout(Timeout),
    /// By request.
    Cancelled,
    /// Nobody answers what its agent asks.
    Refused,
    /// Another task failed, and with it the run.
    RunFailed,
    /// The run is out of time.
    RunDeadline,
    /// The run's budget is used up.
    Budget,
    /// What it was to come to was delivered from outside.
    Delivered(Delivery),
}

/// How a task, or the run, is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// With a result.
    Succeeded,
    /// Without one, for a reason of its own.
    Failed,
    /// Never started: its condition is false, or something it depends on has no
    /// result.
    Skipped,
    /// Stopped, or never started, since somebody or the run's end said so.
    Cancelled,
}

impl Status {
    /// As JSON spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Why a task is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// Succeeded.
    Done,
    /// Failed: the last attempt's error stands.
    Attempts,
    /// Failed: out of time.
    Timeout(Timeout),
    /// Skipped: its own `when` is false.
    Condition,
    /// Failed: its `when` or `for_each` broke.
    Undecidable,
    /// Failed: this item of its fan-out, the first such, has no result.
    Items(TaskIx),
    /// Failed: a person said no.
    Refused,
    /// Skipped: this task, on which it depends directly or through others that
    /// were skipped for the same reason, has no result.
    Dependency(TaskIx),
    /// Cancelled by request.
    Cancelled,
    /// Cancelled: this task failed, and with it the run.
    RunFailed(TaskIx),
    /// Cancelled: the run was out of time.
    RunDeadline,
    /// Cancelled: the run's budget was used up.
    Budget,
}

/// Why the run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunReason {
    /// All tasks came to an end of their own.
    Completed,
    /// This task failed, and its `on_failure` is `fail`.
    Failed(TaskIx),
    /// By request.
    Cancelled,
    /// It was out of time.
    Deadline,
    /// Its budget was used up.
    Budget,
}

/// Where a task is between submission and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Waits for dependencies, or, as an item, for its turn.
    Blocked,
    /// Its dependencies are finished; whether and for what it is done is being
    /// found out.
    Deciding,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Park {
    /// The time of its next attempt.
    Backoff,
    /// An agent that works by itself.
    Remote,
    /// A person's answer.
    Person,
    /// The items of its fan-out.
    Items,
}
