//! A run that is *durable*: recorded in a store, and brought back from it.

use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, sync_channel};

use consort_core::plan::{Plan, Work, compile};
use consort_core::problem::Problem;
use consort_core::scheduler::Status;
use consort_core::spec::Format;
use consort_store::{NewRun, Reader, RunEnd, RunRow, RunStatus, Store, StoreError};
use serde_json::{Map, Value, json};

use super::{Beginning, Conductor, Ended, Run};
use crate::cast::Cast;
use crate::draft::Drafting;
use crate::earlier::Earlier;
use crate::journal::{self, Input, Journal, JournalError, Reading, Submitted};
use crate::message::Message;
use crate::output::{Archive, Kept};
use crate::report::Report;
use crate::setup::Engine;
use crate::watch::RunEvent;

/// Entries that are read before they are taken in.
const READ_AHEAD: usize = 2;

/// Where a plan came from, so that it can be made again.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The text it was compiled from.
    pub text: Arc<str>,
    /// How that is written.
    pub format: Format,
    /// What it is called in messages, such as a file's name.
    pub name: String,
}

/// A run stopped where it was, because it could not be recorded any further, or
/// was suspended.
/// Nothing that was recorded is lost.
#[derive(Debug, thiserror::Error)]
#[error("run {run_id} was interrupted: {failure}")]
pub struct Interrupted {
    /// The run.
    pub run_id: Arc<str>,
    failure: Failure,
}

impl Interrupted {
    pub(super) fn new(run_id: Arc<str>, failure: Failure) -> Self {
        Self { run_id, failure }
    }

    /// The host lost the run.
    pub(crate) fn lost(run_id: Arc<str>) -> Self {
        Self { run_id, failure: Failure::Lost }
    }

    /// Whether it was left as it is because that was asked for.
    pub fn is_suspended(&self) -> bool {
        matches!(self.failure, Failure::Left)
    }
}

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("it was suspended")]
    Left,
    #[error("the host lost it; this is a bug in the host")]
    Lost,
}

/// A run that cannot be brought back.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// Its journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// It is over.
    #[error("run {id} is over: it has {status}")]
    Over {
        /// The run.
        id: String,
        /// How it ended.
        status: RunStatus,
    },
    /// What it needs is not there, or no longer fits.
    #[error("run {id} cannot go on: {} of the things it needs are missing or do not fit", .problems.len())]
    Invalid {
        /// The run.
        id: String,
        /// The workflow, as the run began with it.
        origin: Origin,
        /// What is wrong.
        problems: Vec<Problem>,
    },
}

impl From<StoreError> for ResumeError {
    fn from(error: StoreError) -> Self {
        Self::Journal(error.into())
    }
}

/// What makes a run durable.
pub(super) struct Durable {
    store: Store,
    what: What,
}

impl Durable {
    pub(super) fn store(&self) -> &Store {
        &self.store
    }
}

enum What {
    /// A run that begins.
    New(Origin),
    /// A run that repeats a part of another, with the same inputs.
    Again { origin: Origin, inputs: Map<String, Value>, earlier: Arc<Earlier> },
    /// A run that comes back.
    Old(Box<(Past, Submitted)>),
}

/// What a run has been through.
pub(super) struct Past {
    reader: Reader,
    row: RunRow,
}

impl Run {
    /// Makes the run durable: everything that happens to it is recorded in the
    /// store before it has consequences. `origin` is what its plan was compiled
    /// from, with what the engine knows.
    pub fn record(&mut self, store: Store, origin: Origin) {
        self.durable = Some(Durable { store, what: What::New(origin) });
    }

    /// The same for a run that repeats a part of another.
    pub(crate) fn repeat(
        &mut self,
        store: Store,
        origin: Origin,
        inputs: Map<String, Value>,
        earlier: Earlier,
    ) {
        let what = What::Again { origin, inputs, earlier: Arc::new(earlier) };
        self.durable = Some(Durable { store, what });
    }

