//! What an *earlier* run leaves to one that repeats a part of it: results that
//! are taken over, and tasks that had been added from outside.
//!
//! A task that has a result here is not done. It counts as decided, like one
//! whose condition is false, so it takes no slot and no agent's rate.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use consort_core::plan::Task;
use consort_core::scheduler::TaskRules;
use serde_json::Value;

use crate::output::Kept;

/// What an earlier run leaves.
#[derive(Debug, Default)]
pub(crate) struct Earlier {
    /// Its id.
    pub(crate) run: String,
    /// By the ids of tasks, `task[n]` for an item.
    pub(crate) results: HashMap<Arc<str>, Leftover>,
    /// As they were given, in the workflow format.
    pub(crate) added: Vec<Value>,
    /// Tasks, items and steps that somebody wants done anew: what was kept of
    /// them is not good enough.
    pub(crate) fresh: HashSet<Arc<str>>,
}

/// What a task of the earlier run came to.
#[derive(Debug, Clone)]
pub(crate) struct Leftover {
    pub(crate) output: Kept,
    /// Tasks that its agent wanted added.
    pub(crate) spawn: Vec<Spawned>,
}

/// A task that an agent wanted added.
#[derive(Debug, Clone)]
pub(crate) struct Spawned {
    /// As the agent wrote it.
    pub(crate) source: String,
    pub(crate) agent: Arc<str>,
}

impl Earlier {
    /// Sees to it that the engine is asked about tasks that may have been done.
    pub(crate) fn mark(&self, task: &Task, rules: &mut TaskRules) {
        rules.decide |= self.results.contains_key(&task.id);
        rules.decide_items = task.settings.for_each.is_some();
    }
}
