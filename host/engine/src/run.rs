//! A *run*: a plan being carried out.
//!
//! The loop feeds the scheduler with what happened and does what it says. All
//! waiting is in one `select!`; nothing is decided here.
//!
//! * `clock`: the run's time.
//! * `start`: what is begun: decisions, questions, attempts; and how it ends.
//! * `batch`: what is started together.
//! * `command`: what is done from outside.
//! * `add`: tasks that are added.
//! * `explain`: why a task has no result.
//! * `finish`: what a finished task leaves, and what the run does.

mod add;
mod batch;
mod clock;
mod command;
mod explain;
mod finish;
mod start;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use consort_core::graph::TaskIx;
use consort_core::plan::{Plan, Work};
use consort_core::scheduler::{
    Action, ClassLimits, Event, RunReason, Scheduler, Scope, Settings, Status, Submission,
};
use consort_core::template::Shared;
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::cache::Cache;
use crate::cast::{Cast, CastPrioritizer};
use crate::control::{Command, RunControl};
use crate::draft::Drafting;
use crate::message::{Mail, Message};
use crate::nodes::Nodes;
use crate::policy::Policy;
use crate::record::Record;
use crate::report::{Report, UsageTotals};
use crate::stage::Stage;
use crate::watch::{RunEvent, Watcher};

use add::Additions;
use clock::Clock;
use start::{Preparations, Wanted};

/// Messages and commands that are taken in one step of the loop.
const MAX_BATCH: usize = 256;

/// A plan with everything it needs, ready to be carried out once.
pub struct Run {
    id: Arc<str>,
    plan: Plan,
    cast: Cast,
    prioritizer: CastPrioritizer,
    slots: u32,
    cache: Cache,
    drafting: Arc<Drafting>,
    control: RunControl,
    commands: mpsc::Receiver<Command>,
    answers: HashMap<String, Value>,
}

impl Run {
    pub(crate) fn new(
        plan: Plan,
        cast: Cast,
        prioritizer: CastPrioritizer,
        slots: u32,
        cache: Cache,
        default_agent: Option<&str>,
    ) -> Self {
        let drafting = Arc::new(Drafting::new(&plan, default_agent));
        let (control, commands) = RunControl::new(drafting.clone());
        Self {
            id: uuid::Uuid::now_v7().to_string().into(),
            plan,
            cast,
            prioritizer,
            slots,
            cache,
            drafting,
            control,
            commands,
            answers: HashMap::new(),
        }
    }

    /// The run's id: a UUID of version 7.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// What will be carried out.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What answers, stops, pauses and adds to the run while it goes on.
    pub fn control(&self) -> RunControl {
        self.control.clone()
    }

