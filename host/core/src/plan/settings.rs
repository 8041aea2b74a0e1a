//! The *settings* of a task: everything it says about how it is to be done, and
//! what the collaborative tasks around it say for it.
//!
//! Most tasks of a large workflow say the same, so equal settings are shared.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashMap};
use serde_json::{Map, Value};

use super::agents::Agents;
use super::outline::{APPROVAL, Outline, Role};
use super::reads::{TEMPLATE_HINT, expression, rule};
use super::{
    AgentIx, CacheRule, ForEach, Items, OnFailure, Resources, TaskSettings, Timeouts, fields,
};
use crate::problem::Problem;
use crate::retry::RetryPolicy;
use crate::spec::limits::{MAX_ITEMS, MAX_NAME, MAX_SECONDS, MAX_URL};
use crate::spec::{Findings, ForEachDoc, OnFailureDoc, TaskDoc, brief};
use crate::template::{Expression, Template};

/// Milliseconds an attempt may take unless the task says.
const DEFAULT_TIMEOUT: u64 = 300_000;
/// Milliseconds a person may take unless the task says.
const DEFAULT_APPROVAL: u64 = MAX_SECONDS as u64 * 1_000;
/// Milliseconds a task is expected to take unless it says.
const DEFAULT_EXPECTED: u64 = 1_000;
/// Settings that are kept to be shared.
const SHARED: usize = 4_096;

/// Makes settings, each kind once.
pub(super) struct SettingsMaker<'o, 'd> {
    outline: &'o Outline<'d>,
    /// Milliseconds since the epoch.
    now: i64,
    /// What a task does when it fails, unless it says.
    default_rule: OnFailure,
    /// Those of tasks that say nothing.
    plain: Option<Arc<TaskSettings>>,
    /// Those made lately, by a hash of what differs most.
    recent: HashMap<usize, Option<Arc<TaskSettings>>>,
    hasher: DefaultHashBuilder,
}

