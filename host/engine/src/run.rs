//! A *run*: a plan being carried out.
//!
//! Everything that happens is an input. The loop records what has come in, feeds
//! it to the scheduler and does what that says. All waiting is in one `select!`;
//! nothing is decided here. What a run knows follows from its inputs and their
//! times alone, so one that is read back from its journal goes on where it was.
//!
//! * `clock`: the run's time.
//! * `durable`: a run that is recorded, and one that comes back.
//! * `save`: its state, saved now and then.
//! * `listen`: what the loop waits for.
//! * `start`: what is begun: decisions, questions, attempts; and how it ends.
//! * `ask`: what people are asked, and what they answer.
//! * `remote`: agents that are told to stop what they do by themselves.
//! * `batch`: what is started together.
//! * `command`: what is done from outside.
//! * `add`: tasks that are added.
//! * `repeat`: what an earlier run has done.
//! * `deliver`: what comes of tasks outside of the run.
//! * `wait`: who waits for the end of a task.
//! * `progress`: how far it is.
//! * `explain`: why a task has no result.
//! * `finish`: what a finished task leaves, and what the run does; `measure`: what
//!   can be counted of it.
//! * `notify`: what webhooks are told.

mod add;
mod ask;
mod batch;
mod clock;
mod command;
mod deliver;
pub(crate) mod durable;
mod explain;
mod finish;
mod listen;
mod measure;
mod notify;
mod progress;
mod remote;
mod repeat;
mod save;
mod start;
mod wait;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use consort_core::graph::TaskIx;
use consort_core::plan::{AgentIx, Known, Plan, Task, Work};
use consort_core::scheduler::{
    Action, ClassLimits, Event, RunReason, Scheduler, Scope, Settings, Status, Stop, Submission,
};
use consort_core::template::Shared;
use consort_plugin_host::Consumed;
use consort_store::StoreError;
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio::time::Interval;
use tokio_util::sync::CancellationToken;

use crate::cast::{Cast, CastPrioritizer};
use crate::config::PolicyConfig;
use crate::control::{Command, RunControl, nobody};
use crate::draft::Drafting;
use crate::earlier::Earlier;
use crate::journal::{Input, Journal, Place};
use crate::message::{Mail, Message};
use crate::nodes::Nodes;
use crate::notice::Topic;
use crate::notices::{Notices, Subscription};
use crate::output::Archive;
use crate::policy::{Names, Policy};
use crate::record::Record;
use crate::report::{Report, UsageTotals};
use crate::setup::Engine;
use crate::stage::Stage;
use crate::watch::{RunEvent, Watcher};

use add::Additions;
pub(crate) use add::SavedAdditions;
use clock::Clock;
use durable::Durable;
pub use durable::{Interrupted, Origin, ResumeError};
use notify::Outbox;
pub use progress::RunProgress;
use remote::Remotes;
pub(crate) use remote::SavedRemote;
use start::{Preparations, Wanted};
pub(crate) use wait::Ending;
use wait::Waiting;

/// A plan with everything it needs, ready to be carried out once.
pub struct Run {
    id: Arc<str>,
    engine: Engine,
    plan: Plan,
    cast: Arc<Cast>,
    prioritizer: CastPrioritizer,
    policy: PolicyConfig,
    slots: u32,
    drafting: Arc<Drafting>,
    control: RunControl,
    commands: mpsc::Receiver<Command>,
    answers: BTreeMap<String, Value>,
    durable: Option<Durable>,
    /// A run that was open remains so when it comes back.
    stays_open: bool,
    /// Ends the process's part in the run, and not the run.
    leave: CancellationToken,
}

impl Run {
    pub(crate) fn new(
        engine: Engine,
        plan: Plan,
        cast: Cast,
        prioritizer: CastPrioritizer,
        policy: PolicyConfig,
        slots: u32,
        known: &Known,
    ) -> Self {
        let drafting = Arc::new(Drafting::new(&plan, known));
        let (control, commands) = RunControl::new(drafting.clone());
        Self {
            id: uuid::Uuid::now_v7().to_string().into(),
            engine,
            plan,
            cast: Arc::new(cast),
            prioritizer,
            policy,
            slots,
            drafting,
            control,
            commands,
            answers: BTreeMap::new(),
            durable: None,
            stays_open: false,
            leave: CancellationToken::new(),
        }
    }

