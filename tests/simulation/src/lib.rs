//! A *simulation* of whole runs: a random workflow document is read, compiled
//! and scheduled in made-up time, among agents that fail, throttle, hang, work
//! by themselves, end late and want more done, prioritizers that answer late or
//! wrong, persons, operators who cancel and pause, programs that submit tasks to
//! an open run, and workers that deliver what came of tasks elsewhere.
//!
//! Everything follows from a seed, so a run that goes wrong can be seen again.
//! What is right is said by a `model` that is simple instead of fast: it looks
//! at every task after every step, and knows only what went into the scheduler
//! and what came out.
//!
//! * `document`: the workflow.
//! * `world`: who it is run by.
//! * `journal`: what is left of it when the host goes down.
//! * `model`: what must come of it.

mod dice;
mod document;
mod journal;
mod model;
mod world;

use std::fmt;

use consort_core::plan::{self, Known};
use consort_core::scheduler::{Action, Event, Scheduler, Settings, Submission};
use consort_core::spec::{self, Format};

use dice::Dice;
use journal::{Journal, Remains};
use model::Model;
use world::World;

/// When every simulated run begins: 2027-01-15T08:00:00Z, in milliseconds.
const BEGIN: i64 = 1_800_000_000_000;
/// Ticks after which a run is taken to be without end.
const MAX_STEPS: usize = 200_000;

/// One tick of a run.
#[derive(Debug)]
pub struct Tick {
    /// Milliseconds since the run began.
    pub at: i64,
    /// What had happened.
    pub events: Vec<Event>,
    /// What was to be done about it.
    pub actions: Vec<Action>,
    /// It was not on disk when the host went down.
    pub lost: bool,
}

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in &self.events {
            match event {
                Event::Submit(submission) => {
                    writeln!(f, "{:>8} <- Submit {} tasks", self.at, submission.tasks.len())?;
                }
                event => writeln!(f, "{:>8} <- {event:?}", self.at)?,
            }
        }
        for action in &self.actions {
            writeln!(f, "{:>8}    -> {action:?}", self.at)?;
        }
        if self.lost {
            writeln!(f, "{:>8}    this was lost", self.at)?;
        }
        Ok(())
    }
}

/// A simulated run.
#[derive(Debug)]
pub struct Run {
    /// What decided it.
    pub seed: u64,
    /// The workflow, as JSON.
    pub document: String,
    /// All that happened.
    pub ticks: Vec<Tick>,
    /// What was wrong, if anything was.
    pub problem: Option<String>,
}

/// Simulates the run of a seed.
pub fn simulate(seed: u64) -> Run {
    let mut dice = Dice::new(seed);
    let document = format!("{:#}", document::workflow(&mut dice));
    let mut run = Run { seed, document, ticks: Vec::new(), problem: None };
    run.problem = run.go(&mut dice).err();
    run
}

impl Run {
    fn go(&mut self, dice: &mut Dice) -> Result<(), String> {
        let invalid = |problems: Vec<consort_core::problem::Problem>| {
            let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
            format!("the workflow is not valid: {}", all.join("; "))
        };
        let known = Known { anything: true, ..Known::default() };
        let open = dice.chance(25);
        let parse = if open { spec::parse_open } else { spec::parse };
        let document = parse(&self.document, Format::Json).map_err(invalid)?;
        let plan = plan::compile(document, &known, BEGIN).map_err(invalid)?;
        let (submission, _) = Submission::new(&plan, BEGIN);
        let settings = Settings { slots: dice.between(1, 8) as u32, seed: self.seed };
        let budgeted = plan.budget.tokens.is_some() || plan.budget.cost.is_some();
        let mut run = Live {
            model: Model::new(&plan, &submission, settings.slots, BEGIN),
            world: World::new(self.seed, BEGIN, submission.tasks.clone(), open),
            scheduler: Scheduler::new(settings),
            journal: Journal::new(settings, budgeted),
            ticks: &mut self.ticks,
        };
        let mut now = BEGIN;
        let mut events = vec![Event::Submit(Box::new(submission))];
        for _ in 0..MAX_STEPS {
            if let Some(back) = run.crash_amid(now, &mut events)? {
                now = back;
            } else {
                run.step(now, std::mem::take(&mut events))?;
                if let Some(back) = run.crash(now)? {
                    now = back;
                    events = vec![Event::Recovered];
                }
            }
            if run.has_ended() {
                let scheduler = run.scheduler;
                return self.check_end(&scheduler, settings);
            }
            if events.is_empty() {
                (now, events) = run.wait(now)?;
            }
        }
        Err("the run has no end".into())
    }

