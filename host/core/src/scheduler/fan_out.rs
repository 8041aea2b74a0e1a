//! A task that is done for the items of a list: each item is a task of its own,
//! and the task itself is finished when all of them are.

use super::*;
use crate::plan::OnFailure;

/// One fan-out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Fan {
    parent: TaskIx,
    first: TaskIx,
    items: u32,
    /// Items, in order, that have had their turn.
    released: u32,
    /// Of those, how many are not finished.
    active: u32,
    /// Items that are not finished.
    open: u32,
    /// The first item to end without a result.
    failed: Option<TaskIx>,
}

impl Scheduler {
    fn fan(&self, task: TaskIx) -> Option<&Fan> {
        self.tasks[task.index()].fan.map(|fan| &self.fans[fan as usize])
    }

    fn fan_mut(&mut self, task: TaskIx) -> Option<&mut Fan> {
        self.tasks[task.index()].fan.map(|fan| &mut self.fans[fan as usize])
    }

    /// The task that an item is one of.
    pub(super) fn owner(&self, task: TaskIx) -> Option<TaskIx> {
        self.fan(task).map(|fan| fan.parent).filter(|parent| *parent != task)
    }

    pub(super) fn is_item(&self, task: TaskIx) -> bool {
        self.owner(task).is_some()
    }

    /// The items of a task; none unless it has fanned out.
    pub(super) fn items(&self, task: TaskIx) -> impl Iterator<Item = TaskIx> + use<> {
        let range = match self.fan(task) {
            Some(fan) if fan.parent == task => fan.first.0..fan.first.0 + fan.items,
            _ => 0..0,
        };
        range.map(TaskIx)
    }

    pub(super) fn fan_out(
        &mut self,
        now: i64,
        task: TaskIx,
        items: u32,
        actions: &mut Vec<Action>,
    ) {
        let first = TaskIx(self.tasks.len() as u32);
        let number = self.fans.len() as u32;
        if first.0.checked_add(items).is_none() {
            // More tasks than there are numbers for.
            return self.finish(task, Status::Failed, Reason::Undecidable, actions);
        }
        actions.push(Action::FannedOut { task, first, items });
        let fan =
            Fan { parent: task, first, items, released: 0, active: 0, open: items, failed: None };
        self.fans.push(fan);
        self.tasks[task.index()].fan = Some(number);
        self.set_state(task, State::Parked(Park::Items));
        self.arm(task);
        let rules = &self.rules[task.index()];
        let decide = rules.decide_items;
        let rules = TaskRules { decide, max_parallel: u32::MAX, ..rules.clone() };
        self.rules.resize(self.rules.len() + items as usize, rules);
        self.make_room();
        for item in self.tasks_from(first) {
            self.graph.add_task();
            self.tasks[item.index()].fan = Some(number);
        }
        self.release_items(now, task, actions);
    }

    /// Gives items their turn while fewer than `max_parallel` have it, or ends
    /// the task when none is left.
    fn release_items(&mut self, now: i64, parent: TaskIx, actions: &mut Vec<Action>) {
        let width = self.rules[parent.index()].max_parallel.max(1);
        let stopping = self.failing.is_some()
            || self.halt.is_some()
            || self.tasks[parent.index()].stop.is_some();
        while let Some(fan) = self.fan_mut(parent)
            && fan.active < width
            && fan.released < fan.items
            && !stopping
        {
            let item = TaskIx(fan.first.0 + fan.released);
            fan.released += 1;
            // An item that was cancelled before its turn has none.
            if self.state(item) == State::Blocked {
                if let Some(fan) = self.fan_mut(parent) {
                    fan.active += 1;
                }
                self.unblock(now, item, actions);
            }
        }
        if self.fan(parent).is_some_and(|fan| fan.open == 0) {
            self.all_items_finished(parent, actions);
        }
    }

    /// Accounts for a finished task if it is an item.
    pub(super) fn item_finished(&mut self, now: i64, item: TaskIx, actions: &mut Vec<Action>) {
        let Some(parent) = self.owner(item) else { return };
        let had_turn = self.tasks[item.index()].unblocked_at.is_some();
        let succeeded = self.state(item) == State::Finished(Status::Succeeded);
        let Some(fan) = self.fan_mut(item) else { return };
        fan.open -= 1;
        fan.active -= u32::from(had_turn);
        if !succeeded && fan.failed.is_none() {
            fan.failed = Some(item);
        }
        self.release_items(now, parent, actions);
    }

    fn all_items_finished(&mut self, parent: TaskIx, actions: &mut Vec<Action>) {
        let failed = self.fan(parent).and_then(|fan| fan.failed);
        let stop = self.tasks[parent.index()].stop;
        let continues = self.rules[parent.index()].on_failure == OnFailure::Continue;
        let (status, reason) = match (stop, failed) {
            (Some(why @ Stop::Timeout(_)), _) => self.outcome(why),
            (_, None) => (Status::Succeeded, Reason::Done),
            (Some(why), Some(_)) => match self.halt {
                Some(Halt::Failed(item)) if self.owner(item) == Some(parent) => {
                    (Status::Failed, Reason::Items(item))
                }
                _ => self.outcome(why),
            },
            (None, Some(_)) if continues => (Status::Succeeded, Reason::Done),
            (None, Some(item)) => (Status::Failed, Reason::Items(item)),
        };
        self.finish(parent, status, reason, actions);
    }
}
