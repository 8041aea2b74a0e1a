//! The *cast* of a run: every plugin it needs, loaded, with each agent's and
//! each transformer's configuration checked and ready to be passed on.

use std::collections::HashMap;
use std::sync::Arc;

use consort_core::plan::{Agent, Plan, Task, TransformerUse, Work};
use consort_core::problem::Problem;
use consort_plugin_host::egress::{Grants, Placeholder, Rule, SecretGrant};
use consort_plugin_host::{
    Adapter, CallContext, LimitSpec, Limits, Observer, Plugin, Prioritizer, Transformer,
};
use serde_json::Value;
use url::Url;

use crate::check::bad_schema;
use crate::config::{self, PolicyConfig};
use crate::plugin_config::{check_config, replace_secrets};
use crate::references::References;
use crate::setup::{Engine, KnownSecret, Operator};

/// The longest a run waits for its policy, in milliseconds, unless the policy's
/// manifest asks for another limit. The built-in order decides a tick that takes
/// longer, so an idle policy must not cost as much patience as an agent gets.
const POLICY_TIME: u64 = 5_000;

/// Every plugin a run needs.
#[derive(Default)]
pub(crate) struct Cast {
    /// By the plan's numbers.
    pub(crate) agents: Vec<CastAgent>,
    transformers: HashMap<TransformerKey, CastTransformer>,
    /// Of an open run, all that there are, by name: its tasks are not known yet.
    all_transformers: HashMap<String, Transformer>,
    defaults: Limits,
    ceiling: Limits,
}

/// The same plugin with the same configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct TransformerKey {
    plugin: String,
    config: String,
}

/// An agent and the adapter that speaks to it.
pub(crate) struct CastAgent {
    pub(crate) name: Arc<str>,
    pub(crate) adapter: Adapter,
    /// With placeholders for secrets.
    pub(crate) config: Arc<str>,
    pub(crate) url: Option<Arc<str>>,
    limits: LimitSpec,
    grants: Arc<Grants>,
    /// Secrets that go wherever the agent is, for tasks that say where that is.
    floating: Vec<(Placeholder, KnownSecret)>,
    operator: Operator,
}

/// A transformer and how it is used.
#[derive(Clone)]
pub(crate) struct CastTransformer {
    pub(crate) transformer: Transformer,
    pub(crate) config: Arc<str>,
}

/// The run's policy.
pub(crate) struct CastPrioritizer {
    pub(crate) plugin: Plugin,
    pub(crate) prioritizer: Prioritizer,
    pub(crate) config: Arc<str>,
    pub(crate) limits: Limits,
}

impl Cast {
    /// Loads what a plan needs, and the prioritizer apart: it has one user, the
    /// others have many. All problems are reported at once.
    pub(crate) async fn gather(
        engine: &Engine,
        plan: &Plan,
        policy: &PolicyConfig,
    ) -> Result<(Self, CastPrioritizer), Vec<Problem>> {
        let mut wanted: Vec<&str> = vec![&policy.plugin];
        wanted.extend(plan.agents.iter().map(|agent| agent.adapter.as_str()));
        wanted.extend(plan.transformers().map(|used| used.plugin.as_str()));
        let every: &[String] = if plan.open { &engine.known().transformers } else { &[] };
        wanted.extend(every.iter().map(String::as_str));
        let mut plugins = References::load(engine, wanted).await;
        let mut problems = Vec::new();
        for task in &plan.tasks {
            check_task(task, &mut problems);
        }
        let mut agents = Vec::with_capacity(plan.agents.len());
        for agent in &plan.agents {
            let path = format!("agents.{}", agent.name);
            let at = format!("{path}.adapter");
            let Some(plugin) = plugins.find(&agent.adapter, &at, &mut problems) else {
                continue;
            };
            agents.extend(CastAgent::new(engine, agent, &plugin, &path, &mut problems));
        }
        let mut transformers = HashMap::new();
        for (used, path) in plan.tasks.iter().flat_map(task_transformers) {
            let key = key(used);
            if transformers.contains_key(&key) {
                continue;
            }
            let Some(plugin) = plugins.find(&used.plugin, &path, &mut problems) else {
                continue;
            };
            check_config(&plugin, &used.config, &format!("{path}.config"), &mut problems);
            match plugin.transformer() {
                Ok(transformer) => {
                    let config = key.config.as_str().into();
                    transformers.insert(key, CastTransformer { transformer, config });
                }
                Err(error) => problems.push(Problem::error("plugin", path, error.to_string())),
            }
        }
        let mut all_transformers = HashMap::new();
        for name in every {
            let Some(plugin) = plugins.find(name, "", &mut problems) else { continue };
            match plugin.transformer() {
                Ok(transformer) => {
                    all_transformers.insert(name.clone(), transformer);
                }
                Err(error) => problems.push(Problem::error("plugin", "", error.to_string())),
            }
        }
        let defaults = *engine.plugin_host().defaults();
        let ceiling = *engine.plugin_host().ceiling();
        let prioritizer = plugins
            .find(&policy.plugin, "policy", &mut problems)
            .and_then(|plugin| CastPrioritizer::new(engine, plugin, policy, &mut problems));
        match prioritizer {
            Some(prioritizer) if problems.is_empty() => {
                let cast = Self { agents, transformers, all_transformers, defaults, ceiling };
                Ok((cast, prioritizer))
            }
            _ => Err(problems),
        }
    }

