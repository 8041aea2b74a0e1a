//! What an operator is *told*: notices are noted while the run goes on, and sent
//! to each webhook one after the other. The run is over for good when all are
//! delivered or given up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use consort_core::graph::TaskIx;
use consort_core::scheduler::RunReason;
use consort_plugin_host::egress::EgressClient;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use super::{Conductor, Run, seed};
use crate::delivery::Consequence;
use crate::error::MOST_CAUSES;
use crate::journal::Input;
use crate::message::Message;
use crate::notice::{self, Detail, Notice, Topic};
use crate::notices::{Settled, Subscription};
use crate::setup::Engine;
use crate::watch::RunEvent;
use crate::webhook::{Letter, Outcome, Webhook};

/// Where notices are sent, and those that are on their way. Dropped, it sends no
/// more.
#[derive(Default)]
pub(super) struct Outbox {
    client: Option<Arc<EgressClient>>,
    /// By the run's numbers; none if the host has it no more.
    webhooks: Vec<Option<Arc<Webhook>>>,
    deliveries: JoinSet<()>,
}

impl Outbox {
    /// What the host knows of the webhooks that a run began with.
    pub(super) fn new(engine: &Engine, subscriptions: &[Subscription]) -> Self {
        let find = |subscription: &Subscription| {
            engine.webhooks().iter().find(|known| known.name == subscription.webhook).cloned()
        };
        Self {
            client: Some(engine.plugin_host().egress().clone()),
            webhooks: subscriptions.iter().map(find).collect(),
            deliveries: JoinSet::new(),
        }
    }
}

impl Run {
    /// Who is told of what, when the run begins now.
    pub(super) fn subscriptions(&self) -> Vec<Subscription> {
        let webhooks = self.engine.webhooks().iter();
        webhooks
            .map(|webhook| Subscription {
                webhook: webhook.name.clone(),
                events: webhook.topics.clone(),
            })
            .collect()
    }

    /// Webhooks that the run told what happened when it was recorded, and that
    /// the host has no more: what they have not been told is given up.
    pub fn missing_webhooks(&self) -> Vec<Arc<str>> {
        let known = self.engine.webhooks();
        let missing = |name: &Arc<str>| !known.iter().any(|webhook| webhook.name == *name);
        self.recorded_webhooks().filter(missing).collect()
    }
}

impl Conductor {
    /// Notes what somebody may want to hear of.
    pub(super) fn note(
        &mut self,
        topic: Topic,
        task: Option<TaskIx>,
        detail: impl FnOnce(&Self) -> Option<Detail>,
    ) {
        self.notices.miss(topic);
        if !self.notices.is_wanted(topic) {
            return;
        }
        let detail = if self.notices.has_room() { detail(self).map(Box::new) } else { None };
        self.notices.add(Notice { at: self.now, topic, task, detail });
    }

    /// An attempt failed, and another follows at that time, by one of the task's
    /// agents.
    pub(super) fn retrying(&mut self, task: TaskIx, at: i64, agent: u32) {
        self.take_delivered(task);
        let agent = self.agent_of(task, agent);
        let name = self.agent_name(agent).clone();
        let record = &self.records[task.index()];
        let wait = (at - self.now).max(0) as u64;
        self.stage.tell(&RunEvent::Retrying {
            task: self.id(task),
            error: record.error.clone(),
            agent: name.clone(),
            wait: Duration::from_millis(wait),
        });
        let falls_back = record.agent.is_some_and(|last| last != agent);
        let topic = if falls_back { Topic::Fallback } else { Topic::Retrying };
        self.note(topic, Some(task), |run| {
            let record = &run.records[task.index()];
            let (attempts, agent) = (record.attempts, run.agent_name(agent).clone());
            let error = record.error.as_deref().map(notice::of_task);
            Some(Detail::Attempt { attempts, agent, wait, error })
        });
        if falls_back {
            self.remember_agent(task);
        }
        self.waiting.settle(task, Consequence::Retrying { agent: name, at });
    }

    /// Why the agent failed that another takes over from.
    fn remember_agent(&mut self, task: TaskIx) {
        let record = &self.records[task.index()];
        let (Some(error), Some(agent)) = (&record.error, record.agent) else { return };
        let agent = self.agent_name(agent);
        let mut causes = error.as_causes();
        causes
            .iter_mut()
            .for_each(|cause| cause.agent = cause.agent.take().or(Some(agent.clone())));
        let earlier = &mut self.records[task.index()].live().earlier;
        causes.append(earlier);
        causes.truncate(MOST_CAUSES);
        *earlier = causes;
    }

