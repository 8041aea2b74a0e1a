//! Scripts: events and actions as text.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::plan::{Batching, ConflictRule, OnFailure, Timeouts};
use crate::rate::Rate;
use crate::retry::{Backoff, RetryPolicy};
use crate::scheduler::*;
use crate::test_support::{draw, line};

/// Runs a script and compares what comes of it with what it says.
#[track_caller]
pub(super) fn check(graph: &str, script: &str) {
    let mut run = Script::new(graph);
    let mut expected = String::new();
    let mut actual = String::new();
    for text in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (events, actions) = text.split_once("=>").expect("a line needs an arrow");
        let actions: Vec<&str> =
            actions.split(';').map(str::trim).filter(|action| !action.is_empty()).collect();
        expected += &format!("{} => {}\n", events.trim(), actions.join("; "));
        actual += &format!("{} => {}\n", events.trim(), run.step(events).join("; "));
    }
    assert!(actual == expected, "expected:\n{expected}\nbut this came:\n{actual}");
    run.replay();
}

/// A run driven by text. Scores are given at once, by priority, unless the
/// graph begins with a line `run: ask`.
struct Script {
    scheduler: Scheduler,
    submission: Option<Submission>,
    settings: Settings,
    names: Vec<String>,
    /// Names of additions by key.
    keys: Vec<String>,
    ask: bool,
    now: i64,
    running: BTreeSet<TaskIx>,
    events: Vec<Event>,
    history: Vec<(i64, Vec<Event>)>,
}

impl Script {
    /// Options of the run: `slots=`, `agents=2+1` (limits), `rate=3/1000/2` (of
    /// the first agent: attempts, milliseconds, burst), `batch=3/100` (tasks,
    /// milliseconds), `deadline=`, `tokens=`, `cost=`, `hold`, `admit`, `open`, `ask`.
    fn new(text: &str) -> Self {
        let (head, tasks): (Vec<&str>, Vec<&str>) =
            text.lines().partition(|line| line.trim().starts_with("run:"));
        let tasks = tasks.join("\n");
        let drawing = draw(&tasks);
        let mut settings = Settings { slots: 10, seed: 7 };
        let mut submission =
            Submission { agents: vec![AgentLimits::default(); 2], ..Submission::default() };
        let mut batching = Batching::default();
        let mut ask = false;
        for (word, value) in
            head.iter().flat_map(|line| options(line.trim().trim_start_matches("run:")))
        {
            match word {
                "slots" => settings.slots = number(value),
                "agents" => {
                    for (agent, limit) in submission.agents.iter_mut().zip(value.split('+')) {
                        agent.concurrency = number(limit);
                    }
                }
                "rate" => {
                    let parts: Vec<u32> = value.split('/').map(number).collect();
                    let [attempts, per, burst] = parts[..] else { panic!("not a rate: {value}") };
                    submission.agents[0].rate = Some(Rate { attempts, per: per.into(), burst });
                }
                "batch" => {
                    let (max, linger) = value.split_once('/').expect("tasks/milliseconds");
                    batching = Batching { max: number(max), linger: number(linger) };
                }
                "deadline" => submission.deadline = Some(number(value)),
                "tokens" => submission.budget.tokens = Some(number(value)),
                "cost" => submission.budget.cost = Some(number(value)),
                "hold" => submission.on_conflict = ConflictRule::Hold,
                "admit" => submission.on_conflict = ConflictRule::Admit,
                "open" => submission.open = true,
                "ask" => ask = true,
                _ => panic!("unknown option of the run: {word}"),
            }
        }
        submission.classes = classes(batching);
        submission.tasks = drawing
            .names
            .iter()
            .map(|name| {
                let line = drawing.lines.iter().find(|line| line.name == *name);
                rules(line.map_or("", |line| line.options))
            })
            .collect();
        submission.graph = drawing.graph;
        Self {
            scheduler: Scheduler::new(settings),
            settings,
            names: drawing.names.iter().map(|name| (*name).to_owned()).collect(),
            submission: Some(submission),
            keys: Vec::new(),
            ask,
            now: 0,
            running: BTreeSet::new(),
            events: Vec::new(),
            history: Vec::new(),
        }
    }

    fn find(&self, name: &str) -> TaskIx {
        let place = self.names.iter().position(|known| known == name);
        TaskIx(place.unwrap_or_else(|| panic!("no task is called '{name}'")) as u32)
    }

