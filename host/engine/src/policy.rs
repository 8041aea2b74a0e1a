//! The *policy* of a run: its prioritizer, between calls or in one, and the
//! *breaker* that rests it when it keeps failing.
//!
//! A tick without scores is decided by the built-in order, so no fault of a
//! policy stops a run. It takes time, though, up to the policy's time limit, and
//! ready tasks wait for it; so a policy that fails several times in a row is not
//! asked for a while, then tried once, and rested twice as long if it fails
//! again.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use consort_core::graph::TaskIx;
use consort_core::scheduler::Scheduler;
use consort_plugin_host::{CallContext, CallError, Candidate, Prioritizer, Snapshot};

use crate::cast::CastPrioritizer;
use crate::report::{PolicyMetrics, ResourceReport};
use crate::stage::{Ear, Stage};
use crate::tally::Tally;
use crate::watch::RunEvent;

/// Faults in a row after which a policy is rested.
const PATIENCE: u32 = 3;
/// The first rest, in milliseconds.
const FIRST_REST: i64 = 30_000;
/// The longest rest, in milliseconds.
const LONGEST_REST: i64 = 3_600_000;

/// The prioritizer of a run and what came of asking it.
pub(crate) struct Policy {
    stage: Arc<Stage>,
    /// What its calls have used.
    tally: Arc<Tally>,
    cx: CallContext,
    idle: Option<Prioritizer>,
    scoring: Option<Scoring>,
    breaker: Breaker,
    metrics: PolicyMetrics,
}

/// The strings that the scheduler's facts refer to by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Names(Arc<[Arc<str>]>);

impl Names {
    pub(crate) fn new(names: Vec<Arc<str>>) -> Self {
        Self(names.into())
    }

    pub(crate) fn all(&self) -> Arc<[Arc<str>]> {
        self.0.clone()
    }

    /// The number of a name, which may be new.
    pub(crate) fn number(&mut self, name: &Arc<str>) -> u32 {
        if let Some(number) = self.0.iter().position(|known| known == name) {
            return number as u32;
        }
        let more = std::iter::once(name.clone());
        self.0 = self.0.iter().cloned().chain(more).collect();
        self.0.len() as u32 - 1
    }
}

/// A call that is being made.
type Scoring = Pin<Box<dyn Future<Output = Scored> + Send>>;

/// A call that was made.
pub(crate) type Scored = (Prioritizer, Result<Vec<f64>, CallError>);

impl Policy {
    pub(crate) fn new(stage: Arc<Stage>, cast: CastPrioritizer) -> Self {
        let CastPrioritizer { plugin, prioritizer, config, limits } = cast;
        let plugin_name = plugin.name().clone();
        let tally = Arc::<Tally>::default();
        let ear = Ear {
            stage: stage.clone(),
            task: None,
            plugin: plugin_name,
            pulse: None,
            tally: tally.clone(),
        };
        Self {
            stage,
            tally,
            cx: CallContext {
                limits,
                config,
                grants: Arc::default(),
                observer: Some(Arc::new(ear)),
            },
            idle: Some(prioritizer),
            scoring: None,
            breaker: Breaker::default(),
            metrics: PolicyMetrics {
                name: plugin.name().clone(),
                digest: plugin.digest().clone(),
                ..PolicyMetrics::default()
            },
        }
    }

    /// Asks for the scores of ready tasks, which [`Policy::answer`] waits for.
    /// `names` are those that the scheduler's facts refer to. `false`: the
    /// policy rests, and there will be none.
    pub(crate) fn ask(
        &mut self,
        now: i64,
        scheduler: &Scheduler,
        names: &Names,
        tasks: &[TaskIx],
    ) -> bool {
        if !self.breaker.allows(now) {
            self.metrics.rested += 1;
            return false;
        }
        let Some(mut prioritizer) = self.idle.take() else { return true };
        let batch: Vec<Candidate> = tasks.iter().map(|&task| candidate(scheduler, task)).collect();
        let snapshot = Snapshot {
            now,
            names: names.all(),
            ready: scheduler.ready_count(),
            running: scheduler.running_count(),
            slots: scheduler.slots(),
        };
        let cx = self.cx.clone();
        self.metrics.ticks += 1;
        self.scoring = Some(Box::pin(async move {
            let scores = prioritizer.score(&batch, &snapshot, &cx).await;
            (prioritizer, scores)
        }));
        true
    }

    /// Waits for the answer to [`Policy::ask`]; for ever when nothing was asked.
    /// May be dropped and called again.
    pub(crate) async fn answer(&mut self) -> Scored {
        match &mut self.scoring {
            Some(scoring) => scoring.await,
            None => std::future::pending().await,
        }
    }

