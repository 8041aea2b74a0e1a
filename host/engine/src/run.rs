//! A *run*: a plan being carried out.
//!
//! The loop feeds the scheduler with what happened and does what it says. All
//! waiting is in one `select!`; nothing is decided here.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use consort_core::graph::TaskIx;
use consort_core::plan::{Plan, Work};
use consort_core::scheduler::{
    Action, End, Event, Retry, Scheduler, Settings, Status, Stop, Submission,
};
use consort_plugin_host::{CallContext, CallError, Candidate, Payload, Prioritizer, Snapshot};
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::attempt::{Attempt, AttemptEnd, Ear, Stage};
use crate::cast::{Cast, CastPrioritizer};
use crate::error::TaskError;
use crate::report::{
    JsonPayload, Metrics, PolicyMetrics, Report, TaskReport, UsageReport, UsageTotals,
};
use crate::watch::{RunEvent, Watcher};

/// How long a remote agent may take to stop.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(10);

/// A plan with everything it needs, ready to be carried out once.
pub struct Run {
    id: Arc<str>,
    plan: Plan,
    cast: Cast,
    prioritizer: CastPrioritizer,
    slots: u32,
}

impl Run {
    pub(crate) fn new(plan: Plan, cast: Cast, prioritizer: CastPrioritizer, slots: u32) -> Self {
        Self { id: uuid::Uuid::now_v7().to_string().into(), plan, cast, prioritizer, slots }
    }

