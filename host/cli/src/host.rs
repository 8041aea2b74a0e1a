//! The *host* a command works with: the operator's configuration, plugins and a
//! place for compiled code.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use clap::Args;
use consort_core::spec::Format;
use consort_default_plugins::DEFAULT_PLUGINS;
use consort_engine::{Engine, EngineError, HostConfig, Operator, Setup};
use consort_plugin_host::{Catalog, EmbeddedPlugin};

use crate::diagnose;
use crate::document::read_all;
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

    /// Which ready task runs first: a prioritizer's name, 'name@digest' or file
    #[arg(long, value_name = "NAME|FILE.wasm", default_value = "priority")]
    pub(crate) policy: String,
}

impl HostArgs {
    /// What the operator wrote down, to be adjusted before it is set up.
    pub(crate) fn setup(&self) -> Result<Setup, CommandError> {
        Ok(Setup {
            config: self.config()?,
            embedded: &EMBEDDED,
            plugins_dir: self.plugins.plugins.clone(),
            cache_dir: cache_dir(),
            // Whoever runs a workflow here has read it.
            operator: Operator::Workflow,
            ..Setup::default()
        })
    }

    fn config(&self) -> Result<HostConfig, CommandError> {
        let path = match &self.config {
            Some(path) => path.as_path(),
            None if Path::new(DEFAULT_CONFIG).exists() => Path::new(DEFAULT_CONFIG),
            None => return Ok(HostConfig::default()),
        };
        let name = path.display().to_string();
        let text = File::open(path).and_then(read_all).map_err(|error| {
            CommandError::invalid(format!(
                "could not read the host configuration '{name}': {error}"
            ))
            .hint("'--config FILE' or the environment variable CONSORT_CONFIG names it")
        })?;
        HostConfig::parse(&text, Format::guess(&name, &text))
            .map_err(|problems| diagnose::problems(&name, &text, problems))
    }
}

/// Sets a host up.
pub(crate) fn engine(setup: Setup) -> Result<Engine, CommandError> {
    Engine::new(setup).map_err(|error| {
        let message = error.to_string();
        match error {
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