    /// Sends what may be sent.
    pub(super) fn notify(&mut self) {
        while self.outbox.deliveries.try_join_next().is_some() {}
        for webhook in self.notices.webhooks() {
            let Some(number) = self.notices.next(webhook) else { continue };
            self.notices.begin(webhook);
            let known = self.outbox.webhooks.get(webhook as usize).cloned().flatten();
            match (known, self.outbox.client.clone()) {
                (Some(known), Some(client)) => self.send(client, known, webhook, number),
                _ => {
                    let name = self.notices.webhook(webhook).map_or("", |name| name);
                    let why = format!("the host configuration has no webhook '{name}' any more");
                    self.inputs.push(Input::Message(Message::Notified {
                        webhook,
                        notice: number,
                        tries: 0,
                        outcome: Outcome::Gone(why),
                    }));
                }
            }
        }
    }

    fn send(&mut self, client: Arc<EgressClient>, to: Arc<Webhook>, webhook: u32, number: u64) {
        let Some(notice) = self.notices.get(number) else { return };
        let (about, task) = (notice.topic, notice.task.map(|task| self.id(task)));
        let letter = Letter {
            id: self.notification_id(number),
            body: self.message(notice).into(),
            seed: seed(&self.stage.run_id).wrapping_add(number),
        };
        let stage = self.stage.clone();
        let lost = "the host lost this delivery; this is a bug in the host".to_owned();
        let owed = self.mail.owe(Message::Notified {
            webhook,
            notice: number,
            tries: 0,
            outcome: Outcome::Refused(lost),
        });
        self.outbox.deliveries.spawn(async move {
            let again = |tries: u32, why: &str, wait: Duration| {
                stage.tell(&RunEvent::NotNotified {
                    webhook: to.name.clone(),
                    id: letter.id.clone(),
                    about,
                    task: task.clone(),
                    tries,
                    why: why.to_owned(),
                    wait: Some(wait),
                    others: 0,
                });
            };
            let (tries, outcome) = to.deliver(&client, &letter, again).await;
            owed.pay(Message::Notified { webhook, notice: number, tries, outcome });
        });
    }

    /// What became of a notification.
    pub(super) fn take_outcome(
        &mut self,
        webhook: u32,
        number: u64,
        tries: u32,
        outcome: &Outcome,
    ) {
        let Some(settled) = self.notices.settle(webhook, number, outcome) else { return };
        let Settled { webhook, topic: about, task, others } = settled;
        let (id, task) = (self.notification_id(number), task.map(|task| self.id(task)));
        self.stage.tell(&match outcome {
            Outcome::Delivered => RunEvent::Notified { webhook, id, about, task, tries },
            Outcome::Refused(why) | Outcome::Unreachable(why) | Outcome::Gone(why) => {
                let (why, wait) = (why.clone(), None);
                RunEvent::NotNotified { webhook, id, about, task, tries, why, wait, others }
            }
        });
    }

    /// The same for the same notice of the same run, always.
    fn notification_id(&self, number: u64) -> String {
        format!("msg_{}_{number}", self.stage.run_id)
    }

    /// What a notice says, made of what is known now.
    fn message(&self, notice: &Notice) -> Vec<u8> {
        let mut data = Map::new();
        let mut put = |field: &str, value: Value| {
            data.insert(field.to_owned(), value);
        };
        put("run_id", json!(self.stage.run_id));
        if !self.plan().name.is_empty() {
            put("name", notice::name(&self.plan().name));
        }
        match notice.task {
            None => self.describe_end(&mut put),
            Some(task) => {
                put("task_id", notice::name(&self.id(task)));
                if notice.topic == Topic::TaskFailed {
                    self.describe_failure(task, &mut put);
                }
            }
        }
        if let Some(detail) = &notice.detail {
            detail.write(&mut data);
        }
        notice::message(notice.topic, notice.at, data)
    }

    fn describe_failure(&self, task: TaskIx, put: &mut impl FnMut(&str, Value)) {
        let record = self.record(task);
        put("status", json!(record.status));
        put("attempts", json!(record.attempts));
        if let Some(agent) = record.agent {
            put("agent", notice::name(self.agent_name(agent)));
        }
        if let Some(error) = &record.error {
            put("error", notice::of_task(error));
        }
    }

    fn describe_end(&self, put: &mut impl FnMut(&str, Value)) {
        let Some(ended) = self.ended else { return };
        put("status", json!(ended.status));
        put("duration_ms", json!(self.elapsed()));
        let mut tasks: BTreeMap<&str, u64> = BTreeMap::new();
        for status in self.records.iter().filter_map(|record| record.status) {
            *tasks.entry(status.as_str()).or_default() += 1;
        }
        put("tasks", json!(tasks));
        if let Some(error) = self.run_error(ended.reason) {
            let task = match ended.reason {
                RunReason::Failed(task) => self.record(task).error.as_deref(),
                _ => None,
            };
            put("error", notice::of_run(&error, task));
        }
    }
}
