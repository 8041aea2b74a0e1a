//! A *check* finds what plugins would say about a document before any of its
//! tasks runs: whether they are there, and take what they are told.
//!
//! It works on what a document needs, so that a document with problems of its own
//! is checked as well.

use std::collections::HashMap;
use std::sync::Arc;

use consort_core::plan::{AgentNeed, Needs, TransformerUse};
use consort_core::problem::Problem;
use consort_plugin_host::{CallContext, Complaint, Limits, Plugin};
use serde_json::Value;

use crate::cast::{CastAgent, CastPrioritizer, check_url};
use crate::config::PolicyConfig;
use crate::plugin_config::{check_config, path_of};
use crate::references::References;
use crate::setup::Engine;

/// The longest a transformer may take to look at its configuration, in
/// milliseconds, unless it asks for less.
const CHECK_TIME: u64 = 5_000;

/// Complaints about one configuration that are passed on.
const MAX_COMPLAINTS: usize = 20;

/// Checks that go wrong after which a plugin is not asked for more: each may take
/// [`CHECK_TIME`].
const MAX_FAULTS: usize = 3;

/// Characters of a complaint that are passed on.
const MAX_SAID: usize = 2_000;

impl Engine {
    /// Finds what is wrong with what a document needs, and with the policy that it
    /// is to run under; warnings are among the problems. The path of those about
    /// the policy is `policy`, or below `policy.config`.
    pub async fn check(&self, needs: &Needs, policy: impl Into<PolicyConfig>) -> Vec<Problem> {
        let policy = policy.into();
        let mut wanted: Vec<&str> = vec![&policy.plugin];
        let known = needs.agents.iter().filter(|need| need.known);
        wanted.extend(known.map(|need| need.agent.adapter.as_str()));
        wanted.extend(needs.transformers.iter().map(|(_, used)| used.plugin.as_str()));
        let mut plugins = References::load(self, wanted).await;
        let mut problems = Vec::new();
        let adapters: Vec<Option<Plugin>> = needs
            .agents
            .iter()
            .map(|need| check_agent(self, need, &mut plugins, &mut problems))
            .collect();
        check_urls(needs, &adapters, &mut problems);
        check_schemas(needs, &mut problems);
        let mut faults = HashMap::new();
        for (path, used) in &needs.transformers {
            check_transformer(self, used, path, &mut plugins, &mut faults, &mut problems).await;
        }
        if let Some(plugin) = plugins.find(&policy.plugin, "policy", &mut problems) {
            CastPrioritizer::new(self, plugin, &policy, &mut problems);
        }
        problems
    }
}

/// Checks an agent, and finds its adapter.
fn check_agent(
    engine: &Engine,
    need: &AgentNeed,
    plugins: &mut References,
    problems: &mut Vec<Problem>,
) -> Option<Plugin> {
    if !need.known || need.unread.contains("adapter") {
        return None;
    }
    let agent = &need.agent;
    let path = need.path();
    let at_adapter = if need.defined { format!("{path}.adapter") } else { path.clone() };
    let plugin = plugins.find(&agent.adapter, &at_adapter, problems)?;
    let mut found = Vec::new();
    CastAgent::new(engine, agent, &plugin, &path, &mut found);
    let config = format!("{path}.config");
    found.retain(|problem| {
        let reported = need.unread.contains("config") && problem.path.starts_with(&config);
        // Nobody need have the secrets of an agent that nobody uses.
        let idle = need.used.is_none() && problem.code == "unknown-secret";
        !reported && !idle
    });
    let bad_url = found.iter().any(|problem| problem.code == "bad-url");
    problems.append(&mut found);
    let manifest = plugin.manifest();
    let lost = agent.url.is_none() && !need.unread.contains("url") && manifest.needs_url;
    if lost && (need.used_without_url.is_some() || need.used.is_none()) {
        let message = format!("'{}' has to be told where the agent answers", plugin.name());
        let problem = Problem::error("missing-url", path, message);
        problems.push(problem.hint(match need.defined {
            true => "add 'url' to the agent, or to each of its tasks".to_owned(),
            false => format!(
                "define an agent under 'agents' with 'adapter: {}' and a 'url', or add 'url' to the task",
                agent.adapter
            ),
        }));
    } else if agent.url.is_some() && !bad_url && !manifest.takes_url() {
        problems.push(useless_url(&plugin, format!("{path}.url")));
    }
    Some(plugin)
}

