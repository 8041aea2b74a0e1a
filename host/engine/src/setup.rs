//! An *engine* is a host that is set up: plugins to choose from, an operator's
//! rules, and room to run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use consort_core::plan::{Known, Plan};
use consort_core::problem::{Problem, nearest};
use consort_plugin_host::egress::{Rule, Secret, SigningKey};
use consort_plugin_host::{
    Catalog, EmbeddedPlugin, HostError, HostOptions, Kind, LoadError, PluginHost,
};

use crate::cache::Cache;
use crate::cast::Cast;
use crate::config::{HostConfig, PolicyConfig};
use crate::run::Run;
use crate::webhook::Webhook;

/// Who does a task that names no agent, unless configured.
const DEFAULT_AGENT: &str = "local";

/// What an engine is made of.
#[derive(Debug, Default)]
pub struct Setup {
    /// What the operator wrote down.
    pub config: HostConfig,
    /// Plugins inside the binary.
    pub embedded: &'static [EmbeddedPlugin],
    /// A directory with more plugins.
    pub plugins_dir: Option<PathBuf>,
    /// Where compiled code is kept; nowhere if none.
    pub cache_dir: Option<PathBuf>,
    /// Whose word counts about the network.
    pub operator: Operator,
    /// Secrets given besides those of the configuration, by name.
    pub secrets: BTreeMap<String, Secret>,
}

/// Whose word counts about what plugins may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Operator {
    /// The configuration's alone.
    #[default]
    Configuration,
    /// The workflow's as well: whoever runs it is the operator, so agents may
    /// reach the URLs that it names.
    Workflow,
}

/// An engine that could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The plugin host could not be started.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A plugin could not be listed.
    #[error(transparent)]
    Plugins(#[from] LoadError),
    /// A secret of the configuration could not be had.
    #[error("the secret '{name}' could not be read: {reason}")]
    Secret {
        /// Its name.
        name: String,
        /// Why not, and where it should have been.
        reason: String,
    },
    /// The configuration does not fit together.
    #[error("the host configuration is not valid: {}", .problems[0].message)]
    Invalid {
        /// What is wrong, at least one.
        problems: Vec<Problem>,
    },
}

/// A host that is set up. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    config: HostConfig,
    catalog: Catalog,
    known: Known,
    host: PluginHost,
    operator: Operator,
    secrets: BTreeMap<String, KnownSecret>,
    cache: Cache,
    /// Whose cached results are shared.
    namespace: Arc<str>,
    webhooks: Vec<Arc<Webhook>>,
}

/// A secret and where it may go.
#[derive(Debug, Clone)]
pub(crate) struct KnownSecret {
    pub(crate) value: Secret,
    /// None: to the URL of the agent that uses it.
    pub(crate) to: Option<Vec<Rule>>,
}

impl Engine {
    /// Sets up an engine. Plugins are listed, not loaded.
    ///
    /// # Errors
    ///
    /// See [`EngineError`].
    pub fn new(setup: Setup) -> Result<Self, EngineError> {
        let Setup { config, embedded, plugins_dir, cache_dir, operator, secrets } = setup;
        let catalog = Catalog::new(embedded, plugins_dir.as_deref())?;
        let host = PluginHost::new(HostOptions {
            cache_dir,
            load: config.plugins.clone(),
            defaults: config.default_limits(),
            ceiling: config.ceiling(),
            egress: config.network.options.clone(),
            ..HostOptions::default()
        })?;
        let given =
            secrets.into_iter().map(|(name, value)| (name, KnownSecret { value, to: None }));
        let mut secrets = read_secrets(&config)?;
        secrets.extend(given);
        let known = known(&config, &catalog)?;
        let webhooks =
            webhooks(&config, &secrets).map_err(|problems| EngineError::Invalid { problems })?;
        let cache = Cache::default();
        let namespace = config.namespace().into();
        Ok(Self(Arc::new(Inner {
            config,
            catalog,
            known,
            host,
            operator,
            secrets,
            cache,
            namespace,
            webhooks,
        })))
    }

    /// What a workflow may refer to, for the compiler.
    pub fn known(&self) -> &Known {
        &self.0.known
    }

    /// The plugins to choose from.
    pub fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    /// What runs the plugins.
    pub fn plugin_host(&self) -> &PluginHost {
        &self.0.host
    }

    pub(crate) fn config(&self) -> &HostConfig {
        &self.0.config
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.0.cache
    }