    /// Those that a run which comes back has told what happened.
    pub(super) fn recorded_webhooks(&self) -> impl Iterator<Item = Arc<str>> + '_ {
        let old = match self.durable.as_ref().map(|durable| &durable.what) {
            Some(What::Old(old)) => Some(&old.1.webhooks),
            _ => None,
        };
        old.into_iter().flatten().map(|subscription| subscription.webhook.clone())
    }

    pub(super) async fn begin(
        &mut self,
        durable: Durable,
        inputs: &mut Map<String, Value>,
    ) -> Result<Beginning, Failure> {
        let Durable { store, what } = durable;
        match what {
            What::New(origin) => self.begin_new(&store, origin, inputs, None).await,
            What::Again { origin, inputs: earlier_inputs, earlier } => {
                *inputs = earlier_inputs;
                self.begin_new(&store, origin, inputs, Some(earlier)).await
            }
            What::Old(old) => {
                let (past, submitted) = *old;
                let row = &past.row;
                *inputs = submitted.inputs;
                let budget = self.plan.budget;
                let journal = Journal::new(store.continue_run(&row.id).await?, store, budget)?;
                Ok(Beginning {
                    submitted_at: row.submitted_at,
                    journal: Some(journal),
                    answers: Some(submitted.answers),
                    earlier: submitted.earlier,
                    past: Some(past),
                    webhooks: submitted.webhooks,
                })
            }
        }
    }

    async fn begin_new(
        &mut self,
        store: &Store,
        origin: Origin,
        inputs: &Map<String, Value>,
        earlier: Option<Arc<Earlier>>,
    ) -> Result<Beginning, Failure> {
        let mut about = json!({"document": &origin.name, "policy": &self.policy.plugin});
        if let Some(earlier) = &earlier {
            about["retry_of"] = earlier.run.as_str().into();
        }
        let submitted = Submitted {
            document: origin.text,
            format: origin.format,
            name: origin.name,
            known: self.engine.known().clone(),
            policy: self.policy.clone(),
            slots: self.slots,
            inputs: inputs.clone(),
            answers: self.answers.clone(),
            earlier: earlier.clone(),
            webhooks: self.subscriptions(),
            open: self.plan.open,
        };
        let submitted_at = crate::now();
        let new = NewRun {
            id: self.id.clone(),
            name: self.plan.name.clone(),
            tasks: self.plan.tasks.len() as u32,
            submitted_at,
            about: about.to_string(),
        };
        let first = journal::first_entry(submitted_at, &submitted);
        let run = store.create_run(new, first).await?;
        let journal = Journal::new(run, store.clone(), self.plan.budget)?;
        Ok(Beginning {
            submitted_at,
            journal: Some(journal),
            answers: None,
            earlier,
            past: None,
            webhooks: submitted.webhooks,
        })
    }
}

impl Engine {
    /// Brings a run back that was recorded and has not ended: its plan is made
    /// again, its plugins are loaded, and [`Run::execute`] goes on where it was.
    /// `id` may be the unique beginning or end of the run's id. A run that was
    /// open is closed: it comes to its end with the tasks it has.
    /// [`Coordinator::resume`](crate::Coordinator::resume) keeps it open.
    ///
    /// # Errors
    ///
    /// There is no such run, it is over, its journal cannot be read, or it needs
    /// what this engine does not have; see [`ResumeError`].
    pub async fn resume(&self, store: &Store, id: &str) -> Result<Run, ResumeError> {
        let reader = store.reader()?;
        let row = reader.run(id)?;
        if row.status != RunStatus::Running {
            return Err(ResumeError::Over { id: row.id, status: row.status });
        }
        let submitted = submitted(&reader, &row)?;
        let invalid = |problems| ResumeError::Invalid {
            id: row.id.clone(),
            origin: origin(&submitted),
            problems,
        };
        let plan = plan(&row, &submitted)?.map_err(invalid)?;
        let (cast, prioritizer) =
            Cast::gather(self, &plan, &submitted.policy).await.map_err(invalid)?;
        let policy = submitted.policy.clone();
        let (slots, known) = (submitted.slots, &submitted.known);
        let mut run = Run::new(self.clone(), plan, cast, prioritizer, policy, slots, known);
        run.id = row.id.as_str().into();
        let what = What::Old(Box::new((Past { reader, row }, submitted)));
        run.durable = Some(Durable { store: store.clone(), what });
        Ok(run)
    }
}