fn check_urls(needs: &Needs, adapters: &[Option<Plugin>], problems: &mut Vec<Problem>) {
    for need in &needs.urls {
        let owner = need.path.strip_suffix(".url").unwrap_or_default();
        if check_url(&need.url, owner, problems).is_none() {
            continue;
        }
        let adapters = need.agents.iter().map(|agent| adapters[agent.0 as usize].as_ref());
        let useless = |plugin: Option<&Plugin>| plugin.is_some_and(|p| !p.manifest().takes_url());
        if adapters.clone().all(useless)
            && let Some(plugin) = adapters.flatten().next()
        {
            problems.push(useless_url(plugin, need.path.clone()));
        }
    }
}

/// A URL that leads nowhere.
fn useless_url(plugin: &Plugin, path: String) -> Problem {
    let message = format!("'{}' reaches nothing over the network and ignores this", plugin.name());
    let problem = Problem::warning("useless-url", path, message);
    problem.hint("remove it, or name an agent whose adapter takes a URL; 'consort plugin list' shows them all")
}

/// The schemas of approvals.
fn check_schemas(needs: &Needs, problems: &mut Vec<Problem>) {
    for (path, schema) in &needs.schemas {
        if let Some(problem) = bad_schema(schema, path) {
            problems.push(problem.hint("write what an answer looks like, such as {type: boolean}"));
        }
    }
}

/// What is wrong with a schema at that place, if anything is.
pub(crate) fn bad_schema(schema: &Value, path: &str) -> Option<Problem> {
    let error = jsonschema::validator_for(schema).err()?;
    let message = format!("'schema' is not a JSON Schema: {error}");
    Some(Problem::error("bad-schema", path, message))
}

/// Checks the configuration of a transformer against its schema, and if it fits,
/// lets the transformer look at it.
async fn check_transformer(
    engine: &Engine,
    used: &TransformerUse,
    path: &str,
    plugins: &mut References,
    faults: &mut HashMap<Arc<str>, usize>,
    problems: &mut Vec<Problem>,
) {
    let Some(plugin) = plugins.find(&used.plugin, path, problems) else { return };
    let transformer = match plugin.transformer() {
        Ok(transformer) => transformer,
        Err(error) => return problems.push(Problem::error("plugin", path, error.to_string())),
    };
    let at_config = format!("{path}.config");
    let before = problems.len();
    check_config(&plugin, &used.config, &at_config, problems);
    let faults = faults.entry(plugin.digest().clone()).or_default();
    if problems.len() > before || !transformer.checks() || *faults == MAX_FAULTS {
        return;
    }
    let (defaults, ceiling) = (engine.plugin_host().defaults(), engine.plugin_host().ceiling());
    let mut limits = Limits::settle(&[&plugin.manifest().limits], defaults, ceiling);
    limits.time = limits.time.min(CHECK_TIME);
    let config = Value::Object(used.config.clone());
    let context = CallContext { config: config.to_string().into(), ..CallContext::new(limits) };
    let hint = format!("'consort plugin inspect {}' shows what it takes", plugin.name());
    match transformer.check(&context).await {
        Ok(complaints) => {
            problems.extend(complaints.into_iter().take(MAX_COMPLAINTS).map(|complaint| {
                let Complaint { path, message, hint: own } = complaint;
                let path = path_of(&at_config, &path, &config);
                let said = |text: String| text.chars().take(MAX_SAID).collect::<String>();
                let problem = Problem::error("bad-config", path, said(message));
                problem.hint(own.map_or_else(|| hint.clone(), said))
            }))
        }
        Err(error) => {
            *faults += 1;
            let message = format!("the configuration could not be checked: {error}");
            problems.push(Problem::error("plugin", at_config, message).hint(hint));
        }
    }
}
