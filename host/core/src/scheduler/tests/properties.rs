//! Whatever the graph and whatever happens, in any order, every promise holds.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::script::{classes, rules};
use crate::graph::DependencyGraph;
use crate::plan::{Batching, Budget, ConflictRule, OnFailure};
use crate::rate::Rate;
use crate::scheduler::*;

/// A run before it happens: what is submitted, and choices of what happens.
#[derive(Debug, Clone)]
struct Case {
    slots: u32,
    agents: Vec<AgentLimits>,
    batching: Batching,
    tasks: Vec<(TaskRules, Vec<usize>)>,
    deadline: Option<i64>,
    tokens: Option<u64>,
    on_conflict: ConflictRule,
    open: bool,
    choices: Vec<(u8, u32)>,
}

/// A task's options in the test language, one of each group or none.
fn task() -> impl Strategy<Value = TaskRules> {
    let option = |words: &'static [&'static str]| prop::sample::select(words);
    (
        option(&["", "agents=0", "agents=1+0", "agents=0+1", "join", "person"]),
        option(&["", "", "needs=2", "needs=3"]),
        option(&[
            "",
            "",
            "decide",
            "decide, decide-items",
            "decide, width=1",
            "decide, decide-items, width=2",
        ]),
        option(&["", "skip", "continue"]),
        option(&["", "tries=2", "tries=3, backoff=none"]),
        option(&["", "", "", "queue=400", "idle=300", "total=1500", "deadline=2500"]),
        option(&["", "attempt=300", "priority=9"]),
        option(&["", "batch", "batch, kind=1"]),
    )
        .prop_map(|(a, b, c, d, e, f, g, h)| rules(&[a, b, c, d, e, f, g, h].join(",")))
}

fn agent() -> impl Strategy<Value = AgentLimits> {
    let rate = (1..4u32, 1..600u64, 1..4u32).prop_map(|(attempts, per, burst)| Rate {
        attempts,
        per,
        burst,
    });
    (1..4u32, prop::option::weighted(0.3, rate))
        .prop_map(|(concurrency, rate)| AgentLimits { concurrency, rate })
}

fn case() -> impl Strategy<Value = Case> {
    let dependencies = prop::collection::vec(any::<prop::sample::Index>(), 0..3);
    let tasks = prop::collection::vec((task(), dependencies), 1..14).prop_map(|tasks| {
        let before = |n: usize, all: Vec<prop::sample::Index>| {
            let all = all.into_iter().filter(|_| n > 0).map(|index| index.index(n));
            all.collect::<BTreeSet<usize>>().into_iter().collect()
        };
        let tasks = tasks.into_iter().enumerate();
        tasks.map(|(n, (rules, all))| (rules, before(n, all))).collect::<Vec<_>>()
    });
    let rule = vec![ConflictRule::Reject, ConflictRule::Hold, ConflictRule::Admit];
    let rare = |range: std::ops::Range<u32>| prop::option::weighted(0.1, range);
    (
        1..5u32,
        prop::collection::vec(agent(), 2),
        (1..5u32, prop::sample::select(vec![0, 0, 50, 700])),
        tasks,
        rare(500..4_000),
        rare(1..200),
        (prop::sample::select(rule), any::<bool>()),
        prop::collection::vec((any::<u8>(), any::<u32>()), 0..120),
    )
        .prop_map(
            |(slots, agents, batching, tasks, deadline, tokens, (on_conflict, open), choices)| {
                Case {
                    slots,
                    agents,
                    batching: Batching { max: batching.0, linger: batching.1 },
                    tasks,
                    deadline: deadline.map(i64::from),
                    tokens: tokens.map(u64::from),
                    on_conflict,
                    open,
                    choices,
                }
            },
        )
}

