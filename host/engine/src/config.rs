//! The *host configuration*: what the operator of a host decides for every
//! workflow that runs on it. YAML or JSON, by custom `consort.yaml`.

mod webhook;

use std::collections::BTreeMap;
use std::path::PathBuf;

use consort_core::plan::check_agents;
use consort_core::problem::{Problem, nearest};
use consort_core::spec::{AgentDoc, Format, parse_typed};
use consort_plugin_host::egress::{EgressOptions, Rule};
use consort_plugin_host::{LimitSpec, Limits, LoadOptions};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::webhook::Webhook;

pub use webhook::WebhookConfig;

/// A host configuration. Every field may be left out.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HostConfig {
    /// Agents that any workflow may use by name.
    pub agents: BTreeMap<String, AgentDoc>,
    /// Who does a task that names no agent; `local` unless given.
    pub default_agent: Option<String>,
    /// Which ready task runs first; `priority` decides unless given.
    pub policy: Option<PolicyConfig>,
    /// What loading plugins may cost.
    pub plugins: LoadOptions,
    /// Limits of plugin calls.
    pub limits: LimitsConfig,
    /// What plugins may reach.
    pub network: NetworkConfig,
    /// Where secrets come from, by name.
    pub secrets: BTreeMap<String, SecretConfig>,
    /// Who is told what happens in runs.
    pub webhooks: Vec<WebhookConfig>,
    /// Attempts that may run at once; 1,024 unless given.
    pub concurrency: Option<u32>,
    /// Bytes of results that a run may have in memory; 2 GiB unless given. One
    /// that would be more is a failure of its task. In a run that is recorded,
    /// results above 64 KiB are in the store and do not count.
    pub results: Option<u64>,
    /// The state of a run that is recorded is saved whenever so much has happened
    /// to it, and at least as much as it has tasks: results, polls, answers, scores.
    /// 65,536 unless given; 0 means never. What happened since is gone through when
    /// the run comes back.
    pub snapshot_every: Option<u64>,
    /// Cached results are shared among runs of the same namespace and never
    /// with others; `default` unless given.
    pub namespace: Option<String>,
}

/// A run's policy: a prioritizer, `PLUGIN` or `{plugin: PLUGIN, config: {…}}`,
/// where `PLUGIN` is a name, `name@digest` or a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "PolicyDoc")]
pub struct PolicyConfig {
    /// Which prioritizer.
    pub plugin: String,
    /// What it is told, as the schema in its manifest says.
    pub config: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "a prioritizer's name or file, or an object {plugin, config}"
)]
enum PolicyDoc {
    Name(String),
    Configured {
        plugin: String,
        #[serde(default)]
        config: Map<String, Value>,
    },
}

impl From<PolicyDoc> for PolicyConfig {
    fn from(doc: PolicyDoc) -> Self {
        match doc {
            PolicyDoc::Name(plugin) => Self { plugin, config: Map::new() },
            PolicyDoc::Configured { plugin, config } => Self { plugin, config },
        }
    }
}

impl From<&str> for PolicyConfig {
    fn from(plugin: &str) -> Self {
        Self { plugin: plugin.to_owned(), config: Map::new() }
    }
}

/// Limits of plugin calls, where neither task, agent nor manifest says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Replaces the built-in defaults field by field.
    pub defaults: LimitSpec,
    /// Replaces the built-in ceiling field by field. Nobody gets more.
    pub ceiling: LimitSpec,
}

/// What plugins may reach besides the URLs of the agents they serve.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// Requests allowed for every agent whose plugin asks for them.
    pub allow: Vec<Rule>,
    /// Timeouts, private address ranges, extra certificates.
    pub options: EgressOptions,
}

/// Where a secret comes from: exactly one of the two.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecretConfig {
    /// An environment variable.
    pub env: Option<String>,
    /// A file; white space around its content is dropped.
    pub file: Option<PathBuf>,
    /// The requests it may be sent with; without this, those to the URL of the
    /// agent that uses it.
    pub to: Option<Vec<Rule>>,
}

/// Which ready task runs first, unless configured.
const DEFAULT_POLICY: &str = "priority";
/// Attempts at once unless configured.
const DEFAULT_CONCURRENCY: u32 = 1_024;
/// Whose cached results are shared, unless configured.
const DEFAULT_NAMESPACE: &str = "default";
/// What happens to a run before its state is saved, unless configured: less than
/// a tenth of a second of going through it again.
const DEFAULT_SNAPSHOT_EVERY: u64 = 65_536;
/// Bytes of results that a run may have in memory, unless configured.
const DEFAULT_RESULTS: u64 = 2 << 30;

