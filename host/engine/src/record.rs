//! A *record* is what the engine keeps of a task beyond what the scheduler
//! does: small once the task is finished, since a run may have a million.

use std::num::NonZeroI64;
use std::sync::Arc;

use consort_core::scheduler::{Status, Stop};
use consort_plugin_host::Payload;
use tokio::sync::oneshot;

use crate::attempt::Left;
use crate::error::TaskError;
use crate::question::Question;
use crate::report::UsageReport;

/// What the engine keeps of a task.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) result: Option<Payload>,
    pub(crate) error: Option<Box<TaskError>>,
    /// Of all attempts.
    pub(crate) usage: Option<Box<UsageReport>>,
    /// Only while it is not finished.
    pub(crate) live: Option<Box<Live>>,
    /// Milliseconds since the epoch.
    pub(crate) started: Option<NonZeroI64>,
    pub(crate) finished: Option<NonZeroI64>,
    pub(crate) attempts: u32,
    /// Who did it last, by the cast's numbers.
    pub(crate) agent: Option<u32>,
    pub(crate) status: Option<Status>,
    /// Its result is that of an equal task.
    pub(crate) cached: bool,
}

const _: () = assert!(size_of::<Record>() <= 128, "a million of them stay small");

/// What is kept of a task that is not finished.
#[derive(Default)]
pub(crate) struct Live {
    /// Stops the running attempt.
    pub(crate) stop: Option<oneshot::Sender<()>>,
    /// Why it was stopped.
    pub(crate) stopped: Option<Stop>,
    /// Where a pending attempt left off.
    pub(crate) left: Left,
    /// What a person has been asked.
    pub(crate) question: Option<Arc<Question>>,
    /// What came of it outside of the run: it counts, and no attempt's end does.
    pub(crate) delivered: Option<Result<Payload, Box<TaskError>>>,
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

    pub(crate) fn use_up(&mut self, usage: UsageReport) {
        match &mut self.usage {
            Some(all) => all.add(usage),
            None => self.usage = Some(Box::new(usage)),
        }
    }
}
