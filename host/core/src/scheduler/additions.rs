//! Tasks for the live run.

use super::*;
use crate::graph::{Answer, Batch, Newcomer};

impl Scheduler {
    pub(super) fn add(&mut self, now: i64, addition: Addition, actions: &mut Vec<Action>) {
        if self.phase != Phase::Live {
            let keys = addition.tasks.iter().map(|task| task.key);
            actions.extend(keys.map(|key| Action::Rejected { key, conflicts: Vec::new() }));
            return;
        }
        self.queue.add_classes(&addition.classes);
        let newcomers = addition.tasks.into_iter().map(|task| Newcomer {
            key: task.key,
            name: task.name,
            wants: task.depends_on,
            payload: task.rules,
        });
        let batch = Batch {
            newcomers: newcomers.collect(),
            whole: addition.whole,
            rule: addition.on_conflict,
        };
        let answers = self.additions.add(&mut self.graph, batch);
        self.take_in(now, answers, actions);
    }

    /// Lets a task that is held wait no longer.
    pub(super) fn resolve(&mut self, now: i64, key: u64, admit: bool, actions: &mut Vec<Action>) {
        if self.phase == Phase::Live {
            let answers = self.additions.resolve(&mut self.graph, key, admit);
            self.take_in(now, answers, actions);
        }
    }

    fn take_in(&mut self, now: i64, answers: Vec<Answer<TaskRules>>, actions: &mut Vec<Action>) {
        let first = TaskIx(self.tasks.len() as u32);
        for answer in answers {
            actions.push(match answer {
                Answer::Added { key, task, without, payload } => {
                    self.rules.push(payload);
                    Action::Added { key, task, without }
                }
                Answer::Held { key, conflicts } => Action::Held { key, conflicts },
                Answer::Rejected { key, conflicts } => Action::Rejected { key, conflicts },
            });
        }
        self.make_room();
        for task in self.tasks_from(first) {
            self.arrive(now, task, actions);
        }
    }

    /// Gives up additions that waited for others which never came.
    pub(super) fn reject_held(&mut self, actions: &mut Vec<Action>) {
        for answer in self.additions.give_up() {
            if let Answer::Rejected { key, conflicts } = answer {
                actions.push(Action::Rejected { key, conflicts });
            }
        }
    }

    /// Gives every task that has rules a life.
    pub(super) fn make_room(&mut self) {
        self.unfinished += (self.rules.len() - self.tasks.len()) as u32;
        self.tasks.resize(self.rules.len(), TaskLife::NEW);
        self.timers.grow(self.rules.len());
    }

    pub(super) fn tasks_from(&self, first: TaskIx) -> impl Iterator<Item = TaskIx> + use<> {
        (first.0..self.tasks.len() as u32).map(TaskIx)
    }

    /// Starts the life of an added task: its dependencies may be finished
    /// already, with a result or without.
    fn arrive(&mut self, now: i64, task: TaskIx, actions: &mut Vec<Action>) {
        if let Some(halt) = self.halt {
            return self.finish(task, Status::Cancelled, halt.reason(), actions);
        }
        let lost = self.graph.dependencies(task).filter(|dependency| self.is_lost(*dependency));
        if let Some(dependency) = lost.min() {
            let reason = Reason::Dependency(self.cause(dependency));
            return self.finish(task, Status::Skipped, reason, actions);
        }
        if self.graph.is_ready(task) {
            self.unblock(now, task, actions);
        } else {
            self.arm(task);
        }
    }
}
