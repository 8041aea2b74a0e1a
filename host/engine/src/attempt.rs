//! One *attempt* at one job: results of dependencies in, its own result out.

use std::time::Duration;

use bytes::Bytes;
use consort_core::graph::TaskIx;
use consort_core::plan::CacheRule;
use consort_core::scheduler::Retry;
use consort_plugin_host::{Invocation, Outcome, Payload, Pending, Progress, Step};
use serde_json::Value;

use crate::batch::Seat;
use crate::cache::{Claim, Key, Lease, Parts};
use crate::cast::CastAgent;
use crate::draft::Proposal;
use crate::error::{Failed, TaskError, never};
use crate::job::{Given, Job, WorksOn, json};
use crate::message::{Mail, Message, lost};
use crate::output::Kept;
use crate::question::Question;
use crate::report::UsageReport;
use crate::watch::RunEvent;

/// Bytes of a checkpoint, as the contract says.
const MAX_CHECKPOINT: usize = 64 << 10;
/// How long a task waits at least before it asks again for the result of an
/// equal one; later a quarter of what it has waited already, so that one that
/// waits for long asks seldom.
const ASK_CACHE_AGAIN: Duration = Duration::from_millis(100);

/// An attempt about to run.
pub(crate) struct Attempt {
    pub(crate) job: Job,
    /// Its number in the run.
    pub(crate) task: TaskIx,
    /// One of the task's agents, by the cast's numbers.
    pub(crate) agent: u32,
    pub(crate) number: u32,
    /// Where an earlier call of this attempt left off.
    pub(crate) left: Left,
    pub(crate) remaining: Duration,
    /// What is kept of equal tasks is not good enough.
    pub(crate) fresh: bool,
    /// Its place in a call that is made for several.
    pub(crate) seat: Option<Seat>,
    pub(crate) mail: Mail,
}

/// Where an attempt left off.
#[derive(Default)]
pub(crate) struct Left {
    /// What the agent needs to go on.
    pub(crate) checkpoint: Option<Bytes>,
    /// What a person has answered the agent.
    pub(crate) answer: Option<Payload>,
    /// Equal tasks wait for this one's result.
    pub(crate) lease: Option<Lease>,
    /// How long it has waited for the result of an equal task.
    pub(crate) waited: Duration,
}

/// How an attempt ended, when it was not stopped.
pub(crate) enum AttemptEnd {
    Done {
        output: Kept,
        /// It is that of an equal task.
        cached: bool,
        /// Tasks the agent wants added to the run.
        proposals: Vec<Proposal>,
    },
    Pending {
        left: Left,
        poll_after: Duration,
    },
    /// The agent asks a person.
    Asks {
        question: Question,
        checkpoint: Bytes,
    },
    Failed {
        error: Box<TaskError>,
        retry: Retry,
    },
}

impl AttemptEnd {
    /// What an attempt has come to that never said anything.
    pub(crate) fn lost() -> Self {
        Self::Failed { error: lost(), retry: Retry::Never }
    }
}

impl Attempt {
    pub(crate) fn agent(&self) -> &CastAgent {
        &self.job.stage.cast.agents[self.agent as usize]
    }

    pub(crate) async fn run(mut self) -> AttemptEnd {
        match self.perform().await {
            Ok(end) => end,
            Err((error, retry)) => AttemptEnd::Failed { error, retry },
        }
    }

