//! `consort plugin inspect`.

use std::fs;

use crate::support::{consort, json, scratch};

#[test]
fn a_plugin_shows_what_it_is_and_what_it_asks_for() {
    let shown = json(&consort(&["plugin", "inspect", "openai", "--json"]).out);
    assert_eq!(shown["name"], "openai");
    assert_eq!(shown["kind"], "adapter");
    assert_eq!(shown["contract"], "consort:agent-adapter/adapter@0.1.0");
    assert_eq!(shown["batches"], false);
    assert_eq!(shown["capabilities"]["http"][0], "endpoint");
    assert!(shown["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")));
    assert!(shown["config_schema"]["properties"]["model"].is_object());
    let imports = shown["imports"].as_array().expect("a list");
    assert!(
        imports.iter().any(|import| import == "wasi:http/outgoing-handler@0.2.12"),
        "{imports:?}"
    );
}

#[test]
fn people_read_the_same() {
    let ran = consort(&["plugin", "inspect", "echo"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    for part in [
        "echo 0.1.0  adapter",
        "digest    sha256:",
        "contract  consort:agent-adapter/adapter@0.1.0\nbatches   several tasks in one call\n",
        "other exports\n  consort:agent-adapter/batch@0.1.0",
        "network\n  none",
        "fuel 1000000000 units",
        "\"type\": \"object\"",
    ] {
        assert!(ran.out.contains(part), "{part:?} is not in {}", ran.out);
    }
}

#[test]
fn a_digest_or_its_beginning_names_a_plugin_too() {
    let digest = json(&consort(&["plugin", "inspect", "jq", "--json"]).out)["digest"].clone();
    let digest = digest.as_str().expect("text");
    let short = format!("jq@{}", &digest["sha256:".len()..][..12]);
    let ran = consort(&["plugin", "inspect", &short, "--json"]);
    assert_eq!(json(&ran.out)["digest"], digest);
}

#[test]
fn what_is_no_plugin_is_named_for_what_it_is() {
    let file = scratch("plugin-inspect").join("module.wasm");
    fs::write(&file, b"\0asm\x01\0\0\0").expect("writable");
    for (plugin, says) in [
        (file.to_str().expect("UTF-8"), "core module"),
        ("./no-such.wasm", "hint: build the plugin, or correct the path"),
        ("opneai", "did you mean 'openai'"),
        ("jq@000000000000", "jq"),
    ] {
        let ran = consort(&["plugin", "inspect", plugin]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{plugin}");
        assert!(ran.err.contains(says), "{plugin}: {}", ran.err);
    }
}