    /// Feeds the events of one line and returns the actions as text.
    fn step(&mut self, events: &str) -> Vec<String> {
        for event in events.split('&') {
            self.read(event.trim());
        }
        let mut log = Vec::new();
        while !self.events.is_empty() {
            let events = std::mem::take(&mut self.events);
            self.history.push((self.now, events.clone()));
            let mut actions = Vec::new();
            self.scheduler.step(self.now, events, &mut actions);
            for action in actions {
                log.extend(self.spell(action));
            }
        }
        log
    }

    fn read(&mut self, text: &str) {
        let words: Vec<&str> = text.split_whitespace().collect();
        let event = match words[..] {
            ["submit"] => Event::Submit(Box::new(self.submission.take().expect("one submission"))),
            ["at", time] => {
                self.now = number(time);
                Event::Timer
            }
            ["later", time] => {
                self.now = number(time);
                return;
            }
            ["done", ref names @ ..] => {
                for name in names {
                    self.end(name, End::Succeeded);
                }
                return;
            }
            ["fail", name] => return self.end(name, End::Failed(Retry::Yes)),
            ["fail", name, "never"] => return self.end(name, End::Failed(Retry::Never)),
            ["fail", name, "after", wait] => {
                return self.end(name, End::Failed(Retry::After(number(wait))));
            }
            ["pending", name, poll] => {
                return self.end(name, End::Pending { poll_after: number(poll) });
            }
            ["asks", name] => return self.end(name, End::Asked),
            ["aborted", name] => return self.end(name, End::Aborted),
            ["alive", name] => Event::Alive { task: self.find(name) },
            ["decide", name, decision] => {
                let decision = match decision {
                    "run" => Decision::Run,
                    "done" => Decision::Done,
                    "skip" => Decision::Skip,
                    "fail" => Decision::Fail,
                    items => Decision::FanOut(number(items)),
                };
                Event::Decided { task: self.find(name), decision }
            }
            ["answer", name, word] => {
                Event::Answered { task: self.find(name), accepted: word == "yes" }
            }
            ["spend", tokens, cost] => Event::Spent { tokens: number(tokens), cost: number(cost) },
            ["scored", "none"] => Event::Scored { scores: None },
            ["scored", ref scores @ ..] => {
                Event::Scored { scores: Some(scores.iter().map(|score| number(score)).collect()) }
            }
            ["cancel", "run"] => Event::Cancel { scope: Scope::Run },
            ["cancel", name] => Event::Cancel { scope: Scope::Task(self.find(name)) },
            ["cancel", name, "and", "dependents"] => {
                Event::Cancel { scope: Scope::Subtree(self.find(name)) }
            }
            ["recover"] => {
                self.running.clear();
                Event::Recovered
            }
            ["deliver", name] => {
                Event::Delivered { task: self.find(name), delivery: Delivery::Result }
            }
            ["deliver", name, "failure", ref words @ ..] => Event::Delivered {
                task: self.find(name),
                delivery: Delivery::Failure { retry: words.is_empty() },
            },
            ["resolve", name, word] => {
                let key = self.keys.iter().rposition(|known| known == name).expect("an addition");
                Event::Resolve { key: key as u64, admit: word == "admit" }
            }
            ["close"] => Event::Close,
            ["pause"] => Event::Pause,
            ["resume"] => Event::Resume,
            ["add", ..] => self.addition(text.trim_start_matches("add")),
            _ => panic!("cannot read the event '{text}'"),
        };
        self.events.push(event);
    }

    fn end(&mut self, name: &str, end: End) {
        let task = self.find(name);
        assert!(self.running.remove(&task), "{name} is not running");
        self.events.push(Event::Ended { task, end });
    }

    /// Tasks joined by `/`, after `whole` if it is all of them or none, and what
    /// happens to those that do not fit. A dependency that the run has is given by
    /// number.
    fn addition(&mut self, text: &str) -> Event {
        let (text, whole) = match text.trim().strip_prefix("whole ") {
            Some(text) => (text, true),
            None => (text.trim(), false),
        };
        let (text, on_conflict) = [
            ("reject ", ConflictRule::Reject),
            ("hold ", ConflictRule::Hold),
            ("admit ", ConflictRule::Admit),
        ]
        .into_iter()
        .find_map(|(word, rule)| Some((text.strip_prefix(word)?, Some(rule))))
        .unwrap_or((text, None));
        let tasks = text.split('/').map(|text| {
            let line = line(text);
            self.keys.push(line.name.to_owned());
            let wanted = |name: &&str| match self.names.iter().position(|known| known == name) {
                Some(place) if !self.keys.contains(&(*name).to_owned()) => {
                    Wanted::Task(TaskIx(place as u32))
                }
                _ => Wanted::Name(Arc::from(*name)),
            };
            NewTask {
                rules: rules(line.options),
                depends_on: line.dependencies.iter().map(wanted).collect(),
                key: self.keys.len() as u64 - 1,
                name: line.name.into(),
            }
        });
        let tasks = tasks.collect();
        Event::Add(Box::new(Addition { tasks, whole, on_conflict, ..Addition::default() }))
    }

