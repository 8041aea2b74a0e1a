//! Who does the work: agents by name, numbered as tasks come to need them, and
//! the plugins that are named.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde_json::Map;

use super::fields::At;
use super::{Agent, AgentIx, AgentNeed, Batching, Known, TransformerUse, fields};
use crate::problem::Problem;
use crate::rate::Rate;
use crate::spec::limits::MAX_SUGGESTIONS;
use crate::spec::{
    AgentDoc, BatchDoc, BatchLimitsDoc, Document, DurationDoc, Findings, RateDoc, RateLimitDoc,
    TransformDoc, Unread, brief, near,
};

/// The agents of a workflow.
pub(super) struct Agents<'d> {
    known: &'d Known,
    document: &'d Document<'d>,
    adapters: HashSet<&'d str>,
    transformers: HashSet<&'d str>,
    /// The name that was asked for last, which is most likely asked for again.
    last: Option<(&'d str, AgentIx)>,
    /// The number of each agent that was asked for; none if there is no such
    /// agent.
    numbers: HashMap<String, Option<AgentIx>>,
    /// Those that tasks use.
    used: Vec<AgentNeed>,
    /// Whether a task's agent could not be read: it may be any of those that
    /// nobody uses now.
    missed: bool,
    /// For each of them, the list of it alone.
    alone: Vec<Arc<[AgentIx]>>,
}

impl<'d> Agents<'d> {
    /// Checks the agents that the document defines, used or not. Those of an open
    /// one are all used, and so are the host's.
    pub(super) fn new(
        document: &'d Document<'d>,
        known: &'d Known,
        findings: &mut Findings,
    ) -> Self {
        let mut agents = Self {
            known,
            document,
            adapters: known.adapters.iter().map(String::as_str).collect(),
            transformers: known.transformers.iter().map(String::as_str).collect(),
            last: None,
            numbers: HashMap::new(),
            used: Vec::new(),
            missed: false,
            alone: Vec::new(),
        };
        for (name, agent) in &document.agents {
            let at = |field: &str| format!("agents.{}.{field}", brief(name));
            let adapter = &agent.adapter;
            if !agents.may_be(adapter, &agents.adapters) {
                let message = format!("there is no adapter '{}'", brief(adapter));
                let problem = Problem::error("unknown-adapter", at("adapter"), message)
                    .hint("'consort plugin list' shows those installed");
                findings.push_near(problem, adapter, known.adapters.iter().map(String::as_str));
            }
            check_name(name, findings);
            throttle(agent, &at, findings);
        }
        if document.open {
            let names = document.agents.keys().chain(known.agents.keys());
            for name in names.chain(&known.default_agent) {
                agents.number(name);
            }
        }
        agents
    }

    /// Whether a reference may lead to a plugin: it is one of `installed`, or
    /// names what only the host can find.
    fn may_be(&self, reference: &str, installed: &HashSet<&str>) -> bool {
        self.known.anything || !names_installed(reference) || installed.contains(reference)
    }

    /// Whether a reference may lead to a transformer.
    pub(super) fn knows(&self, transformer: &str) -> bool {
        self.may_be(transformer, &self.transformers)
    }