impl HostConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    ///
    /// What is wrong with it; an empty text is fine.
    pub fn parse(text: &str, format: Format) -> Result<Self, Vec<Problem>> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let config: Self = parse_typed(text, format)?;
        let mut problems = check_agents(&config.agents);
        for (name, secret) in &config.secrets {
            if secret.env.is_some() == secret.file.is_some() {
                problems.push(
                    Problem::error(
                        "bad-secret",
                        format!("secrets.{name}"),
                        "a secret comes from exactly one place",
                    )
                    .hint("give either 'env' or 'file'"),
                );
            }
        }
        webhook::check(&config.webhooks, &mut problems);
        if config.concurrency == Some(0) {
            problems.push(
                Problem::error("out-of-range", "concurrency", "a host without room never works")
                    .hint("give a number from 1, or leave it out"),
            );
        }
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    /// Who is told what happens in runs, without their keys.
    pub(crate) fn webhooks(&self) -> Result<Vec<Webhook>, Vec<Problem>> {
        let mut problems = Vec::new();
        let webhooks = webhook::check(&self.webhooks, &mut problems);
        if problems.is_empty() { Ok(webhooks) } else { Err(problems) }
    }

    /// Which ready task runs first.
    pub fn policy(&self) -> PolicyConfig {
        self.policy.clone().unwrap_or_else(|| DEFAULT_POLICY.into())
    }

    /// Attempts that may run at once.
    pub fn concurrency(&self) -> u32 {
        self.concurrency.unwrap_or(DEFAULT_CONCURRENCY)
    }

    /// Bytes of results that a run may have in memory.
    pub fn results(&self) -> u64 {
        self.results.unwrap_or(DEFAULT_RESULTS)
    }

    /// How much happens to a run before its state is saved.
    pub fn snapshot_every(&self) -> u64 {
        match self.snapshot_every.unwrap_or(DEFAULT_SNAPSHOT_EVERY) {
            0 => u64::MAX,
            every => every,
        }
    }

    /// Whose cached results are shared.
    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE)
    }

    /// The limits of a call nobody says anything about.
    pub fn default_limits(&self) -> Limits {
        Limits::settle(&[&self.limits.defaults], &Limits::DEFAULT, &self.ceiling())
    }

    /// The limits nobody gets past.
    pub fn ceiling(&self) -> Limits {
        const NO_CEILING: Limits = Limits {
            fuel: u64::MAX,
            memory: u64::MAX,
            cpu_time: u64::MAX,
            time: u64::MAX,
            log: u64::MAX,
            output: u64::MAX,
            headers: u64::MAX,
            network: u64::MAX,
            network_rate: u64::MAX,
            requests: u64::MAX,
        };
        Limits::settle(&[&self.limits.ceiling], &Limits::CEILING, &NO_CEILING)
    }
}

/// Reads limits as an agent's author wrote them.
pub(crate) fn limits(
    written: &serde_json::Map<String, Value>,
    path: &str,
    problems: &mut Vec<Problem>,
) -> Option<LimitSpec> {
    const KNOWN: [&str; 10] = [
        "fuel",
        "memory",
        "cpu_time",
        "time",
        "log",
        "output",
        "headers",
        "network",
        "network_rate",
        "requests",
    ];
    let error = match serde_json::from_value(Value::Object(written.clone())) {
        Ok(limits) => return Some(limits),
        Err(error) => error,
    };
    let problem = Problem::error("bad-limit", path, error.to_string().replace('`', "'"));
    let unknown = written.keys().find(|key| !KNOWN.contains(&key.as_str()));
    problems.push(match unknown.map(|wrong| nearest(wrong, KNOWN)) {
        Some(Some(near)) => problem.hint(format!("did you mean '{near}'?")),
        Some(None) => problem.hint(format!("limits are {}", KNOWN.join(", "))),
        None => problem.hint("limits are whole numbers; see 'consort plugin inspect'"),
    });
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_configuration_is_read() {
        let text = "
agents: {Writer: {adapter: openai, url: 'https://api.example.com/v1', config: {model: m}}}
default_agent: Writer
plugins: {component_size: 1000, compile_time: 2.5}
limits: {defaults: {fuel: 5}, ceiling: {memory: 1048576}}
network: {allow: ['GET https://example.com/docs'], options: {private: [10.0.0.0/8], connect_timeout: 3}}
secrets: {KEY: {env: KEY}}
concurrency: 4
";
        let config = HostConfig::parse(text, Format::Yaml).unwrap();
        assert_eq!(config.concurrency(), 4);
        assert_eq!(config.plugins.component_size, 1_000);
        assert_eq!(config.default_limits().fuel, 5);
        assert_eq!(config.default_limits().memory, 1_048_576);
        assert_eq!(config.agents["Writer"].adapter, "openai");
    }

    #[test]
    fn a_policy_is_a_name_or_a_name_with_its_configuration() {
        let policy = |text| HostConfig::parse(text, Format::Yaml).unwrap().policy();
        assert_eq!(policy("concurrency: 1"), "priority".into());
        assert_eq!(policy("policy: ./mine.wasm"), "./mine.wasm".into());
        assert_eq!(policy("policy: {plugin: deadline}"), "deadline".into());
        let configured = policy("policy: {plugin: priority, config: {ageing: 5}}");
        assert_eq!(configured.plugin, "priority");
        assert_eq!(Value::Object(configured.config), serde_json::json!({"ageing": 5}));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, code) in [
            ("agnets: {}", "unknown-field"),
            ("secrets: {K: {}}", "bad-secret"),
            ("concurrency: 0", "out-of-range"),
            ("agents: {A: {adapter: echo, max_concurrency: 0}}", "out-of-range"),
            ("agents: {A: {adapter: echo, rate_limit: 3/w}}", "bad-rate"),
            ("agents: {A: {adapter: echo, batch: {max: 0}}}", "out-of-range"),
            ("network: {allow: ['gopher://x']}", "wrong-type"),
            ("policy: {name: priority}", "wrong-type"),
            ("policy: {plugin: priority, configuration: {}}", "wrong-type"),
            ("policy: 3", "wrong-type"),
        ] {
            let problems = HostConfig::parse(text, Format::Yaml).unwrap_err();
            assert_eq!(problems[0].code, code, "{problems:?}");
        }
    }
}
