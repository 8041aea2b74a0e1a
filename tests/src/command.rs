//! The *command*: the real `consort`, built like the test that runs it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// Built once, by the cargo that built this test: nothing else knows that the
/// test needs it. As part of the whole workspace, so that its dependencies have
/// the features they have already been built with.
static CONSORT: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = profile_dir();
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(other) => other,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // What the outer cargo says about this crate: some build scripts would run
    // again for it, in both directions.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let is_about = ["CARGO_PKG_", "CARGO_MANIFEST_", "OUT_DIR"];
        if is_about.iter().any(|start| name.starts_with(start)) {
            command.env_remove(&*name);
        }
    }
    let status = command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "--workspace", "--bin", "consort"])
        .args(["--profile", profile, "--target-dir"])
        .arg(target_dir())
        .status()
        .expect("cargo can be run");
    assert!(status.success(), "the 'consort' command could not be built");
    folder.join(format!("consort{}", std::env::consts::EXE_SUFFIX))
});

/// The path of the `consort` command, which is built first if need be.
///
/// # Panics
///
/// When it cannot be built.
pub fn consort() -> PathBuf {
    CONSORT.clone()
}

/// The target directory that this program was built in.
///
/// # Panics
///
/// When it is in none.
pub fn target_dir() -> PathBuf {
    profile_dir().parent().expect("a profile's folder is in a target directory").to_owned()
}

/// This program is `target/PROFILE/this` or `target/PROFILE/deps/this`.
fn profile_dir() -> PathBuf {
    let this = std::env::current_exe().expect("a program knows its own file");
    let folder = this.parent().unwrap_or(Path::new("."));
    let is_deps = folder.file_name().is_some_and(|name| name == "deps");
    let folder = if is_deps { folder.parent().unwrap_or(folder) } else { folder };
    folder.to_owned()
}