    /// Takes an answer that came at `now`: the scores, or none when the built-in
    /// order decides.
    pub(crate) fn take(&mut self, now: i64, scored: Scored) -> Option<Vec<f64>> {
        let (prioritizer, scores) = scored;
        self.scoring = None;
        self.idle = Some(prioritizer);
        match scores {
            Ok(mut scores) => {
                self.breaker.succeeded();
                // Infinity is as good as the greatest number there is.
                scores.iter_mut().for_each(|score| *score = score.clamp(f64::MIN, f64::MAX));
                Some(scores)
            }
            Err(error) => {
                self.failed(now, error.to_string());
                None
            }
        }
    }

    fn failed(&mut self, now: i64, message: String) {
        let Self { stage, metrics, .. } = self;
        let plugin = metrics.name.clone();
        stage.tell(&RunEvent::PolicyFault { plugin: plugin.clone(), message: message.clone() });
        if let Some(rest) = self.breaker.failed(now) {
            stage.tell(&RunEvent::PolicyRested { plugin, rest });
            metrics.rests += 1;
        }
        metrics.faults += 1;
        metrics.last_fault = Some(message);
    }

    /// What came of it all.
    pub(crate) fn into_metrics(self) -> PolicyMetrics {
        PolicyMetrics { resources: ResourceReport::new(&self.tally.total()), ..self.metrics }
    }
}

fn candidate(scheduler: &Scheduler, task: TaskIx) -> Candidate {
    let facts = scheduler.facts(task);
    Candidate {
        id: task.0,
        kind: facts.kind,
        agent: scheduler.agent(task).unwrap_or_default(),
        priority: facts.priority,
        attempt: scheduler.next_attempt(task),
        ready_at: scheduler.ready_at(task),
        deadline: facts.deadline,
        expected: facts.expected,
        remaining_path: facts.remaining_path,
        dependents: facts.dependents,
        depth: facts.depth,
    }
}

/// Decides when a policy is worth asking. Times are milliseconds of the run's
/// clock.
#[derive(Debug, Default)]
struct Breaker {
    faults_in_a_row: u32,
    /// The last rest; 0 before the first, and again after a success.
    rest: i64,
    /// When the rest ends.
    until: i64,
}

impl Breaker {
    fn allows(&self, now: i64) -> bool {
        now >= self.until
    }

    fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// How long the policy rests from now on, if it does.
    fn failed(&mut self, now: i64) -> Option<Duration> {
        self.faults_in_a_row = self.faults_in_a_row.saturating_add(1);
        if self.faults_in_a_row < PATIENCE {
            return None;
        }
        self.rest = (self.rest * 2).clamp(FIRST_REST, LONGEST_REST);
        self.until = now.saturating_add(self.rest);
        Some(Duration::from_millis(self.rest.unsigned_abs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_fault_in_a_row_earns_a_rest() {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.failed(0), None);
        assert_eq!(breaker.failed(0), None);
        breaker.succeeded();
        assert_eq!((breaker.failed(1), breaker.failed(2)), (None, None));
        assert!(breaker.allows(2));
        assert_eq!(breaker.failed(3), Some(Duration::from_secs(30)));
        assert!(!breaker.allows(3) && !breaker.allows(30_002));
        assert!(breaker.allows(30_003));
    }

    #[test]
    fn rests_grow_until_the_policy_answers_again() {
        let mut breaker = Breaker::default();
        let mut now = 0;
        let rests: Vec<u64> = (0..12)
            .filter_map(|_| {
                let rest = breaker.failed(now)?;
                now = breaker.until;
                Some(rest.as_secs())
            })
            .collect();
        assert_eq!(rests, [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600]);
        breaker.succeeded();
        assert!(breaker.allows(0));
        assert_eq!((breaker.failed(0), breaker.failed(0)), (None, None));
        assert_eq!(breaker.failed(0), Some(Duration::from_secs(30)));
    }

    /// What a policy costs that needs 5 s to fail, however often it is asked.
    #[test]
    fn a_slow_policy_cannot_slow_a_run_without_bound() {
        const FAULT: i64 = 5_000;
        let mut breaker = Breaker::default();
        let (mut now, mut lost) = (0, 0);
        while now < 24 * 3_600_000 {
            if breaker.allows(now) {
                now += FAULT;
                lost += FAULT;
                breaker.failed(now);
            }
            now += 100;
        }
        assert!(lost < 4 * 60_000, "{lost} ms of a day");
    }
}
