//! The *world* around a scheduler: agents, prioritizers, persons, operators and
//! a clock, none of which can be relied on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use consort_core::graph::TaskIx;
use consort_core::plan::ConflictRule;
use consort_core::scheduler::{
    Action, Addition, Decision, Delivery, End, Event, NewTask, Retry, Scope, TaskRules, Wanted,
};

use crate::dice::Dice;

/// Tasks from which on a run does not grow: what grows for ever has no end.
const MANY: u32 = 300;

/// How much goes wrong in a run, in percent.
#[derive(Debug)]
struct Mood {
    faults: u64,
    bad_scores: u64,
    operators: u64,
    spawns: u64,
    lateness: u64,
    crashes: u64,
    questions: u64,
    deliveries: u64,
}

/// Something that will happen.
#[derive(Debug)]
enum Happening {
    /// The attempt that was started as the `start`-th comes to its end.
    End { task: TaskIx, start: u64, end: End, tokens: u64 },
    /// That attempt says what it has used before it ends.
    Used { task: TaskIx, start: u64, tokens: u64 },
    /// Whatever the task does by then.
    Event(Event),
}

/// Everything around the scheduler.
#[derive(Debug)]
pub(crate) struct World {
    dice: Dice,
    /// For what changes nothing: when the state is saved.
    aside: Dice,
    mood: Mood,
    agenda: BTreeMap<(i64, u64), Happening>,
    noted: u64,
    /// The running attempts by the number of their start.
    running: BTreeMap<TaskIx, u64>,
    starts: u64,
    /// Rules that an added task may have.
    templates: Vec<TaskRules>,
    tasks: u32,
    added: u64,
    /// Tasks that are held, by key.
    held: BTreeSet<u64>,
    /// Everything is just coming back after a crash.
    recovering: bool,
}

impl World {
    pub(crate) fn new(seed: u64, now: i64, templates: Vec<TaskRules>, open: bool) -> Self {
        let mut dice = Dice::new(seed ^ 0x5eed);
        let mood = Mood {
            faults: *dice.pick(&[0, 10, 30, 70]),
            bad_scores: *dice.pick(&[0, 10, 100]),
            operators: *dice.pick(&[0, 0, 15]),
            spawns: *dice.pick(&[0, 0, 20]),
            lateness: *dice.pick(&[0, 10, 50]),
            crashes: *dice.pick(&[0, 0, 2, 10]),
            questions: *dice.pick(&[0, 0, 10]),
            deliveries: *dice.pick(&[0, 0, 20]),
        };
        let tasks = templates.len() as u32;
        let mut world = Self {
            dice,
            aside: Dice::new(seed ^ 0x5a7e),
            mood,
            agenda: BTreeMap::new(),
            noted: 0,
            running: BTreeMap::new(),
            starts: 0,
            templates,
            tasks,
            added: 0,
            held: BTreeSet::new(),
            recovering: false,
        };
        if open {
            world.keep_open(now);
        }
        for _ in 0..3 {
            if world.dice.chance(world.mood.operators) {
                world.operate(now);
            }
        }
        world
    }

    /// When something happens next.
    pub(crate) fn next(&self) -> Option<i64> {
        self.agenda.first_key_value().map(|((at, _), _)| *at)
    }

    /// How late the next tick is.
    pub(crate) fn lateness(&mut self) -> i64 {
        if self.dice.chance(self.mood.lateness) { self.dice.between(1, 60) as i64 } else { 0 }
    }

