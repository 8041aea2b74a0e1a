//! The *journal* of a run: every input with its time, recorded before it has
//! consequences.
//!
//! * `input`: what is recorded.
//! * `page`: an entry in the making.
//! * `wire`: how it is written down.
//! * `place`: where in it something came in.
//! * `post`: what is asked of a run from another process.
//!
//! A result and the completion of its task are one input, so there is no moment
//! at which one is recorded and the other is not.

mod input;
mod page;
mod place;
mod post;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use consort_core::graph::TaskIx;
use consort_core::plan::{Budget, Known};
use consort_core::problem::Problem;
use consort_core::scheduler::Retry;
use consort_core::spec::{Document, Format, parse, parse_open};
use consort_plugin_host::Payload;
use consort_store::{Blob, Durability, Entry, RunEnd, RunJournal, Store, StoreError};
use serde_json::{Map, Value};

pub(crate) use input::Input;
pub(crate) use place::Place;
pub(crate) use post::Inbox;
pub use post::Request;

use crate::attempt::{AttemptEnd, Left};
use crate::config::PolicyConfig;
use crate::control::{Command, Terms, nobody};
use crate::decide::Verdict;
use crate::delivery::{Delivering, Outcome};
use crate::draft::Drafting;
use crate::earlier::{Earlier, Leftover, Spawned};
use crate::job::{Fan, Given};
use crate::message::Message;
use crate::notices::Subscription;
use crate::output::{Archive, Kept};
use crate::snapshot::{self, Written};
use crate::tally;
use crate::webhook;
use page::Page;
use wire::{
    Fetch, Unreadable, Wire, WireDelivery, WireDependency, WireEarlier, WireEnd, WireLeftover,
    WireOutcome, WirePayload, WireQuestion, WireRetry, WireSpawn, WireSubmitted, WireVerdict,
};

/// What a run began with: enough to make the same plan again.
#[derive(Debug, Clone)]
pub(crate) struct Submitted {
    /// The text of the workflow.
    pub(crate) document: Arc<str>,
    pub(crate) format: Format,
    /// What the document is called in messages.
    pub(crate) name: String,
    /// What it was compiled against.
    pub(crate) known: Known,
    pub(crate) policy: PolicyConfig,
    pub(crate) slots: u32,
    pub(crate) inputs: Map<String, Value>,
    pub(crate) answers: BTreeMap<String, Value>,
    /// What it takes over from an earlier run.
    pub(crate) earlier: Option<Arc<Earlier>>,
    /// Who is told of what.
    pub(crate) webhooks: Vec<Subscription>,
    /// Tasks come while it goes on.
    pub(crate) open: bool,
}

impl Submitted {
    /// The document, read again.
    pub(crate) fn parse(&self) -> Result<Document<'_>, Vec<Problem>> {
        let parse = if self.open { parse_open } else { parse };
        parse(&self.document, self.format)
    }
}

/// An entry that cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It was written by a version of Consort that is newer than this one.
    #[error(
        "entry {seq} of run {run} has version {version}, and this Consort reads up to {}; use the Consort that wrote it, or a newer one",
        wire::VERSION
    )]
    Newer {
        /// The run.
        run: String,
        /// The entry.
        seq: u64,
        /// Its version.
        version: u16,
    },
    /// It makes no sense.
    #[error("entry {seq} of run {run} cannot be read: {reason}")]
    Broken {
        /// The run.
        run: String,
        /// The entry.
        seq: u64,
        /// Why not.
        reason: String,
    },
}

/// Where a run's inputs are recorded.
pub(crate) struct Journal {
    run: RunJournal,
    /// What is used can end the run.
    budgeted: bool,
    pub(crate) inbox: Inbox,
}

impl Journal {
    /// The inbox keeps the store open as long as the run is recorded.
    pub(crate) fn new(run: RunJournal, store: Store, budget: Budget) -> Result<Self, StoreError> {
        let inbox = Inbox::open(store, run.id().clone())?;
        let budgeted = budget.tokens.is_some() || budget.cost.is_some();
        Ok(Self { run, budgeted, inbox })
    }

