//! A *simulation* of whole runs: a random workflow document is read, compiled
//! and scheduled in made-up time, among agents that fail, throttle, hang, work
//! by themselves, end late and want more done, prioritizers that answer late or
//! wrong, persons, and operators who cancel and pause.
//!
//! Everything follows from a seed, so a run that goes wrong can be seen again.
//! What is right is said by a `model` that is simple instead of fast: it looks
//! at every task after every step, and knows only what went into the scheduler
//! and what came out.
//!
//! * `document`: the workflow.
//! * `world`: who it is run by.
//! * `model`: what must come of it.

mod dice;
mod document;
mod model;
mod world;

use std::fmt;

use consort_core::plan::{self, Known};
use consort_core::scheduler::{Action, Event, Scheduler, Settings, Submission};
use consort_core::spec::{self, Format};

use dice::Dice;
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
        let document = spec::parse(&self.document, Format::Json).map_err(invalid)?;
        let plan = plan::compile(document, &known, BEGIN).map_err(invalid)?;
        let (submission, _) = Submission::new(&plan, BEGIN);
        let settings = Settings { slots: dice.between(1, 8) as u32, seed: self.seed };
        let mut model = Model::new(&plan, &submission, settings.slots, BEGIN);
        let mut world = World::new(self.seed, BEGIN, submission.tasks.clone());
        let mut scheduler = Scheduler::new(settings);
        let mut now = BEGIN;
        let mut events = vec![Event::Submit(Box::new(submission))];
        for _ in 0..MAX_STEPS {
            let mut actions = Vec::new();
            scheduler.step(now, events.clone(), &mut actions);
            let checked = model.check(now, &events, &actions);
            let ended = matches!(actions.last(), Some(Action::RunEnded { .. }));
            for action in &actions {
                world.perform(now, action);
            }
            self.ticks.push(Tick { at: now - BEGIN, events, actions });
            checked?;
            let timer = scheduler.next_timer();
            if ended {
                return self.check_end(&scheduler, settings);
            }
            let next = world.next().into_iter().chain(timer).min();
            let Some(next) = next else { return Err("nothing will ever happen".into()) };
            now = now.max(next) + world.lateness();
            events = world.events(now, timer.is_some_and(|at| at <= now));
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
        for tick in &self.ticks {
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
        let actions = self.ticks.iter().flat_map(|tick| &tick.actions);
        actions.filter(|action| matches!(action, Action::Finished { .. })).count()
    }

    /// The command that shows this run.
    pub fn replay(&self) -> String {
        format!("cargo run -p consort-simulation -- --seed {} --trace", self.seed)
    }
}