pub(crate) fn origin(submitted: &Submitted) -> Origin {
    Origin {
        text: submitted.document.clone(),
        format: submitted.format,
        name: submitted.name.clone(),
    }
}

/// What a run began with.
pub(crate) fn submitted(reader: &Reader, row: &RunRow) -> Result<Submitted, JournalError> {
    let mut first = None;
    reader.entries(&row.id, 0, &mut |_, entry| {
        first = Some(entry);
        ControlFlow::Break(())
    })?;
    let archive = &Archive::at(reader.path());
    let reading = Reading { run: &row.id, fetch: &|hash| reader.blob(hash), archive };
    match first {
        Some(entry) => reading.submitted(&entry),
        None => Err(reading.broken(0, "it is missing")),
    }
}

/// The plan of a run, made again. The outer error is about the journal, the
/// inner one about the workflow.
pub(crate) fn plan(
    row: &RunRow,
    submitted: &Submitted,
) -> Result<Result<Plan, Vec<Problem>>, JournalError> {
    let plan = submitted
        .parse()
        .and_then(|document| compile(document, &submitted.known, row.submitted_at));
    match &plan {
        Ok(plan) if plan.tasks.len() as u32 != row.tasks => Err(JournalError::Broken {
            run: row.id.clone(),
            seq: 0,
            reason: format!(
                "its workflow had {} tasks and has {} now; use the Consort that began it",
                row.tasks,
                plan.tasks.len()
            ),
        }),
        _ => Ok(plan),
    }
}

impl Conductor {
    /// Goes through what the run has been through already.
    pub(super) fn come_back(&mut self, past: &Past) -> Result<(), Failure> {
        self.stage.quiet.store(true, Ordering::Relaxed);
        self.catch_up(&past.reader, &past.row)?;
        self.stage.quiet.store(false, Ordering::Relaxed);
        self.stage.tell(&RunEvent::RunResumed {
            run_id: self.stage.run_id.clone(),
            tasks: self.records.len(),
            finished: self.records.iter().filter(|record| record.status.is_some()).count(),
        });
        if let Some(ended) = self.ended {
            // Nothing is left to happen, but agents, and webhooks, may not have
            // been told.
            self.cancel_remotes_again();
            self.announce_end(ended);
        }
        Ok(())
    }

    /// Takes in everything that is recorded before entry `end`, without doing
    /// anything about it. `each` hears the time of each step before it is taken.
    pub(crate) fn replay(
        &mut self,
        reader: &Reader,
        row: &RunRow,
        end: u64,
        each: &mut dyn FnMut(i64),
    ) -> Result<(), JournalError> {
        self.live = false;
        each(self.now);
        self.apply(0, self.now, [Input::Submitted]);
        self.go_on(reader, row, 1..end, each)
    }

    /// The same without telling, with a snapshot's help if there is one.
    pub(crate) fn catch_up(&mut self, reader: &Reader, row: &RunRow) -> Result<(), JournalError> {
        match self.load(reader, row) {
            Ok(Some(next)) => return self.go_on(reader, row, next..u64::MAX, &mut |_| {}),
            Ok(None) => {}
            Err(why) => tracing::debug!(run = row.id, why, "the snapshot is of no use"),
        }
        self.replay(reader, row, u64::MAX, &mut |_| {})
    }

