//! What is *begun*: whether a task is done is decided, a question is put, an
//! attempt is started; and what each comes to.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use consort_core::graph::TaskIx;
use consort_core::scheduler::{End, Event};
use consort_plugin_host::Consumed;
use tokio::sync::oneshot;

use super::Conductor;
use crate::attempt::{Attempt, AttemptEnd, Left};
use crate::decide::{Verdict, decide};
use crate::error::TaskError;
use crate::job::{Job, TaskRef, TaskResult, WorksOn};
use crate::message::{Message, Owed, lost};
use crate::nodes::MAX_GROWTH;
use crate::record::Source;
use crate::report::UsageReport;
use crate::stage::Pulse;
use crate::watch::RunEvent;

/// Decisions and questions that are worked out at once.
const MAX_PREPARATIONS: usize = 64;

/// Decisions and questions that are to be worked out.
#[derive(Default)]
pub(super) struct Preparations {
    waiting: VecDeque<(TaskIx, Wanted)>,
    pub(super) running: usize,
}

/// What is wanted of a task before it can go on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    Decision,
    Question,
}

/// An attempt that only has to be let go.
pub(super) struct Begun {
    pub(super) work: Attempt,
    stopped: oneshot::Receiver<()>,
    owed: Owed,
}

impl Begun {
    /// Lets it go, apart from the loop.
    pub(super) fn spawn(self) {
        let Self { work, stopped, owed } = self;
        let (task, tally) = (work.task, work.job.tally.clone());
        tokio::spawn(async move {
            let end = tokio::select! {
                biased;
                end = work.run() => Some(end),
                _ = stopped => None,
            };
            owed.pay(Message::Ended { task, end, used: tally.total() });
        });
    }
}

impl Conductor {
    /// Works out a decision or a question, apart from the loop: transformers
    /// may have to be called for it, and templates take their time.
    pub(super) fn prepare(&mut self, task: TaskIx, wanted: Wanted) {
        if self.live {
            self.preparations.waiting.push_back((task, wanted));
            self.prepare_next();
        }
    }

    /// One of them is done.
    fn prepared(&mut self) {
        if self.live {
            self.preparations.running -= 1;
            self.prepare_next();
        }
    }

    fn prepare_next(&mut self) {
        while self.preparations.running < MAX_PREPARATIONS {
            let Some((task, wanted)) = self.preparations.waiting.pop_front() else { return };
            if self.records[task.index()].status.is_some() {
                continue;
            }
            self.preparations.running += 1;
            let job = self.job(task);
            match wanted {
                Wanted::Decision => {
                    let verdict = Verdict::Broken(lost());
                    let owed = self.mail.owe(Message::Decided { task, verdict });
                    tokio::spawn(async move {
                        let verdict = decide(&job).await;
                        owed.pay(Message::Decided { task, verdict });
                    });
                }
                Wanted::Question => {
                    let owed = self.mail.owe(Message::Question { task, question: Err(lost()) });
                    tokio::spawn(async move {
                        let question = match job.given().await {
                            Ok(given) => job.description(&given),
                            Err(failed) => Err(failed),
                        };
                        let question = question.map_err(|(error, _)| error);
                        owed.pay(Message::Question { task, question });
                    });
                }
            }
        }
    }

    /// A task with all it needs to fill in its texts.
    pub(super) fn job(&self, node: TaskIx) -> Job {
        let task = self.nodes.task(node);
        let works_on = match self.nodes.item(node) {
            Some((_, fan, index)) => WorksOn::Item { fan, index },
            None => WorksOn::Results(self.results(&task)),
        };
        Job {
            stage: self.stage.clone(),
            task,
            id: self.id(node),
            works_on,
            pulse: None,
            tally: Arc::default(),
        }
    }

