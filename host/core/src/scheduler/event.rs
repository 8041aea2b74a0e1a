//! What goes into the scheduler: everything that happens to a run.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::rules::{ClassLimits, Submission, TaskRules};
use crate::graph::{TaskIx, Wanted};
use crate::plan::ConflictRule;

/// Something that happened. Events carry no time: it is given with them.
///
/// An event about a task that is no longer where the event expects it, such as
/// an answer to a question that has timed out, changes nothing.
#[derive(Debug, Clone)]
pub enum Event {
    /// The tasks of the run. Comes first, once.
    Submit(Box<Submission>),
    /// Tasks for the live run. Each gets an [`Action::Added`], [`Action::Held`]
    /// or [`Action::Rejected`] in the same step. Tasks an attempt asks for come
    /// before its [`Event::Ended`], or else the run may be over by then.
    ///
    /// [`Action::Added`]: super::Action::Added
    /// [`Action::Held`]: super::Action::Held
    /// [`Action::Rejected`]: super::Action::Rejected
    Add(Box<Addition>),
    /// The answer to [`Action::Score`](super::Action::Score): one score for each
    /// task, or none when the prioritizer could not give any and the built-in
    /// order decides.
    Scored {
        /// The scores, in the order of the action's tasks.
        scores: Option<Vec<f64>>,
    },
    /// The answer to [`Action::Decide`](super::Action::Decide).
    Decided {
        /// The task.
        task: TaskIx,
        /// What its `when` and `for_each` say.
        decision: Decision,
    },
    /// An attempt came to its end. Every [`Action::Start`](super::Action::Start)
    /// gets exactly one.
    Ended {
        /// The task.
        task: TaskIx,
        /// How the attempt ended.
        end: End,
    },
    /// A sign of life of a running attempt: its idle timeout starts again.
    Alive {
        /// The task.
        task: TaskIx,
    },
    /// The answer to [`Action::Ask`](super::Action::Ask), or to [`End::Asked`].
    Answered {
        /// The task.
        task: TaskIx,
        /// Whether there is an answer: the result of an approval, which the
        /// engine has stored, or what an agent that asked goes on with. A
        /// refusal is the end of the task, which has failed.
        accepted: bool,
    },
    /// What came of a task outside of the run: an attempt that runs is told to
    /// stop, and ends with this instead of its own end; what an agent does by
    /// itself is to be stopped. [`Scheduler::takes`](super::Scheduler::takes) says
    /// which tasks that is true of.
    Delivered {
        /// The task.
        task: TaskIx,
        /// What came of it.
        delivery: Delivery,
    },
    /// A task that is held is not to wait any longer. Nothing happens if it does
    /// not.
    Resolve {
        /// The engine's number for it.
        key: u64,
        /// Whether it is added without what is missing, or else given up.
        admit: bool,
    },
    /// What an attempt has used, for the run's budget.
    Spent {
        /// Tokens, input and output together.
        tokens: u64,
        /// Cost in the currency of the budget; what is not a positive number
        /// counts as nothing.
        cost: f64,
    },
    /// Time has passed; due timers fire.
    Timer,
    /// Somebody wants something to stop.
    Cancel {
        /// What.
        scope: Scope,
    },
    /// Whoever carries out the actions was gone and is back, with the state that
    /// all events before this one give. What was asked of them is asked again:
    /// attempts that were running begin anew, under the same number. The time
    /// since the last event does not count towards what it is too short for: an
    /// attempt's timeout and a stay in line. It does towards deadlines and the
    /// total time of a task.
    Recovered,
    /// Nothing starts from now on. What runs goes on, pending attempts are
    /// asked after, questions are put, and all timeouts go on.
    Pause,
    /// The end of a pause.
    Resume,
    /// No more tasks come from outside: an open run ends with its last task.
    Close,
}

/// What came of a task outside of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delivery {
    /// A result, which the engine has stored.
    Result,
    /// A failure: the attempt that is open has failed.
    Failure {
        /// Whether another attempt makes sense.
        retry: bool,
    },
}

/// What is to be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All tasks that are not finished.
    Run,
    /// One task, with the items of its fan-out.
    Task(TaskIx),
    /// One task and all that depend on it, directly or not.
    Subtree(TaskIx),
}

/// Tasks for a live run. They may wait for each other, in any order.
#[derive(Debug, Clone, Default)]
pub struct Addition {
    /// The tasks.
    pub tasks: Vec<NewTask>,
    /// All of them or none: with the first that is rejected, all are.
    pub whole: bool,
    /// What happens to those that do not fit; as the submission says, unless
    /// given.
    pub on_conflict: Option<ConflictRule>,
    /// Classes that the run comes to have besides those there are, of its agents.
    pub classes: Vec<ClassLimits>,
}

/// A task for a live run.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// What it is scheduled by; its classes are among those of the
    /// submission and of all additions.
    pub rules: TaskRules,
    /// What it waits for. The engine knows the names of the submission's tasks
    /// and gives their numbers; names of other additions, earlier, in the same
    /// batch or later, are resolved here.
    pub depends_on: Vec<Wanted>,
    /// The engine's own number for it, which the answers carry.
    pub key: u64,
    /// Its name. The engine sees to it that no task of the submission has it;
    /// that no other addition has it is seen to here.
    pub name: Arc<str>,
}

/// Whether a task is done, once its dependencies are finished: what its `when`
/// and `for_each` say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is done.
    Run,
    /// It has been done before: the engine has its result.
    Done,
    /// It is not: its condition is false.
    Skip,
    /// It is done for this many items, each by itself; not said of an item.
    FanOut(u32),
    /// There is no telling: an expression broke.
    Fail,
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
    /// The agent has a question for a person, which the engine puts; an
    /// [`Event::Answered`] lets the attempt go on. The person has as much time
    /// as an attempt, and then the attempt has as much again.
    Asked,
    /// It stopped because of [`Action::Abort`](super::Action::Abort).
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