    /// The run's id: a UUID of version 7.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// What will be carried out.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Carries the plan out. `inputs` override the plan's. `watcher` sees what
    /// happens; `stop` cancels: running attempts are stopped, remote ones told
    /// so, and the report says what was finished.
    ///
    /// Needs a tokio runtime with time enabled; attempts are spread over its
    /// threads.
    pub async fn execute(
        self,
        inputs: Map<String, Value>,
        watcher: Arc<dyn Watcher>,
        stop: CancellationToken,
    ) -> Report {
        let Self { id, mut plan, cast, prioritizer, slots } = self;
        let mut all_inputs = std::mem::take(&mut plan.inputs);
        all_inputs.extend(inputs);
        let CastPrioritizer { plugin, prioritizer, limits } = prioritizer;
        let policy = PolicyMetrics {
            name: plugin.name().clone(),
            digest: plugin.digest().clone(),
            ..PolicyMetrics::default()
        };
        let stage = Arc::new(Stage {
            run_id: id,
            plan,
            cast,
            inputs: all_inputs,
            watcher,
            metrics: Mutex::new(BTreeMap::new()),
        });
        let ear = Ear { stage: stage.clone(), task: None, plugin: plugin.name().clone() };
        let scorer = Scorer {
            cx: CallContext { observer: Some(Arc::new(ear)), ..CallContext::new(limits) },
            idle: Some(prioritizer),
        };
        // On a worker thread an attempt that is woken by the loop, or wakes it,
        // needs no other thread to notice.
        let conductor = Conductor::new(stage, scorer, policy, slots);
        let task = tokio::spawn(conductor.conduct(stop));
        match task.await {
            Ok(report) => report,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// Milliseconds since the epoch that never go back.
struct Clock {
    epoch: i64,
    start: Instant,
}

impl Clock {
    fn new() -> Self {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { epoch: epoch.as_millis() as i64, start: Instant::now() }
    }

    fn now(&self) -> i64 {
        self.epoch + self.start.elapsed().as_millis() as i64
    }

    /// When the clock will show `at`; never too early.
    fn instant(&self, at: i64) -> Instant {
        self.start + Duration::from_millis((at - self.epoch).max(0) as u64)
    }
}

/// The prioritizer, between calls or in one.
struct Scorer {
    cx: CallContext,
    idle: Option<Prioritizer>,
}

type Scoring = Pin<Box<dyn Future<Output = (Prioritizer, Result<Vec<f64>, CallError>)> + Send>>;

/// What an attempt tells the loop.
struct Ended {
    task: TaskIx,
    /// None: it was stopped.
    end: Option<AttemptEnd>,
}

/// What the engine keeps of a task beyond what the scheduler does.
#[derive(Default)]
struct TaskRecord {
    result: Option<Payload>,
    error: Option<Box<TaskError>>,
    usage: Option<UsageReport>,
    checkpoint: Option<Bytes>,
    /// Stops the running attempt.
    stop: Option<oneshot::Sender<()>>,
    /// Why it was stopped.
    stopped: Option<Stop>,
    agent: Option<u32>,
    attempts: u32,
    started: Option<i64>,
    finished: Option<i64>,
    status: Option<Status>,
}

/// The run loop and what it remembers.
struct Conductor {
    stage: Arc<Stage>,
    scheduler: Scheduler,
    clock: Clock,
    records: Vec<TaskRecord>,
    names: Arc<[Arc<str>]>,
    scorer: Scorer,
    scoring: Option<Scoring>,
    policy: PolicyMetrics,
    events: Vec<Event>,
    ended: mpsc::UnboundedSender<Ended>,
    inbox: mpsc::UnboundedReceiver<Ended>,
    /// Remote agents being told to stop.
    cancels: JoinSet<()>,
    /// How the run ended, once it has.
    status: Option<Status>,
}

impl Conductor {
    fn new(stage: Arc<Stage>, scorer: Scorer, policy: PolicyMetrics, slots: u32) -> Self {
        let clock = Clock::new();
        let (submission, names) = Submission::new(&stage.plan, clock.now());
        let seed = uuid::Uuid::parse_str(&stage.run_id).map_or(0, |id| id.as_u64_pair().1);
        let (ended, inbox) = mpsc::unbounded_channel();
        let mut records = Vec::new();
        records.resize_with(stage.plan.tasks.len(), TaskRecord::default);
        Self {
            scheduler: Scheduler::new(Settings { slots, seed }),
            clock,
            records,
            names: names.into(),
            scorer,
            scoring: None,
            policy,
            events: vec![Event::Submit(Box::new(submission))],
            ended,
            inbox,
            cancels: JoinSet::new(),
            status: None,
            stage,
        }
    }

    async fn conduct(mut self, stop: CancellationToken) -> Report {
        self.stage.watcher.event(&RunEvent::RunStarted {
            run_id: &self.stage.run_id,
            tasks: self.stage.plan.tasks.len(),
        });
        let mut actions = Vec::new();
        let mut batch = Vec::new();
        let mut cancelled = false;
        loop {
            let now = self.clock.now();
            self.scheduler.step(now, self.events.drain(..), &mut actions);
            for action in actions.drain(..) {
                self.perform(now, action);
            }
            if self.status.is_some() {
                break;
            }
            let timer = self.scheduler.next_timer();
            if timer.is_some_and(|at| at <= now) {
                self.events.push(Event::Timer);
                continue;
            }
            let due = timer.map(|at| self.clock.instant(at));
            tokio::select! {
                biased;
                scored = scored(&mut self.scoring) => self.take_scores(scored),
                () = stop.cancelled(), if !cancelled => {
                    cancelled = true;
                    self.events.push(Event::Cancel);
                }
                _ = self.inbox.recv_many(&mut batch, 256) => {
                    for ended in batch.drain(..) {
                        let event = self.take_end(ended);
                        self.events.push(event);
                    }
                }
                () = sleep_until(due) => self.events.push(Event::Timer),
            }
        }
        while self.cancels.join_next().await.is_some() {}
        self.report()
    }

    fn perform(&mut self, now: i64, action: Action) {
        match action {
            Action::Score { tasks } => self.score(now, &tasks),
            Action::Start { task, agent, attempt, resume, deadline } => {
                self.start(now, task, agent, attempt, resume, deadline);
            }
            Action::Abort { task, why } => {
                let record = &mut self.records[task.index()];
                record.stopped = Some(why);
                if let Some(stop) = record.stop.take() {
                    // An attempt that has just ended no longer listens.
                    let _ = stop.send(());
                }
            }
            Action::CancelRemote { task, why } => {
                let error = self.stop_error(task, why);
                self.records[task.index()].error = Some(Box::new(error));
                self.cancel_remote(task);
            }
            Action::Retrying { task, at, agent } => {
                let record = &self.records[task.index()];
                self.stage.watcher.event(&RunEvent::Retrying {
                    task: &self.stage.plan.task(task).id,
                    error: record.error.as_deref(),
                    agent: &self.stage.cast.agents[self.agent_of(task, agent) as usize].name,
                    wait: Duration::from_millis((at - now).max(0) as u64),
                });
            }
            Action::Finished { task, status, because } => self.finish(now, task, status, because),
            Action::RunEnded { status } => self.status = Some(status),
        }
    }

    fn score(&mut self, now: i64, tasks: &[TaskIx]) {
        let Some(mut prioritizer) = self.scorer.idle.take() else { return };
        let scheduler = &self.scheduler;
        let batch: Vec<Candidate> = tasks
            .iter()
            .map(|&task| {
                let facts = scheduler.facts(task);
                Candidate {
                    id: task.0,
                    kind: facts.kind,
                    agent: scheduler.class(task).0,
                    priority: facts.priority,
                    attempt: scheduler.next_attempt(task),
                    ready_at: scheduler.ready_at(task),
                    deadline: facts.deadline,
                    expected: facts.expected,
                    remaining_path: facts.remaining_path,
                    dependents: facts.dependents,
                    depth: facts.depth,
                }
            })
            .collect();
        let snapshot = Snapshot {
            now,
            names: self.names.clone(),
            ready: scheduler.ready_count(),
            running: scheduler.running_count(),
            slots: scheduler.slots(),
        };
        let cx = self.scorer.cx.clone();
        self.policy.ticks += 1;
        self.scoring = Some(Box::pin(async move {
            let scores = prioritizer.score(&batch, &snapshot, &cx).await;
            (prioritizer, scores)
        }));
    }

    fn take_scores(&mut self, scored: (Prioritizer, Result<Vec<f64>, CallError>)) {
        let (prioritizer, scores) = scored;
        self.scoring = None;
        self.scorer.idle = Some(prioritizer);
        if let Err(error) = &scores {
            let message = error.to_string();
            let event = RunEvent::PolicyFault { plugin: &self.policy.name, message: &message };
            self.stage.watcher.event(&event);
            self.policy.faults += 1;
            self.policy.last_fault = Some(message);
        }
        self.events.push(Event::Scored { scores: scores.ok() });
    }

    /// The cast's number of one of a task's agents.
    fn agent_of(&self, task: TaskIx, agent: u32) -> u32 {
        match &self.stage.plan.task(task).work {
            Work::Agents(agents) => agents[agent as usize].0,
            Work::Join => unreachable!("a task that stands for its steps is never started"),
        }
    }

    fn attempt(
        &self,
        task: TaskIx,
        agent: u32,
        checkpoint: Option<Bytes>,
        remaining: Duration,
    ) -> Attempt {
        let edges = &self.stage.plan.task(task).dependencies;
        let result = |edge: &consort_core::plan::Edge| {
            if edge.forward { self.records[edge.task.index()].result.clone() } else { None }
        };
        Attempt {
            stage: self.stage.clone(),
            task,
            agent,
            number: self.records[task.index()].attempts,
            results: edges.iter().map(result).collect(),
            checkpoint,
            remaining,
        }
    }

    fn start(
        &mut self,
        now: i64,
        task: TaskIx,
        agent: u32,
        attempt: u32,
        resume: bool,
        deadline: i64,
    ) {
        let agent = self.agent_of(task, agent);
        let (stop, stopped) = oneshot::channel();
        let record = &mut self.records[task.index()];
        record.stop = Some(stop);
        record.stopped = None;
        record.agent = Some(agent);
        record.attempts = attempt;
        record.started.get_or_insert(now);
        if !resume {
            record.checkpoint = None;
        }
        let checkpoint = record.checkpoint.clone();
        let remaining = Duration::from_millis((deadline - now).max(0) as u64);
        self.stage.watcher.event(&RunEvent::TaskStarted {
            task: &self.stage.plan.task(task).id,
            agent: &self.stage.cast.agents[agent as usize].name,
            attempt,
            resumed: resume,
        });
        let work = self.attempt(task, agent, checkpoint, remaining);
        let answer = Answer { task, to: self.ended.clone(), end: Some(lost()) };
        tokio::spawn(async move {
            let end = tokio::select! {
                biased;
                end = work.run() => Some(end),
                _ = stopped => None,
            };
            answer.give(end);
        });
    }

    /// Keeps what an attempt brought and says what it means.
    fn take_end(&mut self, ended: Ended) -> Event {
        let Ended { task, end } = ended;
        let why = self.records[task.index()].stopped.take();
        let stop_error = || why.map(|why| Box::new(self.stop_error(task, why)));
        let stop_error =
            if matches!(end, Some(AttemptEnd::Done { .. })) { None } else { stop_error() };
        let record = &mut self.records[task.index()];
        record.stop = None;
        let end = match end {
            Some(AttemptEnd::Done { output, usage }) => {
                record.result = Some(output);
                record.usage = usage;
                record.error = None;
                record.checkpoint = None;
                End::Succeeded
            }
            Some(AttemptEnd::Pending { checkpoint, poll_after }) => {
                record.checkpoint = Some(checkpoint);
                End::Pending { poll_after: poll_after.as_millis().min(u64::MAX.into()) as u64 }
            }
            Some(AttemptEnd::Failed { error, retry }) => {
                record.error = Some(stop_error.unwrap_or(error));
                record.checkpoint = None;
                End::Failed(retry)
            }
            None => {
                record.error = stop_error;
                if record.checkpoint.is_some() {
                    self.cancel_remote(task);
                }
                End::Aborted
            }
        };
        Event::Ended { task, end }
    }

    fn stop_error(&self, task: TaskIx, why: Stop) -> TaskError {
        match why {
            Stop::Timeout => {
                let seconds = self.stage.plan.task(task).timeout as f64 / 1_000.0;
                TaskError::new(
                    "timeout",
                    format!("no result within {seconds} s, which is the task's 'timeout'"),
                )
            }
            Stop::Cancelled => TaskError::new("cancelled", "the run was cancelled"),
            Stop::RunFailed => TaskError::new("cancelled", "the run failed before it was done"),
        }
    }

    /// Tells a remote agent to stop, without waiting for it.
    fn cancel_remote(&mut self, task: TaskIx) {
        let record = &mut self.records[task.index()];
        let (Some(agent), Some(checkpoint)) = (record.agent, record.checkpoint.take()) else {
            return;
        };
        let attempt = self.attempt(task, agent, Some(checkpoint), CANCEL_TIMEOUT);
        self.cancels.spawn(async move {
            let task = attempt.stage.plan.task(attempt.task).id.clone();
            match tokio::time::timeout(CANCEL_TIMEOUT, attempt.cancel()).await {
                Ok(Ok(())) => {}
                Ok(Err((error, _))) => {
                    tracing::warn!(%task, error = error.message, "cancel failed")
                }
                Err(_) => {
                    tracing::warn!(%task, "the agent did not confirm within 10 s that it stopped")
                }
            }
        });
    }

    fn finish(&mut self, now: i64, task: TaskIx, status: Status, because: Option<TaskIx>) {
        let plan_task = self.stage.plan.task(task);
        if status == Status::Succeeded && plan_task.work == Work::Join {
            self.records[task.index()].result = Some(self.join_result(task));
        }
        let cause = because.map(|task| self.stage.plan.task(task).id.clone());
        let record = &mut self.records[task.index()];
        record.status = Some(status);
        record.finished = Some(now);
        if record.error.is_none() {
            let explained = match (status, cause) {
                (Status::Skipped, Some(cause)) => Some(TaskError::new(
                    "skipped",
                    format!("it depends on '{cause}', which has no result"),
                )),
                (Status::Cancelled, Some(cause)) => Some(TaskError::new(
                    "cancelled",
                    format!("the run failed with '{cause}' before it was started"),
                )),
                (Status::Cancelled, None) => {
                    Some(TaskError::new("cancelled", "the run was cancelled"))
                }
                _ => None,
            };
            record.error = explained.map(Box::new);
        }
        let elapsed = record.started.map_or(0, |started| now - started);
        self.stage.watcher.event(&RunEvent::TaskFinished {
            task: &plan_task.id,
            status,
            error: record.error.as_deref(),
            elapsed: Duration::from_millis(elapsed.max(0) as u64),
        });
    }

    /// The result of a collaborative task: its steps' results by id.
    fn join_result(&self, task: TaskIx) -> Payload {
        let mut object = String::from("{");
        for edge in &self.stage.plan.task(task).dependencies {
            let Some(result) = &self.records[edge.task.index()].result else { continue };
            let (Ok(key), Ok(value)) =
                (serde_json::to_string(&*edge.name), serde_json::to_string(&JsonPayload(result)))
            else {
                continue;
            };
            if object.len() > 1 {
                object.push(',');
            }
            object += &key;
            object.push(':');
            object += &value;
        }
        object.push('}');
        Payload::Json(object.into())
    }

    fn report(self) -> Report {
        let now = self.clock.now();
        let status = self.status.unwrap_or(Status::Cancelled);
        self.stage
            .watcher
            .event(&RunEvent::RunFinished { status, elapsed: self.clock.start.elapsed() });
        let plan = &self.stage.plan;
        let mut metrics = Metrics {
            duration_ms: (now - self.clock.epoch) as u64,
            longest_chain: plan.graph.depths(&plan.order).into_iter().max().map_or(0, |d| d + 1),
            policy: self.policy,
            plugins: std::mem::take(
                &mut *self.stage.metrics.lock().unwrap_or_else(PoisonError::into_inner),
            ),
            ..Metrics::default()
        };
        let time = |at: Option<i64>| at.and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
        let mut usage = UsageTotals::default();
        let tasks = plan.tasks.iter().zip(self.records).map(|(task, record)| {
            let status = record.status.unwrap_or(Status::Cancelled);
            *metrics.tasks.entry(status_name(status)).or_default() += 1;
            metrics.attempts += record.attempts;
            if let Some(used) = &record.usage {
                usage.add(used);
            }
            TaskReport {
                id: task.id.clone(),
                status,
                attempts: record.attempts,
                agent: record
                    .agent
                    .map(|agent| self.stage.cast.agents[agent as usize].name.clone()),
                output: record.result,
                error: record.error.map(|error| *error),
                started: time(record.started),
                finished: time(record.finished),
                usage: record.usage,
            }
        });
        let tasks = tasks.collect();
        metrics.usage = usage;
        Report {
            run_id: self.stage.run_id.clone(),
            name: plan.name.clone(),
            status,
            tasks,
            metrics,
        }
    }
}

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Succeeded => "succeeded",
        Status::Failed => "failed",
        Status::Skipped => "skipped",
        Status::Cancelled => "cancelled",
    }
}

async fn scored(scoring: &mut Option<Scoring>) -> (Prioritizer, Result<Vec<f64>, CallError>) {
    match scoring {
        Some(scoring) => scoring.await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// The answer every attempt owes the loop, sent when it is dropped: an attempt
/// that panics must not keep the run waiting.
struct Answer {
    task: TaskIx,
    to: mpsc::UnboundedSender<Ended>,
    end: Option<AttemptEnd>,
}

impl Answer {
    fn give(mut self, end: Option<AttemptEnd>) {
        self.end = end;
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // The loop may be over already.
        let _ = self.to.send(Ended { task: self.task, end: self.end.take() });
    }
}

/// What an attempt has come to that never said anything.
fn lost() -> AttemptEnd {
    let error = TaskError::new("host", "the host lost this attempt; this is a bug in the host");
    AttemptEnd::Failed { error: Box::new(error), retry: Retry::Never }
}
