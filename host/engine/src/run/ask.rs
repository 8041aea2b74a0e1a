//! What is *asked* of people, by approvals and by agents, and what they answer.

use std::sync::Arc;

use bytes::Bytes;
use consort_core::graph::TaskIx;
use consort_core::plan::Work;
use consort_core::scheduler::{End, Event};
use consort_plugin_host::Payload;
use serde_json::Value;

use super::Conductor;
use crate::attempt::Left;
use crate::control::ControlError;
use crate::error::TaskError;
use crate::notice::{Detail, Topic};
use crate::question::{Question, is_no};
use crate::watch::RunEvent;

impl Conductor {
    /// An approval's question has been filled in, or could not be.
    pub(super) fn take_question(&mut self, task: TaskIx, prompt: Result<Arc<str>, Box<TaskError>>) {
        if self.records[task.index()].status.is_some() {
            return;
        }
        match prompt {
            Ok(prompt) => {
                let schema = self.task(task).settings.schema.clone();
                self.ask(task, Question { prompt, schema, by_agent: false });
            }
            Err(error) => {
                self.records[task.index()].error = Some(error);
                self.events.push(Event::Answered { task, accepted: false });
            }
        }
    }

    /// An attempt has ended with a question.
    pub(super) fn take_agent_question(
        &mut self,
        task: TaskIx,
        question: Question,
        checkpoint: Bytes,
    ) {
        let left = Left { checkpoint: Some(checkpoint), ..Left::default() };
        self.records[task.index()].live().left = left;
        self.events.push(Event::Ended { task, end: End::Asked });
        self.ask(task, question);
    }

    /// Puts a question to whoever watches, unless it has been answered already.
    fn ask(&mut self, task: TaskIx, question: Question) {
        let id = self.id(task);
        let record = &mut self.records[task.index()];
        record.start(self.now);
        let question = Arc::new(question);
        record.live().question = Some(question.clone());
        let parent = self.nodes.item(task).map(|(parent, ..)| self.id(parent));
        let given = self.answers.remove(&*id);
        // An answer to a fan-out is one for each of its items.
        let given = given.or_else(|| self.answers.get(&*parent?).cloned());
        match given {
            Some(answer) if question.check(&answer).is_ok() => self.accept(task, answer),
            _ => {
                self.announce(task, &question);
                self.note(Topic::Question, Some(task), |run| {
                    let until = run.own_end(task, run.now);
                    Some(Detail::Question { question: question.clone(), until })
                });
            }
        }
    }

    /// Tells whoever watches what a person is asked.
    pub(super) fn announce(&self, task: TaskIx, question: &Arc<Question>) {
        let until = self.own_end(task, self.now);
        let question = question.clone();
        self.stage.tell(&RunEvent::Asked { task: self.id(task), question, until });
    }

    /// The questions of agents, which nobody asks again for.
    pub(super) fn announce_agent_questions(&self) {
        for task in self.all_nodes() {
            let question = self.record(task).question();
            if let Some(question) = question.filter(|question| question.by_agent) {
                self.announce(task, question);
            }
        }
    }

    /// Takes an answer to a question that is open or will be.
    pub(super) fn answer(&mut self, id: &str, answer: Value) -> Result<(), ControlError> {
        let task = self.find(id)?;
        if let Some(question) = self.records[task.index()].question() {
            question
                .check(&answer)
                .map_err(|reasons| ControlError::Misfit { task: id.to_owned(), reasons })?;
            self.accept(task, answer);
            return Ok(());
        }
        let approval = self.task(task).work == Work::Approval;
        let record = &self.records[task.index()];
        let answered = record.result.is_some() || record.error.is_some();
        if !approval || answered || record.status.is_some() {
            let state = if approval && answered { "answered" } else { self.state_name(task) };
            return Err(ControlError::NotAsked { task: self.id(task), state });
        }
        let items = self.nodes.fanned_out(task).into_iter().flat_map(|fanned| fanned.items());
        let fits = |item: &TaskIx| {
            let question = self.records[item.index()].question();
            question.is_some_and(|question| question.check(&answer).is_ok())
        };
        let open: Vec<TaskIx> = items.filter(fits).collect();
        open.into_iter().for_each(|item| self.accept(item, answer.clone()));
        self.answers.insert(id.to_owned(), answer);
        Ok(())
    }

    /// Fails a task that nobody will answer.
    pub(super) fn refuse(&mut self, id: &str, comment: &str) -> Result<(), ControlError> {
        let task = self.find(id)?;
        let record = &mut self.records[task.index()];
        let Some(question) = record.live.as_mut().and_then(|live| live.question.take()) else {
            return Err(ControlError::NotAsked {
                task: self.id(task),
                state: self.state_name(task),
            });
        };
        let asks = if question.by_agent { "the agent asks" } else { "it asks" };
        let message = format!("{asks} '{}': {comment}", question.prompt);
        record.error = Some(Box::new(TaskError::new("needs-input", message)));
        self.events.push(Event::Answered { task, accepted: false });
        Ok(())
    }

    /// A question is answered with what fits.
    fn accept(&mut self, task: TaskIx, answer: Value) {
        let record = &mut self.records[task.index()];
        let question = record.live().question.take();
        let by_agent = question.is_some_and(|question| question.by_agent);
        let accepted = by_agent || !is_no(&answer);
        let payload = Payload::Json(answer.to_string().into());
        if by_agent {
            record.live().left.answer = Some(payload);
        } else if accepted {
            record.result = Some(payload.into());
        } else {
            record.error = Some(Box::new(refused(answer)));
        }
        self.stage.tell(&RunEvent::Answered { task: self.id(task), accepted });
        self.events.push(Event::Answered { task, accepted });
    }
}

/// A person's no.
fn refused(answer: Value) -> TaskError {
    let words = ["comment", "reason", "message"].iter().find_map(|field| answer[field].as_str());
    let message = match words {
        Some(words) => format!("it was refused: {words}"),
        None => "it was refused".to_owned(),
    };
    let detail = answer.is_object().then_some(answer);
    TaskError { detail, ..TaskError::new("refused", message) }
}
