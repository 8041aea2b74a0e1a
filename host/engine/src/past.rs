//! A *past* run: what its journal says of it, whether it is over or goes on
//! somewhere. Nothing is done for it, and no plugin is loaded.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use consort_core::plan::Plan;
use consort_core::template::Shared;
use consort_store::{Reader, RunRow};
use serde::{Deserialize, Serialize};

use crate::cache::Cache;
use crate::control::{ControlError, TaskStatus};
use crate::draft::Drafting;
use crate::message::Mail;
use crate::notices::Notices;
use crate::output::{Archive, Output};
use crate::report::{NotificationMetrics, PluginMetric, PolicyMetrics, Report};
use crate::run::Conductor;
pub use crate::run::RunProgress;
use crate::run::durable::{self, ResumeError};
use crate::stage::Stage;
use crate::watch::{Nobody, Watcher};

/// A run as its journal has it.
pub struct PastRun {
    row: RunRow,
    pub(crate) conductor: Conductor,
}

/// How far webhooks have been told, over all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct NotificationProgress {
    /// Notifications that were taken.
    pub delivered: u64,
    /// Those that were refused or given up.
    pub failed: u64,
    /// Those that are still to be delivered or given up.
    pub waiting: u64,
}

/// What a run left when it was closed.
#[derive(Deserialize)]
struct Summary {
    metrics: Told,
}

/// What only the process knew that carried it out.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Told {
    policy: PolicyMetrics,
    plugins: BTreeMap<String, PluginMetric>,
}

impl PastRun {
    /// Reads a run's journal. `id` may be the unique beginning or end of its id.
    ///
    /// # Errors
    ///
    /// There is no such run, or its journal cannot be read.
    pub fn read(reader: &Reader, id: &str) -> Result<Self, ResumeError> {
        let mut past = Self::begin(reader, id, Arc::new(Nobody), true)?;
        past.conductor.catch_up(reader, &past.row)?;
        Ok(past)
    }

    /// Reads all of a run's journal, and says in a sentence what is wrong with its
    /// snapshot, if anything is: it must lead to the state that all its entries
    /// lead to.
    ///
    /// # Errors
    ///
    /// As [`PastRun::read`].
    pub fn check(reader: &Reader, id: &str) -> Result<Option<String>, ResumeError> {
        let begin = || Self::begin(reader, id, Arc::new(Nobody), true);
        let mut short = begin()?;
        let loaded = short.conductor.load(reader, &short.row);
        // It may be going on, and both are to get equally far.
        let mut whole = begin()?;
        let end = whole.row.entries;
        whole.conductor.replay(reader, &whole.row, end, &mut |_| {})?;
        let next = match loaded {
            Ok(Some(next)) => next,
            Ok(None) => return Ok(None),
            Err(why) => return Ok(Some(format!("its snapshot is of no use: {why}"))),
        };
        short.conductor.go_on(reader, &short.row, next..end, &mut |_| {})?;
        let same = short.conductor.state() == whole.conductor.state();
        let wrong = "its snapshot leads to another state than its entries";
        Ok((!same).then(|| wrong.to_owned()))
    }

    /// The same, and tells what happened, in order: first the time of a step,
    /// with [`Watcher::time`], then its events.
    ///
    /// # Errors
    ///
    /// As [`PastRun::read`].
    pub fn follow(
        reader: &Reader,
        id: &str,
        watcher: Arc<dyn Watcher>,
    ) -> Result<Self, ResumeError> {
        let mut past = Self::begin(reader, id, watcher.clone(), false)?;
        past.conductor.replay(reader, &past.row, u64::MAX, &mut |at| watcher.time(at))?;
        Ok(past)
    }

    /// A run as it is when it begins.
    #[cfg(test)]
    pub(crate) fn begun(reader: &Reader, id: &str) -> Result<Self, ResumeError> {
        Self::begin(reader, id, Arc::new(Nobody), true)
    }

    /// A run as it is when it begins.
    fn begin(
        reader: &Reader,
        id: &str,
        watcher: Arc<dyn Watcher>,
        quiet: bool,
    ) -> Result<Self, ResumeError> {
        let row = reader.run(id)?;
        let submitted = durable::submitted(reader, &row)?;
        let plan = durable::plan(&row, &submitted)?.map_err(|problems| ResumeError::Invalid {
            id: row.id.clone(),
            origin: durable::origin(&submitted),
            problems,
        })?;
        let drafting = Drafting::new(&plan, &submitted.known);
        let notices = Notices::new(submitted.webhooks);
        let stage = Arc::new(Stage {
            run_id: row.id.as_str().into(),
            plan,
            cast: Arc::default(),
            inputs: Shared::new(submitted.inputs),
            cache: Cache::default(),
            archive: Some(Archive::at(reader.path())),
            drafting: Arc::new(drafting),
            watcher,
            quiet: AtomicBool::new(quiet),
            mail: None,
            metrics: Mutex::new(BTreeMap::new()),
        });
        let mut conductor = Conductor::new(stage, submitted.slots, row.submitted_at, Mail::new());
        conductor.notices = notices;
        conductor.answer_later(submitted.answers);
        conductor.repeat(submitted.earlier);
        Ok(Self { row, conductor })
    }

    /// What listings say of it.
    pub fn row(&self) -> &RunRow {
        &self.row
    }

    /// Every task, in the order of the plan, items and additions last.
    pub fn tasks(&self) -> Vec<TaskStatus> {
        self.conductor.all_nodes().map(|task| self.conductor.status(task)).collect()
    }

    /// One task; `task[n]` for an item.
    ///
    /// # Errors
    ///
    /// No such task.
    pub fn task(&mut self, id: &str) -> Result<TaskStatus, ControlError> {
        let task = self.conductor.find(id)?;
        Ok(self.conductor.status(task))
    }

    /// A task's result, if it has one. What is large is still in the store.
    ///
    /// # Errors
    ///
    /// No such task.
    pub fn result(&mut self, id: &str) -> Result<Option<Output>, ControlError> {
        let task = self.conductor.find(id)?;
        Ok(self.conductor.record(task).result.clone())
    }

    /// What was, or is, carried out.
    pub fn plan(&self) -> &Plan {
        self.conductor.plan()
    }

    /// How far it is.
    pub fn progress(&self) -> RunProgress {
        self.conductor.progress()
    }

    /// What webhooks have been told; none if there are none.
    pub fn notifications(&self) -> Option<NotificationProgress> {
        let NotificationMetrics { delivered, failed } = self.conductor.notices.metrics()?;
        Some(NotificationProgress { delivered, failed, waiting: self.conductor.notices.waiting() })
    }

    /// What came of it, if it is over.
    pub fn into_report(self) -> Option<Report> {
        let mut report = self.conductor.into_report()?;
        // What the policy and the plugins did is no input of the run.
        let summary = self.row.summary.as_deref();
        if let Some(Ok(Summary { metrics })) = summary.map(serde_json::from_str) {
            report.metrics.policy = metrics.policy;
            report.metrics.plugins = metrics.plugins;
        }
        Some(report)
    }
}