    /// What has happened by now. `due` says that the scheduler wants to be told
    /// the time.
    pub(crate) fn events(&mut self, now: i64, due: bool) -> Vec<Event> {
        self.recovering = false;
        let mut events = Vec::new();
        while self.next().is_some_and(|at| at <= now) {
            // What is delivered is taken in by itself.
            if let Some((_, Happening::Event(Event::Delivered { .. }))) =
                self.agenda.first_key_value()
            {
                if events.is_empty() {
                    let delivered = self.agenda.pop_first();
                    events.extend(delivered.and_then(|(_, happening)| match happening {
                        Happening::Event(event) => Some(event),
                        _ => None,
                    }));
                    return events;
                }
                break;
            }
            match self.agenda.pop_first() {
                Some((_, Happening::End { task, start, end, tokens })) => {
                    if self.running.get(&task) == Some(&start) {
                        self.running.remove(&task);
                        self.end(now, task, end, tokens, &mut events);
                    }
                }
                Some((_, Happening::Used { task, start, tokens })) => {
                    if self.running.get(&task) == Some(&start) {
                        events.push(spent(tokens));
                    }
                }
                Some((_, Happening::Event(Event::Alive { task }))) => {
                    if self.running.contains_key(&task) {
                        events.push(Event::Alive { task });
                    }
                }
                Some((_, Happening::Event(event))) => events.push(event),
                None => break,
            }
        }
        if !self.held.is_empty() && self.dice.chance(20) {
            let keys: Vec<u64> = self.held.iter().copied().collect();
            let key = *self.dice.pick(&keys);
            events.push(Event::Resolve { key, admit: self.dice.chance(50) });
        }
        if due || self.dice.chance(5) {
            let place = if self.dice.chance(50) { 0 } else { events.len() };
            events.insert(place, Event::Timer);
        }
        events
    }

    fn end(&mut self, now: i64, task: TaskIx, end: End, tokens: u64, events: &mut Vec<Event>) {
        if tokens > 0 {
            events.push(spent(tokens));
        }
        if self.dice.chance(self.mood.spawns) && self.tasks < MANY {
            events.push(self.spawn(task));
        }
        if end == End::Asked {
            let accepted = self.dice.chance(85);
            let at = self.after(now, 1, 2_500);
            self.note(at, Happening::Event(Event::Answered { task, accepted }));
        }
        events.push(Event::Ended { task, end });
    }

    /// Tasks that an agent wants done besides.
    fn spawn(&mut self, parent: TaskIx) -> Event {
        let tasks = (0..self.dice.between(1, 4)).map(|_| {
            self.added += 1;
            let mut wanted: Vec<Wanted> = Vec::new();
            for _ in 0..self.dice.roll(3) {
                let known = TaskIx(self.dice.roll(u64::from(self.tasks)) as u32);
                wanted.push(match self.dice.roll(10) {
                    0..4 => Wanted::Task(parent),
                    4..6 => Wanted::Task(known),
                    // Something added before, at the same time, or never.
                    _ => Wanted::Name(Arc::from(self.name(3))),
                });
            }
            NewTask {
                rules: self.dice.pick(&self.templates).clone(),
                depends_on: wanted,
                key: self.added,
                name: self.name(2).into(),
            }
        });
        let tasks = tasks.collect();
        let rules = [ConflictRule::Reject, ConflictRule::Hold, ConflictRule::Admit];
        let on_conflict = rules.get(self.dice.roll(12) as usize).copied();
        let whole = self.dice.chance(30);
        Event::Add(Box::new(Addition { tasks, whole, on_conflict, classes: Vec::new() }))
    }

    /// The name of an added task, around the latest.
    fn name(&mut self, ahead: u64) -> String {
        format!("n{}", (self.added + self.dice.roll(ahead)).saturating_sub(self.dice.roll(3)))
    }

    /// Whether everything around the scheduler goes down now, and for how long.
    /// Agents lose what they were at, and nobody has heard of what is on its
    /// way; what persons and operators will do, they will do.
    pub(crate) fn crash(&mut self, now: i64) -> Option<i64> {
        if !self.dice.chance(self.mood.crashes) {
            return None;
        }
        self.recovering = true;
        self.running.clear();
        // What is on its way to the run by itself was submitted from outside.
        let outside = |event: &Event| is_wanted(event) || matches!(event, Event::Add(_));
        self.agenda
            .retain(|_, happening| matches!(happening, Happening::Event(event) if outside(event)));
        Some(self.after(now, 0, 2_000))
    }

    /// Whether it ever goes down.
    pub(crate) fn is_fragile(&self) -> bool {
        self.mood.crashes > 0
    }

    /// Whether the state is saved after this step.
    pub(crate) fn saves(&mut self) -> bool {
        self.aside.chance(10)
    }