    /// The transformer for one use.
    pub(crate) fn transformer(&self, used: &TransformerUse) -> Option<CastTransformer> {
        let key = key(used);
        self.transformers.get(&key).cloned().or_else(|| {
            let transformer = self.all_transformers.get(&used.plugin)?.clone();
            Some(CastTransformer { transformer, config: key.config.into() })
        })
    }

    /// Checks what a task says that comes to an open run, as far as its plugins
    /// and agents have a say.
    pub(crate) fn check(&self, task: &Task, problems: &mut Vec<Problem>) {
        check_task(task, problems);
        for (used, path) in task_transformers(task) {
            match self.all_transformers.get(&used.plugin) {
                Some(transformer) => {
                    let path = format!("{path}.config");
                    check_config(transformer.plugin(), &used.config, &path, problems);
                }
                None if self.transformer(used).is_some() => {}
                None => {
                    let message = format!("the run has no transformer '{}'", used.plugin);
                    let hint = "name one that is installed, or that the run began with";
                    problems.push(Problem::error("unknown-transformer", path, message).hint(hint));
                }
            }
        }
    }

    /// Everything about a call of an agent's adapter but its arguments.
    pub(crate) fn agent_call(
        &self,
        agent: &CastAgent,
        task: &Task,
        observer: Arc<dyn Observer>,
    ) -> CallContext {
        CallContext {
            limits: self.limits(task, &agent.limits, agent.adapter.plugin()),
            config: agent.config.clone(),
            grants: agent.grants_for(task),
            observer: Some(observer),
        }
    }

    /// The limits of one call that is made for several.
    pub(crate) fn together(&self, all: impl IntoIterator<Item = Limits>) -> Limits {
        Limits::together(all, &self.ceiling)
    }

    /// Everything about a call of a transformer but its arguments.
    pub(crate) fn transformer_call(
        &self,
        used: &CastTransformer,
        task: &Task,
        observer: Arc<dyn Observer>,
    ) -> CallContext {
        CallContext {
            limits: self.limits(task, &LimitSpec::default(), used.transformer.plugin()),
            config: used.config.clone(),
            grants: Arc::default(),
            observer: Some(observer),
        }
    }

    /// The task's, else the agent's, else the manifest's, else the defaults.
    fn limits(&self, task: &Task, agent: &LimitSpec, plugin: &Plugin) -> Limits {
        let resources = &task.settings.resources;
        let own = LimitSpec {
            fuel: resources.fuel,
            memory: resources.memory,
            network: resources.network_bytes,
            network_rate: resources.network_rate,
            ..LimitSpec::default()
        };
        let specs = [&own, agent, &plugin.manifest().limits];
        Limits::settle(&specs, &self.defaults, &self.ceiling)
    }
}

fn key(used: &TransformerUse) -> TransformerKey {
    TransformerKey {
        plugin: used.plugin.clone(),
        config: Value::Object(used.config.clone()).to_string(),
    }
}

/// Every transformer of a task and where it stands.
fn task_transformers(task: &Task) -> impl Iterator<Item = (&TransformerUse, String)> {
    let own = task.settings.transform.iter().enumerate();
    let own = own.map(move |(n, used)| (used, format!("{}.transform[{n}]", task.id)));
    let edges = task.dependencies.iter().flat_map(move |edge| {
        let uses = edge.transform.iter().enumerate();
        uses.map(move |(n, used)| {
            (used, format!("{}.depends_on.{}.transform[{n}]", task.id, edge.name))
        })
    });
    own.chain(edges)
}

