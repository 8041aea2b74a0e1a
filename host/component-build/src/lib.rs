//! A *guest crate* is a member of this workspace that is compiled to a
//! WebAssembly component. This crate does that from build scripts: one nested
//! cargo, in a target directory of its own, whatever the outer cargo is doing.
//!
//! ```no_run
//! use consort_component_build::{GuestCrate, build_or_exit};
//!
//! let echo =
//!     GuestCrate { name: "echo", package: "consort-adapter-echo", path: "plugins/adapters/echo" };
//! for component in build_or_exit(&[echo]) {
//!     println!("{} {} {}", component.name, component.digest, component.path.display());
//! }
//! ```
//!
//! # Layout
//!
//! - [`build`]: checks, builds, collects
//! - `environment`: what the nested cargo must not inherit
//! - `directories`: where it works

mod directories;
mod environment;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

/// What components are compiled for.
pub const TARGET: &str = "wasm32-wasip2";

/// A crate of this workspace that becomes a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuestCrate<'a> {
    /// What to call the component, usually its manifest's name.
    pub name: &'a str,
    /// The package's name in its `Cargo.toml`.
    pub package: &'a str,
    /// The crate's folder, relative to the workspace.
    pub path: &'a str,
}

/// A component that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// As in [`GuestCrate::name`].
    pub name: String,
    /// The component. The next build may replace it: copy what must stay.
    pub path: PathBuf,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
}

/// Why there are no components.
#[derive(Debug)]
pub enum Error {
    /// The toolchain cannot compile for [`TARGET`].
    MissingTarget,
    /// Another program could not be started.
    Run {
        /// Which one.
        program: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The compiler found errors and has printed them.
    Compile {
        /// The packages that were to be built.
        packages: Vec<String>,
    },
    /// A component that was built could not be read.
    Read {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingTarget => write!(
                f,
                "the toolchain cannot build plugins for {TARGET} yet; run\n\n    \
                 rustup target add {TARGET}\n\nand build again ('cargo xtask demo' does both)"
            ),
            Self::Run { program, source } => write!(f, "could not run '{program}': {source}"),
            Self::Compile { packages } => {
                write!(f, "could not compile the plugins {}", packages.join(", "))
            }
            Self::Read { path, source } => {
                write!(f, "could not read the component {}: {source}", path.display())
            }
        }
    }
}

impl std::error::Error for Error {}

/// Builds all crates with the profile `plugin` in one nested cargo, and tells
/// the outer cargo when to do it again. To be called from a build script; it
/// takes about half a second when nothing has changed.
pub fn build(crates: &[GuestCrate<'_>]) -> Result<Vec<Built>, Error> {
    let workspace = directories::workspace();
    rerun_if_changed(&workspace, crates);
    check_target()?;
    let target = directories::nested_target(&workspace);
    compile(&workspace, &target, crates)?;
    let artifacts = target.join(TARGET).join("plugin");
    crates.iter().map(|guest| collect(&artifacts, guest)).collect()
}

/// Like [`build`], for build scripts that have nothing to add: an error is
/// shown by cargo and ends the process.
pub fn build_or_exit(crates: &[GuestCrate<'_>]) -> Vec<Built> {
    build(crates).unwrap_or_else(|error| {
        for line in error.to_string().lines().filter(|line| !line.is_empty()) {
            println!("cargo::error={line}");
        }
        std::process::exit(1)
    })
}

fn rerun_if_changed(workspace: &Path, crates: &[GuestCrate<'_>]) {
    let shared = ["plugins/sdk", "wit", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml"];
    for path in shared.into_iter().chain(crates.iter().map(|guest| guest.path)) {
        println!("cargo::rerun-if-changed={}", workspace.join(path).display());
    }
}

/// Asks the compiler where the target's standard library is, and looks.
fn check_target() -> Result<(), Error> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(&rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .map_err(|source| Error::Run { program: rustc.to_string_lossy().into(), source })?;
    let libraries = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if output.status.success() && libraries.is_dir() { Ok(()) } else { Err(Error::MissingTarget) }
}

fn compile(workspace: &Path, target: &Path, crates: &[GuestCrate<'_>]) -> Result<(), Error> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    command.current_dir(workspace).args(["build", "--locked", "--lib", "--profile", "plugin"]);
    command.args(["--target", TARGET]).arg("--target-dir").arg(target);
    for guest in crates {
        command.args(["--package", guest.package]);
    }
    environment::clean(&mut command);
    environment::hide_paths(&mut command, workspace);
    let status = command
        .status()
        .map_err(|source| Error::Run { program: cargo.to_string_lossy().into(), source })?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Compile { packages: crates.iter().map(|guest| guest.package.to_owned()).collect() })
}

fn collect(artifacts: &Path, guest: &GuestCrate<'_>) -> Result<Built, Error> {
    let path = artifacts.join(format!("{}.wasm", guest.package.replace('-', "_")));
    let bytes = fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
    Ok(Built { name: guest.name.to_owned(), path, digest: digest(&bytes) })
}

/// The digest plugins are known by: `sha256:` and 64 hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_target_says_what_to_run() {
        let message = Error::MissingTarget.to_string();
        let commands: Vec<&str> = message.lines().map(str::trim).collect();
        assert!(commands.contains(&"rustup target add wasm32-wasip2"), "{message}");
        assert!(message.contains("cargo xtask demo"), "{message}");
    }

    #[test]
    fn digests_are_sha256_in_hexadecimal() {
        assert_eq!(
            digest(b"abc"),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
