//! `consort plugin inspect`: everything one plugin says about itself, read
//! without running it.

use std::borrow::Cow;
use std::fmt::Write as _;

use clap::Args;
use consort_plugin_host::{Catalog, LimitKind, Listing, LoadError, Source};
use serde_json::{Value, json};

use crate::component::{Outside, outside};
use crate::error::{CommandError, Exit};
use crate::host::PluginArgs;
use crate::terminal::{harmless, print};

/// Show what a plugin is, asks for and takes, without running it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consort plugin inspect openai
  consort plugin inspect ./my-agent.wasm --json

Exit codes: 0 shown, 2 there is no such plugin, or the file is not one")]
pub(crate) struct PluginInspectArgs {
    /// A plugin's name, 'name@digest' or file
    #[arg(value_name = "NAME|FILE")]
    plugin: String,

    #[command(flatten)]
    plugins: PluginArgs,

    /// Print one JSON object: {name, version, kind, digest, contract, imports, …}
    #[arg(long)]
    json: bool,
}

/// Carries the command out.
pub(crate) fn plugin_inspect(args: &PluginInspectArgs) -> Result<Exit, CommandError> {
    let catalog = args.plugins.catalog()?;
    let found = find(&catalog, &args.plugin).map_err(|error| {
        let hint = error
            .hint()
            .unwrap_or_else(|| "'consort plugin list' shows those installed".to_owned());
        CommandError::invalid(error.to_string()).hint(hint)
    })?;
    let text =
        if args.json { format!("{:#}\n", as_json(&found)) } else { harmless(&describe(&found)) };
    print(&text)?;
    Ok(Exit::Success)
}

/// A plugin that was found and read.
struct Found {
    listing: Listing,
    outside: Outside,
    /// The export that is its contract.
    contract: Option<String>,
    /// Whether it takes several tasks in one call.
    batches: bool,
    /// Whether it looks at its configuration before a run.
    checks: bool,
}

fn find(catalog: &Catalog, reference: &str) -> Result<Found, LoadError> {
    let source = catalog.find(reference)?;
    let (listing, bytes) = match &source {
        Source::Embedded(plugin) => {
            let all = catalog.list()?;
            let listing = all.into_iter().find(|listing| listing.digest == plugin.digest);
            let listing = listing.ok_or_else(|| LoadError::Unknown {
                name: reference.to_owned(),
                hint: "it is inside this binary, but not listed".to_owned(),
            })?;
            (listing, Cow::Borrowed(plugin.component))
        }
        Source::File(path) | Source::Pinned { path, .. } => {
            let listing = Listing::of_file(path)?;
            let bytes = std::fs::read(path)
                .map_err(|source| LoadError::Read { path: path.display().to_string(), source })?;
            (listing, Cow::Owned(bytes))
        }
        Source::Bytes { .. } => {
            unreachable!("a catalog holds files and embedded plugins, never bytes")
        }
    };
    let outside = outside(&bytes)
        .map_err(|reason| LoadError::NotAComponent { plugin: reference.to_owned(), reason })?;
    let is_batch = |export: &str| export.starts_with("consort:agent-adapter/batch@");
    let is_check = |export: &str| export.starts_with("consort:result-transformer/check@");
    let mut contracts = outside.exports.iter().filter(|export| export.starts_with("consort:"));
    let is_contract = |export: &&String| !is_batch(export) && !is_check(export);
    let contract = contracts.clone().find(is_contract).cloned();
    let batches = contracts.clone().any(|export| is_batch(export));
    let checks = contracts.any(|export| is_check(export));
    Ok(Found { listing, outside, contract, batches, checks })
}

fn as_json(found: &Found) -> Value {
    let Found { listing, outside, contract, batches, checks } = found;
    json!({
        "name": listing.name,
        "version": listing.version,
        "kind": listing.kind,
        "description": listing.manifest.description,
        "digest": listing.digest,
        "size": listing.size,
        "from": listing.origin.to_string(),
        "contract": contract,
        "batches": batches,
        "checks": checks,
        "imports": outside.imports,
        "exports": outside.exports,
        "capabilities": listing.manifest.capabilities,
        "limits": listing.manifest.limits,
        "config_schema": listing.manifest.config_schema,
    })
}

fn describe(found: &Found) -> String {
    write_description(found).expect("writing to a string cannot fail")
}

fn write_description(found: &Found) -> Result<String, std::fmt::Error> {
    let Found { listing, outside, contract, batches, checks } = found;
    let manifest = &listing.manifest;
    let mut out = String::new();
    writeln!(out, "{} {}  {}", listing.name, listing.version, listing.kind)?;
    if !manifest.description.is_empty() {
        writeln!(out, "{}", manifest.description)?;
    }
    writeln!(out)?;
    writeln!(out, "digest    {}", listing.digest)?;
    writeln!(out, "size      {} bytes", listing.size)?;
    writeln!(out, "from      {}", listing.origin)?;
    writeln!(out, "contract  {}", contract.as_deref().unwrap_or("none"))?;
    if *batches {
        writeln!(out, "batches   several tasks in one call")?;
    }
    if *checks {
        writeln!(out, "checks    its configuration, before a run")?;
    }
    write_list(&mut out, "imports", &outside.imports)?;
    let others = outside.exports.iter().filter(|export| Some(*export) != contract.as_ref());
    write_list(&mut out, "other exports", &others.cloned().collect::<Vec<_>>())?;
    let rights: Vec<String> =
        manifest.capabilities.http.iter().map(|rule| in_words(&json!(rule))).collect();
    match rights.is_empty() {
        true => writeln!(out, "\nnetwork\n  none: every request it makes is refused")?,
        false => write_list(&mut out, "network, where the operator allows it too", &rights)?,
    }
    writeln!(out, "\nlimits, unless the task or the agent says otherwise")?;
    let limits = json!(manifest.limits);
    match limits.as_object().filter(|limits| !limits.is_empty()) {
        None => writeln!(out, "  the host's defaults")?,
        Some(limits) => {
            for (name, value) in limits {
                writeln!(out, "  {name} {value}{}", unit(name))?;
            }
        }
    }
    match &manifest.config_schema {
        None => writeln!(out, "\nconfiguration\n  none")?,
        Some(schema) => {
            writeln!(out, "\nconfiguration (JSON Schema)")?;
            for line in format!("{schema:#}").lines() {
                writeln!(out, "  {line}")?;
            }
        }
    }
    Ok(out)
}

fn write_list(out: &mut String, title: &str, items: &[String]) -> std::fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}")?;
    items.iter().try_for_each(|item| writeln!(out, "  {item}"))
}

/// A capability as the manifest spells it.
fn in_words(rule: &Value) -> String {
    match rule {
        Value::String(text) if text == "endpoint" => "the URL of the agent or task".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The unit of a limit, with a space before it.
fn unit(name: &str) -> String {
    serde_json::from_value::<LimitKind>(Value::from(name))
        .map(|limit| format!(" {}", limit.name_and_unit().1))
        .unwrap_or_default()
}