/// A run as it happens, seen from outside: all that is checked is known from
/// the actions alone.
struct Run {
    scheduler: Scheduler,
    settings: Settings,
    agents: Vec<AgentLimits>,
    batching: Batching,
    now: i64,
    rules: Vec<TaskRules>,
    dependencies: Vec<Vec<TaskIx>>,
    running: BTreeMap<TaskIx, Attempt>,
    /// When attempts were started by each agent; those together count as one.
    starts: Vec<Vec<i64>>,
    /// Tasks that have been started.
    tried: BTreeSet<TaskIx>,
    batches: u32,
    /// Attempts whose end is among the events of this step: until its turn
    /// comes, the scheduler may still want them stopped.
    ending: BTreeSet<TaskIx>,
    finished: BTreeMap<TaskIx, Status>,
    deciding: BTreeSet<TaskIx>,
    asked: BTreeSet<TaskIx>,
    /// Agents that have asked.
    questions: BTreeSet<TaskIx>,
    pending: BTreeSet<TaskIx>,
    items: BTreeMap<TaskIx, TaskIx>,
    /// Additions by key, and those that wait for an answer.
    additions: BTreeMap<u64, NewTask>,
    open: BTreeSet<u64>,
    held: BTreeSet<u64>,
    names: BTreeMap<String, TaskIx>,
    scoring: Option<usize>,
    paused: bool,
    /// Somebody wanted the whole run to stop.
    cancelled: bool,
    recovering: bool,
    /// Attempts that are gone and begin again, with their batch.
    gone: BTreeMap<TaskIx, u32>,
    ended: bool,
    history: Vec<(i64, Vec<Event>, Vec<Action>)>,
}

struct Attempt {
    agent: u32,
    slots: u32,
    /// The attempts with the same number hold the room of one.
    batch: u32,
    aborted: bool,
    resumed: bool,
}

impl Run {
    fn new(case: &Case) -> Self {
        let settings = Settings { slots: case.slots, seed: 42 };
        let mut graph = DependencyGraph::default();
        let tasks: Vec<TaskIx> = case.tasks.iter().map(|_| graph.add_task()).collect();
        for (task, (_, dependencies)) in tasks.iter().zip(&case.tasks) {
            dependencies.iter().for_each(|dependency| {
                graph.add_dependency(*task, tasks[*dependency]);
            });
        }
        let dependencies = tasks.iter().map(|task| graph.dependencies(*task).collect()).collect();
        let rules: Vec<TaskRules> = case.tasks.iter().map(|(rules, _)| rules.clone()).collect();
        let submission = Submission {
            graph,
            tasks: rules.clone(),
            agents: case.agents.clone(),
            classes: classes(case.batching),
            deadline: case.deadline,
            budget: Budget { tokens: case.tokens, cost: None },
            on_conflict: case.on_conflict,
            open: case.open,
        };
        let mut run = Self {
            scheduler: Scheduler::new(settings),
            settings,
            agents: case.agents.clone(),
            batching: case.batching,
            now: 0,
            rules,
            dependencies,
            running: BTreeMap::new(),
            starts: vec![Vec::new(); case.agents.len()],
            tried: BTreeSet::new(),
            batches: 0,
            ending: BTreeSet::new(),
            finished: BTreeMap::new(),
            deciding: BTreeSet::new(),
            asked: BTreeSet::new(),
            questions: BTreeSet::new(),
            pending: BTreeSet::new(),
            items: BTreeMap::new(),
            additions: BTreeMap::new(),
            open: BTreeSet::new(),
            held: BTreeSet::new(),
            names: BTreeMap::new(),
            scoring: None,
            paused: false,
            cancelled: false,
            recovering: false,
            gone: BTreeMap::new(),
            ended: false,
            history: Vec::new(),
        };
        run.step(vec![Event::Submit(Box::new(submission))]);
        run
    }

    fn step(&mut self, events: Vec<Event>) {
        let mut actions = Vec::new();
        self.ending.clear();
        self.ending.extend(events.iter().filter_map(|event| match event {
            Event::Ended { task, .. } => Some(*task),
            _ => None,
        }));
        self.scheduler.step(self.now, events.clone(), &mut actions);
        for action in &actions {
            assert!(
                !self.ended || matches!(action, Action::Rejected { .. }),
                "{action:?} at the end"
            );
            self.note(action);
        }
        assert!(self.open.is_empty(), "{:?} got no answer", self.open);
        assert!(self.scheduler.graph.cycles().is_empty());
        assert_eq!(self.scheduler.running_count() as usize, self.running.len());
        let held: BTreeMap<u32, u32> =
            self.running.values().map(|attempt| (attempt.batch, attempt.slots)).collect();
        assert_eq!(self.scheduler.slots_in_use(), held.values().sum::<u32>());
        self.history.push((self.now, events, actions));
    }