    /// Records what happened in one step: as many of the inputs that wait, from
    /// the first on, as one entry holds. They are given back when what must not
    /// be lost of them is on disk; the others go on waiting.
    pub(crate) async fn append(
        &mut self,
        now: i64,
        waiting: &mut Vec<Input>,
    ) -> Result<Vec<Input>, StoreError> {
        let mut page = Page::new();
        let mut durability = Durability::Lazy;
        let mut count = 0;
        for input in &*waiting {
            if page.is_full() {
                break;
            }
            count += 1;
            if let Some(wire) = wire(input, page.blobs()) {
                page.add(&wire);
            }
            if input.durability(self.budgeted) == Durability::Synced {
                durability = Durability::Synced;
            }
        }
        let others = waiting.split_off(count);
        let recorded = std::mem::replace(waiting, others);
        let large = page.has_blobs();
        self.run.append(page.into_entry(now), durability).await?;
        if large {
            recorded.iter().for_each(Input::let_go);
        }
        Ok(recorded)
    }

    /// The number of the last entry.
    pub(crate) fn last_entry(&self) -> u64 {
        self.run.next_seq().saturating_sub(1)
    }

    /// Keeps the state that all entries so far have led to. Nothing is waited
    /// for: if it cannot be kept, coming back takes longer.
    pub(crate) fn keep(&mut self, state: Written) {
        let upto = self.last_entry();
        let (body, blobs) = state.pack();
        let queued = self.run.snapshot(upto, snapshot::VERSION, body, blobs);
        let run = self.run.id().clone();
        tokio::spawn(async move {
            if let Err(error) = queued.await {
                tracing::debug!(%run, %error, "a snapshot could not be kept");
            }
        });
    }

    /// Records that the run is over.
    pub(crate) async fn close(&mut self, end: RunEnd) -> Result<(), StoreError> {
        self.run.close(None, end).await
    }
}

/// The first entry of a journal.
pub(crate) fn first_entry(now: i64, submitted: &Submitted) -> Entry {
    let mut page = Page::new();
    let document = Payload::Text(submitted.document.clone());
    let document = WirePayload::new(&document, page.blobs());
    let earlier = submitted.earlier.as_ref().map(|earlier| wire_earlier(earlier, page.blobs()));
    page.add(&Wire::Submitted(Box::new(WireSubmitted {
        document,
        format: submitted.format,
        name: submitted.name.clone(),
        known: submitted.known.clone(),
        policy: submitted.policy.clone(),
        slots: submitted.slots,
        inputs: submitted.inputs.clone(),
        answers: submitted.answers.clone(),
        earlier,
        webhooks: submitted.webhooks.clone(),
        open: submitted.open,
    })));
    page.into_entry(now)
}

fn wire_earlier(earlier: &Earlier, blobs: &mut Vec<Blob>) -> WireEarlier {
    let leftover = |(id, leftover): (&Arc<str>, &Leftover)| {
        let spawn = leftover.spawn.iter().map(|spawned| WireSpawn {
            task: spawned.source.clone(),
            agent: spawned.agent.to_string(),
        });
        let output = WirePayload::of(&leftover.output, blobs);
        (id.clone(), WireLeftover { output, spawn: spawn.collect() })
    };
    WireEarlier {
        run: earlier.run.clone(),
        results: earlier.results.iter().map(leftover).collect(),
        added: earlier.added.clone(),
        fresh: earlier.fresh.iter().cloned().collect(),
    }
}

