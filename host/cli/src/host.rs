//! The *host* a command works with: the operator's configuration, plugins and a
//! place for compiled code.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use clap::Args;
use consort_core::plan::Compiled;
use consort_core::problem::{Problem, Severity};
use consort_core::spec::Format;
use consort_default_plugins::DEFAULT_PLUGINS;
use consort_engine::{Engine, EngineError, HostConfig, Operator, Run, Setup};
use consort_plugin_host::{Catalog, EmbeddedPlugin};
use serde_json::{Map, Value};

use crate::diagnose;
use crate::document::{Document, read_file};
use crate::error::CommandError;

/// The configuration that is used when none is named, where the command runs.
const DEFAULT_CONFIG: &str = "consort.yaml";

/// Plugins inside the binary.
static EMBEDDED: LazyLock<Vec<EmbeddedPlugin>> = LazyLock::new(|| {
    let plugin = |&(name, digest, component)| EmbeddedPlugin { name, digest, component };
    DEFAULT_PLUGINS.iter().map(plugin).collect()
});

/// Where more plugins are.
#[derive(Debug, Args)]
pub(crate) struct PluginArgs {
    /// Directory with more plugins: every '*.wasm' file in it
    #[arg(long, value_name = "DIR", env = "CONSORT_PLUGINS", hide_env_values = true)]
    plugins: Option<PathBuf>,
}

impl PluginArgs {
    /// Reads what plugins say about themselves; loads none.
    pub(crate) fn catalog(&self) -> Result<Catalog, CommandError> {
        Catalog::new(&EMBEDDED, self.plugins.as_deref())
            .map_err(|error| CommandError::invalid(error.to_string()))
    }
}

/// What a host is made of.
#[derive(Debug, Args)]
pub(crate) struct HostArgs {
    /// Host configuration with agents, limits, network and secrets
    /// [default: consort.yaml in the current directory, if there is one]
    #[arg(long, value_name = "FILE", env = "CONSORT_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,

    #[command(flatten)]
    plugins: PluginArgs,
}

/// Which policy a run begins with.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// Which ready task runs first: a prioritizer's name, 'name@digest' or file,
    /// in place of the configuration's 'policy' [default: priority]
    #[arg(long, value_name = "NAME|FILE.wasm")]
    policy: Option<String>,

    /// What the policy is told: a JSON object, such as '{"ageing": 5}'
    #[arg(long, value_name = "JSON", value_parser = object)]
    policy_config: Option<Map<String, Value>>,
}

/// Where the operator wrote things down.
pub(crate) struct Written {
    /// The host configuration.
    pub(crate) config: Document,
    /// The policy.
    pub(crate) policy: Document,
}

/// The place of what is written in no file.
fn written(name: &str) -> Document {
    Document { name: name.to_owned(), text: String::new(), format: Format::Yaml }
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("write a JSON object, such as '{\"ageing\": 5}'".to_owned()),
        Err(error) => Err(format!("it is not JSON: {error}")),
    }
}

impl PolicyArgs {
    /// Puts the policy of the command line in place of the configuration's: with
    /// another plugin, what the old one was told goes as well.
    fn choose(&self, config: &mut HostConfig) -> Option<Document> {
        let name = match (&self.policy, &self.policy_config) {
            (Some(_), _) => "--policy",
            (None, Some(_)) => "--policy-config",
            (None, None) => return None,
        };
        let mut policy = match &self.policy {
            Some(plugin) => plugin.as_str().into(),
            None => config.policy(),
        };
        if let Some(told) = &self.policy_config {
            policy.config.clone_from(told);
        }
        config.policy = Some(policy);
        Some(written(name))
    }
}

impl HostArgs {
    /// What the operator wrote down, to be adjusted before it is set up, and
    /// where. Without `policy`, it is the configuration's.
    pub(crate) fn setup(
        &self,
        policy: Option<&PolicyArgs>,
    ) -> Result<(Setup, Written), CommandError> {
        let (mut config, file) = self.config()?;
        let policy = policy.and_then(|policy| policy.choose(&mut config));
        let written = Written { policy: policy.unwrap_or_else(|| file.clone()), config: file };
        let setup = Setup {
            config,
            embedded: &EMBEDDED,
            plugins_dir: self.plugins.plugins.clone(),
            cache_dir: cache_dir(),
            // Whoever runs a workflow here has read it.
            operator: Operator::Workflow,
            ..Setup::default()
        };
        Ok((setup, written))
    }