    pub(crate) fn namespace(&self) -> Arc<str> {
        self.0.namespace.clone()
    }

    /// Who is told what happens in runs.
    pub(crate) fn webhooks(&self) -> &[Arc<Webhook>] {
        &self.0.webhooks
    }

    pub(crate) fn operator(&self) -> Operator {
        self.0.operator
    }

    pub(crate) fn secret(&self, name: &str) -> Option<&KnownSecret> {
        self.0.secrets.get(name)
    }

    pub(crate) fn secret_names(&self) -> impl Iterator<Item = &str> {
        self.0.secrets.keys().map(String::as_str)
    }

    /// The policy of the configuration.
    pub fn policy(&self) -> PolicyConfig {
        self.0.config.policy()
    }

    /// Loads every plugin a plan needs, and the prioritizer of `policy`, and
    /// checks their configurations.
    ///
    /// # Errors
    ///
    /// Every plugin that could not be loaded and every configuration that does
    /// not fit. The path of those about the policy is `policy`, or below
    /// `policy.config`; no other path is like that.
    pub async fn prepare(
        &self,
        plan: Plan,
        policy: impl Into<PolicyConfig>,
    ) -> Result<Run, Vec<Problem>> {
        let policy = policy.into();
        let (cast, prioritizer) = Cast::gather(self, &plan, &policy).await?;
        let slots = self.0.config.concurrency();
        Ok(Run::new(self.clone(), plan, cast, prioritizer, policy, slots, self.known()))
    }
}

fn known(config: &HostConfig, catalog: &Catalog) -> Result<Known, LoadError> {
    let default_agent = config.default_agent.as_deref().unwrap_or(DEFAULT_AGENT);
    let mut known = Known {
        agents: config.agents.clone(),
        default_agent: Some(default_agent.to_owned()),
        ..Known::default()
    };
    for plugin in catalog.list()? {
        match plugin.kind {
            Kind::Adapter => known.adapters.push(plugin.name),
            Kind::Transformer => known.transformers.push(plugin.name),
            Kind::Prioritizer => {}
        }
    }
    Ok(known)
}

/// The webhooks of a configuration, with their keys.
fn webhooks(
    config: &HostConfig,
    secrets: &BTreeMap<String, KnownSecret>,
) -> Result<Vec<Arc<Webhook>>, Vec<Problem>> {
    let mut webhooks = config.webhooks()?;
    let mut problems = Vec::new();
    for (n, (webhook, written)) in webhooks.iter_mut().zip(&config.webhooks).enumerate() {
        let Some(name) = &written.secret else { continue };
        let path = format!("webhooks[{n}].secret");
        let Some(secret) = secrets.get(name) else {
            let problem =
                Problem::error("unknown-secret", path, format!("there is no secret '{name}'"));
            problems.push(problem.hint(match nearest(name, secrets.keys().map(String::as_str)) {
                Some(near) => format!("did you mean '{near}'?"),
                None => format!("say under 'secrets' where '{name}' comes from"),
            }));
            continue;
        };
        match SigningKey::new(&secret.value) {
            Ok(key) => webhook.key = Some(key),
            Err(error) => problems.push(
                Problem::error(
                    "bad-secret",
                    path,
                    format!("the secret '{name}' is no key: {error}"),
                )
                .hint("give the key as the receiver shows it, or any text without 'whsec_'"),
            ),
        }
    }
    if problems.is_empty() {
        Ok(webhooks.into_iter().map(Arc::new).collect())
    } else {
        Err(problems)
    }
}

fn read_secrets(config: &HostConfig) -> Result<BTreeMap<String, KnownSecret>, EngineError> {
    let mut secrets = BTreeMap::new();
    for (name, source) in &config.secrets {
        let failed = |reason: String| EngineError::Secret { name: name.clone(), reason };
        let text = match (&source.env, &source.file) {
            (Some(variable), _) => std::env::var(variable)
                .map_err(|error| failed(format!("environment variable '{variable}': {error}")))?,
            (None, Some(file)) => std::fs::read_to_string(file)
                .map_err(|error| failed(format!("file '{}': {error}", file.display())))?,
            (None, None) => return Err(failed("neither 'env' nor 'file' is given".to_owned())),
        };
        let value = Secret::new(text).map_err(|error| failed(error.to_string()))?;
        secrets.insert(name.clone(), KnownSecret { value, to: source.to.clone() });
    }
    Ok(secrets)
}
