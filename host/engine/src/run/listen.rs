//! What the run loop *listens* to: the policy, attempts, people, other processes
//! and the clock; and what of it is worth taking in.

use std::time::{Duration, Instant};

use consort_core::scheduler::Retry;
use tokio::time::Interval;
use tokio_util::sync::CancellationToken;

use super::Conductor;
use crate::attempt::AttemptEnd;
use crate::control::{Command, Target, nobody};
use crate::error::TaskError;
use crate::journal::Input;
use crate::message::{LogLine, Message};
use crate::output::{INLINE, Kept};
use crate::policy::Policy;

/// Messages and commands that are taken in one step of the loop.
const MAX_BATCH: usize = 256;
/// The same for a run that is recorded: they are written to disk together.
const MAX_RECORDED_BATCH: usize = 4_096;
/// Time between two looks into the inbox of a run that is recorded.
const BETWEEN_POSTS: Duration = Duration::from_millis(250);
/// Bytes that plugins log for one task and that are recorded.
const MAX_LOGGED: usize = 256 << 10;

impl Conductor {
    /// Waits until there is something to be taken in.
    pub(super) async fn listen(&mut self, stop: &CancellationToken) {
        let most = if self.journal.is_some() { MAX_RECORDED_BATCH } else { MAX_BATCH };
        while self.inputs.is_empty() {
            let timer = self.scheduler.next_timer();
            if timer.is_some_and(|at| at <= self.clock.now()) {
                return self.inputs.push(Input::Timer);
            }
            let due = timer.map(|at| self.clock.instant(at));
            let mut messages = Vec::new();
            let mut commands = Vec::new();
            tokio::select! {
                biased;
                scored = answer(&mut self.policy) => {
                    let now = self.clock.now();
                    let scores = self.policy.as_mut().and_then(|policy| policy.take(now, scored));
                    self.inputs.push(Input::Scored(scores));
                }
                () = stop.cancelled(), if !self.cancelled => {
                    let cancel = Command::Cancel { what: Target::Run, reply: nobody() };
                    self.inputs.push(Input::Command(cancel));
                }
                () = tick(&mut self.postman) => self.empty_inbox(),
                _ = self.commands.recv_many(&mut commands, most) => {
                    commands.into_iter().for_each(|command| self.hear(command));
                }
                _ = self.inbox.recv_many(&mut messages, most) => {
                    let mut coming = 0;
                    for message in messages {
                        if self.is_worth_keeping(&message) {
                            let message = self.bounded(message, &mut coming);
                            self.inputs.push(Input::Message(message));
                        }
                    }
                }
                () = sleep_until(due) => self.inputs.push(Input::Timer),
            }
        }
    }

    /// Looks for what other processes want.
    fn empty_inbox(&mut self) {
        let Some(journal) = &mut self.journal else { return };
        match journal.inbox.look() {
            Ok(posts) => self.posts.extend(posts),
            // The run goes on without; if the store is broken, recording says so.
            Err(error) => tracing::warn!(%error, "the inbox of the run could not be read"),
        }
        self.take_posts();
    }

    /// Takes posts up one after the other: one that has been taken up stands for
    /// all before it.
    pub(super) fn take_posts(&mut self) {
        while !self.preparing_post
            && let Some((post, command)) = self.posts.pop_front()
        {
            match command {
                Command::Deliver(delivery) => self.prepare_delivery(*delivery, Some(post)),
                command => self.inputs.push(Input::Posted { post, command }),
            }
        }
    }

    /// A result beyond what a run may keep is a failure instead. `coming` bytes
    /// are on their way.
    fn bounded(&self, message: Message, coming: &mut u64) -> Message {
        let Message::Ended { task, end: Some(AttemptEnd::Done { output, .. }), used } = &message
        else {
            return message;
        };
        match self.too_much(output, *coming) {
            None => {
                *coming += output.held();
                message
            }
            Some(error) => {
                let end = Some(AttemptEnd::Failed { error, retry: Retry::Never });
                Message::Ended { task: *task, end, used: *used }
            }
        }
    }

    /// Why a result is more than the run may keep in memory, if it is. One that is
    /// in the store takes none.
    pub(super) fn too_much(&self, output: &Kept, coming: u64) -> Option<Box<TaskError>> {
        let held = output.held();
        if held == 0 || self.kept + coming + held <= self.most_kept {
            return None;
        }
        let text = format!(
            "its result of {} bytes would bring the results that the run has in memory to more \
             than {} bytes; let transformers make results smaller, record the run in a store, \
             where those above {} KiB are then, or raise 'results' in the host configuration",
            output.len(),
            self.most_kept,
            INLINE >> 10
        );
        Some(Box::new(TaskError::new("results", text)))
    }

    /// Of what plugins log for a task, the first part is recorded.
    fn is_worth_keeping(&mut self, message: &Message) -> bool {
        let Message::Logged(line) = message else { return true };
        self.count_log(line)
    }

    /// Whether there was room for a line among those that are recorded.
    pub(super) fn count_log(&mut self, line: &LogLine) -> bool {
        let logged = self.logged.entry(line.task.clone()).or_default();
        *logged += line.message.len() + 1;
        *logged <= MAX_LOGGED
    }
}

/// Waits for the policy's answer; for ever if there is no policy.
async fn answer(policy: &mut Option<Policy>) -> crate::policy::Scored {
    match policy {
        Some(policy) => policy.answer().await,
        None => std::future::pending().await,
    }
}

/// Waits for the next look into the inbox; for ever if there is none.
async fn tick(postman: &mut Option<Interval>) {
    match postman {
        Some(postman) => {
            postman.tick().await;
        }
        None => std::future::pending().await,
    }
}

/// Comes at once, and then every quarter of a second.
pub(super) fn postman() -> Interval {
    let mut postman = tokio::time::interval(BETWEEN_POSTS);
    postman.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    postman
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
