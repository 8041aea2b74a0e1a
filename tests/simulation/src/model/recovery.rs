//! What must be *asked again* when whoever performs actions was gone: all that
//! they owe, and nothing else.

use super::*;

impl Model {
    /// The time they were gone is given back where it is too short for them.
    pub(super) fn recover(&mut self, gap: i64, actions: &[Action]) -> Checked {
        let mut expected = Vec::new();
        for number in 0..self.tasks.len() {
            let ix = TaskIx(number as u32);
            let task = &mut self.tasks[number];
            match task.stage {
                Stage::Deciding => expected.push(Action::Decide { task: ix }),
                Stage::Person => {
                    task.started_at += gap;
                    if !task.resume {
                        expected.push(Action::Ask { task: ix });
                    }
                }
                Stage::Running => {
                    if task.aborted.is_some() {
                        let why = self.stopped_again(number, actions)?;
                        expected.push(Action::Abort { task: ix, why });
                        continue;
                    }
                    task.alive_at = self.now;
                    task.alive_before = self.now;
                    task.started_at = if task.resumed { task.started_at + gap } else { self.now };
                    expected.push(self.order(number));
                }
                Stage::Ready => {
                    task.ready_at += gap;
                    task.started_at += gap;
                }
                Stage::Remote => task.started_at += gap,
                _ => {}
            }
        }
        if let Some(asked) = &self.scoring {
            let tasks = asked.iter().map(|task| TaskIx(*task as u32)).collect();
            expected.push(Action::Score { tasks });
        }
        let (again, new) = actions.split_at(expected.len().min(actions.len()));
        ensure!(again == expected, "asked again for {again:?} instead of {expected:?}");
        // Meanwhile some have waited long enough for others, or for their agent.
        self.step.starts = new.to_vec();
        self.dispatch()
    }

    /// Why a task is stopped again: for the same cause as before, or one that
    /// came up since and says more.
    fn stopped_again(&mut self, task: usize, actions: &[Action]) -> Result<Stop, String> {
        let why = actions.iter().find_map(|action| match action {
            Action::Abort { task: stopped, why } if stopped.index() == task => Some(*why),
            _ => None,
        });
        let why = why.ok_or_else(|| format!("#{task} is not stopped again"))?;
        if self.tasks[task].aborted != Some(why) {
            self.check_stop(task, why)?;
        }
        Ok(why)
    }
}