    fn note(&mut self, action: &Action) {
        match action {
            Action::Score { tasks } => {
                assert_eq!(self.scoring.replace(tasks.len()), None, "asked for scores twice");
            }
            Action::Decide { task } => {
                self.check_dependencies(*task);
                assert!(self.rules[task.index()].decide && self.deciding.insert(*task));
            }
            Action::Ask { task } => {
                assert_eq!(self.rules[task.index()].work, Doer::Person);
                assert!(self.asked.insert(*task));
            }
            Action::Start { task, agent, resume, deadline, .. } => {
                let gone = self.gone.remove(task);
                if gone.is_none() {
                    self.check_group(&[*task], *resume);
                }
                self.start(*task, *agent, *resume, *deadline);
                if let (Some(batch), Some(attempt)) = (gone, self.running.get_mut(task)) {
                    attempt.batch = batch;
                }
                self.check_room();
            }
            Action::StartBatch { members } => {
                let tasks: Vec<TaskIx> = members.iter().map(|member| member.task).collect();
                assert!(tasks.len() > 1, "{tasks:?} are not several");
                self.check_group(&tasks, false);
                let batch = self.batches + 1;
                for Member { task, deadline } in members {
                    self.start(*task, 0, false, *deadline);
                    self.running.get_mut(task).expect("it runs").batch = batch;
                }
                self.check_room();
            }
            Action::Abort { task, .. } => {
                if let Some(attempt) = self.running.get_mut(task) {
                    assert!(!std::mem::replace(&mut attempt.aborted, true), "stopped twice");
                } else {
                    assert!(self.ending.remove(task), "what is stopped runs, and is stopped once");
                }
            }
            Action::CancelRemote { task, .. } => {
                assert!(self.pending.remove(task), "{task:?} is not at an agent");
                self.questions.remove(task);
            }
            Action::Retrying { task, at, .. } => {
                assert!(*at >= self.now && !self.running.contains_key(task));
                assert!(!self.finished.contains_key(task));
            }
            Action::FannedOut { task, first, items } => {
                assert_eq!(first.index(), self.rules.len());
                let rules = &self.rules[task.index()];
                let rules = TaskRules { decide: rules.decide_items, ..rules.clone() };
                for item in first.0..first.0 + items {
                    self.rules.push(rules.clone());
                    self.dependencies.push(Vec::new());
                    self.items.insert(TaskIx(item), *task);
                }
            }
            Action::Added { key, task, without } => {
                assert!(self.open.remove(key) || self.held.remove(key));
                let new = &self.additions[key];
                assert_eq!(task.index(), self.rules.len());
                self.rules.push(new.rules.clone());
                self.names.insert(new.name.to_string(), *task);
                self.dependencies.push(self.scheduler.graph.dependencies(*task).collect());
                assert_eq!(
                    self.dependencies[task.index()].len() + without.len(),
                    new.depends_on.len()
                );
            }
            Action::Held { key, conflicts } => {
                assert!(self.open.remove(key) && !conflicts.is_empty());
                self.held.insert(*key);
            }
            Action::Rejected { key, conflicts } => {
                assert!(self.open.remove(key) || self.held.remove(key));
                assert!(self.ended || !conflicts.is_empty());
            }
            Action::Finished { task, status, reason } => self.finish(*task, *status, *reason),
            Action::RunEnded { status, reason } => self.end(*status, *reason),
        }
    }

    fn check_dependencies(&self, task: TaskIx) {
        for dependency in &self.dependencies[task.index()] {
            let status = self.finished.get(dependency).expect("dependencies are finished");
            let tolerated = self.rules[dependency.index()].on_failure == OnFailure::Continue;
            assert!(*status == Status::Succeeded || tolerated, "{task:?} lacks {dependency:?}");
        }
    }

    fn start(&mut self, task: TaskIx, agent: u32, resume: bool, deadline: i64) {
        self.check_dependencies(task);
        assert!(!self.finished.contains_key(&task), "{task:?} starts after its end");
        assert_eq!(self.pending.remove(&task), resume);
        self.questions.remove(&task);
        assert!(resume || self.recovering || !self.paused, "{task:?} starts in a pause");
        assert!(deadline <= self.now + self.rules[task.index()].timeouts.attempt as i64);
        let class = self.rules[task.index()].work.agents()[agent as usize].0;
        let slots = (class % 6 + 1).min(self.settings.slots);
        self.batches += 1;
        let batch = self.batches;
        let attempt = Attempt { agent: class / 6, slots, batch, aborted: false, resumed: resume };
        assert!(self.running.insert(task, attempt).is_none(), "{task:?} runs twice at once");
    }

