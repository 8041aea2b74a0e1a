//! The invariants of ARCHITECTURE.md that are about which crate depends on
//! which, as cargo itself sees it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// Runs cargo in this workspace, without a network.
fn cargo(args: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(args)
        .args(["--locked", "--offline"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The members of the workspace with what they name in their `Cargo.toml`.
fn members() -> Vec<(String, BTreeSet<String>)> {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            (name(package), package["dependencies"].as_array().unwrap().iter().map(name).collect())
        })
        .collect()
}

/// Everything that is compiled into a crate.
fn all_dependencies(package: &str) -> BTreeSet<String> {
    let edges = ["--edges", "normal,build", "--prefix", "none", "--format", "{p}"];
    let tree = cargo(&[&["tree", "--package", package], &edges[..]].concat());
    tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn is_wasmtime(name: &str) -> bool {
    name.starts_with("wasmtime") || name.starts_with("cranelift")
}

/// The members that name such a crate.
fn users(of: impl Fn(&str) -> bool) -> Vec<String> {
    let members = members().into_iter();
    let users = members.filter(|(_, dependencies)| dependencies.iter().any(|name| of(name)));
    let mut users: Vec<String> = users.map(|(name, _)| name).collect();
    users.sort_unstable();
    users
}

/// The benchmark compares Consort with a loop of wasmtime's alone.
#[test]
fn only_the_plugin_host_and_the_benchmark_name_wasmtime() {
    assert_eq!(users(is_wasmtime), ["consort-bench", "consort-plugin-host"]);
}

#[test]
fn only_the_store_names_sqlite() {
    assert_eq!(users(|name| name.contains("sqlite")), ["consort-store"]);
}

#[test]
fn the_core_is_pure() {
    let dependencies = all_dependencies("consort-core");
    assert!(dependencies.contains("consort-core") && dependencies.contains("petgraph"));
    let impure: Vec<&String> = dependencies
        .iter()
        .filter(|name| {
            is_wasmtime(name) || ["tokio", "mio", "reqwest", "hyper"].contains(&name.as_str())
        })
        .collect();
    assert!(impure.is_empty(), "consort-core depends on {impure:?}");
}

/// A crate may use those before it.
#[test]
fn nothing_below_the_engine_calls_upward() {
    let layers =
        ["consort-core", "consort-plugin-host", "consort-store", "consort-engine", "consort-cli"];
    for (layer, package) in layers.iter().enumerate() {
        let dependencies = all_dependencies(package);
        let upward: Vec<_> =
            layers[layer + 1..].iter().filter(|name| dependencies.contains(**name)).collect();
        assert!(upward.is_empty(), "{package} depends on {upward:?}");
    }
    assert!(!all_dependencies("consort-plugin-host").contains("consort-core"));
    let store = all_dependencies("consort-store");
    let others = ["consort-core", "consort-plugin-host"];
    assert!(!others.iter().any(|name| store.contains(*name)), "the store knows bytes only");
}

/// What is built together with the tests can be made to abort; what people
/// install cannot.
#[test]
fn the_command_alone_has_no_failpoints() {
    let tree = cargo(&["tree", "--package", "consort-cli", "--edges", "normal,build,features"]);
    assert!(tree.contains("consort-store"), "{tree}");
    assert!(!tree.contains("failpoints"), "{tree}");
    let tests = cargo(&["tree", "--package", "consort-tests", "--edges", "normal,features"]);
    assert!(tests.contains("consort-store feature \"failpoints\""), "{tests}");
}
