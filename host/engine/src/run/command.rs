//! What is done from *outside* while the run goes on.

use consort_core::graph::TaskIx;
use consort_core::scheduler::{Event, Park, Scope, State};

use super::Conductor;
use super::add::numbered;
use crate::control::{Command, ControlError, Target, TaskStatus};
use crate::journal::Input;
use crate::record::Source;
use crate::watch::RunEvent;

impl Conductor {
    /// Takes a command in; a question is answered at once.
    pub(super) fn hear(&mut self, command: Command) {
        match command {
            Command::Status { task, reply } => {
                // An answer that nobody waits for any more is no loss.
                let status = match self.find(&task) {
                    Ok(task) => Ok(self.status(task)),
                    Err(_) if self.additions.is_held(&task) => Ok(TaskStatus::held(&task)),
                    Err(error) => Err(error),
                };
                let _ = reply.send(status);
            }
            Command::Progress { reply } => drop(reply.send(Ok(self.progress()))),
            Command::Wait { task, reply } => self.wait_for(task, reply),
            Command::Deliver(delivery) if delivery.prepared => self.take_delivery(*delivery),
            Command::Deliver(delivery) => self.prepare_delivery(*delivery, None),
            command => self.inputs.push(Input::Command(command)),
        }
    }

    pub(super) fn obey(&mut self, command: Command) {
        // An answer that nobody waits for any more is no loss.
        match command {
            Command::Answer { task, answer, reply } => {
                let _ = reply.send(self.answer(&task, answer));
            }
            Command::Refuse { task, comment, reply } => {
                let _ = reply.send(self.refuse(&task, &comment));
            }
            Command::Cancel { what, reply } => {
                let _ = reply.send(self.cancel(&what));
            }
            Command::Pause { paused, reply } => {
                self.pause(paused);
                let _ = reply.send(Ok(()));
            }
            Command::Add { drafts, terms, reply, .. } => {
                self.add(numbered(drafts), None, terms, Some(reply));
            }
            Command::Resolve { task, admit, reply } => {
                let _ = reply.send(self.resolve(&task, admit));
            }
            Command::Close { reply } => {
                self.close();
                let _ = reply.send(Ok(()));
            }
            Command::Deliver(delivery) => self.deliver(*delivery),
            // They are heard at once.
            Command::Status { .. } | Command::Progress { .. } | Command::Wait { .. } => {}
        }
    }

    pub(crate) fn find(&mut self, id: &str) -> Result<TaskIx, ControlError> {
        let plan = &self.stage.plan;
        match self.nodes.find(id, plan) {
            Some(task) => Ok(task),
            None => Err(ControlError::unknown(id, self.nodes.all_names(plan))),
        }
    }

    fn cancel(&mut self, what: &Target) -> Result<(), ControlError> {
        let scope = match what {
            Target::Run if self.cancelled => return Ok(()),
            Target::Run => {
                self.cancel_run();
                return Ok(());
            }
            Target::Task(id) => Scope::Task(self.find(id)?),
            Target::Subtree(id) => Scope::Subtree(self.find(id)?),
        };
        self.events.push(Event::Cancel { scope });
        Ok(())
    }

    fn pause(&mut self, paused: bool) {
        if std::mem::replace(&mut self.paused, paused) == paused {
            return;
        }
        let (event, seen) = match paused {
            true => (Event::Pause, RunEvent::Paused),
            false => (Event::Resume, RunEvent::Resumed),
        };
        self.events.push(event);
        self.stage.tell(&seen);
    }

    fn close(&mut self) {
        if self.scheduler.is_open() {
            self.events.push(Event::Close);
            self.stage.tell(&RunEvent::Closed);
        }
    }

    pub(crate) fn status(&self, task: TaskIx) -> TaskStatus {
        let record = &self.records[task.index()];
        TaskStatus {
            task_id: self.id(task),
            state: self.state_name(task),
            attempts: record.attempts,
            agent: record.agent.map(|agent| self.agent_name(agent).clone()),
            question: record.question().cloned(),
            items: self.nodes.fanned_out(task).map(|fanned| fanned.items().len() as u32),
            error: record.error.as_deref().cloned(),
            cached: record.source == Source::Cache,
            reused: record.source == Source::Earlier,
        }
    }

    pub(super) fn state_name(&self, task: TaskIx) -> &'static str {
        match self.scheduler.state(task) {
            State::Blocked => "blocked",
            State::Deciding => "deciding",
            State::Ready(_) => "ready",
            State::Running => "running",
            State::Parked(Park::Backoff | Park::Remote) => "waiting",
            State::Parked(Park::Person) => "asking",
            State::Parked(Park::Items) => "fanned-out",
            State::Finished(status) => status.as_str(),
        }
    }
}