    async fn perform(&mut self) -> Result<AttemptEnd, Failed> {
        // Given up with the first return before the call: others wait for it.
        let seat = self.seat.take();
        let given = self.job.given().await?;
        let invocation = self.invocation(&given)?;
        let Left { checkpoint, answer, mut lease, waited } = std::mem::take(&mut self.left);
        let rule = self.job.task().settings.cache.as_ref();
        if let (None, Some(rule)) = (&checkpoint, rule) {
            let key = self.cache_key(&invocation, &given)?;
            let claim = match self.fresh {
                true => self.job.stage.cache.renew(key).map(Claim::Lead),
                false => Some(self.job.stage.cache.claim(key, ttl(rule)).await),
            };
            match claim {
                None => {}
                Some(Claim::Hit(output)) => {
                    drop(seat);
                    return self.finish(output, true, Vec::new()).await;
                }
                Some(Claim::Lead(lead)) => lease = Some(lead),
                // Parked like work that goes on elsewhere: it holds no slot.
                Some(Claim::Busy) => {
                    let poll_after = ASK_CACHE_AGAIN.max(waited / 4);
                    let left = Left { waited: waited + poll_after, ..Left::default() };
                    return Ok(AttemptEnd::Pending { left, poll_after });
                }
            }
        }
        let step = match seat {
            None => self.call(&invocation, checkpoint, answer).await,
            Some(seat) => seat.call(&self.job, self.agent, invocation).await,
        };
        match step? {
            Step::Done(outcome) => self.done(outcome, lease).await,
            Step::Pending(Pending { checkpoint, .. })
            | Step::NeedsInput(consort_plugin_host::Question { checkpoint, .. })
                if checkpoint.len() > MAX_CHECKPOINT =>
            {
                Err(self.broken(&format!(
                    "a checkpoint of {} bytes; at most {MAX_CHECKPOINT} are kept",
                    checkpoint.len()
                )))
            }
            Step::Pending(pending) => {
                let Pending { checkpoint, poll_after, fraction, message } = pending;
                let update = Progress { fraction, message, partial: None };
                if update != Progress::default() {
                    let event = RunEvent::Progress { task: self.job.id.clone(), update };
                    self.job.stage.tell(&event);
                }
                let left = Left { checkpoint: Some(checkpoint), lease, ..Left::default() };
                Ok(AttemptEnd::Pending { left, poll_after })
            }
            Step::NeedsInput(asked) => {
                let schema = asked.schema.as_deref();
                let question = Question::of_agent(asked.prompt.as_str().into(), schema);
                let question = question.map_err(|why| {
                    self.broken(&format!("a question whose schema is not valid: {why}"))
                })?;
                Ok(AttemptEnd::Asks { question, checkpoint: asked.checkpoint })
            }
        }
    }

    /// The plugin returned what the contract does not allow.
    fn broken(&self, what: &str) -> Failed {
        let plugin = self.agent().adapter.plugin().name();
        never("contract", format!("plugin {plugin} returned {what}"))
    }

    async fn call(
        &self,
        invocation: &Invocation,
        checkpoint: Option<Bytes>,
        answer: Option<Payload>,
    ) -> Result<Step, Failed> {
        let agent = self.agent();
        let plugin = agent.adapter.plugin();
        let observer = self.job.observer(plugin.name());
        let cx = self.job.stage.cast.agent_call(agent, self.job.task(), observer);
        let (step, function) = match checkpoint {
            None => (agent.adapter.start(invocation, &cx).await, "start"),
            Some(checkpoint) => {
                (agent.adapter.resume(invocation, checkpoint, answer, &cx).await, "resume")
            }
        };
        step.map_err(|error| TaskError::from_call(error, plugin, function))
    }

    async fn done(&self, outcome: Outcome, lease: Option<Lease>) -> Result<AttemptEnd, Failed> {
        let Outcome { output, usage, spawn } = outcome;
        if let Some(usage) = usage {
            let usage = UsageReport {
                input_tokens: usage.input_tokens,
                output_tokens: usage.output_tokens,
                cost: usage.cost.filter(|cost| *cost >= 0.0),
                model: usage.model,
            };
            self.mail.send(Message::Used { task: self.task, usage });
        }
        // A result that comes with new tasks is more than a result.
        let rule = self.job.task().settings.cache.as_ref();
        if let (Some(lease), Some(rule)) = (lease.filter(|_| spawn.is_empty()), rule) {
            lease.fill(&output, ttl(rule)).await;
        }
        let drafting = &self.job.stage.drafting;
        let agent = &self.agent().name;
        let proposals = spawn.into_iter().map(|text| drafting.spawned(text, agent)).collect();
        self.finish(output, false, proposals).await
    }