    /// The agent of that name.
    pub(super) fn find(
        &mut self,
        name: &'d str,
        at: impl FnOnce() -> String,
        findings: &mut Findings,
    ) -> Option<AgentIx> {
        if let Some((_, number)) = self.last.filter(|(last, _)| *last == name) {
            return Some(number);
        }
        let number = self.number(name);
        if number.is_none() && !self.document.unread_agents.contains_key(name) {
            let message = format!("there is no agent '{}'", brief(name));
            let problem = Problem::error("unknown-agent", at(), message)
                .hint("define it under 'agents', in the workflow or in the host's configuration");
            let names = self.document.agents.keys().chain(self.known.agents.keys());
            let names = names.chain(&self.known.adapters).map(String::as_str);
            findings.push_near(problem, name, names);
        }
        self.last = number.map(|number| (name, number));
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

    /// Notes that an agent of a task could not be read.
    pub(super) fn missed(&mut self) {
        self.missed = true;
    }

    /// Notes that a task has these agents, and perhaps a URL of its own for them;
    /// `at` is where it names them.
    pub(super) fn used(&mut self, agents: &[AgentIx], own_url: bool, at: impl Fn() -> String) {
        for agent in agents {
            let need = &mut self.used[agent.0 as usize];
            if need.used.is_none() {
                need.used = Some(at());
            }
            if !own_url && need.used_without_url.is_none() {
                need.used_without_url = Some(at());
            }
        }
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
        if self.document.unread_agents.get(name) == Some(&Unread::Everything) {
            return None;
        }
        let defined = self.document.agents.get(name).or_else(|| self.known.agents.get(name));
        let doc = defined.cloned().or_else(implicit)?;
        let number = AgentIx(self.used.len() as u32);
        let need = self.need(name, doc, defined.is_some());
        self.used.push(need);
        self.alone.push([number].into());
        Some(number)
    }

    /// An agent that no task uses so far.
    fn need(&self, name: &str, doc: AgentDoc, defined: bool) -> AgentNeed {
        // What is wrong with it has been said where it is defined.
        let Throttle { rate_limit, batch } =
            throttle(&doc, &|_| String::new(), &mut Findings::default());
        AgentNeed {
            defined,
            known: self.may_be(&doc.adapter, &self.adapters),
            used: None,
            used_without_url: None,
            unread: self.document.unread_agents.get(name).cloned().unwrap_or_default(),
            agent: Agent {
                name: Arc::from(name),
                adapter: doc.adapter,
                url: doc.url.map(Into::into),
                config: doc.config,
                limits: doc.limits,
                max_concurrency: doc.max_concurrency,
                rate_limit,
                batch,
            },
        }
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
            if !self.knows(plugin) {
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

    /// The agents that are used, and those with others that the document defines.
    /// These are reported, unless they may have been meant.
    pub(super) fn finish(self, findings: &mut Findings) -> (Vec<Agent>, Vec<AgentNeed>) {
        let agents = self.used.iter().map(|need| need.agent.clone()).collect();
        let idle = self.document.agents.iter();
        let idle = idle.filter(|(name, _)| !self.numbers.contains_key(*name));
        let unused = idle.clone().map(|(name, doc)| self.need(name, doc.clone(), true));
        let unused: Vec<AgentNeed> = unused.collect();
        let certain = !self.missed && !self.document.tasks.is_empty();
        // Whoever is not found may be a misspelt one of them.
        let wrong = self.numbers.iter().filter(|(_, number)| number.is_none());
        let wrong: Vec<&str> = wrong.map(|(name, _)| name.as_str()).take(MAX_SUGGESTIONS).collect();
        let meant = |name: &str| wrong.iter().any(|wrong| near(wrong, [name]).is_some());
        for (name, _) in idle.filter(|(name, _)| certain && !meant(name)) {
            let message = format!("no task uses the agent '{}'", brief(name));
            findings.warn(
                Problem::error("unused-agent", format!("agents.{}", brief(name)), message)
                    .hint("remove it, or name it as a task's 'agent'"),
            );
        }
        let mut needs = self.used;
        needs.extend(unused);
        (agents, needs)
    }
}

/// Checks what agents of a host's configuration say about how much they do.
pub fn check_agents(agents: &BTreeMap<String, AgentDoc>) -> Vec<Problem> {
    let mut findings = Findings::default();
    for (name, agent) in agents {
        check_name(name, &mut findings);
        throttle(agent, &|field| format!("agents.{}.{field}", brief(name)), &mut findings);
    }
    findings.into_problems()
}

/// Checks that an agent's name can be shown.
fn check_name(name: &str, findings: &mut Findings) {
    if fields::has_controls(name) {
        let at = format!("agents.{}", brief(name));
        findings.push(fields::control_character(at, "an agent's name", name));
    }
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
