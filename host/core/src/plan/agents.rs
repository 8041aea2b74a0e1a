//! Who does the work: agents by name, numbered as tasks come to need them, and
//! the plugins that are named.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde_json::Map;

use super::fields::At;
use super::{Agent, AgentIx, Batching, Known, TransformerUse, fields};
use crate::problem::Problem;
use crate::rate::Rate;
use crate::spec::{
    AgentDoc, BatchDoc, BatchLimitsDoc, DurationDoc, Findings, RateDoc, RateLimitDoc, TransformDoc,
    brief,
};

/// The agents of a workflow.
pub(super) struct Agents<'d> {
    known: &'d Known,
    document: &'d BTreeMap<String, AgentDoc>,
    transformers: HashSet<&'d str>,
    /// The number of each agent that was asked for; none if there is no such
    /// agent.
    numbers: HashMap<String, Option<AgentIx>>,
    /// Those that tasks use.
    used: Vec<Agent>,
    /// For each of them, the list of it alone.
    alone: Vec<Arc<[AgentIx]>>,
}

impl<'d> Agents<'d> {
    /// Checks the agents that the document defines, used or not. Those of an open
    /// one are all used, and so are the host's.
    pub(super) fn new(
        document: &'d BTreeMap<String, AgentDoc>,
        open: bool,
        known: &'d Known,
        findings: &mut Findings,
    ) -> Self {
        for (name, agent) in document {
            let at = |field: &str| format!("agents.{}.{field}", brief(name));
            let adapter = &agent.adapter;
            if !known.anything && names_installed(adapter) && !known.adapters.contains(adapter) {
                let message = format!("there is no adapter '{}'", brief(adapter));
                let problem = Problem::error("unknown-adapter", at("adapter"), message)
                    .hint("'consort plugin list' shows those installed");
                findings.push_near(problem, adapter, known.adapters.iter().map(String::as_str));
            }
            throttle(agent, &at, findings);
        }
        let mut agents = Self {
            known,
            document,
            transformers: known.transformers.iter().map(String::as_str).collect(),
            numbers: HashMap::new(),
            used: Vec::new(),
            alone: Vec::new(),
        };
        if open {
            let names = document.keys().chain(known.agents.keys()).chain(&known.default_agent);
            for name in names {
                agents.number(name);
            }
        }
        agents
    }

    /// The agent of that name.
    pub(super) fn find(
        &mut self,
        name: &str,
        at: impl FnOnce() -> String,
        findings: &mut Findings,
    ) -> Option<AgentIx> {
        let number = self.number(name);
        if number.is_none() {
            let message = format!("there is no agent '{}'", brief(name));
            let problem = Problem::error("unknown-agent", at(), message)
                .hint("define it under 'agents', in the workflow or in the host's configuration");
            let names = self.document.keys().chain(self.known.agents.keys());
            let names = names.chain(&self.known.adapters).map(String::as_str);
            findings.push_near(problem, name, names);
        }
        number
    }

    fn number(&mut self, name: &str) -> Option<AgentIx> {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.enlist(name);
        self.numbers.insert(name.to_owned(), number);
        number
    }

    /// The list of that agent alone.
    pub(super) fn alone(&self, agent: AgentIx) -> Arc<[AgentIx]> {
        self.alone[agent.0 as usize].clone()
    }

