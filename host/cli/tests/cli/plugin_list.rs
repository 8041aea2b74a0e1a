//! `consort plugin list`.

use std::fs;

use crate::support::{consort, json, scratch};

#[test]
fn the_default_plugins_are_listed() {
    let ran = consort(&["plugin", "list"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let header = ran.out.lines().next().unwrap_or_default();
    assert_eq!(
        header.split_whitespace().collect::<Vec<_>>(),
        ["NAME", "VERSION", "KIND", "DIGEST", "FROM", "DESCRIPTION"]
    );
    let listed = json(&consort(&["plugin", "list", "--json"]).out);
    let names: Vec<&str> = listed["plugins"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|plugin| plugin["name"].as_str())
        .collect();
    for name in ["echo", "http-json", "openai", "langgraph", "local"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    for name in ["priority", "critical-path", "deadline"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    for name in ["jq", "template", "json-schema", "text"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    assert_eq!(ran.out.lines().count(), names.len() + 1);
}

#[test]
fn files_of_the_directory_are_listed_or_said_to_be_passed_over() {
    let dir = scratch("plugin-list");
    fs::write(dir.join("broken.wasm"), b"\0asm\x01\0\0\0").expect("writable");
    let dir = dir.to_str().expect("UTF-8");
    let ran = consort(&["plugin", "list", "--plugins", dir]);
    assert_eq!(ran.code, 0);
    assert!(ran.err.contains("passed over") && ran.err.contains("broken.wasm"), "{}", ran.err);
    let listed = json(&consort(&["plugin", "list", "--plugins", dir, "--json"]).out);
    assert_eq!(listed["passed_over"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_directory_that_is_not_there_is_an_error() {
    let ran = consort(&["plugin", "list", "--plugins", "no/such/dir"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("no/such/dir"), "{}", ran.err);
}
