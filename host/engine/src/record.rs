//! A *record* is what the engine keeps of a task beyond what the scheduler
//! does: small once the task is finished, since a run may have a million.

use std::num::NonZeroI64;
use std::sync::Arc;

use consort_core::scheduler::{Status, Stop};
use consort_plugin_host::Consumed;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::attempt::Left;
use crate::error::{Cause, TaskError};
use crate::output::{Kept, Output};
use crate::question::Question;
use crate::report::UsageReport;
use crate::tally;

/// What the engine keeps of a task.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) result: Option<Output>,
    pub(crate) error: Option<Box<TaskError>>,
    /// Of all attempts.
    pub(crate) usage: Option<Box<UsageReport>>,
    /// What its plugin calls have used, of all attempts.
    pub(crate) consumed: Consumed,
    /// Milliseconds that it was ready and nobody did it.
    pub(crate) queued: u32,
    /// Only while it is not finished.
    pub(crate) live: Option<Box<Live>>,
    /// Milliseconds since the epoch.
    pub(crate) started: Option<NonZeroI64>,
    pub(crate) finished: Option<NonZeroI64>,
    pub(crate) attempts: u32,
    /// Who did it last, by the cast's numbers.
    pub(crate) agent: Option<u32>,
    pub(crate) status: Option<Status>,
    pub(crate) source: Source,
}

/// Where a result comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Source {
    /// The work was done.
    #[default]
    Agent,
    /// It is the result of an equal task.
    Cache,
    /// The same task had it in the run that this one repeats.
    Earlier,
}

const _: () = assert!(size_of::<Record>() <= 168, "a million of them stay small");

/// What is kept of a task that is not finished.
#[derive(Default)]
pub(crate) struct Live {
    /// Stops the running attempt.
    pub(crate) stop: Option<oneshot::Sender<()>>,
    /// Why it was stopped.
    pub(crate) stopped: Option<Stop>,
    /// Where a pending attempt left off.
    pub(crate) left: Left,
    /// Why agents before the last one failed, the latest first.
    pub(crate) earlier: Vec<Cause>,
    /// What a person has been asked.
    pub(crate) question: Option<Arc<Question>>,
    /// What came of it outside of the run: it counts, and no attempt's end does.
    pub(crate) delivered: Option<Result<Kept, Box<TaskError>>>,
}

impl Record {
    pub(crate) fn live(&mut self) -> &mut Live {
        self.live.get_or_insert_default()
    }

    /// Whether a person has been asked and has not answered.
    pub(crate) fn question(&self) -> Option<&Arc<Question>> {
        self.live.as_ref()?.question.as_ref()
    }

    /// Notes when the first attempt began.
    pub(crate) fn start(&mut self, now: i64) {
        self.started = self.started.or(NonZeroI64::new(now));
    }

    /// Milliseconds since the first attempt began; 0 if none did.
    pub(crate) fn elapsed(&self, now: i64) -> u64 {
        self.started.map_or(0, |started| (now - started.get()).max(0).unsigned_abs())
    }

    /// Adds what the plugin calls of an attempt have used.
    pub(crate) fn consume(&mut self, more: &Consumed) {
        tally::add(&mut self.consumed, more);
    }

    pub(crate) fn use_up(&mut self, usage: UsageReport) {
        match &mut self.usage {
            Some(all) => all.add(usage),
            None => self.usage = Some(Box::new(usage)),
        }
    }
}