    /// How many of so many steps that were on their way are on disk.
    pub(crate) fn kept(&mut self, most: usize) -> usize {
        self.dice.roll(most as u64 + 1) as usize
    }

    /// These events were lost; who wanted something and has no answer wants it
    /// still.
    pub(crate) fn take_back(&mut self, at: i64, events: Vec<Event>) {
        for event in events.into_iter().filter(is_wanted) {
            self.note(at, Happening::Event(event));
        }
    }

    fn note(&mut self, at: i64, happening: Happening) {
        self.noted += 1;
        self.agenda.insert((at, self.noted), happening);
    }

    fn after(&mut self, now: i64, low: u64, high: u64) -> i64 {
        now + self.dice.between(low, high) as i64
    }

    /// Does what the scheduler says, more or less.
    pub(crate) fn perform(&mut self, now: i64, action: &Action) {
        match *action {
            Action::Score { ref tasks } => {
                let scores = self.scores(tasks.len());
                // In the same tick, soon, or rather late.
                let at = match self.dice.roll(10) {
                    0..7 => now,
                    7..9 => self.after(now, 1, 20),
                    _ => self.after(now, 20, 600),
                };
                self.note(at, Happening::Event(Event::Scored { scores }));
            }
            Action::Decide { task } => {
                let decision = match self.dice.roll(100) {
                    0..10 => Decision::Skip,
                    10..16 => Decision::Fail,
                    16..22 => Decision::Done,
                    22..50 => Decision::Run,
                    _ if self.tasks >= MANY => Decision::Run,
                    _ => Decision::FanOut(self.dice.roll(7) as u32),
                };
                let at = self.after(now, 0, 30);
                self.note(at, Happening::Event(Event::Decided { task, decision }));
            }
            Action::Ask { task } => {
                let accepted = self.dice.chance(85);
                let at = self.after(now, 0, 2_500);
                self.note(at, Happening::Event(Event::Answered { task, accepted }));
            }
            Action::Start { task, resume, .. } => self.attempt(now, task, resume),
            Action::StartBatch { ref members } => {
                members.iter().for_each(|member| self.attempt(now, member.task, false));
            }
            Action::Abort { task, .. } => {
                if self.recovering {
                    // There is nothing left of it but the duty to say so.
                    self.starts += 1;
                    self.running.insert(task, self.starts);
                }
                let Some(start) = self.running.get(&task).copied() else { return };
                // Most stop; some end in their own way just then, or late.
                let end = match self.dice.roll(20) {
                    0 => End::Succeeded,
                    1 => End::Failed(Retry::Yes),
                    2 => End::Failed(Retry::Never),
                    3 => End::Pending { poll_after: 300 },
                    _ => End::Aborted,
                };
                let high = if self.dice.chance(20) { 1_500 } else { 10 };
                let at = self.after(now, 0, high);
                self.note(at, Happening::End { task, start, end, tokens: 3 });
            }
            Action::FannedOut { .. }
            | Action::Added { .. }
            | Action::Held { .. }
            | Action::Rejected { .. } => self.count(action),
            Action::CancelRemote { .. }
            | Action::Retrying { .. }
            | Action::Finished { .. }
            | Action::RunEnded { .. } => {}
        }
    }

    /// Keeps count of the tasks there are, and of those that are held.
    pub(crate) fn count(&mut self, action: &Action) {
        match action {
            Action::FannedOut { items, .. } => self.tasks += items,
            Action::Added { key, .. } => {
                self.tasks += 1;
                self.held.remove(key);
            }
            Action::Held { key, .. } => {
                self.held.insert(*key);
            }
            Action::Rejected { key, .. } => {
                self.held.remove(key);
            }
            _ => {}
        }
    }