    /// What is started together, or alone, is what should be; and not too often.
    fn check_group(&mut self, tasks: &[TaskIx], resume: bool) {
        let first = &self.rules[tasks[0].index()];
        let similar = |task: &TaskIx| {
            let rules = &self.rules[task.index()];
            rules.batch == first.batch && rules.facts.kind == first.facts.kind
        };
        let untried = tasks.iter().all(|task| !self.tried.contains(task));
        if tasks.len() > 1 {
            assert!(tasks.iter().all(similar) && first.batch.is_some() && untried);
        }
        if first.batch.is_some() && untried {
            let since = tasks.iter().map(|task| self.scheduler.ready_at(*task)).min();
            let linger = self.batching.linger as i64;
            let lingered = since.is_some_and(|since| since + linger <= self.now);
            let full = tasks.len() as u32 == self.batching.max;
            assert!(full || (lingered && (tasks.len() as u32) < self.batching.max), "{tasks:?}");
        }
        self.tried.extend(tasks);
        let turn = self.scheduler.agent(tasks[0]).expect("an agent does it") as usize;
        if let (Some(rate), false) = (self.agents[turn].rate, resume) {
            let starts = &mut self.starts[turn];
            starts.push(self.now);
            let span = starts.iter().filter(|at| **at > self.now - rate.per as i64);
            assert!((span.count() as u32) < rate.attempts + rate.burst, "{starts:?}: {rate:?}");
        }
    }

    /// Nobody has more than there is.
    fn check_room(&self) {
        let held: BTreeMap<u32, (u32, u32)> = self
            .running
            .values()
            .map(|attempt| (attempt.batch, (attempt.agent, attempt.slots)))
            .collect();
        let used: u32 = held.values().map(|(_, slots)| slots).sum();
        assert!(used <= self.settings.slots, "{used} slots used");
        for (agent, limits) in self.agents.iter().enumerate() {
            let running = held.values().filter(|(by, _)| *by == agent as u32);
            assert!(running.count() as u32 <= limits.concurrency, "agent {agent} has too much");
        }
    }

    fn finish(&mut self, task: TaskIx, status: Status, reason: Reason) {
        assert!(self.finished.insert(task, status).is_none(), "{task:?} finishes twice");
        assert!(!self.running.contains_key(&task), "{task:?} still runs");
        assert!(!self.pending.contains(&task), "{task:?} goes on at its agent");
        assert_eq!(self.scheduler.reason(task), Some(reason));
        self.deciding.remove(&task);
        self.asked.remove(&task);
        let fits = match reason {
            Reason::Done => status == Status::Succeeded,
            Reason::Condition => status == Status::Skipped,
            Reason::Dependency(cause) => {
                assert_ne!(self.finished.get(&cause), Some(&Status::Succeeded));
                status == Status::Skipped
            }
            Reason::Items(item) => {
                assert_eq!(self.items[&item], task);
                assert_ne!(self.finished[&item], Status::Succeeded);
                status == Status::Failed
            }
            Reason::Attempts | Reason::Timeout(_) | Reason::Undecidable | Reason::Refused => {
                status == Status::Failed
            }
            Reason::Cancelled | Reason::RunDeadline | Reason::Budget => status == Status::Cancelled,
            Reason::RunFailed(by) => {
                assert_eq!(self.finished[&by], Status::Failed);
                status == Status::Cancelled
            }
        };
        assert!(fits, "{task:?} is {status:?} for {reason:?}");
        let open_items = self.items.iter().filter(|(_, parent)| **parent == task);
        for (item, _) in open_items {
            assert!(self.finished.contains_key(item), "{task:?} ends before {item:?}");
        }
    }

    fn end(&mut self, status: Status, reason: RunReason) {
        let stopped = !matches!(reason, RunReason::Completed);
        assert!(stopped || self.cancelled || !self.scheduler.is_open(), "it is open");
        assert_eq!(self.finished.len(), self.rules.len(), "all tasks are finished");
        assert!(self.running.is_empty() && self.pending.is_empty() && self.held.is_empty());
        assert_eq!((self.scheduler.slots_in_use(), self.scheduler.ready_count()), (0, 0));
        assert_eq!(self.scheduler.next_timer(), None);
        let fatal = |task: &TaskIx, status: &Status| {
            *status == Status::Failed && self.rules[task.index()].on_failure == OnFailure::Fail
        };
        let expected = match reason {
            RunReason::Completed => {
                assert!(!self.finished.iter().any(|(task, status)| fatal(task, status)));
                Status::Succeeded
            }
            RunReason::Failed(task) => {
                assert!(fatal(&task, &self.finished[&task]));
                Status::Failed
            }
            RunReason::Deadline | RunReason::Budget => Status::Failed,
            RunReason::Cancelled => Status::Cancelled,
        };
        assert_eq!(status, expected);
        self.ended = true;
    }