impl CastPrioritizer {
    pub(crate) fn new(
        engine: &Engine,
        plugin: Plugin,
        policy: &PolicyConfig,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let prioritizer = plugin
            .prioritizer()
            .map_err(|error| problems.push(Problem::error("plugin", "policy", error.to_string())))
            .ok()?;
        check_config(&plugin, &policy.config, "policy.config", problems);
        let config = Value::Object(policy.config.clone()).to_string().into();
        let (defaults, ceiling) = (engine.plugin_host().defaults(), engine.plugin_host().ceiling());
        let defaults = Limits { time: defaults.time.min(POLICY_TIME), ..*defaults };
        let limits = Limits::settle(&[&plugin.manifest().limits], &defaults, ceiling);
        Some(Self { plugin, prioritizer, config, limits })
    }
}

impl CastAgent {
    pub(crate) fn new(
        engine: &Engine,
        agent: &Agent,
        plugin: &Plugin,
        path: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let before = problems.len();
        check_config(plugin, &agent.config, &format!("{path}.config"), problems);
        let adapter = plugin
            .adapter()
            .map_err(|error| problems.push(Problem::error("plugin", path, error.to_string())))
            .ok();
        let limits = config::limits(&agent.limits, &format!("{path}.limits"), problems);
        let endpoint = agent.url.as_deref().and_then(|url| check_url(url, path, problems));
        let mut config = Value::Object(agent.config.clone());
        let mut used = Vec::new();
        if let Some(schema) = &plugin.manifest().config_schema {
            let path = format!("{path}.config");
            replace_secrets(engine, schema, &mut config, &path, &mut used, problems);
        }
        if problems.len() > before {
            return None;
        }
        let operator = engine.operator();
        let mut grants = Grants {
            operator: engine.config().network.allow.clone(),
            endpoint: endpoint.clone(),
            secrets: Vec::new(),
        };
        let origin = endpoint.as_ref().and_then(Rule::origin);
        // The operator named this agent, or the workflow did and its word counts.
        if operator == Operator::Workflow || engine.config().agents.contains_key(&*agent.name) {
            grants.operator.extend(origin.clone());
        }
        let mut floating = Vec::new();
        for (placeholder, secret) in used {
            match secret.to.clone().or_else(|| origin.clone().map(|rule| vec![rule])) {
                Some(to) => {
                    grants.secrets.push(SecretGrant { placeholder, value: secret.value, to });
                }
                None => floating.push((placeholder, secret)),
            }
        }
        Some(Self {
            name: agent.name.clone(),
            adapter: adapter?,
            config: config.to_string().into(),
            url: agent.url.clone(),
            limits: limits?,
            grants: Arc::new(grants),
            floating,
            operator,
        })
    }

    /// What a task may reach: what its agent may, and the URL it names itself.
    fn grants_for(&self, task: &Task) -> Arc<Grants> {
        let Some(url) = task.settings.url.as_deref().and_then(|url| parse_url(url).ok()) else {
            return self.grants.clone();
        };
        let mut grants = Grants::clone(&self.grants);
        if let Some(origin) = Rule::origin(&url)
            && self.operator == Operator::Workflow
        {
            for (placeholder, secret) in &self.floating {
                grants.secrets.push(SecretGrant {
                    placeholder: placeholder.clone(),
                    value: secret.value.clone(),
                    to: vec![origin.clone()],
                });
            }
            grants.operator.push(origin);
        }
        grants.endpoint = Some(url);
        Arc::new(grants)
    }
}

/// Checks the URL that a task names itself, and the schema of an approval.
fn check_task(task: &Task, problems: &mut Vec<Problem>) {
    if let (Work::Agents(_), Some(url)) = (&task.work, &task.settings.url) {
        check_url(url, &task.id, problems);
    }
    if let Some(schema) = &task.settings.schema {
        problems.extend(bad_schema(schema, &task.id));
    }
}

/// The URL, or what is wrong with it and what to write instead.
fn parse_url(text: &str) -> Result<Url, (String, &'static str)> {
    match Url::parse(text) {
        Ok(url) if Rule::origin(&url).is_some() => Ok(url),
        Ok(url) => Err((
            format!("'{url}' is not an HTTP address"),
            "agents answer at http:// or https:// URLs",
        )),
        Err(error) => Err((
            format!("'{text}' is not a URL: {error}"),
            "write it in full, such as https://agents.example.com/v1",
        )),
    }
}

/// The same, where what is wrong is a problem of `path`.
pub(crate) fn check_url(text: &str, path: &str, problems: &mut Vec<Problem>) -> Option<Url> {
    let url = parse_url(text).map_err(|(message, hint)| {
        problems.push(Problem::error("bad-url", format!("{path}.url"), message).hint(hint));
    });
    url.ok()
}