impl<'o, 'd> SettingsMaker<'o, 'd> {
    pub(super) fn new(outline: &'o Outline<'d>, now: i64, default_rule: OnFailure) -> Self {
        Self {
            outline,
            now,
            default_rule,
            plain: None,
            recent: HashMap::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// The settings of the task at `place`, which is done only if `when` holds.
    pub(super) fn make(
        &mut self,
        place: usize,
        when: Option<Expression>,
        agents: &Agents<'_>,
        findings: &mut Findings,
    ) -> Arc<TaskSettings> {
        let draft = &self.outline.drafts[place];
        let plain = self.outline.role(place) == Role::ALONE && is_plain(draft.doc);
        if plain && let Some(settings) = &self.plain {
            return settings.clone();
        }
        let settings = self.build(place, when, agents, findings);
        let hash = self.hasher.hash_one((
            &settings.kind,
            &settings.url,
            settings.timeouts.attempt,
            settings.priority,
            &settings.labels,
        ));
        let slot = self.recent.entry(hash as usize % SHARED).or_default();
        let equal = slot.as_ref().filter(|recent| ***recent == settings).cloned();
        let shared = equal.unwrap_or_else(|| slot.insert(Arc::new(settings)).clone());
        if plain {
            self.plain = Some(shared.clone());
        }
        shared
    }

    fn build(
        &self,
        place: usize,
        when: Option<Expression>,
        agents: &Agents<'_>,
        findings: &mut Findings,
    ) -> TaskSettings {
        let outline = self.outline;
        let draft = &outline.drafts[place];
        let doc = draft.doc;
        let at = |field: &str| outline.at(place, field);
        let within = |field: &'static str| {
            move |inner: &str| match inner {
                "" => outline.at(place, field),
                inner => outline.at(place, &format!("{field}.{inner}")),
            }
        };
        for (field, text, most) in [("type", &doc.kind, MAX_NAME), ("url", &doc.url, MAX_URL)] {
            if let Some(text) = text.as_ref().filter(|text| text.len() > most) {
                let message = format!("{} bytes are too long; {most} are the most", text.len());
                findings.push(Problem::error("too-long", at(field), message));
            }
        }
        // What a collaborative task says for its steps is checked where it stands.
        let mut muted = Findings::default();
        let priority =
            outline.said(place, |doc| doc.terms().priority).map_or(5, |(from, priority)| {
                let findings = if from == place { &mut *findings } else { &mut muted };
                fields::priority(priority, || at("priority"), findings)
            });
        let deadline = outline.said(place, |doc| doc.deadline.as_ref()).and_then(|(from, doc)| {
            let findings = if from == place { &mut *findings } else { &mut muted };
            fields::deadline(doc, self.now, || at("deadline"), findings)
        });
        TaskSettings {
            kind: doc.kind.as_deref().unwrap_or("task").into(),
            url: doc.url.as_deref().map(Into::into),
            timeouts: self.timeouts(place, findings),
            priority,
            deadline,
            retry: match &doc.terms().retry_policy {
                None => RetryPolicy::default(),
                Some(retry) => {
                    fields::retry(retry, RetryPolicy::default(), &within("retry_policy"), findings)
                }
            },
            input: doc.terms().input.as_ref().map(|input| input.0.clone()),
            metadata: doc.terms().metadata.as_ref().map_or_else(Map::new, |free| free.0.clone()),
            labels: match &doc.terms().labels {
                None => BTreeMap::new(),
                Some(labels) => fields::labels(labels, &within("labels"), findings),
            },
            transform: match doc.transform.is_empty() {
                true => Vec::new(),
                false => agents.transformers(&doc.transform, &|| outline.path(place), findings),
            },
            on_failure: self.rule(place),
            resources: match &doc.resources {
                None => Resources::default(),
                Some(resources) => fields::resources(resources, &within("resources"), findings),
            },
            expected: doc
                .expected_duration
                .and_then(|seconds| fields::millis(seconds, || at("expected_duration"), findings))
                .unwrap_or(if outline.role(place).group.is_some() { 0 } else { DEFAULT_EXPECTED }),
            when,
            for_each: self.for_each(place, findings),
            cache: self.cache(place, findings),
            schema: doc.schema.as_ref().map(|schema| Value::Object(schema.0.clone())),
            batch: doc.batch,
        }
    }

    fn timeouts(&self, place: usize, findings: &mut Findings) -> Timeouts {
        let doc = self.outline.drafts[place].doc;
        let mut read = |seconds: Option<f64>, field: &str| {
            let at = || self.outline.at(place, field);
            seconds.and_then(|seconds| fields::timeout(seconds, at, findings))
        };
        let more = doc.timeouts.unwrap_or_default();
        let default = match doc.kind.as_deref() {
            Some(APPROVAL) => DEFAULT_APPROVAL,
            _ => DEFAULT_TIMEOUT,
        };
        let timeouts = Timeouts {
            attempt: read(doc.terms().timeout, "timeout").unwrap_or(default),
            queue: read(more.queue, "timeouts.queue"),
            idle: read(more.idle, "timeouts.idle"),
            total: read(more.total, "timeouts.total"),
        };
        let attempt = Some(timeouts.attempt);
        let own = attempt.filter(|_| doc.terms().timeout.is_some());
        for (field, limit, name, outer) in [
            ("timeout", own, "timeouts.total", timeouts.total),
            ("timeouts.queue", timeouts.queue, "timeouts.total", timeouts.total),
            ("timeouts.idle", timeouts.idle, "timeout", attempt),
        ] {
            let (Some(limit), Some(outer)) = (limit, outer) else { continue };
            if limit > outer {
                let outer = outer as f64 / 1_000.0;
                let message =
                    format!("this is never reached: '{name}' of {outer} s is over before");
                let problem =
                    Problem::warning("useless-timeout", self.outline.at(place, field), message);
                findings.push(problem.hint(format!("lower it, or raise '{name}'")));
            }
        }
        timeouts
    }

    /// What the failure of the task means, once no fallback is left.
    fn rule(&self, place: usize) -> OnFailure {
        let word = |doc: &TaskDoc<'_>| match doc.on_failure.as_ref() {
            Some(OnFailureDoc::Word(word)) => Some(rule(*word)),
            _ => None,
        };
        self.outline.said(place, word).map_or(self.default_rule, |(_, rule)| rule)
    }

