//! Agents that work *by themselves* and are told to stop: what an attempt left
//! with one is not forgotten before the agent has been told.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use consort_core::graph::TaskIx;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::Conductor;
use crate::attempt::{Attempt, Left};
use crate::message::Message;

/// How long a remote agent may take to stop.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(10);

/// Agents that are being told to stop.
#[derive(Default)]
pub(super) struct Remotes {
    /// By task and attempt.
    open: BTreeMap<(TaskIx, u32), Remote>,
    calls: JoinSet<()>,
}

/// What is to be stopped.
struct Remote {
    agent: u32,
    checkpoint: Bytes,
}

/// What is saved of a remote agent that is to be stopped.
#[derive(Serialize, Deserialize)]
pub(crate) struct SavedRemote {
    task: TaskIx,
    attempt: u32,
    agent: u32,
    checkpoint: Vec<u8>,
}

impl Remotes {
    /// What is saved of them.
    pub(super) fn save(&self) -> Vec<SavedRemote> {
        let saved = self.open.iter().map(|(&(task, attempt), remote)| SavedRemote {
            task,
            attempt,
            agent: remote.agent,
            checkpoint: remote.checkpoint.to_vec(),
        });
        saved.collect()
    }

    /// Those that were saved.
    pub(super) fn load(saved: Vec<SavedRemote>) -> Self {
        let open = saved.into_iter().map(|SavedRemote { task, attempt, agent, checkpoint }| {
            ((task, attempt), Remote { agent, checkpoint: checkpoint.into() })
        });
        Self { open: open.collect(), calls: JoinSet::new() }
    }
}

impl Conductor {
    /// Tells a remote agent to stop, without waiting for it.
    pub(super) fn cancel_remote(&mut self, task: TaskIx) {
        let record = &mut self.records[task.index()];
        let Some(live) = &mut record.live else { return };
        let left = std::mem::take(&mut live.left);
        let (Some(agent), Some(checkpoint)) = (record.agent, left.checkpoint) else { return };
        let attempt = record.attempts;
        self.remotes.open.insert((task, attempt), Remote { agent, checkpoint });
        self.call_cancel(task, attempt);
    }

    /// Tells those that an earlier process may not have told.
    pub(super) fn cancel_remotes_again(&mut self) {
        for (task, attempt) in self.remotes.open.keys().copied().collect::<Vec<_>>() {
            self.call_cancel(task, attempt);
        }
    }

    fn call_cancel(&mut self, task: TaskIx, attempt: u32) {
        let Some(remote) = self.remotes.open.get(&(task, attempt)).filter(|_| self.live) else {
            return;
        };
        let (job, mail) = (self.job(task), self.mail.clone());
        let left = Left { checkpoint: Some(remote.checkpoint.clone()), ..Left::default() };
        let (agent, number) = (remote.agent, attempt);
        let attempt = Attempt {
            job,
            task,
            agent,
            number,
            left,
            remaining: CANCEL_TIMEOUT,
            fresh: false,
            seat: None,
            mail: mail.clone(),
        };
        self.remotes.calls.spawn(async move {
            let id = &attempt.job.id;
            match tokio::time::timeout(CANCEL_TIMEOUT, attempt.cancel()).await {
                Ok(Ok(())) => {}
                Ok(Err((error, _))) => {
                    tracing::warn!(task = %id, error = error.message, "cancel failed");
                }
                Err(_) => {
                    tracing::warn!(task = %id, "the agent did not confirm within 10 s that it stopped");
                }
            }
            mail.send(Message::Cancelled { task, attempt: number });
        });
    }

    /// An agent has been told.
    pub(super) fn remote_cancelled(&mut self, task: TaskIx, attempt: u32) {
        self.remotes.open.remove(&(task, attempt));
    }

    /// Waits until all agents have been told.
    pub(super) async fn all_remotes_cancelled(&mut self) {
        while self.remotes.calls.join_next().await.is_some() {}
    }
}