    /// Keeps a run open that comes back.
    pub(crate) fn stay_open(&mut self) {
        self.stays_open = true;
    }

    /// Leaves the run as it is when the token says so: as if the process had died.
    pub(crate) fn leave_when(&mut self, leave: CancellationToken) {
        self.leave = leave;
    }

    /// What added tasks are checked against.
    pub(crate) fn cast(&self) -> &Arc<Cast> {
        &self.cast
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

    /// Carries the plan out. `inputs` override the plan's; a run that comes
    /// back has had its own. `watcher` sees what happens; `stop` cancels:
    /// running attempts are stopped, remote ones told so, and the report says
    /// what was finished.
    ///
    /// Needs a tokio runtime with time enabled; attempts are spread over its
    /// threads.
    ///
    /// # Errors
    ///
    /// The run is recorded, and the store failed: everything was stopped where
    /// it was, and the run can be resumed. A run in memory does not fail.
    pub async fn execute(
        mut self,
        inputs: Map<String, Value>,
        watcher: Arc<dyn Watcher>,
        stop: CancellationToken,
    ) -> Result<Report, Interrupted> {
        let run_id = self.id.clone();
        let mut all_inputs = std::mem::take(&mut self.plan.inputs);
        all_inputs.extend(inputs);
        let durable = self.durable.take();
        let cache = match &durable {
            None => self.engine.cache().clone(),
            Some(durable) => {
                self.engine.cache().on(durable.store().clone(), self.engine.namespace())
            }
        };
        let archive = durable.as_ref().map(|durable| Archive::at(durable.store().path()));
        let leave = self.leave.clone();
        let task = async move {
            let beginning = match durable {
                None => Beginning::in_memory(self.subscriptions()),
                Some(durable) => self.begin(durable, &mut all_inputs).await?,
            };
            let mail = Mail::new();
            let stage = Arc::new(Stage {
                run_id: self.id,
                cache,
                archive,
                plan: self.plan,
                cast: self.cast,
                inputs: Shared::new(all_inputs),
                drafting: self.drafting,
                watcher,
                quiet: AtomicBool::new(false),
                mail: beginning.journal.as_ref().map(|_| mail.0.clone()),
                metrics: Mutex::new(BTreeMap::new()),
            });
            let mut conductor =
                Conductor::new(stage.clone(), self.slots, beginning.submitted_at, mail);
            conductor.policy = Some(Policy::new(stage, self.prioritizer));
            conductor.journal = beginning.journal;
            conductor.repeat(beginning.earlier);
            conductor.outbox = Outbox::new(&self.engine, &beginning.webhooks);
            conductor.notices = Notices::new(beginning.webhooks);
            conductor.commands = self.commands;
            conductor.most_kept = self.engine.config().results();
            conductor.save_every = self.engine.config().snapshot_every();
            // Without it the loop would have to tell commands that come no more
            // from those that have not come yet.
            conductor.control = Some(self.control);
            let old_answers = beginning.answers.unwrap_or_default().into_iter();
            let answers = self.answers.into_iter();
            match beginning.past {
                Some(past) => {
                    conductor.answer_later(old_answers);
                    conductor.come_back(&past)?;
                    conductor.announce_agent_questions();
                    if conductor.ended.is_none() {
                        conductor.inputs.push(Input::Recovered);
                    }
                    conductor.inputs.extend(answers.map(|(task, answer)| {
                        Input::Command(Command::Answer { task, answer, reply: nobody() })
                    }));
                }
                None => {
                    conductor.answer_later(answers);
                    conductor.apply(0, beginning.submitted_at, [Input::Submitted]);
                }
            }
            let open = conductor.ended.is_none() && conductor.scheduler.is_open();
            if open && !self.stays_open {
                conductor.inputs.push(Input::Command(Command::Close { reply: nobody() }));
            }
            tokio::select! {
                biased;
                () = leave.cancelled() => Err(durable::Failure::Left),
                ended = conductor.conduct(stop) => Ok(ended?),
            }
        };
        // On a worker thread an attempt that is woken by the loop, or wakes it,
        // needs no other thread to notice.
        let ended: Result<Report, durable::Failure> = match tokio::spawn(task).await {
            Ok(ended) => ended,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        ended.map_err(|failure| Interrupted::new(run_id, failure))
    }
}

/// How a run begins.
struct Beginning {
    submitted_at: i64,
    journal: Option<Journal>,
    /// Those that were given when it was submitted, if it comes back.
    answers: Option<BTreeMap<String, Value>>,
    /// What it takes over from an earlier run.
    earlier: Option<Arc<Earlier>>,
    /// What it has been through already.
    past: Option<durable::Past>,
    /// Who is told of what.
    webhooks: Vec<Subscription>,
}

impl Beginning {
    fn in_memory(webhooks: Vec<Subscription>) -> Self {
        let submitted_at = crate::now();
        Self { submitted_at, journal: None, answers: None, earlier: None, past: None, webhooks }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    status: Status,
    reason: RunReason,
    /// Milliseconds since the epoch.
    at: i64,
}

/// The run loop and what it remembers.
pub(crate) struct Conductor {
    stage: Arc<Stage>,
    scheduler: Scheduler,
    clock: Clock,
    submitted_at: i64,
    /// The time of this step.
    now: i64,
    /// Where in the journal the input is that is being taken in.
    place: Place,
    /// Inputs since the state was last saved.
    unsaved: u64,
    /// How many there may be at least.
    save_every: u64,
    /// The last post that has been taken up.
    taken: i64,
    /// What the scheduler asks for is done; not so while what happened before
    /// is gone through again.
    live: bool,
    /// What an earlier process was asked for is asked again.
    recovering: bool,
    journal: Option<Journal>,
    nodes: Nodes,
    /// One for each node.
    records: Vec<Record>,
    /// None when nothing is to be done, only to be known.
    policy: Option<Policy>,
    names: Names,
    events: Vec<Event>,
    actions: Vec<Action>,
    /// What follows by itself, and is recorded like all else.
    inputs: Vec<Input>,
    mail: Mail,
    inbox: mpsc::UnboundedReceiver<Message>,
    control: Option<RunControl>,
    commands: mpsc::Receiver<Command>,
    preparations: Preparations,
    /// Given before they were asked for, by the ids of tasks.
    answers: HashMap<String, Value>,
    /// What it takes over from an earlier run.
    earlier: Option<Arc<Earlier>>,
    additions: Additions,
    /// Who waits for what becomes of tasks.
    waiting: Waiting,
    /// Posts that have not been taken up, and whether one is being prepared.
    posts: VecDeque<(i64, Command)>,
    preparing_post: bool,
    /// The scheduler's classes.
    classes: Vec<ClassLimits>,
    /// What all attempts have used.
    spent: UsageTotals,
    /// Somebody wanted the whole run to stop.
    cancelled: bool,
    paused: bool,
    remotes: Remotes,
    /// When to look into the inbox.
    postman: Option<Interval>,
    /// Bytes of results, and how many there may be.
    kept: u64,
    most_kept: u64,
    /// Bytes of logs that are recorded, by task.
    logged: HashMap<Option<Arc<str>>, usize>,
    /// What webhooks are to be told.
    pub(crate) notices: Notices,
    outbox: Outbox,
    /// How the run ended, once it has.
    ended: Option<Ended>,
}

impl Conductor {
    /// A run that was submitted at that time, milliseconds since the epoch, and
    /// waits for [`Input::Submitted`].
    pub(crate) fn new(
        stage: Arc<Stage>,
        slots: u32,
        submitted_at: i64,
        (mail, inbox): (Mail, mpsc::UnboundedReceiver<Message>),
    ) -> Self {
        let mut records = Vec::new();
        records.resize_with(stage.plan.tasks.len(), Record::default);
        Self {
            scheduler: Scheduler::new(Settings { slots, seed: seed(&stage.run_id) }),
            clock: Clock::new(submitted_at),
            submitted_at,
            now: submitted_at,
            place: Place::default(),
            unsaved: 0,
            save_every: u64::MAX,
            taken: 0,
            live: true,
            recovering: false,
            journal: None,
            nodes: Nodes::new(&stage.plan),
            records,
            policy: None,
            names: Names::default(),
            classes: Vec::new(),
            events: Vec::new(),
            actions: Vec::new(),
            inputs: Vec::new(),
            mail,
            inbox,
            control: None,
            commands: mpsc::channel(1).1,
            preparations: Preparations::default(),
            answers: HashMap::new(),
            earlier: None,
            additions: Additions::default(),
            waiting: Waiting::default(),
            posts: VecDeque::new(),
            preparing_post: false,
            spent: UsageTotals::default(),
            cancelled: false,
            paused: false,
            remotes: Remotes::default(),
            postman: None,
            kept: 0,
            most_kept: u64::MAX,
            logged: HashMap::new(),
            notices: Notices::default(),
            outbox: Outbox::default(),
            ended: None,
            stage,
        }
    }

    /// The loop. Inputs are recorded before they have consequences.
    async fn conduct(mut self, stop: CancellationToken) -> Result<Report, StoreError> {
        self.postman = self.journal.is_some().then(listen::postman);
        loop {
            self.notify();
            if self.ended.is_some() && self.notices.is_empty() {
                return self.end().await;
            }
            self.listen(&stop).await;
            let now = self.clock.now();
            let (entry, inputs) = match &mut self.journal {
                Some(journal) => {
                    let inputs = journal.append(now, &mut self.inputs).await?;
                    (journal.last_entry(), inputs)
                }
                None => (0, std::mem::take(&mut self.inputs)),
            };
            self.apply(entry, now, inputs);
            self.save_when_due();
        }
    }

    /// Takes inputs in that came at `now` and are those of an entry, and does what
    /// follows.
    fn apply(&mut self, entry: u64, now: i64, inputs: impl IntoIterator<Item = Input>) {
        self.now = now;
        for (number, input) in (0..).zip(inputs) {
            self.place = Place { entry, input: number, part: 0 };
            self.unsaved += 1;
            // Whether a delivery counts depends on all that came before it, and
            // what comes after it is seen in its light.
            let apart = input.is_delivery();
            if apart {
                self.step();
            }
            self.take(input);
            if apart {
                self.step();
            }
        }
        self.step();
        self.additions.reply();
        self.recovering = false;
    }

    /// Lets the scheduler decide what follows from its events, and does it.
    fn step(&mut self) {
        let mut actions = std::mem::take(&mut self.actions);
        self.scheduler.step(self.now, self.events.drain(..), &mut actions);
        for action in actions.drain(..) {
            self.perform(action);
        }
        self.actions = actions;
    }

    /// Keeps what an input brings and tells the scheduler what it means.
    fn take(&mut self, input: Input) {
        match input {
            Input::Submitted => self.submit(),
            Input::Recovered => {
                self.recovering = self.live;
                self.cancel_remotes_again();
                self.events.push(Event::Recovered);
            }
            Input::Scored(scores) => self.events.push(Event::Scored { scores }),
            Input::Message(message) => self.read(message),
            Input::Command(command) => self.obey(command),
            Input::Posted { post, command } => {
                self.taken = self.taken.max(post);
                if let Some(journal) = &mut self.journal {
                    journal.inbox.took(post, self.live);
                }
                self.obey(command);
            }
            Input::Timer => self.events.push(Event::Timer),
        }
    }

    fn submit(&mut self) {
        self.stage.tell(&RunEvent::RunStarted {
            run_id: self.stage.run_id.clone(),
            tasks: self.stage.plan.tasks.len(),
        });
        let plan = &self.stage.plan;
        let (mut submission, names) = Submission::new(plan, self.submitted_at);
        if let Some(earlier) = &self.earlier {
            for (task, rules) in plan.tasks.iter().zip(&mut submission.tasks) {
                earlier.mark(task, rules);
            }
        }
        self.names = Names::new(names);
        self.classes.clone_from(&submission.classes);
        self.events.push(Event::Submit(Box::new(submission)));
        self.add_again();
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Score { tasks } => self.ask_policy(&tasks),
            Action::Decide { task } => match self.foregone(task) {
                Some(verdict) => self.conclude(task, verdict),
                None => self.prepare(task, Wanted::Decision),
            },
            Action::Ask { task } => match self.records[task.index()].question().cloned() {
                Some(question) => self.announce(task, &question),
                None => self.prepare(task, Wanted::Question),
            },
            Action::Start { task, agent, attempt, resume, deadline } => {
                self.start(task, agent, attempt, resume, deadline);
            }
            Action::StartBatch { members } => self.start_batch(&members),
            Action::Abort { task, why } => {
                let live = self.records[task.index()].live();
                live.stopped = Some(why);
                if let Some(stop) = live.stop.take() {
                    // An attempt that has just ended no longer listens.
                    let _ = stop.send(());
                } else if self.recovering {
                    // It ended with the process that made it.
                    let used = Consumed::default();
                    self.inputs.push(Input::Message(Message::Ended { task, end: None, used }));
                }
            }
            Action::CancelRemote { task, why } => {
                // Why its question is refused, and what was delivered, has been said.
                if !matches!(why, Stop::Refused | Stop::Delivered(_)) {
                    let error = self.stop_error(task, why);
                    self.records[task.index()].error = Some(Box::new(error));
                }
                self.cancel_remote(task);
            }
            Action::Retrying { task, at, agent, .. } => self.retrying(task, at, agent),
            Action::FannedOut { task, first, items } => self.fan_out(task, first, items),
            Action::Added { key, task, without } => self.added(key, task, &without),
            Action::Held { key, conflicts } => self.not_added(key, true, &conflicts),
            Action::Rejected { key, conflicts } => self.not_added(key, false, &conflicts),
            Action::Finished { task, status, reason } => self.finish(task, status, reason),
            Action::RunEnded { status, reason } => {
                let ended = Ended { status, reason, at: self.now };
                self.ended = Some(ended);
                self.note(Topic::RunFinished, None, |_| None);
                self.announce_end(ended);
            }
        }
    }

    /// Tells whoever watches that it is over.
    fn announce_end(&self, Ended { status, .. }: Ended) {
        let elapsed = Duration::from_millis(self.elapsed());
        let notifications = self.notices.waiting();
        self.stage.tell(&RunEvent::RunFinished { status, elapsed, notifications });
    }

    fn ask_policy(&mut self, tasks: &[TaskIx]) {
        if !self.live {
            return;
        }
        let Some(policy) = &mut self.policy else { return };
        if !policy.ask(self.now, &self.scheduler, &self.names, tasks) {
            self.inputs.push(Input::Scored(None));
        }
    }

    fn cancel_run(&mut self) {
        self.cancelled = true;
        self.events.push(Event::Cancel { scope: Scope::Run });
    }

    /// Answers to questions that have not been asked yet.
    pub(crate) fn answer_later(&mut self, answers: impl IntoIterator<Item = (String, Value)>) {
        self.answers.extend(answers);
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.stage.plan
    }

    /// All nodes, those of the plan first.
    pub(crate) fn all_nodes(&self) -> impl Iterator<Item = TaskIx> + use<> {
        (0..self.records.len() as u32).map(TaskIx)
    }

    /// What is kept of a node.
    pub(crate) fn record(&self, node: TaskIx) -> &Record {
        &self.records[node.index()]
    }

    /// The task of a node.
    pub(crate) fn task(&self, node: TaskIx) -> &Task {
        self.nodes.look(node, &self.stage.plan)
    }

    /// Milliseconds since the run was submitted, until it ended.
    pub(crate) fn elapsed(&self) -> u64 {
        let now = self.ended.map_or(self.now, |ended| ended.at);
        (now - self.submitted_at).max(0).unsigned_abs()
    }

    /// A node's id.
    pub(crate) fn id(&self, node: TaskIx) -> Arc<str> {
        self.nodes.id(node, &self.stage.plan)
    }

    /// The name of one of the plan's agents.
    fn agent_name(&self, agent: u32) -> &Arc<str> {
        &self.stage.plan.agent(AgentIx(agent)).name
    }

    /// The plan's number of one of a task's agents.
    fn agent_of(&self, task: TaskIx, agent: u32) -> u32 {
        match &self.nodes.look(task, &self.stage.plan).work {
            Work::Agents(agents) => agents[agent as usize].0,
            Work::Join | Work::Approval => unreachable!("only tasks with agents are started"),
        }
    }
}

/// What all that is random in a run comes of.
fn seed(run_id: &str) -> u64 {
    uuid::Uuid::parse_str(run_id).map_or(0, |id| id.as_u64_pair().1)
}