    fn for_each(&self, place: usize, findings: &mut Findings) -> Option<ForEach> {
        let doc = self.outline.drafts[place].doc;
        let at = || self.outline.at(place, "for_each");
        let items = match doc.for_each.as_ref()? {
            ForEachDoc::List(items) if items.len() > MAX_ITEMS => {
                let message = format!("{} items are too many", items.len());
                let hint = format!("{MAX_ITEMS} are the most");
                findings.push(Problem::error("too-large", at(), message).hint(hint));
                return None;
            }
            ForEachDoc::List(items) => {
                if items.is_empty() {
                    let problem = Problem::error("no-items", at(), "there are no items to do");
                    findings.warn(problem.hint("add items, or remove 'for_each'"));
                }
                Items::Literal(items.iter().map(|item| item.0.clone()).collect())
            }
            ForEachDoc::Expression(source) => Items::Expression(expression(source, at, findings)?),
        };
        let max_parallel = doc
            .max_parallel
            .map(|width| fields::count(width, || self.outline.at(place, "max_parallel"), findings));
        Some(ForEach { items, max_parallel })
    }

    fn cache(&self, place: usize, findings: &mut Findings) -> Option<CacheRule> {
        let cache = self.outline.drafts[place].doc.cache.as_ref()?;
        let at = |field: &str| self.outline.at(place, field);
        let key = cache.key.as_deref().and_then(|key| {
            Template::new(key)
                .map_err(|reason| {
                    let problem = Problem::error("bad-template", at("cache.key"), brief(&reason));
                    findings.push(problem.hint(TEMPLATE_HINT));
                })
                .ok()
        });
        let ttl = cache.ttl.as_ref();
        let ttl = ttl.and_then(|ttl| fields::duration(ttl, || at("cache.ttl"), findings));
        if ttl == Some(0) {
            let message = "a result that may be used for 0 seconds is never used again";
            let problem = Problem::error("zero-ttl", at("cache.ttl"), message);
            findings.warn(problem.hint("give a longer time, or leave 'ttl' out: for ever"));
        }
        Some(CacheRule { key, ttl })
    }
}

/// The agents that try a task, its own first. `None` if it has none, which is
/// reported.
pub(super) fn agents_of<'d>(
    place: usize,
    outline: &Outline<'d>,
    agents: &mut Agents<'d>,
    findings: &mut Findings,
) -> Option<Arc<[AgentIx]>> {
    let doc = outline.drafts[place].doc;
    let said = outline.said(place, |doc| doc.agent.as_deref());
    let default = agents.default_agent().map(|name| (place, name));
    let unread = outline.around(place).any(|at| outline.drafts[at].doc.unread.contains("agent"));
    let first = match said.or(default) {
        _ if unread => {
            agents.missed();
            None
        }
        Some((from, name)) => agents.find(name, || outline.at(from, "agent"), findings),
        None => {
            findings.push(
                Problem::error("missing-field", outline.at(place, "agent"), "no agent is named")
                    .hint("add 'agent', or 'default_agent' to the host's configuration"),
            );
            None
        }
    };
    let Some(OnFailureDoc::Fallback(rule)) = doc.on_failure.as_ref() else {
        return first.map(|agent| agents.alone(agent));
    };
    let mut all: Vec<AgentIx> = first.into_iter().collect();
    for (n, name) in rule.fallback.iter().enumerate() {
        let at = || outline.at(place, &format!("on_failure.fallback[{n}]"));
        let Some(agent) = agents.find(name, at, findings) else { continue };
        if all.contains(&agent) {
            let message = format!("'{}' has failed by then", brief(name));
            let problem = Problem::error("useless-fallback", at(), message);
            findings.warn(problem.hint("name another agent, or raise 'retry_policy.max_attempts'"));
        }
        all.push(agent);
    }
    if rule.fallback.is_empty() {
        let at = outline.at(place, "on_failure.fallback");
        let problem = Problem::error("empty", at, "there is no agent to fall back to");
        findings.push(problem.hint("name at least one, or remove 'on_failure'"));
    }
    Some(all.into())
}

/// Whether a task says nothing that goes into its settings.
fn is_plain(doc: &TaskDoc<'_>) -> bool {
    let TaskDoc {
        task_id: _,
        kind: None,
        description: _,
        agent: _,
        depends_on: _,
        terms: None,
        more: None,
    } = doc
    else {
        return false;
    };
    true
}