    /// Turns a choice into events that may happen now.
    fn choose(&mut self, (kind, detail): (u8, u32)) {
        let pick = |len: usize| detail as usize / 8 % len.max(1);
        let any = TaskIx(pick(self.rules.len()) as u32);
        let mut events = Vec::new();
        match kind % 38 {
            0..=9 => {
                let picked = self.running.keys().nth(pick(self.running.len())).copied();
                let end = match detail % 8 {
                    0 => End::Failed(Retry::Yes),
                    1 => End::Failed(Retry::Never),
                    2 => End::Failed(Retry::After(u64::from(detail) % 900)),
                    3 => End::Pending { poll_after: u64::from(detail) % 900 },
                    4 if detail % 3 == 0 => End::Asked,
                    4 => End::Aborted,
                    _ => End::Succeeded,
                };
                events.extend(picked.map(|task| self.end_of(task, end)));
            }
            10..=12 => self.answer_scores(detail, &mut events),
            13..=15 => {
                self.now += i64::from(detail % 400);
                events.push(Event::Timer);
            }
            16..=18 => {
                let task = self.deciding.iter().nth(pick(self.deciding.len())).copied();
                let decision = match detail % 8 {
                    0 => Decision::Skip,
                    1 => Decision::Fail,
                    2 => Decision::Done,
                    3 | 4 => Decision::Run,
                    _ if task.is_some_and(|task| self.items.contains_key(&task)) => Decision::Run,
                    items => Decision::FanOut(items - 5),
                };
                events.extend(task.map(|task| {
                    self.deciding.remove(&task);
                    Event::Decided { task, decision }
                }));
            }
            19 | 20 => {
                let all: Vec<TaskIx> = self.asked.union(&self.questions).copied().collect();
                let task = all.get(pick(all.len())).copied();
                let accepted = detail % 8 > 1;
                events.extend(task.map(|task| Event::Answered { task, accepted }));
            }
            21 => {
                self.cancelled |= detail % 8 == 0;
                events.push(Event::Cancel {
                    scope: match detail % 8 {
                        0 => Scope::Run,
                        1..=4 => Scope::Task(any),
                        _ => Scope::Subtree(any),
                    },
                });
            }
            22 => {
                self.paused = detail % 2 == 0;
                events.push(if self.paused { Event::Pause } else { Event::Resume });
            }
            23 | 24 => events.push(self.addition(detail)),
            25 => events.push(Event::Spent { tokens: u64::from(detail % 9), cost: 0.1 }),
            26 | 27 => events.push(Event::Alive { task: any }),
            // What nobody waits for.
            28 if !self.deciding.contains(&any) => {
                events.push(Event::Decided { task: any, decision: Decision::FanOut(2) });
            }
            29 if !self.asked.contains(&any) && !self.questions.contains(&any) => {
                events.push(Event::Answered { task: any, accepted: true });
            }
            30 if !self.running.contains_key(&any) => {
                events.push(Event::Ended { task: any, end: End::Succeeded });
            }
            33 | 34 => {
                let delivery = match detail % 3 {
                    0 => Delivery::Failure { retry: detail % 2 == 0 },
                    _ => Delivery::Result,
                };
                events.push(Event::Delivered { task: any, delivery });
            }
            35 => {
                let key = self.held.iter().nth(pick(self.held.len())).copied();
                let admit = detail % 2 == 0;
                events.extend(key.map(|key| Event::Resolve { key, admit }));
            }
            36 if detail % 8 == 0 => events.push(Event::Close),
            32 => {
                self.forget();
                events.push(Event::Recovered);
            }
            31 if self.scoring.is_none() => events.push(Event::Scored { scores: None }),
            _ => {}
        }
        self.step(events);
        self.recovering = false;
    }

    /// The engine is gone with all that it was asked to do, and will be asked
    /// again. An agent that goes on by itself does so without it.
    fn forget(&mut self) {
        self.recovering = true;
        self.scoring = None;
        self.deciding.clear();
        self.asked.clear();
        let (stopped, gone) =
            std::mem::take(&mut self.running).into_iter().partition(|(_, attempt)| attempt.aborted);
        self.running = stopped;
        self.running.values_mut().for_each(|attempt| attempt.aborted = false);
        let gone: BTreeMap<TaskIx, Attempt> = gone;
        self.gone = gone.iter().map(|(task, gone)| (*task, gone.batch)).collect();
        self.pending.extend(gone.iter().filter(|(_, gone)| gone.resumed).map(|(task, _)| *task));
    }

