//! *Batches*: attempts that were started together and hold the room of one, until
//! the last of them has ended.

use super::rules::ClassIx;
use super::*;

/// The batches that run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Batches {
    all: Vec<Batch>,
    /// Places of batches that are over.
    free: Vec<u32>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Batch {
    class: ClassIx,
    /// Members that have not ended.
    open: u32,
}

impl Batches {
    /// Notes that so many attempts hold the room of one of that class. The
    /// number is the batch's until its last member has left.
    fn begin(&mut self, class: ClassIx, open: u32) -> u32 {
        let batch = Batch { class, open };
        match self.free.pop() {
            Some(place) => {
                self.all[place as usize] = batch;
                place
            }
            None => {
                self.all.push(batch);
                self.all.len() as u32 - 1
            }
        }
    }

    /// Notes that a member has ended; the class, if it was the last.
    fn leave(&mut self, number: u32) -> Option<ClassIx> {
        let batch = &mut self.all[number as usize];
        batch.open -= 1;
        if batch.open > 0 {
            return None;
        }
        self.free.push(number);
        Some(batch.class)
    }
}

impl Scheduler {
    /// Starts tasks together; none of them has been tried before.
    pub(super) fn start_batch(
        &mut self,
        now: i64,
        class: ClassIx,
        tasks: Vec<TaskIx>,
        actions: &mut Vec<Action>,
    ) {
        let number = self.batches.begin(class, tasks.len() as u32);
        let members = tasks.into_iter().map(|task| {
            let Begun { deadline, .. } = self.begin(now, task);
            self.tasks[task.index()].batch = Some(number);
            Member { task, deadline }
        });
        let members = members.collect();
        actions.push(Action::StartBatch { members });
    }

    /// Gives back what an attempt held that has ended, unless others of its
    /// batch still hold it.
    pub(super) fn give_back(&mut self, task: TaskIx) {
        let life = &mut self.tasks[task.index()];
        let class = match life.batch.take() {
            Some(number) => self.batches.leave(number),
            None => Some(self.rules[task.index()].work.agents()[life.agent as usize]),
        };
        if let Some(class) = class {
            self.queue.release(class);
        }
        self.running -= 1;
    }
}
