//! How good it is to start a ready task now, as a prioritizer sees it.

use super::*;
use queue::Newcomer;

/// What is being found out about ready tasks.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Scores {
    /// Ready tasks nobody has been asked about yet, in order of arrival.
    waiting: Vec<TaskIx>,
    /// Those somebody has been asked about.
    asked: Option<Vec<TaskIx>>,
}

impl Scores {
    /// What has been asked about and not been answered.
    pub(super) fn outstanding(&self) -> Option<Vec<TaskIx>> {
        self.asked.clone()
    }
}

impl Scheduler {
    /// Puts a task in line: at once if it goes on with an attempt, and else
    /// when its score is known.
    pub(super) fn make_ready(&mut self, now: i64, task: TaskIx) {
        let rules = &self.rules[task.index()];
        let life = &mut self.tasks[task.index()];
        let class = match rules.batch {
            // What has failed is tried again by itself.
            Some(class) if life.attempts == 0 => class,
            _ => rules.work.agents()[life.agent as usize],
        };
        life.ready_at = now;
        let resume = life.resume;
        self.set_state(task, State::Ready(class));
        if resume {
            self.line_up(class, task, 0.0);
        } else {
            self.scores.waiting.push(task);
        }
        self.arm(task);
    }

    /// Asks for the scores of all that became ready, unless an answer is still
    /// to come.
    pub(super) fn ask_for_scores(&mut self, actions: &mut Vec<Action>) {
        if self.scores.asked.is_some() {
            return;
        }
        let mut tasks = std::mem::take(&mut self.scores.waiting);
        tasks.retain(|task| matches!(self.state(*task), State::Ready(_)));
        if !tasks.is_empty() {
            self.scores.asked = Some(tasks.clone());
            actions.push(Action::Score { tasks });
        }
    }

    /// Whether scores have been asked for: a task that has just become ready
    /// may be better than those in line.
    pub(super) fn is_scoring(&self) -> bool {
        self.scores.asked.is_some()
    }

    /// Puts scored tasks into the queue. Without usable scores the built-in
    /// order decides: explicit priority, then arrival.
    pub(super) fn scored(&mut self, scores: Option<Vec<f64>>) {
        let Some(tasks) = self.scores.asked.take() else { return };
        let usable =
            scores.filter(|s| s.len() == tasks.len() && !s.iter().any(|score| score.is_nan()));
        for (n, task) in tasks.into_iter().enumerate() {
            let life = &self.tasks[task.index()];
            let State::Ready(class) = life.state else { continue };
            if life.resume {
                continue;
            }
            let score = match &usable {
                Some(scores) => scores[n],
                None => f64::from(self.rules[task.index()].facts.priority),
            };
            self.line_up(class, task, score);
        }
    }

    fn line_up(&mut self, class: ClassIx, task: TaskIx, score: f64) {
        let kind = self.rules[task.index()].facts.kind;
        let life = &mut self.tasks[task.index()];
        let new = Newcomer { task, kind, score, resume: life.resume, since: life.ready_at };
        life.entry = self.queue.push(class, new);
    }
}
