//! What is asked again of an engine that was *gone*: everything that was asked
//! of it and not answered.

use super::*;

impl Scheduler {
    pub(super) fn recover(&mut self, now: i64, actions: &mut Vec<Action>) {
        if self.phase != Phase::Live {
            return;
        }
        let gap = now.saturating_sub(self.seen).max(0);
        for task in (0..self.tasks.len() as u32).map(TaskIx) {
            self.ask_again(now, gap, task, actions);
        }
        if let Some(tasks) = self.scores.outstanding() {
            actions.push(Action::Score { tasks });
        }
    }

    fn ask_again(&mut self, now: i64, gap: i64, task: TaskIx, actions: &mut Vec<Action>) {
        let timeout = self.rules[task.index()].timeouts.attempt;
        let life = &mut self.tasks[task.index()];
        match life.state {
            State::Deciding => actions.push(Action::Decide { task }),
            State::Running => {
                if let Some(why) = life.stop {
                    return actions.push(Action::Abort { task, why });
                }
                life.alive_at = now;
                life.deadline = match life.resumed {
                    true => life.deadline.saturating_add(gap),
                    false => now.saturating_add_unsigned(timeout),
                };
                // One of several that were started together is begun by itself.
                let begun = self.order(task);
                actions.push(begun.start(task));
            }
            State::Ready(_) => {
                life.ready_at = life.ready_at.saturating_add(gap);
                life.deadline = life.deadline.saturating_add(gap);
                self.arm(task);
            }
            State::Parked(Park::Remote) => {
                life.deadline = life.deadline.saturating_add(gap);
                self.arm(task);
            }
            State::Parked(Park::Person) => {
                life.deadline = life.deadline.saturating_add(gap);
                let asked_by_agent = life.resume;
                self.arm(task);
                if !asked_by_agent {
                    actions.push(Action::Ask { task });
                }
            }
            State::Blocked | State::Parked(Park::Backoff | Park::Items) | State::Finished(_) => {}
        }
    }
}