    fn end_of(&mut self, task: TaskIx, end: End) -> Event {
        self.running.remove(&task);
        if let End::Pending { .. } | End::Asked = end {
            self.pending.insert(task);
        }
        if end == End::Asked {
            self.questions.insert(task);
        }
        Event::Ended { task, end }
    }

    fn answer_scores(&mut self, detail: u32, events: &mut Vec<Event>) {
        let Some(count) = self.scoring.take() else { return };
        let scores = (0..count as u32).map(|n| f64::from((detail >> (n % 20)) % 7));
        let mut scores: Vec<f64> = scores.collect();
        match detail % 8 {
            0 => scores[0] = f64::NAN,
            1 => scores.push(1.0),
            _ => {}
        }
        events.push(Event::Scored { scores: (detail % 8 != 2).then_some(scores) });
    }

    fn addition(&mut self, detail: u32) -> Event {
        let tasks = (0..detail % 3 + 1).map(|n| {
            let key = self.additions.len() as u64;
            let wanted = |shift: u32| match (detail >> shift) % 4 {
                0 => Some(Wanted::Task(TaskIx((detail >> shift) % self.rules.len() as u32))),
                1 => Some(Wanted::Name(((detail >> (shift + 2)) % 8).to_string().into())),
                _ => None,
            };
            let wanted: BTreeSet<Wanted> =
                [wanted(n + 2), wanted(n + 7)].into_iter().flatten().collect();
            let new = NewTask {
                rules: rules(
                    ["", "decide, skip", "join", "person, continue"][(detail >> 9) as usize % 4],
                ),
                depends_on: wanted.into_iter().collect(),
                key,
                name: ((detail >> (n + 3)) % 8).to_string().into(),
            };
            self.open.insert(key);
            self.additions.insert(key, new.clone());
            new
        });
        let tasks = tasks.collect();
        let rules = [ConflictRule::Reject, ConflictRule::Hold, ConflictRule::Admit];
        let on_conflict = rules.get((detail >> 13) as usize % 6).copied();
        Event::Add(Box::new(Addition {
            tasks,
            whole: detail >> 17 & 1 == 1,
            on_conflict,
            classes: Vec::new(),
        }))
    }

    /// Lets the run come to its end, as it must, whatever happened.
    fn run_out(&mut self) {
        for turn in 0..10_000 {
            if self.ended {
                return;
            }
            let mut events = vec![Event::Close];
            if std::mem::take(&mut self.paused) {
                events.push(Event::Resume);
            }
            self.answer_scores(turn, &mut events);
            let deciding = std::mem::take(&mut self.deciding).into_iter();
            let asked = std::mem::take(&mut self.asked).into_iter();
            let questions = std::mem::take(&mut self.questions).into_iter();
            events.extend(deciding.map(|task| Event::Decided { task, decision: Decision::Run }));
            events.extend(
                asked.chain(questions).map(|task| Event::Answered { task, accepted: true }),
            );
            let running: Vec<TaskIx> = self.running.keys().copied().collect();
            events.extend(running.into_iter().map(|task| self.end_of(task, End::Succeeded)));
            if events.len() == 1 && !self.scheduler.is_open() {
                let timer = self.scheduler.next_timer().expect("something is due, or it is stuck");
                self.now = self.now.max(timer);
                events.push(Event::Timer);
            }
            self.step(events);
        }
        panic!("the run does not end: {:?}", self.history.last());
    }

    /// From its events alone comes the same state, by way of the same actions,
    /// from the beginning and from a copy made on the way.
    fn replay(&self) {
        let mut scheduler = Scheduler::new(self.settings);
        let mut copy = None;
        for (n, (now, events, actions)) in self.history.iter().enumerate() {
            if n == self.history.len() / 2 {
                copy = Some(scheduler.clone());
            }
            let mut again = Vec::new();
            for scheduler in [Some(&mut scheduler), copy.as_mut()].into_iter().flatten() {
                again.clear();
                scheduler.step(*now, events.clone(), &mut again);
                assert_eq!(&again, actions);
            }
        }
        let state = format!("{:?}", self.scheduler);
        assert_eq!(format!("{scheduler:?}"), state);
        assert_eq!(format!("{:?}", copy.expect("there was a half-way")), state);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn random_runs_keep_every_promise(case in case()) {
        let mut run = Run::new(&case);
        for choice in &case.choices {
            run.choose(*choice);
        }
        run.run_out();
        run.replay();
    }
}
