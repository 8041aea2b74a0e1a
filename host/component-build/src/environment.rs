//! The *environment* of a nested cargo. Build scripts inherit much that is meant
//! for the outer build alone: its flags, its compiler wrapper (clippy, coverage),
//! its target. A plugin must come out the same whoever asks for it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Variables that belong to the outer build.
const REMOVED: &[&str] = &[
    "RUSTFLAGS",
    "RUSTDOCFLAGS",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_LINKER",
    "TARGET",
    "HOST",
    "PROFILE",
    "DEBUG",
    "OPT_LEVEL",
    "OUT_DIR",
    "CLIPPY_ARGS",
    "CLIPPY_CONF_DIR",
    "LLVM_PROFILE_FILE",
    "MIRI_SYSROOT",
];

/// Variables of cargo's that are about the machine and not about the build.
const KEPT: &[&str] = &[
    "CARGO",
    "CARGO_HOME",
    "CARGO_MAKEFLAGS",
    "CARGO_NET_",
    "CARGO_HTTP_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_SOURCE_",
    "CARGO_TERM_",
];

/// Removes from the command's environment what belongs to the outer build.
pub(crate) fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(belongs_to_outer_build) {
            command.env_remove(name);
        }
    }
}

fn belongs_to_outer_build(name: &str) -> bool {
    let is_kept = |kept: &&str| match kept.ends_with('_') {
        true => name.starts_with(*kept),
        false => name == *kept,
    };
    let is_cargo =
        name.starts_with("CARGO_") || name.starts_with("__CARGO_") || name.starts_with("DEP_");
    REMOVED.contains(&name) || (is_cargo && !KEPT.iter().any(is_kept))
}

/// Keeps this machine's paths out of the component's panic messages, so that
/// its digest does not depend on who built it where.
pub(crate) fn hide_paths(command: &mut Command, workspace: &Path) {
    let cargo_home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let mut flags = vec![format!("--remap-path-prefix={}=/consort", workspace.display())];
    if let Some(home) = cargo_home {
        flags.push(format!("--remap-path-prefix={}=/cargo", home.display()));
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_wrappers_of_the_outer_build_are_not_inherited() {
        for name in [
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTFLAGS",
            "RUSTC_WORKSPACE_WRAPPER",
            "CARGO_BUILD_TARGET",
            "CARGO_TARGET_DIR",
            "CARGO_PROFILE_RELEASE_LTO",
            "CARGO_PKG_NAME",
            "CARGO_FEATURE_STD",
            "CARGO_INCREMENTAL",
        ] {
            assert!(belongs_to_outer_build(name), "{name}");
        }
    }

    #[test]
    fn the_machines_settings_are_inherited() {
        for name in [
            "PATH",
            "HOME",
            "CARGO_HOME",
            "CARGO_NET_OFFLINE",
            "CARGO_REGISTRIES_X_INDEX",
            "RUSTUP_TOOLCHAIN",
            "RUSTC",
        ] {
            assert!(!belongs_to_outer_build(name), "{name}");
        }
    }
}