    fn spell(&mut self, action: Action) -> Option<String> {
        let name = |task: TaskIx| self.names[task.index()].clone();
        let names = |tasks: &[TaskIx]| tasks.iter().map(|task| name(*task)).collect::<Vec<_>>();
        Some(match action {
            Action::Score { tasks } if self.ask => format!("score {}", names(&tasks).join(" ")),
            Action::Score { tasks } => {
                let priority = |task: &TaskIx| f64::from(self.scheduler.facts(*task).priority);
                let scores = Some(tasks.iter().map(priority).collect());
                self.events.push(Event::Scored { scores });
                return None;
            }
            Action::Decide { task } => format!("decide {}", name(task)),
            Action::Ask { task } => format!("ask {}", name(task)),
            Action::Start { task, agent, attempt, resume, deadline } => {
                assert!(self.running.insert(task), "{} runs twice", name(task));
                let mut text = format!("start {}{attempt}", name(task));
                if agent > 0 {
                    text += &format!(" by {agent}");
                }
                if resume {
                    text += " resume";
                }
                if deadline != self.now + 1_000 {
                    text += &format!(" until {deadline}");
                }
                text
            }
            Action::StartBatch { members } => {
                let mut text = String::from("start together");
                for Member { task, deadline } in members {
                    assert!(self.running.insert(task), "{} runs twice", name(task));
                    text += &format!(" {}", name(task));
                    if deadline != self.now + 1_000 {
                        text += &format!(" until {deadline}");
                    }
                }
                text
            }
            Action::Abort { task, why } => {
                self.running.insert(task);
                format!("abort {}: {}", name(task), stop(why))
            }
            Action::CancelRemote { task, why } => {
                format!("cancel remote {}: {}", name(task), stop(why))
            }
            Action::Retrying { task, at, agent, why } => {
                let by = if agent > 0 { format!(" by {agent}") } else { String::new() };
                let why = why.map_or(String::new(), |why| format!(": {why:?}").to_lowercase());
                format!("retry {} at {at}{by}{why}", name(task))
            }
            Action::FannedOut { task, first, items } => {
                let parent = name(task);
                assert_eq!(first.index(), self.names.len());
                self.names.extend((0..items).map(|item| format!("{parent}.{item}")));
                format!("fan out {parent} {items}")
            }
            Action::Added { key, task, without } => {
                assert_eq!(task.index(), self.names.len());
                self.names.push(self.keys[key as usize].clone());
                format!("added {}{}", self.keys[key as usize], conflicts(" without", &without))
            }
            Action::Held { key, conflicts: all } => {
                format!("held {}{}", self.keys[key as usize], conflicts(":", &all))
            }
            Action::Rejected { key, conflicts: all } => {
                format!("rejected {}{}", self.keys[key as usize], conflicts(":", &all))
            }
            Action::Finished { task, status, reason } => {
                let why = match reason {
                    Reason::Timeout(timeout) => format!("{timeout:?} timeout"),
                    Reason::Items(item) => format!("item {}", name(item)),
                    Reason::Dependency(task) => format!("dependency {}", name(task)),
                    Reason::RunFailed(task) => format!("run failed by {}", name(task)),
                    Reason::RunDeadline => "run deadline".to_owned(),
                    other => format!("{other:?}"),
                };
                format!("{} {}: {}", name(task), lower(status), lower_first(&why))
            }
            Action::RunEnded { status, reason } => {
                assert_eq!(self.scheduler.next_timer(), None);
                assert_eq!((self.scheduler.slots_in_use(), self.scheduler.ready_count()), (0, 0));
                let why = match reason {
                    RunReason::Failed(task) => format!("by {}", name(task)),
                    other => lower(other),
                };
                format!("run {}: {why}", lower(status))
            }
        })
    }

    /// The state that the same events lead to is the same in everything.
    fn replay(&self) {
        let mut scheduler = Scheduler::new(self.settings);
        for (now, events) in &self.history {
            scheduler.step(*now, events.clone(), &mut Vec::new());
        }
        assert_eq!(format!("{scheduler:?}"), format!("{:?}", self.scheduler));
    }
}

fn options(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let words = text.split(',').map(str::trim).filter(|option| !option.is_empty());
    words.map(|option| option.split_once('=').unwrap_or((option, "")))
}