fn wire(input: &Input, blobs: &mut Vec<Blob>) -> Option<Wire> {
    Some(match input {
        // It is the first entry.
        Input::Submitted => return None,
        Input::Recovered => Wire::Recovered,
        Input::Posted { post, command } => {
            let command = wire_command(command, blobs)?;
            Wire::Posted { post: *post, command: Box::new(command) }
        }
        Input::Scored(scores) => Wire::Scored(scores.as_deref().map(wire::scores)),
        Input::Timer => Wire::Timer,
        Input::Message(message) => match message {
            Message::Ended { task, end, used } => Wire::Ended {
                task: task.0,
                end: wire_end(end.as_ref(), blobs),
                used: tally::list(used),
            },
            Message::Used { task, usage } => Wire::Used { task: task.0, usage: usage.clone() },
            Message::Alive(task) => Wire::Alive { task: task.0 },
            Message::Logged(line) => Wire::Logged(line.clone()),
            Message::Cancelled { task, attempt } => {
                Wire::Cancelled { task: task.0, attempt: *attempt }
            }
            Message::Notified { webhook, notice, tries, outcome } => Wire::Notified {
                webhook: *webhook,
                notice: *notice,
                tries: *tries,
                outcome: wire_outcome(outcome),
            },
            Message::Decided { task, verdict } => {
                Wire::Decided { task: task.0, verdict: wire_verdict(verdict, blobs) }
            }
            Message::Question { task, question } => {
                let question = match question {
                    Ok(question) => WireQuestion::Asked(question.clone()),
                    Err(error) => WireQuestion::Broken(error.clone()),
                };
                Wire::Question { task: task.0, question }
            }
        },
        Input::Command(command) => wire_command(command, blobs)?,
    })
}

/// A command; none if it changes nothing.
fn wire_command(command: &Command, blobs: &mut Vec<Blob>) -> Option<Wire> {
    Some(match command {
        Command::Answer { task, answer, .. } => {
            Wire::Answer { task: task.clone(), answer: answer.clone() }
        }
        Command::Refuse { task, comment, .. } => {
            Wire::Refuse { task: task.clone(), comment: comment.clone() }
        }
        Command::Cancel { what, .. } => Wire::Cancel { what: what.clone() },
        Command::Pause { paused, .. } => Wire::Pause { paused: *paused },
        Command::Add { tasks, terms: Terms { whole, on_conflict }, .. } => {
            Wire::Add { tasks: tasks.clone(), whole: *whole, on_conflict: *on_conflict }
        }
        Command::Resolve { task, admit, .. } => Wire::Resolve { task: task.clone(), admit: *admit },
        Command::Close { .. } => Wire::Close,
        Command::Deliver(delivery) => Wire::Deliver {
            task: delivery.task.clone(),
            outcome: match &delivery.outcome {
                Outcome::Result(output) => WireDelivery::Result(WirePayload::of(output, blobs)),
                Outcome::Failure { error, retryable } => {
                    WireDelivery::Failure { error: error.clone(), retryable: *retryable }
                }
            },
        },
        // They change nothing.
        Command::Status { .. } | Command::Progress { .. } | Command::Wait { .. } => return None,
    })
}

fn wire_end(end: Option<&AttemptEnd>, blobs: &mut Vec<Blob>) -> WireEnd {
    match end {
        None => WireEnd::Stopped,
        Some(AttemptEnd::Done { output, cached, proposals }) => WireEnd::Done {
            output: WirePayload::of(output, blobs),
            cached: *cached,
            spawn: proposals
                .iter()
                .map(|proposal| WireSpawn {
                    task: proposal.source.clone(),
                    agent: proposal.agent.to_string(),
                })
                .collect(),
        },
        Some(AttemptEnd::Pending { left, poll_after }) => WireEnd::Pending {
            checkpoint: left.checkpoint.as_ref().map(wire::checkpoint),
            poll_after: poll_after.as_millis().min(u64::MAX.into()) as u64,
        },
        Some(AttemptEnd::Asks { question, checkpoint }) => {
            WireEnd::Asks { question: question.clone(), checkpoint: wire::checkpoint(checkpoint) }
        }
        Some(AttemptEnd::Failed { error, retry }) => WireEnd::Failed {
            error: error.clone(),
            retry: match retry {
                Retry::Yes => WireRetry::Yes,
                Retry::After(millis) => WireRetry::After(*millis),
                Retry::Never => WireRetry::Never,
            },
        },
    }
}

