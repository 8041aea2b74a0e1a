//! Builds the default plugins and lists them for `src/lib.rs`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use consort_component_build::{Built, GuestCrate, build_or_exit};

/// Folders under `plugins/`: kind and name.
const PLUGINS: &[(&str, &str)] = &[
    ("adapter", "echo"),
    ("adapter", "http-json"),
    ("adapter", "openai"),
    ("adapter", "langgraph"),
    ("adapter", "local"),
    ("prioritizer", "priority"),
    ("prioritizer", "critical-path"),
    ("prioritizer", "deadline"),
    ("transformer", "jq"),
    ("transformer", "template"),
    ("transformer", "json-schema"),
    ("transformer", "text"),
];

fn main() {
    let crates: Vec<(String, String)> = PLUGINS
        .iter()
        .map(|(kind, name)| (format!("consort-{kind}-{name}"), format!("plugins/{kind}s/{name}")))
        .collect();
    let guests: Vec<GuestCrate<'_>> = PLUGINS
        .iter()
        .zip(&crates)
        .map(|((_, name), (package, path))| GuestCrate { name, package, path })
        .collect();
    embed(&build_or_exit(&guests)).expect("OUT_DIR can be written to");
}

/// Copies the components, which the next build may replace, and writes the list.
fn embed(components: &[Built]) -> std::io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let mut list = String::from("&[\n");
    for Built { name, path, digest } in components {
        fs::copy(path, out.join(format!("{name}.wasm")))?;
        let file = format!("concat!(env!(\"OUT_DIR\"), \"/{name}.wasm\")");
        writeln!(list, "    ({name:?}, {digest:?}, include_bytes!({file})),")
            .expect("writing to a string cannot fail");
    }
    list.push_str("]\n");
    fs::write(out.join("default_plugins.rs"), list)
}