#[track_caller]
fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("'{text}' is not a number"))
}

/// The classes of two agents, by the slots they take: three that start each task
/// by itself, and three that start them together.
pub(super) fn classes(batching: Batching) -> Vec<ClassLimits> {
    let shapes = [None, Some(batching)]
        .into_iter()
        .flat_map(|batching| [1, 2, 3].map(|slots| ClassLimits { agent: 0, slots, batching }));
    (0..2)
        .flat_map(|agent| shapes.clone().map(move |shape| ClassLimits { agent, ..shape }))
        .collect()
}

/// Options of a task: `batch`, `kind=`, `agents=0+1`, `needs=` (slots, 1 to 3), `join`, `person`,
/// `decide`, `decide-items`, `width=`, `attempt=`, `queue=`, `idle=`, `total=`, `deadline=`,
/// `tries=`, `backoff=`, `skip`, `continue`, `priority=`.
pub(super) fn rules(text: &str) -> TaskRules {
    let mut rules = TaskRules {
        work: Doer::Join,
        batch: None,
        decide: false,
        decide_items: false,
        max_parallel: u32::MAX,
        timeouts: Timeouts { attempt: 1_000, queue: None, idle: None, total: None },
        retry: RetryPolicy { jitter: 0.0, initial_delay: 100, ..RetryPolicy::default() },
        on_failure: OnFailure::Fail,
        facts: Facts {
            kind: 0,
            priority: 5,
            deadline: None,
            expected: 1,
            remaining_path: 1,
            dependents: 0,
            depth: 0,
        },
    };
    let (mut agents, mut needs, mut doer, mut batch) = (vec![0], 1, None, false);
    for (word, value) in options(text) {
        match word {
            "agents" => agents = value.split('+').map(number).collect(),
            "needs" => needs = number(value),
            "join" => doer = Some(Doer::Join),
            "person" => doer = Some(Doer::Person),
            "batch" => batch = true,
            "kind" => rules.facts.kind = number(value),
            "decide-items" => rules.decide_items = true,
            "decide" => rules.decide = true,
            "width" => rules.max_parallel = number(value),
            "attempt" => rules.timeouts.attempt = number(value),
            "queue" => rules.timeouts.queue = Some(number(value)),
            "idle" => rules.timeouts.idle = Some(number(value)),
            "total" => rules.timeouts.total = Some(number(value)),
            "deadline" => rules.facts.deadline = Some(number(value)),
            "tries" => rules.retry.max_attempts = number(value),
            "backoff" => {
                rules.retry.backoff = match value {
                    "none" => Backoff::None,
                    "fixed" => Backoff::Fixed,
                    "linear" => Backoff::Linear,
                    _ => panic!("unknown backoff: {value}"),
                }
            }
            "skip" => rules.on_failure = OnFailure::Skip,
            "continue" => rules.on_failure = OnFailure::Continue,
            "priority" => rules.facts.priority = number(value),
            _ => panic!("unknown option of a task: {word}"),
        }
    }
    let class = |agent: &u32| ClassIx(agent * 6 + needs - 1);
    if batch && doer.is_none() {
        rules.batch = agents.first().map(|agent| ClassIx(class(agent).0 + 3));
    }
    rules.work = doer.unwrap_or(Doer::Agents(agents.iter().map(class).collect()));
    rules
}

fn lower(word: impl std::fmt::Debug) -> String {
    format!("{word:?}").to_lowercase()
}

fn lower_first(words: &str) -> String {
    let (first, rest) = words.split_at(1);
    first.to_lowercase() + rest
}

fn stop(why: Stop) -> String {
    match why {
        Stop::Timeout(timeout) => format!("{} timeout", lower(timeout)),
        Stop::Cancelled => "cancelled".into(),
        Stop::Refused => "refused".into(),
        Stop::RunFailed => "run failed".into(),
        Stop::RunDeadline => "run deadline".into(),
        Stop::Budget => "budget".into(),
        Stop::Delivered(_) => "delivered".into(),
    }
}

fn conflicts(before: &str, all: &[Conflict]) -> String {
    let words: Vec<String> = all
        .iter()
        .map(|conflict| match conflict {
            Conflict::Missing(name) => format!("missing {name}"),
            Conflict::Cycle(path) => format!("cycle {}", path.join(" -> ")),
            Conflict::Duplicate(name) => format!("duplicate {name}"),
            Conflict::Companion(name) => format!("with {name}"),
        })
        .collect();
    if words.is_empty() { String::new() } else { format!("{before} {}", words.join(", ")) }
}
