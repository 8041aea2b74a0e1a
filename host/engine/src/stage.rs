//! The *stage* is what everything in a run shares; an *ear* hears a plugin on
//! it and passes on what it says.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use consort_core::graph::TaskIx;
use consort_core::plan::Plan;
use consort_core::template::Shared;
use consort_plugin_host::{Consumed, Level, Metric, MetricValue, Observer, Payload, Progress};

use crate::cache::Cache;
use crate::cast::Cast;
use crate::draft::Drafting;
use crate::message::{LogLine, Mail, Message};
use crate::output::{Archive, Kept};
use crate::report::PluginMetric;
use crate::tally::Tally;
use crate::watch::{RunEvent, Watcher};

/// Names of plugins' numbers a run keeps; a plugin that makes up more only
/// loses its own.
const MAX_NAMES: usize = 4_096;

/// What everything in a run shares.
pub(crate) struct Stage {
    pub(crate) run_id: Arc<str>,
    pub(crate) plan: Plan,
    pub(crate) cast: Arc<Cast>,
    pub(crate) inputs: Shared,
    pub(crate) cache: Cache,
    /// Where large results are; none if the run is in memory.
    pub(crate) archive: Option<Arc<Archive>>,
    pub(crate) drafting: Arc<Drafting>,
    pub(crate) watcher: Arc<dyn Watcher>,
    /// What happens has happened before, and nobody is told.
    pub(crate) quiet: AtomicBool,
    /// Where what plugins log goes to be recorded.
    pub(crate) mail: Option<Mail>,
    pub(crate) metrics: Mutex<BTreeMap<String, PluginMetric>>,
}

impl Stage {
    /// Makes a result ready to be recorded, if the run is.
    pub(crate) async fn keep(&self, payload: Payload) -> Kept {
        match &self.archive {
            Some(archive) => archive.keep(payload).await,
            None => Kept::Here(payload),
        }
    }

    /// Tells whoever watches.
    pub(crate) fn tell(&self, event: &RunEvent) {
        if !self.quiet.load(Ordering::Relaxed) {
            self.watcher.event(event);
        }
    }
}

/// Hears a plugin and passes it on.
pub(crate) struct Ear {
    pub(crate) stage: Arc<Stage>,
    /// None for the policy.
    pub(crate) task: Option<Arc<str>>,
    pub(crate) plugin: Arc<str>,
    /// For an attempt that must show signs of life.
    pub(crate) pulse: Option<Arc<Pulse>>,
    pub(crate) tally: Arc<Tally>,
}

/// Tells the run loop that an attempt is alive: not at every sign of life, only
/// when an eighth of its idle timeout has passed since it was last told.
pub(crate) struct Pulse {
    task: TaskIx,
    to: Mail,
    /// Milliseconds between two messages.
    every: u64,
    begun: Instant,
    /// Milliseconds from `begun` to the last message.
    last: AtomicU64,
}

impl Pulse {
    /// For an attempt that begins now; `idle` is its timeout in milliseconds.
    pub(crate) fn new(task: TaskIx, idle: u64, to: Mail) -> Self {
        Self { task, to, every: idle / 8, begun: Instant::now(), last: AtomicU64::new(0) }
    }

    pub(crate) fn beat(&self) {
        let now = self.begun.elapsed().as_millis() as u64;
        let last = self.last.load(Ordering::Relaxed);
        if now < last.saturating_add(self.every) {
            return;
        }
        let told = self.last.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed);
        if told.is_ok() {
            self.to.send(Message::Alive(self.task));
        }
    }
}

impl Ear {
    fn beat(&self) {
        if let Some(pulse) = &self.pulse {
            pulse.beat();
        }
    }
}

impl Observer for Ear {
    fn log(&self, level: Level, message: &str) {
        self.beat();
        if let Some(mail) = &self.stage.mail {
            mail.send(Message::Logged(Box::new(LogLine {
                task: self.task.clone(),
                plugin: self.plugin.clone(),
                level,
                message: message.to_owned(),
            })));
        }
        self.stage.tell(&RunEvent::Log {
            task: self.task.clone(),
            plugin: self.plugin.clone(),
            level,
            message: message.to_owned(),
        });
    }

    fn progress(&self, update: Progress) {
        self.beat();
        if let Some(task) = &self.task {
            self.stage.tell(&RunEvent::Progress { task: task.clone(), update });
        }
    }

    fn consumed(&self, used: &Consumed) {
        self.tally.add(used);
    }

    fn metric(&self, metric: Metric) {
        let mut metrics = self.stage.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        if metrics.len() >= MAX_NAMES && !metrics.contains_key(&metric.name) {
            return;
        }
        let number = metrics.entry(metric.name);
        let fresh = match metric.value {
            MetricValue::Count(by) => PluginMetric::Counter { value: by },
            MetricValue::Gauge(value) => PluginMetric::Gauge { value },
            MetricValue::Observe(value) => {
                PluginMetric::Distribution { count: 1, sum: value, min: value, max: value }
            }
        };
        number
            .and_modify(|number| match (number, metric.value) {
                (PluginMetric::Counter { value }, MetricValue::Count(by)) => {
                    *value = value.saturating_add(by);
                }
                (PluginMetric::Gauge { value }, MetricValue::Gauge(new)) => *value = new,
                (
                    PluginMetric::Distribution { count, sum, min, max },
                    MetricValue::Observe(value),
                ) => {
                    *count += 1;
                    *sum += value;
                    *min = min.min(value);
                    *max = max.max(value);
                }
                // The first use of a name decides its kind.
                _ => {}
            })
            .or_insert(fresh);
    }
}