    /// The results that a task's edges pass on.
    fn results(&self, task: &TaskRef) -> Vec<Option<TaskResult>> {
        let result = |dependency: TaskIx| {
            let value = self.records[dependency.index()].result.clone()?;
            Some(TaskResult { task: self.nodes.task(dependency), value })
        };
        match task {
            TaskRef::Planned(task) => {
                let edges = self.plan().task(*task).dependencies.iter();
                edges.map(|edge| if edge.forward { result(edge.task) } else { None }).collect()
            }
            TaskRef::Added(draft) => {
                let edges = draft.task.dependencies.iter().zip(&draft.waits_for);
                let passed_on =
                    edges.map(
                        |(edge, name)| {
                            if edge.forward { result(self.nodes.named(name)?) } else { None }
                        },
                    );
                passed_on.collect()
            }
        }
    }

    /// Starts an attempt, or goes on with one.
    pub(super) fn start(
        &mut self,
        task: TaskIx,
        agent: u32,
        attempt: u32,
        resume: bool,
        deadline: i64,
    ) {
        if let Some(begun) = self.begin(task, agent, attempt, resume, deadline) {
            begun.spawn();
        }
    }

    /// An attempt that only has to be let go; none while what happened before is
    /// gone through again.
    pub(super) fn begin(
        &mut self,
        task: TaskIx,
        agent: u32,
        attempt: u32,
        resume: bool,
        deadline: i64,
    ) -> Option<Begun> {
        let agent = self.agent_of(task, agent);
        let waited = (self.now - self.scheduler.ready_at(task)).max(0).unsigned_abs();
        let record = &mut self.records[task.index()];
        // One that goes on, or is begun again after a crash, has had its turn.
        if attempt > record.attempts {
            record.queued = record.queued.saturating_add(waited.try_into().unwrap_or(u32::MAX));
        }
        record.agent = Some(agent);
        record.attempts = attempt;
        record.start(self.now);
        let live = record.live();
        live.stopped = None;
        let left = std::mem::take(&mut live.left);
        let left = if resume { left } else { Left::default() };
        // If it is stopped, the agent must still be told; if it is lost, it is
        // begun again.
        live.left.checkpoint.clone_from(&left.checkpoint);
        live.left.answer.clone_from(&left.answer);
        self.stage.tell(&RunEvent::TaskStarted {
            task: self.id(task),
            agent: self.agent_name(agent).clone(),
            attempt,
            resumed: resume,
        });
        self.live.then(|| self.ready(task, left, deadline))
    }

    fn ready(&mut self, task: TaskIx, left: Left, deadline: i64) -> Begun {
        let mut job = self.job(task);
        let idle = job.task().settings.timeouts.idle;
        job.pulse = idle.map(|idle| Arc::new(Pulse::new(task, idle, self.mail.clone())));
        let earlier = self.earlier.as_ref();
        let fresh = earlier.is_some_and(|earlier| earlier.fresh.contains(&job.id));
        let (stop, stopped) = oneshot::channel();
        let record = &mut self.records[task.index()];
        record.live().stop = Some(stop);
        let work = Attempt {
            job,
            task,
            agent: record.agent.unwrap_or_default(),
            number: record.attempts,
            left,
            fresh,
            remaining: Duration::from_millis(deadline.saturating_sub(self.now).max(0) as u64),
            seat: None,
            mail: self.mail.clone(),
        };
        let (end, used) = (Some(AttemptEnd::lost()), Consumed::default());
        let owed = self.mail.owe(Message::Ended { task, end, used });
        Begun { work, stopped, owed }
    }