    /// Everything has been given back, and the same events lead to the same
    /// end.
    fn check_end(&self, scheduler: &Scheduler, settings: Settings) -> Result<(), String> {
        let left = (scheduler.slots_in_use(), scheduler.ready_count(), scheduler.next_timer());
        if left != (0, 0, None) {
            return Err(format!("slots, ready tasks or timers are left at the end: {left:?}"));
        }
        let mut again = Scheduler::new(settings);
        for tick in self.ticks.iter().filter(|tick| !tick.lost) {
            let mut actions = Vec::new();
            again.step(tick.at + BEGIN, tick.events.clone(), &mut actions);
            if actions != tick.actions {
                return Err(format!("the same events lead elsewhere at {}: {actions:?}", tick.at));
            }
        }
        if format!("{again:?}") != format!("{scheduler:?}") {
            return Err("the same events lead to another state".into());
        }
        Ok(())
    }

    /// How many tasks came to their end.
    pub fn finished(&self) -> usize {
        let ticks = self.ticks.iter().filter(|tick| !tick.lost);
        let actions = ticks.flat_map(|tick| &tick.actions);
        actions.filter(|action| matches!(action, Action::Finished { .. })).count()
    }

    /// The command that shows this run.
    pub fn replay(&self) -> String {
        format!("cargo run -p consort-simulation -- --seed {} --trace", self.seed)
    }
}

/// A run that goes on.
struct Live<'a> {
    scheduler: Scheduler,
    model: Model,
    world: World,
    journal: Journal,
    ticks: &'a mut Vec<Tick>,
}

impl Live<'_> {
    /// Takes in what has happened, and does what follows.
    fn step(&mut self, now: i64, events: Vec<Event>) -> Result<(), String> {
        self.take(now, events)?;
        for action in &self.ticks[self.ticks.len() - 1].actions {
            self.world.perform(now, action);
        }
        Ok(())
    }

    /// Takes in what has happened.
    fn take(&mut self, now: i64, events: Vec<Event>) -> Result<(), String> {
        let mut actions = Vec::new();
        self.scheduler.step(now, events.clone(), &mut actions);
        let checked = self.model.check(now, &events, &actions);
        if self.world.is_fragile() {
            self.journal.push(&events, &self.model);
            if self.world.saves() {
                self.journal.save(&self.scheduler)?;
            }
        }
        self.ticks.push(Tick { at: now - BEGIN, events, actions, lost: false });
        checked
    }

    fn has_ended(&self) -> bool {
        let last = self.ticks.iter().rfind(|tick| !tick.lost);
        let action = last.and_then(|tick| tick.actions.last());
        matches!(action, Some(Action::RunEnded { .. }))
    }

    /// The host may go down when it has done what followed from a step. Says
    /// when it is back.
    fn crash(&mut self, now: i64) -> Result<Option<i64>, String> {
        let Some(back) = self.world.crash(now) else { return Ok(None) };
        let kept = self.world.kept(self.journal.unsynced());
        self.rebuild(kept)?;
        Ok(Some(back))
    }

    /// The host may go down while these events are recorded, and before
    /// anything comes of them: they are there as a whole, or not at all. Says
    /// when it is back, and what it has to do with then.
    fn crash_amid(&mut self, now: i64, events: &mut Vec<Event>) -> Result<Option<i64>, String> {
        // What is not submitted is no run.
        if self.ticks.is_empty() {
            return Ok(None);
        }
        let Some(back) = self.world.crash(now) else { return Ok(None) };
        let events = std::mem::replace(events, vec![Event::Recovered]);
        let unsynced = self.journal.unsynced();
        let kept = self.world.kept(unsynced + 1);
        if kept <= unsynced {
            self.world.take_back(now, events);
            self.rebuild(kept)?;
            return Ok(Some(back));
        }
        self.rebuild(unsynced)?;
        self.take(now, events)?;
        let last = &self.ticks[self.ticks.len() - 1];
        last.actions.iter().for_each(|action| self.world.count(action));
        Ok(Some(back))
    }

    fn rebuild(&mut self, kept: usize) -> Result<(), String> {
        let Remains { scheduler, model } = self.journal.crash(self.ticks, kept)?;
        self.scheduler = scheduler;
        self.model = model;
        Ok(())
    }

    /// What happens next, and when.
    fn wait(&mut self, now: i64) -> Result<(i64, Vec<Event>), String> {
        let timer = self.scheduler.next_timer();
        let next = self.world.next().into_iter().chain(timer).min();
        let Some(next) = next else { return Err("nothing will ever happen".into()) };
        let now = now.max(next) + self.world.lateness();
        Ok((now, self.world.events(now, timer.is_some_and(|at| at <= now))))
    }
}