    /// Takes in what those entries have that are next.
    pub(crate) fn go_on(
        &mut self,
        reader: &Reader,
        row: &RunRow,
        entries: Range<u64>,
        each: &mut dyn FnMut(i64),
    ) -> Result<(), JournalError> {
        let archive = self.stage.archive.clone();
        let archive = &archive.unwrap_or_else(|| Archive::at(reader.path()));
        let reading = Reading { run: &row.id, fetch: &|hash| reader.blob(hash), archive };
        let drafting: Arc<Drafting> = self.stage.drafting.clone();
        self.live = false;
        // Reading them takes as long as taking them in.
        let gone_on = std::thread::scope(|scope| {
            let (to, steps) = sync_channel(READ_AHEAD);
            let (store, run, drafting) = (reader.path(), &row.id, &drafting);
            let ahead = move || read_ahead(store, run, entries, archive, drafting, to);
            std::thread::Builder::new()
                .name("consort-replay".to_owned())
                .spawn_scoped(scope, ahead)
                .map_err(|source| StoreError::Io {
                    path: store.to_owned(),
                    doing: "read",
                    source: source.into(),
                })?;
            for step in steps {
                let Step { seq, at, inputs } = step?;
                let inputs = self.check(&reading, seq, inputs)?;
                each(at);
                self.apply(seq, at, inputs);
            }
            Ok(())
        });
        self.live = true;
        self.clock = super::Clock::new(self.now);
        gone_on
    }

    /// Only tasks that there are can have been heard of. The answer to an approval
    /// that was delivered is needed when it is taken in.
    fn check(
        &mut self,
        reading: &Reading<'_>,
        seq: u64,
        mut inputs: Vec<Input>,
    ) -> Result<Vec<Input>, JournalError> {
        for (id, output) in inputs.iter_mut().filter_map(Input::delivered_result) {
            let task = self.find(id).ok();
            if task.is_none_or(|task| self.task(task).work == Work::Approval) {
                let payload = output.to_payload().map_err(|error| reading.broken(seq, error))?;
                *output = Kept::Here(payload);
            }
        }
        let task = |input: &Input| match input {
            Input::Message(
                Message::Ended { task, .. }
                | Message::Used { task, .. }
                | Message::Alive(task)
                | Message::Cancelled { task, .. }
                | Message::Decided { task, .. }
                | Message::Question { task, .. },
            ) => Some(*task),
            _ => None,
        };
        match inputs.iter().filter_map(task).find(|task| task.index() >= self.records.len()) {
            Some(task) => Err(reading.broken(seq, format!("there is no task number {}", task.0))),
            None => Ok(inputs),
        }
    }

    /// Reports the end, when it has been recorded.
    pub(super) async fn end(mut self) -> Result<Report, StoreError> {
        self.all_remotes_cancelled().await;
        let ended = self.ended.expect("the loop ends when the run has");
        let Ended { status, at, .. } = ended;
        let journal = self.journal.take();
        let report = self.report(ended);
        if let Some(mut journal) = journal {
            let summary = json!({"reason": &report.reason, "metrics": &report.metrics});
            let end = RunEnd { at, status: run_status(status), summary: summary.to_string() };
            journal.close(end).await?;
        }
        Ok(report)
    }
}

fn run_status(status: Status) -> RunStatus {
    match status {
        Status::Succeeded => RunStatus::Succeeded,
        Status::Failed => RunStatus::Failed,
        // A run is never skipped.
        Status::Cancelled | Status::Skipped => RunStatus::Cancelled,
    }
}

/// What happened in one step.
struct Step {
    seq: u64,
    at: i64,
    inputs: Vec<Input>,
}

/// Reads entries until nobody wants any more, or there are none.
fn read_ahead(
    store: &Path,
    run: &str,
    entries: Range<u64>,
    archive: &Arc<Archive>,
    drafting: &Drafting,
    to: SyncSender<Result<Step, JournalError>>,
) {
    let read = || {
        let reader = Reader::open(store)?;
        let reading = Reading { run, fetch: &|hash| reader.blob(hash), archive };
        reader.entries(run, entries.start, &mut |seq, entry| {
            if seq >= entries.end {
                return ControlFlow::Break(());
            }
            let inputs = reading.inputs(seq, &entry, drafting);
            let step = inputs.map(|inputs| Step { seq, at: entry.at, inputs });
            let failed = step.is_err();
            match to.send(step) {
                Ok(()) if !failed => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        })
    };
    if let Err(error) = read() {
        // Whoever wants no more need not know.
        let _ = to.send(Err(error.into()));
    }
}