    /// Passes the agent's answer through the task's transformers.
    async fn finish(
        &self,
        output: Payload,
        cached: bool,
        proposals: Vec<Proposal>,
    ) -> Result<AttemptEnd, Failed> {
        let output = self.job.transform_result(output).await?;
        let output = self.job.stage.keep(output).await;
        Ok(AttemptEnd::Done { output, cached, proposals })
    }

    /// Tells the agent to stop what it does by itself.
    pub(crate) async fn cancel(&self) -> Result<(), Failed> {
        let Some(checkpoint) = self.left.checkpoint.clone() else { return Ok(()) };
        let given = self.job.given().await?;
        let invocation = self.invocation(&given)?;
        let agent = self.agent();
        let plugin = agent.adapter.plugin();
        let observer = self.job.observer(plugin.name());
        let cx = self.job.stage.cast.agent_call(agent, self.job.task(), observer);
        let cancelled = agent.adapter.cancel(&invocation, checkpoint, &cx).await;
        cancelled.map_err(|error| TaskError::from_call(error, plugin, "cancel"))
    }

    fn invocation(&self, given: &Given) -> Result<Invocation, Failed> {
        let task = self.job.task();
        let settings = &task.settings;
        let agent = self.agent();
        let run_id = &self.job.stage.run_id;
        let endpoint = settings.url.as_ref().or(agent.url.as_ref());
        // An item is the input of a task that has none.
        let input = settings.input.as_ref().or(self.job.item().map(|(item, _)| item));
        let mut dependencies = given.dependencies.clone();
        if let WorksOn::Item { fan, .. } = &self.job.works_on {
            dependencies.retain(|dependency| !fan.taken.contains(&dependency.name));
        }
        Ok(Invocation {
            run_id: run_id.clone(),
            task_id: self.job.id.clone(),
            task_type: settings.kind.clone(),
            attempt: self.number,
            idempotency_key: format!("{run_id}/{}", self.job.id).into(),
            description: self.job.description(given)?,
            input: input.map(payload),
            dependencies,
            metadata: json(&settings.metadata),
            agent: agent.name.clone(),
            endpoint: endpoint.cloned(),
            config: agent.config.clone(),
            remaining: self.remaining,
        })
    }

    /// What makes another task equal to this one: the key it gives, or else
    /// everything its agent sees but who is asking. The same text for another
    /// adapter is another task in any case.
    fn cache_key(&self, call: &Invocation, given: &Given) -> Result<Key, Failed> {
        let stage = &self.job.stage;
        let adapter = self.agent().adapter.plugin().digest();
        let rule = self.job.task().settings.cache.as_ref();
        if let Some(template) = rule.and_then(|rule| rule.key.as_ref()) {
            let key = template.render(|| self.job.values(given)).map_err(|reason| {
                never("template", format!("the key of 'cache' could not be filled in: {reason}"))
            })?;
            let mut parts = Parts::new("key");
            parts.text(adapter);
            parts.text(&key);
            return Ok(parts.key());
        }
        let mut parts = Parts::new("call");
        parts.text(adapter);
        // As the plan has it: the cast's has placeholders for secrets.
        parts.value(Value::Object(stage.plan.agents[self.agent as usize].config.clone()));
        parts.optional(call.endpoint.as_deref());
        parts.text(&call.task_type);
        parts.text(&call.description);
        parts.text(if call.input.is_some() { "input" } else { "no input" });
        if let Some(input) = &call.input {
            parts.payload(input);
        }
        parts.text(&call.metadata);
        for dependency in &call.dependencies {
            parts.text(&dependency.name);
            parts.payload(&dependency.value);
        }
        Ok(parts.key())
    }
}

/// How old a result may be.
fn ttl(rule: &CacheRule) -> Option<Duration> {
    rule.ttl.map(Duration::from_millis)
}

/// A value as agents are given it, and give it: a string is text.
pub(crate) fn payload(value: &Value) -> Payload {
    match value {
        Value::String(text) => Payload::Text(text.as_str().into()),
        other => Payload::Json(other.to_string().into()),
    }
}