    /// The agent of tasks that name none, if the host has one.
    pub(super) fn default_agent(&self) -> Option<&'d str> {
        self.known.default_agent.as_deref()
    }

    /// Gives an agent a number.
    fn enlist(&mut self, name: &str) -> Option<AgentIx> {
        let implicit = || {
            let exists = self.known.anything || self.known.adapters.iter().any(|a| a == name);
            exists.then(|| AgentDoc {
                adapter: name.to_owned(),
                url: None,
                config: Map::new(),
                limits: Map::new(),
                max_concurrency: None,
                rate_limit: None,
                batch: None,
            })
        };
        let doc = self.document.get(name).or_else(|| self.known.agents.get(name)).cloned();
        let doc = doc.or_else(implicit)?;
        let number = AgentIx(self.used.len() as u32);
        // What is wrong with it has been said where it is defined.
        let Throttle { rate_limit, batch } =
            throttle(&doc, &|_| String::new(), &mut Findings::default());
        self.used.push(Agent {
            name: Arc::from(name),
            adapter: doc.adapter,
            url: doc.url.map(Into::into),
            config: doc.config,
            limits: doc.limits,
            max_concurrency: doc.max_concurrency,
            rate_limit,
            batch,
        });
        self.alone.push([number].into());
        Some(number)
    }

    /// The transformers of a list; `at` is where its owner stands.
    pub(super) fn transformers(
        &self,
        docs: &[TransformDoc<'_>],
        at: &dyn Fn() -> String,
        findings: &mut Findings,
    ) -> Vec<TransformerUse> {
        let mut uses = Vec::with_capacity(docs.len());
        for (n, doc) in docs.iter().enumerate() {
            let (plugin, config) = match doc {
                TransformDoc::Name(name) => (name, Map::new()),
                TransformDoc::Configured(doc) => (&doc.transformer, doc.config.0.clone()),
            };
            let installed = self.known.anything || self.transformers.contains(plugin.as_str());
            if names_installed(plugin) && !installed {
                let owner = at();
                let dot = if owner.is_empty() { "" } else { "." };
                let path = format!("{owner}{dot}transform[{n}]");
                let message = format!("there is no transformer '{}'", brief(plugin));
                let problem = Problem::error("unknown-transformer", path, message)
                    .hint("'consort plugin list' shows those installed");
                let known = self.known.transformers.iter().map(String::as_str);
                findings.push_near(problem, plugin, known);
            }
            uses.push(TransformerUse { plugin: plugin.to_string(), config });
        }
        uses
    }

    /// The agents that are used. Those of the document that nobody uses are
    /// reported.
    pub(super) fn finish(self, findings: &mut Findings) -> Vec<Agent> {
        for name in self.document.keys().filter(|name| !self.numbers.contains_key(*name)) {
            let message = format!("no task uses the agent '{}'", brief(name));
            findings.warn(
                Problem::error("unused-agent", format!("agents.{}", brief(name)), message)
                    .hint("remove it, or name it as a task's 'agent'"),
            );
        }
        self.used
    }
}

/// Checks what agents of a host's configuration say about how much they do.
pub fn check_agents(agents: &BTreeMap<String, AgentDoc>) -> Vec<Problem> {
    let mut findings = Findings::default();
    for (name, agent) in agents {
        throttle(agent, &|field| format!("agents.{}.{field}", brief(name)), &mut findings);
    }
    findings.into_problems()
}

/// How an agent's attempts are held back.
struct Throttle {
    rate_limit: Option<Rate>,
    batch: Option<Batching>,
}

fn throttle(doc: &AgentDoc, at: At<'_>, findings: &mut Findings) -> Throttle {
    if doc.max_concurrency == Some(0) {
        let message = "an agent without room for one attempt never works";
        findings.push(
            Problem::error("out-of-range", at("max_concurrency"), message)
                .hint("give a number from 1, or leave it out"),
        );
    }
    Throttle {
        rate_limit: doc.rate_limit.as_ref().and_then(|doc| fields::rate(doc, at, findings)),
        batch: doc.batch.as_ref().and_then(|doc| fields::batching(doc, at, findings)),
    }
}

impl From<&Agent> for AgentDoc {
    fn from(agent: &Agent) -> Self {
        let seconds = |millis: u64| DurationDoc::Seconds(millis as f64 / 1_000.0);
        Self {
            adapter: agent.adapter.clone(),
            url: agent.url.as_ref().map(ToString::to_string),
            config: agent.config.clone(),
            limits: agent.limits.clone(),
            max_concurrency: agent.max_concurrency,
            rate_limit: agent.rate_limit.map(|rate| {
                RateDoc::Limits(RateLimitDoc {
                    attempts: rate.attempts.into(),
                    per: seconds(rate.per),
                    burst: Some(rate.burst.into()),
                })
            }),
            batch: agent.batch.map(|batching| {
                BatchDoc::Limits(BatchLimitsDoc {
                    max: Some(batching.max.into()),
                    linger: Some(seconds(batching.linger)),
                })
            }),
        }
    }
}

/// Whether a reference names an installed plugin, not a file or a digest, so
/// that the compiler can tell whether it exists.
fn names_installed(reference: &str) -> bool {
    !reference.contains(['/', '@', '\\']) && !reference.ends_with(".wasm")
}
