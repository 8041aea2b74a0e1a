//! The *default plugins* are components that every Consort carries inside: they
//! are there without a plugins directory, and are loaded like any other file.
//!
//! The list of crates they are built from is in this crate's `build.rs`.

/// Name, digest (`sha256:` and 64 hexadecimal digits) and component of each.
pub static DEFAULT_PLUGINS: &[(&str, &str, &[u8])] =
    include!(concat!(env!("OUT_DIR"), "/default_plugins.rs"));

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_plugin_is_a_component_with_a_name_of_its_own() {
        let mut names = HashSet::new();
        for (name, digest, component) in DEFAULT_PLUGINS {
            assert!(names.insert(name), "{name} is there twice");
            assert_eq!(digest.len(), "sha256:".len() + 64, "{name}");
            // Magic number, then version 13 and layer 1: a component, not a core module.
            assert_eq!(&component[..8], b"\0asm\x0d\0\x01\0", "{name}");
        }
    }

    #[test]
    fn manifests_say_the_name_the_plugin_is_known_by() {
        for (name, _, component) in DEFAULT_PLUGINS {
            let text = String::from_utf8_lossy(component);
            let section = text.split("consort:manifest").nth(1).expect("a manifest is embedded");
            assert!(section.contains(&format!("\"name\": \"{name}\"")), "{name}");
        }
    }

    #[test]
    fn components_do_not_say_where_they_were_built() {
        let workspace = env!("CARGO_MANIFEST_DIR").strip_suffix("/host/default-plugins");
        let workspace = workspace.expect("this crate is in host/default-plugins");
        for (name, _, component) in DEFAULT_PLUGINS {
            assert!(!String::from_utf8_lossy(component).contains(workspace), "{name}");
        }
    }
}
