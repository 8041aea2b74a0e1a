//! An *input* is something that happened to a run, from inside or from outside:
//! all that its state depends on. The same inputs at the same times give the
//! same state, which is how a run comes back after a crash.

use consort_store::Durability;

use crate::attempt::AttemptEnd;
use crate::control::Command;
use crate::delivery::Outcome;
use crate::message::Message;
use crate::output::Kept;

/// Something that happened to a run.
pub(crate) enum Input {
    /// The run begins.
    Submitted,
    /// The host is back. What was going on is begun again.
    Recovered,
    /// The policy answered; none: the built-in order decides.
    Scored(Option<Vec<f64>>),
    /// Work that runs apart has something to say.
    Message(Message),
    /// Somebody wants something.
    Command(Command),
    /// The same, from the inbox; posts are numbered.
    Posted { post: i64, command: Command },
    /// Time has passed.
    Timer,
}

impl Input {
    /// Whether it says what came of a task outside of the run.
    pub(crate) fn is_delivery(&self) -> bool {
        let (Self::Command(command) | Self::Posted { command, .. }) = self else { return false };
        matches!(command, Command::Deliver(_))
    }

    /// The task whose result was delivered, and that, if that is what happened.
    pub(crate) fn delivered_result(&mut self) -> Option<(&str, &mut Kept)> {
        let (Self::Command(command) | Self::Posted { command, .. }) = self else { return None };
        let Command::Deliver(delivery) = command else { return None };
        let Outcome::Result(output) = &mut delivery.outcome else { return None };
        Some((&delivery.task, output))
    }

    /// It is on disk, so the bytes of large results need not be here any more.
    pub(super) fn let_go(&self) {
        let output = match self {
            Self::Message(Message::Ended {
                end: Some(AttemptEnd::Done { output, .. }), ..
            }) => output,
            Self::Command(Command::Deliver(delivery))
            | Self::Posted { command: Command::Deliver(delivery), .. } => match &delivery.outcome {
                Outcome::Result(output) => output,
                Outcome::Failure { .. } => return,
            },
            _ => return,
        };
        output.let_go();
    }

    /// Whether its loss would break a promise. The others only decide what is
    /// tried next, and may be lost with what came of them: nothing that anybody
    /// has heard of. What is used decides more than that when the run has a
    /// budget, and so is `budgeted`: it can end everything.
    pub(super) fn durability(&self, budgeted: bool) -> Durability {
        match self {
            Self::Message(Message::Used { .. }) if budgeted => Durability::Synced,
            Self::Scored(_)
            | Self::Message(
                Message::Alive(_)
                | Message::Logged(_)
                | Message::Notified { .. }
                | Message::Used { .. }
                | Message::Cancelled { .. },
            ) => Durability::Lazy,
            Self::Message(_)
            | Self::Submitted
            | Self::Recovered
            | Self::Command(_)
            | Self::Posted { .. }
            | Self::Timer => Durability::Synced,
        }
    }
}