    /// Keeps what a message brings and tells the scheduler what it means.
    pub(super) fn read(&mut self, message: Message) {
        match message {
            Message::Ended { task, end, used } => {
                self.records[task.index()].consume(&used);
                self.take_end(task, end);
            }
            Message::Used { task, usage } => self.take_usage(task, usage),
            Message::Alive(task) => self.events.push(Event::Alive { task }),
            Message::Decided { task, verdict } => {
                self.prepared();
                self.take_verdict(task, verdict);
            }
            Message::Question { task, question } => {
                self.prepared();
                self.take_question(task, question);
            }
            Message::Logged(line) => {
                // Whoever watches has heard it from the plugin.
                if !self.live {
                    self.count_log(&line);
                    self.stage.tell(&RunEvent::Log {
                        task: line.task.clone(),
                        plugin: line.plugin.clone(),
                        level: line.level,
                        message: line.message.clone(),
                    });
                }
            }
            Message::Cancelled { task, attempt } => self.remote_cancelled(task, attempt),
            Message::Notified { webhook, notice, tries, outcome } => {
                self.take_outcome(webhook, notice, tries, &outcome);
            }
        }
    }

    fn take_end(&mut self, task: TaskIx, end: Option<AttemptEnd>) {
        let live = self.records[task.index()].live();
        live.stop = None;
        let why = live.stopped.take();
        if live.delivered.is_some() {
            return self.overtaken(task, end);
        }
        let stop_error =
            |conductor: &Self| why.map(|why| Box::new(conductor.stop_error(task, why)));
        let end = match end {
            Some(AttemptEnd::Done { output, cached, proposals }) => {
                // Before the end: the run might be over with it.
                self.propose(task, proposals);
                self.kept += output.held();
                let record = &mut self.records[task.index()];
                record.result = Some(output.into());
                record.source = if cached { Source::Cache } else { Source::Agent };
                record.error = None;
                record.live().left = Left::default();
                End::Succeeded
            }
            Some(AttemptEnd::Pending { left, poll_after }) => {
                self.records[task.index()].live().left = left;
                End::Pending { poll_after: poll_after.as_millis().min(u64::MAX.into()) as u64 }
            }
            Some(AttemptEnd::Asks { question, checkpoint }) => {
                return self.take_agent_question(task, question, checkpoint);
            }
            Some(AttemptEnd::Failed { error, retry }) => {
                let error = stop_error(self).unwrap_or(error);
                let record = &mut self.records[task.index()];
                record.error = Some(error);
                record.live().left = Left::default();
                End::Failed(retry)
            }
            None => {
                let error = stop_error(self);
                self.records[task.index()].error = error;
                self.cancel_remote(task);
                End::Aborted
            }
        };
        self.events.push(Event::Ended { task, end });
    }

    fn take_usage(&mut self, task: TaskIx, usage: UsageReport) {
        self.spent.add(&usage);
        let (tokens, cost) = (usage.tokens(), usage.cost.unwrap_or(0.0));
        self.records[task.index()].use_up(usage);
        self.events.push(Event::Spent { tokens, cost });
    }

    fn take_verdict(&mut self, task: TaskIx, mut verdict: Verdict) {
        if self.records[task.index()].status.is_some() {
            return;
        }
        if let Verdict::FanOut(fan) = &verdict
            && fan.items.len() > self.nodes.room()
        {
            let message = format!(
                "its {} items would make the run grow by more than {MAX_GROWTH} tasks",
                fan.items.len()
            );
            verdict = Verdict::Broken(Box::new(TaskError::new("too-many", message)));
        }
        let decision = verdict.decision();
        match verdict {
            Verdict::FanOut(fan) => self.nodes.fan_out(task, fan, self.place),
            Verdict::Broken(error) => self.records[task.index()].error = Some(error),
            Verdict::Reused => self.take_over(task),
            Verdict::Run | Verdict::Skip => {}
        }
        self.events.push(Event::Decided { task, decision });
    }

    /// Numbers the items of a task.
    pub(super) fn fan_out(&mut self, task: TaskIx, first: TaskIx, items: u32) {
        self.nodes.add_items(task, first, items);
        self.records.resize_with(first.index() + items as usize, Default::default);
        self.records[task.index()].start(self.now);
        self.stage.tell(&RunEvent::FannedOut { task: self.id(task), items });
    }
}