fn wire_outcome(outcome: &webhook::Outcome) -> WireOutcome {
    match outcome {
        webhook::Outcome::Delivered => WireOutcome::Delivered,
        webhook::Outcome::Refused(why) => WireOutcome::Refused(why.clone()),
        webhook::Outcome::Unreachable(why) => WireOutcome::Unreachable(why.clone()),
        webhook::Outcome::Gone(why) => WireOutcome::Gone(why.clone()),
    }
}

fn read_outcome(outcome: WireOutcome) -> webhook::Outcome {
    match outcome {
        WireOutcome::Delivered => webhook::Outcome::Delivered,
        WireOutcome::Refused(why) => webhook::Outcome::Refused(why),
        WireOutcome::Unreachable(why) => webhook::Outcome::Unreachable(why),
        WireOutcome::Gone(why) => webhook::Outcome::Gone(why),
    }
}

fn wire_verdict(verdict: &Verdict, blobs: &mut Vec<Blob>) -> WireVerdict {
    match verdict {
        Verdict::Run => WireVerdict::Run,
        Verdict::Reused => WireVerdict::Reused,
        Verdict::Skip => WireVerdict::Skip,
        Verdict::Broken(error) => WireVerdict::Broken(error.clone()),
        Verdict::FanOut(fan) => WireVerdict::FanOut {
            items: WirePayload::new(&list(&fan.items), blobs),
            given: (fan.given.dependencies.iter())
                .map(|dependency| WireDependency::new(dependency, blobs))
                .collect(),
            taken: fan.taken.clone(),
        },
    }
}

fn list(items: &[Value]) -> Payload {
    let text = serde_json::to_string(items);
    Payload::Json(text.expect("a JSON value can be written").into())
}

/// A payload on its own, as entries have it.
pub(crate) fn pack(payload: &Payload) -> (Vec<u8>, Vec<Blob>) {
    let mut blobs = Vec::new();
    let wire = WirePayload::new(payload, &mut blobs);
    let body = serde_json::to_vec(&wire)
        .expect("a payload is written as JSON that has only text for keys");
    (body, blobs)
}

/// A payload that was packed; none if this version cannot read it.
pub(crate) fn unpack(body: &[u8], blobs: &[Blob]) -> Option<Payload> {
    let wire: WirePayload = serde_json::from_slice(body).ok()?;
    let find = |hash| blobs.iter().find(|blob| blob.hash() == hash);
    wire.read(&|hash| Ok(find(hash).and_then(|blob| blob.bytes().cloned()))).ok()
}

/// Reads the journal of a run. Large results stay where they are.
pub(crate) struct Reading<'a> {
    pub(crate) run: &'a str,
    pub(crate) fetch: Fetch<'a>,
    /// Where large results stay.
    pub(crate) archive: &'a Arc<Archive>,
}