    fn attempt(&mut self, now: i64, task: TaskIx, resume: bool) {
        self.starts += 1;
        let start = self.starts;
        assert_eq!(self.running.insert(task, start), None, "{task:?} runs twice at once");
        let tokens = self.dice.roll(40);
        let (high, end) = if !self.dice.chance(self.mood.faults) {
            let pending = self.dice.chance(if resume { 40 } else { 10 });
            let poll_after = self.dice.roll(900);
            let asks = self.dice.chance(self.mood.questions);
            let end = match (pending, asks) {
                (_, true) => End::Asked,
                (true, false) => End::Pending { poll_after },
                (false, false) => End::Succeeded,
            };
            (200, end)
        } else {
            match self.dice.roll(10) {
                0..4 => (150, End::Failed(Retry::Yes)),
                4 => (150, End::Failed(Retry::Never)),
                5 => (150, End::Failed(Retry::After(self.dice.roll(1_500)))),
                6 => (150, End::Aborted),
                // It hangs until it is told to stop.
                7 | 8 => (0, End::Aborted),
                _ => (3_000, End::Succeeded),
            }
        };
        if high > 0 {
            let mut at = self.after(now, 0, high);
            let mut left = tokens;
            if self.dice.chance(30) {
                self.note(at, Happening::Used { task, start, tokens });
                left = 0;
                at = self.after(at, 0, 30);
            }
            self.note(at, Happening::End { task, start, end, tokens: left });
        }
        if self.dice.chance(40) {
            for _ in 0..self.dice.roll(6) {
                let at = self.after(now, 0, 1_500);
                self.note(at, Happening::Event(Event::Alive { task }));
            }
        }
        if self.dice.chance(self.mood.deliveries) {
            let any = TaskIx(self.dice.roll(u64::from(self.tasks)) as u32);
            let task = if self.dice.chance(80) { task } else { any };
            self.deliver(now, task);
        }
        if self.dice.chance(self.mood.operators / 3) {
            self.operate(now);
        }
    }

    /// Somebody elsewhere has done a task, or has not been able to.
    fn deliver(&mut self, now: i64, task: TaskIx) {
        let delivery = match self.dice.roll(3) {
            0 => Delivery::Failure { retry: self.dice.chance(60) },
            _ => Delivery::Result,
        };
        let at = self.after(now, 0, 150);
        self.note(at, Happening::Event(Event::Delivered { task, delivery }));
    }

    /// A program submits tasks to an open run for a while, and closes it.
    fn keep_open(&mut self, now: i64) {
        for _ in 0..self.dice.roll(4) {
            let at = self.after(now, 0, 6_000);
            let parent = TaskIx(self.dice.roll(u64::from(self.tasks)) as u32);
            let tasks = self.spawn(parent);
            self.note(at, Happening::Event(tasks));
        }
        let at = self.after(now, 0, 9_000);
        self.note(at, Happening::Event(Event::Close));
    }

    fn scores(&mut self, count: usize) -> Option<Vec<f64>> {
        let mut scores: Vec<f64> = (0..count).map(|_| self.dice.roll(9) as f64 - 4.0).collect();
        if !self.dice.chance(self.mood.bad_scores) {
            return Some(scores);
        }
        match self.dice.roll(5) {
            0 => return None,
            1 => scores[0] = f64::NAN,
            2 => scores.push(1.0),
            3 => scores.clear(),
            _ => scores[0] = f64::NEG_INFINITY,
        }
        Some(scores)
    }

    /// Somebody cancels something, or pauses the run for a while.
    fn operate(&mut self, now: i64) {
        let task = TaskIx(self.dice.roll(u64::from(self.tasks)) as u32);
        let at = self.after(now, 0, 2_000);
        let scope = match self.dice.roll(10) {
            0 => Scope::Run,
            1..4 => Scope::Task(task),
            4..6 => Scope::Subtree(task),
            _ => {
                let until = self.after(at, 1, 1_500);
                self.note(at, Happening::Event(Event::Pause));
                return self.note(until, Happening::Event(Event::Resume));
            }
        };
        self.note(at, Happening::Event(Event::Cancel { scope }));
    }
}

/// Whether a person wants it of the run, and will not be put off.
fn is_wanted(event: &Event) -> bool {
    matches!(
        event,
        Event::Cancel { .. }
            | Event::Pause
            | Event::Resume
            | Event::Close
            | Event::Delivered { .. }
    )
}

fn spent(tokens: u64) -> Event {
    Event::Spent { tokens, cost: tokens as f64 / 1_000.0 }
}
