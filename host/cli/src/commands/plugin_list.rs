//! `consort plugin list`: the plugins a name can mean.

use clap::Args;
use consort_plugin_host::{Listing, short_digest};
use serde_json::json;

use crate::error::{CommandError, Exit};
use crate::host::PluginArgs;
use crate::table::Table;
use crate::terminal::{harmless, one_line, print, print_json, tell};

/// Characters of a description in the table; JSON has all of it.
const WIDEST: usize = 72;

/// List the plugins inside this binary and in the plugins directory
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consort plugin list
  consort plugin list --plugins ./plugins --json

Exit codes: 0 listed, 2 the plugins directory cannot be read")]
pub(crate) struct PluginListArgs {
    #[command(flatten)]
    plugins: PluginArgs,

    /// Print one JSON object: {plugins: [{name, version, kind, …}], passed_over: […]}
    #[arg(long)]
    json: bool,
}

/// Carries the command out.
pub(crate) fn plugin_list(args: &PluginListArgs) -> Result<Exit, CommandError> {
    let catalog = args.plugins.catalog()?;
    let plugins = catalog.list().map_err(|error| CommandError::failed(error.to_string()))?;
    let passed_over: Vec<String> = catalog.problems().iter().map(ToString::to_string).collect();
    if args.json {
        let plugins: Vec<_> = plugins.iter().map(as_json).collect();
        print_json(&json!({"plugins": plugins, "passed_over": passed_over}))?;
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["NAME", "VERSION", "KIND", "DIGEST", "FROM", "DESCRIPTION"]);
    for plugin in &plugins {
        table.row([
            plugin.name.to_string(),
            plugin.version.to_string(),
            plugin.kind.to_string(),
            short_digest(&plugin.digest).to_owned(),
            plugin.origin.to_string(),
            one_line(&plugin.manifest.description, WIDEST),
        ]);
    }
    print(&harmless(&table.to_string()))?;
    for problem in passed_over {
        tell(&format!("passed over: {}", harmless(&problem)));
    }
    Ok(Exit::Success)
}

fn as_json(plugin: &Listing) -> serde_json::Value {
    json!({
        "name": plugin.name,
        "version": plugin.version,
        "kind": plugin.kind,
        "digest": plugin.digest,
        "from": plugin.origin.to_string(),
        "size": plugin.size,
        "description": plugin.manifest.description,
    })
}
