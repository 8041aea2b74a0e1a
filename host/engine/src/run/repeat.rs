//! What an earlier run has done and this one *repeats* without doing it.

use std::num::NonZeroI64;
use std::sync::Arc;

use consort_core::graph::TaskIx;
use serde_json::Value;

use super::Conductor;
use super::add::numbered;
use crate::control::Terms;
use crate::decide::Verdict;
use crate::draft::Drafting;
use crate::earlier::Earlier;
use crate::journal::Input;
use crate::message::Message;
use crate::record::Source;

impl Conductor {
    /// Takes results over from an earlier run. Comes before the run is submitted.
    pub(crate) fn repeat(&mut self, earlier: Option<Arc<Earlier>>) {
        self.earlier = earlier;
    }

    /// Adds what had been added to the earlier run from outside.
    pub(super) fn add_again(&mut self) {
        let Some(earlier) = self.earlier.clone().filter(|earlier| !earlier.added.is_empty()) else {
            return;
        };
        match self.stage.drafting.draft(Value::Array(earlier.added.clone())) {
            Ok(drafts) => self.add(numbered(drafts), None, Terms::default(), None),
            Err(problems) => {
                for problem in problems {
                    self.leave_out(&"?".into(), None, problem.to_string());
                }
            }
        }
    }

    /// Whether a task is done, if there is nothing to be worked out: it has been
    /// done before, or it is an item, and its task was decided.
    pub(super) fn foregone(&self, task: TaskIx) -> Option<Verdict> {
        let earlier = self.earlier.as_ref()?;
        if earlier.results.contains_key(&self.id(task)) {
            return Some(Verdict::Reused);
        }
        self.item_of(task).map(|_| Verdict::Run)
    }

    /// Decides a task that needs no working out.
    pub(super) fn conclude(&mut self, task: TaskIx, verdict: Verdict) {
        if self.live {
            // It is heard of like all others.
            self.preparations.running += 1;
            self.inputs.push(Input::Message(Message::Decided { task, verdict }));
        }
    }

    /// A task's result is that of the earlier run.
    pub(super) fn take_over(&mut self, task: TaskIx) {
        let Some(earlier) = self.earlier.clone() else { return };
        let Some(leftover) = earlier.results.get(&self.id(task)) else { return };
        let spawn = leftover.spawn.iter();
        let proposals =
            spawn.map(|one| self.stage.drafting.spawned(one.source.clone(), &one.agent)).collect();
        // Before it is finished: the run might be over with it.
        self.propose(task, proposals);
        self.kept += leftover.output.held();
        let record = &mut self.records[task.index()];
        record.started = NonZeroI64::new(self.now);
        record.result = Some(leftover.output.clone().into());
        record.source = Source::Earlier;
    }

    /// Whether anything was added to the run.
    pub(crate) fn has_additions(&self) -> bool {
        self.nodes.added().next().is_some()
    }

    pub(crate) fn drafting(&self) -> Arc<Drafting> {
        self.stage.drafting.clone()
    }

    /// The items of a task that has fanned out.
    pub(crate) fn items(&self, task: TaskIx) -> Option<impl Iterator<Item = TaskIx> + use<>> {
        self.nodes.fanned_out(task).map(|fanned| fanned.items())
    }

    /// The task that an item is one of.
    pub(crate) fn item_of(&self, task: TaskIx) -> Option<TaskIx> {
        self.nodes.parent(task)
    }

    /// What a task waits for; nothing for an item.
    pub(crate) fn each_dependency(&self, task: TaskIx, each: impl FnMut(TaskIx)) {
        self.nodes.each_dependency(task, &self.stage.plan, each);
    }
}