impl Reading<'_> {
    /// What the run began with, from its first entry.
    pub(crate) fn submitted(&self, entry: &Entry) -> Result<Submitted, JournalError> {
        let mut wires = self.wires(0, entry)?.into_iter();
        let (Some(Wire::Submitted(submitted)), None) = (wires.next(), wires.next()) else {
            return Err(self.broken(0, "it does not say what was submitted"));
        };
        let Payload::Text(document) = self.read(0, submitted.document.read(self.fetch))? else {
            return Err(self.broken(0, "the workflow is not text"));
        };
        Ok(Submitted {
            document,
            format: submitted.format,
            name: submitted.name,
            known: submitted.known,
            policy: submitted.policy,
            slots: submitted.slots,
            inputs: submitted.inputs,
            answers: submitted.answers,
            earlier: submitted.earlier.map(|earlier| self.earlier(earlier)).transpose()?,
            webhooks: submitted.webhooks,
            open: submitted.open,
        })
    }

    fn earlier(&self, wire: WireEarlier) -> Result<Arc<Earlier>, JournalError> {
        let WireEarlier { run, results, added, fresh } = wire;
        let fresh = fresh.into_iter().collect();
        let mut earlier = Earlier { run, added, fresh, ..Earlier::default() };
        for (id, WireLeftover { output, spawn }) in results {
            let output = self.kept(0, output)?;
            let spawn = spawn.into_iter();
            let spawn =
                spawn.map(|one| Spawned { source: one.task, agent: one.agent.into() }).collect();
            earlier.results.insert(id, Leftover { output, spawn });
        }
        Ok(Arc::new(earlier))
    }

    /// What happened in one step. `drafting` compiles tasks that were added.
    pub(crate) fn inputs(
        &self,
        seq: u64,
        entry: &Entry,
        drafting: &Drafting,
    ) -> Result<Vec<Input>, JournalError> {
        let wires = self.wires(seq, entry)?;
        wires.into_iter().map(|wire| self.input(seq, wire, drafting)).collect()
    }

    fn wires(&self, seq: u64, entry: &Entry) -> Result<Vec<Wire>, JournalError> {
        if entry.version > wire::VERSION {
            let run = self.run.to_owned();
            return Err(JournalError::Newer { run, seq, version: entry.version });
        }
        page::read(&entry.body, self.fetch).or_else(|error| self.read(seq, Err(error)))
    }

    pub(crate) fn broken(&self, seq: u64, reason: impl ToString) -> JournalError {
        JournalError::Broken { run: self.run.to_owned(), seq, reason: reason.to_string() }
    }

    fn read<T>(&self, seq: u64, read: Result<T, Unreadable>) -> Result<T, JournalError> {
        read.map_err(|error| match error {
            Unreadable::Store(error) => JournalError::Store(error),
            other => self.broken(seq, other),
        })
    }

    /// A payload that stays in the store if it is large.
    fn kept(&self, seq: u64, wire: WirePayload) -> Result<Kept, JournalError> {
        self.read(seq, wire.keep(self.fetch, self.archive))
    }

    fn input(&self, seq: u64, wire: Wire, drafting: &Drafting) -> Result<Input, JournalError> {
        Ok(match wire {
            Wire::Submitted(_) => return Err(self.broken(seq, "a run is submitted once")),
            Wire::Apart(_) => return Err(self.broken(seq, "only a whole entry is kept apart")),
            Wire::Recovered => Input::Recovered,
            Wire::Posted { post, command } => match self.input(seq, *command, drafting)? {
                Input::Command(command) => Input::Posted { post, command },
                _ => return Err(self.broken(seq, "a post is no command")),
            },
            Wire::Scored(scores) => Input::Scored(scores.as_deref().map(wire::read_scores)),
            Wire::Timer => Input::Timer,
            Wire::Ended { task, end, used } => Input::Message(Message::Ended {
                task: TaskIx(task),
                end: self.end(seq, end, drafting)?,
                used: tally::of_list(used),
            }),
            Wire::Used { task, usage } => {
                Input::Message(Message::Used { task: TaskIx(task), usage })
            }
            Wire::Alive { task } => Input::Message(Message::Alive(TaskIx(task))),
            Wire::Logged(line) => Input::Message(Message::Logged(line)),
            Wire::Cancelled { task, attempt } => {
                Input::Message(Message::Cancelled { task: TaskIx(task), attempt })
            }
            Wire::Notified { webhook, notice, tries, outcome } => {
                let outcome = read_outcome(outcome);
                Input::Message(Message::Notified { webhook, notice, tries, outcome })
            }
            Wire::Decided { task, verdict } => {
                let verdict = self.verdict(seq, verdict)?;
                Input::Message(Message::Decided { task: TaskIx(task), verdict })
            }
            Wire::Question { task, question } => {
                let question = match question {
                    WireQuestion::Asked(question) => Ok(question),
                    WireQuestion::Broken(error) => Err(error),
                };
                Input::Message(Message::Question { task: TaskIx(task), question })
            }
            Wire::Answer { task, answer } => {
                Input::Command(Command::Answer { task, answer, reply: nobody() })
            }
            Wire::Refuse { task, comment } => {
                Input::Command(Command::Refuse { task, comment, reply: nobody() })
            }
            Wire::Cancel { what } => Input::Command(Command::Cancel { what, reply: nobody() }),
            Wire::Pause { paused } => Input::Command(Command::Pause { paused, reply: nobody() }),
            Wire::Resolve { task, admit } => {
                Input::Command(Command::Resolve { task, admit, reply: nobody() })
            }
            Wire::Close => Input::Command(Command::Close { reply: nobody() }),
            Wire::Deliver { task, outcome } => {
                let outcome = match outcome {
                    WireDelivery::Result(output) => Outcome::Result(self.kept(seq, output)?),
                    WireDelivery::Failure { error, retryable } => {
                        Outcome::Failure { error, retryable }
                    }
                };
                let reply = nobody();
                let delivery = Delivering { task, outcome, prepared: true, post: None, reply };
                Input::Command(Command::Deliver(Box::new(delivery)))
            }
            Wire::Add { tasks, whole, on_conflict } => {
                let drafts = drafting.draft(tasks.clone()).map_err(|problems| {
                    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                    self.broken(seq, format!("an added task is not valid: {}", problems.join("; ")))
                })?;
                let terms = Terms { whole, on_conflict };
                Input::Command(Command::Add { tasks, drafts, terms, reply: nobody() })
            }
        })
    }

    fn end(
        &self,
        seq: u64,
        end: WireEnd,
        drafting: &Drafting,
    ) -> Result<Option<AttemptEnd>, JournalError> {
        Ok(Some(match end {
            WireEnd::Stopped => return Ok(None),
            WireEnd::Done { output, cached, spawn } => AttemptEnd::Done {
                output: self.kept(seq, output)?,
                cached,
                proposals: spawn
                    .into_iter()
                    .map(|spawn| drafting.spawned(spawn.task, &spawn.agent.into()))
                    .collect(),
            },
            WireEnd::Pending { checkpoint, poll_after } => {
                let checkpoint = checkpoint.map(|text| wire::read_checkpoint(&text)).transpose();
                let left = Left { checkpoint: self.read(seq, checkpoint)?, ..Left::default() };
                AttemptEnd::Pending { left, poll_after: Duration::from_millis(poll_after) }
            }
            WireEnd::Asks { question, checkpoint } => {
                let checkpoint = self.read(seq, wire::read_checkpoint(&checkpoint))?;
                AttemptEnd::Asks { question, checkpoint }
            }
            WireEnd::Failed { error, retry } => AttemptEnd::Failed {
                error,
                retry: match retry {
                    WireRetry::Yes => Retry::Yes,
                    WireRetry::After(millis) => Retry::After(millis),
                    WireRetry::Never => Retry::Never,
                },
            },
        }))
    }

    fn verdict(&self, seq: u64, verdict: WireVerdict) -> Result<Verdict, JournalError> {
        Ok(match verdict {
            WireVerdict::Run => Verdict::Run,
            WireVerdict::Reused => Verdict::Reused,
            WireVerdict::Skip => Verdict::Skip,
            WireVerdict::Broken(error) => Verdict::Broken(error),
            WireVerdict::FanOut { items, given, taken } => {
                let Payload::Json(items) = self.read(seq, items.read(self.fetch))? else {
                    return Err(self.broken(seq, "the items are not JSON"));
                };
                let items: Vec<Value> =
                    serde_json::from_str(&items).map_err(|error| self.broken(seq, error))?;
                let given = given.into_iter().map(|one| one.read(self.fetch)).collect();
                let given = Given::new(self.read(seq, given)?);
                Verdict::FanOut(Arc::new(Fan { items: items.into(), given: given.into(), taken }))
            }
        })
    }
}