    /// Answers the question of an approval before it is asked, as
    /// [`RunControl::answer`] does later. The task need not be there yet.
    pub fn answer(&mut self, task: impl Into<String>, answer: Value) {
        self.answers.insert(task.into(), answer);
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
        let Self { id, mut plan, cast, prioritizer, slots, cache, drafting, .. } = self;
        let mut all_inputs = std::mem::take(&mut plan.inputs);
        all_inputs.extend(inputs);
        let stage = Arc::new(Stage {
            run_id: id,
            plan,
            cast,
            inputs: Shared::new(all_inputs),
            cache,
            drafting,
            watcher,
            metrics: Mutex::new(BTreeMap::new()),
        });
        let mut conductor = Conductor::new(stage, prioritizer, slots, self.commands);
        conductor.answers = self.answers;
        // Without it the loop would have to tell commands that come no more
        // from those that have not come yet.
        conductor.control = Some(self.control);
        // On a worker thread an attempt that is woken by the loop, or wakes it,
        // needs no other thread to notice.
        let task = tokio::spawn(conductor.conduct(stop));
        match task.await {
            Ok(report) => report,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// The run loop and what it remembers.
struct Conductor {
    stage: Arc<Stage>,
    scheduler: Scheduler,
    clock: Clock,
    nodes: Nodes,
    /// One for each node.
    records: Vec<Record>,
    policy: Policy,
    events: Vec<Event>,
    mail: Mail,
    inbox: mpsc::UnboundedReceiver<Message>,
    control: Option<RunControl>,
    commands: mpsc::Receiver<Command>,
    preparations: Preparations,
    /// Given before they were asked for, by the ids of tasks.
    answers: HashMap<String, Value>,
    additions: Additions,
    /// The scheduler's classes.
    classes: Vec<ClassLimits>,
    /// What all attempts have used.
    spent: UsageTotals,
    /// Somebody wanted the whole run to stop.
    cancelled: bool,
    paused: bool,
    /// Remote agents being told to stop.
    cancels: JoinSet<()>,
    /// How the run ended, once it has.
    ended: Option<(Status, RunReason)>,
}

impl Conductor {
    fn new(
        stage: Arc<Stage>,
        prioritizer: CastPrioritizer,
        slots: u32,
        commands: mpsc::Receiver<Command>,
    ) -> Self {
        let clock = Clock::new();
        let (submission, names) = Submission::new(&stage.plan, clock.now());
        let seed = uuid::Uuid::parse_str(&stage.run_id).map_or(0, |id| id.as_u64_pair().1);
        let (mail, inbox) = Mail::new();
        let mut records = Vec::new();
        records.resize_with(stage.plan.tasks.len(), Record::default);
        Self {
            scheduler: Scheduler::new(Settings { slots, seed }),
            clock,
            nodes: Nodes::new(&stage.plan),
            records,
            policy: Policy::new(stage.clone(), prioritizer, names),
            classes: submission.classes.clone(),
            events: vec![Event::Submit(Box::new(submission))],
            mail,
            inbox,
            control: None,
            commands,
            preparations: Preparations::default(),
            answers: HashMap::new(),
            additions: Additions::default(),
            spent: UsageTotals::default(),
            cancelled: false,
            paused: false,
            cancels: JoinSet::new(),
            ended: None,
            stage,
        }
    }

    async fn conduct(mut self, stop: CancellationToken) -> Report {
        self.stage.watcher.event(&RunEvent::RunStarted {
            run_id: &self.stage.run_id,
            tasks: self.stage.plan.tasks.len(),
        });
        let mut actions = Vec::new();
        let mut messages = Vec::new();
        let mut commands = Vec::new();
        let (status, reason) = loop {
            let now = self.clock.now();
            self.scheduler.step(now, self.events.drain(..), &mut actions);
            for action in actions.drain(..) {
                self.perform(now, action);
            }
            self.additions.reply();
            if let Some(end) = self.ended {
                break end;
            }
            if !self.events.is_empty() {
                continue;
            }
            let timer = self.scheduler.next_timer();
            if timer.is_some_and(|at| at <= now) {
                self.events.push(Event::Timer);
                continue;
            }
            let due = timer.map(|at| self.clock.instant(at));
            tokio::select! {
                biased;
                scored = self.policy.answer() => {
                    let scores = self.policy.take(self.clock.now(), scored);
                    self.events.push(Event::Scored { scores });
                }
                () = stop.cancelled(), if !self.cancelled => self.cancel_run(),
                _ = self.commands.recv_many(&mut commands, MAX_BATCH) => {
                    commands.drain(..).for_each(|command| self.obey(command));
                }
                _ = self.inbox.recv_many(&mut messages, MAX_BATCH) => {
                    messages.drain(..).for_each(|message| self.take(message));
                }
                () = sleep_until(due) => self.events.push(Event::Timer),
            }
        };
        while self.cancels.join_next().await.is_some() {}
        self.report(status, reason)
    }

    fn perform(&mut self, now: i64, action: Action) {
        match action {
            Action::Score { tasks } => {
                if !self.policy.ask(now, &self.scheduler, &tasks) {
                    self.events.push(Event::Scored { scores: None });
                }
            }
            Action::Decide { task } => self.prepare(task, Wanted::Decision),
            Action::Ask { task } => self.prepare(task, Wanted::Question),
            Action::Start { task, agent, attempt, resume, deadline } => {
                self.start(now, task, agent, attempt, resume, deadline);
            }
            Action::StartBatch { members } => self.start_batch(now, &members),
            Action::Abort { task, why } => {
                let live = self.records[task.index()].live();
                live.stopped = Some(why);
                if let Some(stop) = live.stop.take() {
                    // An attempt that has just ended no longer listens.
                    let _ = stop.send(());
                }
            }
            Action::CancelRemote { task, why } => {
                let error = self.stop_error(task, why);
                self.records[task.index()].error = Some(Box::new(error));
                self.cancel_remote(task);
            }
            Action::Retrying { task, at, agent, .. } => {
                let record = &self.records[task.index()];
                self.stage.watcher.event(&RunEvent::Retrying {
                    task: &self.id(task),
                    error: record.error.as_deref(),
                    agent: &self.stage.cast.agents[self.agent_of(task, agent) as usize].name,
                    wait: Duration::from_millis((at - now).max(0) as u64),
                });
            }
            Action::FannedOut { task, first, items } => self.fan_out(now, task, first, items),
            Action::Added { key, task, without } => self.added(key, task, &without),
            Action::Held { key, conflicts } => self.not_added(key, true, &conflicts),
            Action::Rejected { key, conflicts } => self.not_added(key, false, &conflicts),
            Action::Finished { task, status, reason } => self.finish(now, task, status, reason),
            Action::RunEnded { status, reason } => self.ended = Some((status, reason)),
        }
    }

    fn cancel_run(&mut self) {
        self.cancelled = true;
        self.events.push(Event::Cancel { scope: Scope::Run });
    }

    fn plan(&self) -> &Plan {
        &self.stage.plan
    }

    /// A node's id.
    fn id(&self, node: TaskIx) -> Arc<str> {
        self.nodes.id(node, &self.stage.plan)
    }

    /// The cast's number of one of a task's agents.
    fn agent_of(&self, task: TaskIx, agent: u32) -> u32 {
        match &self.nodes.look(task, &self.stage.plan).work {
            Work::Agents(agents) => agents[agent as usize].0,
            Work::Join | Work::Approval => unreachable!("only tasks with agents are started"),
        }
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