    fn config(&self) -> Result<(HostConfig, Document), CommandError> {
        let path = match &self.config {
            Some(path) => path.as_path(),
            None if Path::new(DEFAULT_CONFIG).exists() => Path::new(DEFAULT_CONFIG),
            None => return Ok((HostConfig::default(), written(DEFAULT_CONFIG))),
        };
        let name = path.display().to_string();
        let bytes = File::open(path).and_then(read_file).map_err(|error| {
            CommandError::invalid(format!(
                "could not read the host configuration '{name}': {error}"
            ))
            .hint("'--config FILE' or the environment variable CONSORT_CONFIG names it")
        })?;
        let document = Document::new(name, bytes)?;
        match HostConfig::parse(&document.text, document.format) {
            Ok(config) => Ok((config, document)),
            Err(problems) => Err(diagnose::problems(&document, problems)),
        }
    }
}

/// Checks everything about a compiled workflow, shows its warnings with `warn`,
/// and loads what it needs.
///
/// # Errors
///
/// Every problem of the workflow, and of what it tells plugins, together.
pub(crate) async fn prepare(
    engine: &Engine,
    compiled: Compiled,
    workflow: &Document,
    policy: &Document,
    warn: impl FnOnce(&CommandError),
) -> Result<Run, CommandError> {
    let Compiled { plan, needs } = compiled;
    let mut problems = engine.check(&needs, engine.policy()).await;
    problems.extend(match &plan {
        Ok(plan) => plan.warnings.iter().cloned(),
        Err(problems) => problems.iter().cloned(),
    });
    if let Some(warnings) = verdict(problems, workflow, policy)? {
        warn(&warnings);
    }
    let Ok(plan) = plan else { unreachable!("a workflow without a plan has errors") };
    let prepared = engine.prepare(plan, engine.policy()).await;
    prepared.map_err(|problems| split(problems, workflow, policy))
}

/// The warnings among the problems, if nothing worse is.
///
/// # Errors
///
/// All of them, if there are errors.
pub(crate) fn verdict(
    problems: Vec<Problem>,
    workflow: &Document,
    policy: &Document,
) -> Result<Option<CommandError>, CommandError> {
    if problems.is_empty() {
        return Ok(None);
    }
    let wrong = problems.iter().any(|problem| problem.severity == Severity::Error);
    let error = split(problems, workflow, policy);
    if wrong { Err(error) } else { Ok(Some(error)) }
}

/// What is wrong with the policy is shown where the policy was written, everything
/// else in the workflow.
fn split(problems: Vec<Problem>, workflow: &Document, policy: &Document) -> CommandError {
    let (of_policy, of_workflow): (Vec<_>, Vec<_>) = problems
        .into_iter()
        .partition(|problem| problem.path == "policy" || problem.path.starts_with("policy.config"));
    match (of_policy.is_empty(), of_workflow.is_empty()) {
        (false, true) => diagnose::problems(policy, of_policy),
        (true, _) => diagnose::problems(workflow, of_workflow),
        (false, false) => {
            diagnose::problems(policy, of_policy).and(diagnose::problems(workflow, of_workflow))
        }
    }
}

/// Sets a host up, with the configuration written there.
pub(crate) fn engine(setup: Setup, config: &Document) -> Result<Engine, CommandError> {
    Engine::new(setup).map_err(|error| {
        let message = error.to_string();
        match error {
            EngineError::Invalid { problems } => diagnose::problems(config, problems),
            EngineError::Host(_) => CommandError::failed(message),
            EngineError::Plugins(_) => CommandError::invalid(message)
                .hint("'--plugins DIR' or the environment variable CONSORT_PLUGINS names it"),
            EngineError::Secret { .. } => CommandError::invalid(message)
                .hint("'--secret NAME=env:VARIABLE', '--secret NAME=file:PATH' or 'secrets' in the host configuration say where it comes from"),
        }
    })
}

/// Where compiled code is kept; nowhere without a home.
fn cache_dir() -> Option<PathBuf> {
    let variable =
        |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("CONSORT_CACHE_DIR")
        .or_else(|| variable("XDG_CACHE_HOME").map(|dir| dir.join("consort")))
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache/consort")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plugins_of_the_binary_are_known_without_any_directory() {
        let catalog = PluginArgs { plugins: None }.catalog().unwrap();
        let names: Vec<String> =
            catalog.list().unwrap().iter().map(|plugin| plugin.name.to_string()).collect();
        assert!(names.iter().any(|name| name == "echo"), "{names:?}");
        assert_eq!(names.len(), DEFAULT_PLUGINS.len());
    }
}
