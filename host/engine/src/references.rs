//! The plugins that a workflow *refers* to: each is loaded once, and one that
//! cannot be had is reported once, where it is first asked for.

use std::collections::{HashMap, HashSet};

use consort_core::problem::Problem;
use consort_plugin_host::{LoadError, Plugin};

use crate::setup::Engine;

/// Plugins by what refers to them: a name, `name@digest` or a file.
pub(crate) struct References {
    plugins: HashMap<String, Result<Plugin, Problem>>,
    reported: HashSet<String>,
}

impl References {
    /// Loads all of them.
    pub(crate) async fn load<'r>(
        engine: &Engine,
        references: impl IntoIterator<Item = &'r str>,
    ) -> Self {
        let mut wanted: Vec<&str> = references.into_iter().collect();
        wanted.sort_unstable();
        wanted.dedup();
        let loads = wanted.iter().map(|reference| load(engine, reference));
        let loaded = futures::future::join_all(loads).await;
        let plugins = wanted.into_iter().map(str::to_owned).zip(loaded).collect();
        Self { plugins, reported: HashSet::new() }
    }

    /// The plugin that a reference at `path` leads to.
    pub(crate) fn find(
        &mut self,
        reference: &str,
        path: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<Plugin> {
        match self.plugins.get(reference)? {
            Ok(plugin) => Some(plugin.clone()),
            Err(problem) => {
                if self.reported.insert(reference.to_owned()) {
                    problems.push(Problem { path: path.to_owned(), ..problem.clone() });
                }
                None
            }
        }
    }
}

/// The plugin, or why it cannot be had, as a problem of no place yet.
async fn load(engine: &Engine, reference: &str) -> Result<Plugin, Problem> {
    let load = async {
        let source = engine.catalog().find(reference)?;
        engine.plugin_host().load(&source).await
    };
    load.await.map_err(|error: LoadError| {
        let code = if error.is_missing() { "missing-plugin" } else { "plugin" };
        let problem = Problem::error(code, "", error.to_string());
        match error.hint() {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    })
}
