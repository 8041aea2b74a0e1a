//! What can go wrong with a plugin, each as its own type.
//!
//! [`LoadError`]: the file never became a plugin. [`CallError::Failed`]: the
//! plugin ran and said it could not do the task. [`CallError::Fault`]: the
//! plugin itself misbehaved; a [`Fault`] names it, its digest, the function and
//! the limit with the value used, so that whoever reads it knows whom to ask.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::contract::Failure;
use crate::limits::LimitKind;

/// A call that produced no value.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// The plugin's own judgement of the task.
    #[error("{0}")]
    Failed(Failure),
    /// The plugin broke a rule. Boxed: faults are rare, results are moved a lot.
    #[error(transparent)]
    Fault(Box<Fault>),
}

/// A plugin that broke a rule.
#[derive(Debug, Clone, thiserror::Error)]
#[error("plugin {plugin}@{} {kind} in {function}", short_digest(.digest))]
pub struct Fault {
    /// The plugin's name.
    pub plugin: Arc<str>,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: Arc<str>,
    /// The contract function that was called, such as `start`.
    pub function: &'static str,
    /// Which rule.
    pub kind: FaultKind,
    /// The guest's stack, innermost frame first, one frame a line; empty when
    /// there was none.
    pub backtrace: String,
}

/// Which rule a plugin broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// It needed more of something than it was given.
    Limit {
        /// What it needed more of.
        limit: LimitKind,
        /// What it was given, in the limit's unit.
        allowed: u64,
        /// What it used or asked for when it was stopped.
        used: u64,
    },
    /// It executed a trap: an unreachable instruction, a panic, a division by
    /// zero, an access out of bounds, a stack overflow.
    Trap {
        /// wasmtime's name of the trap.
        reason: String,
        /// The last telling line the guest wrote to standard error, which is where
        /// language runtimes explain themselves.
        stderr: Option<String>,
    },
    /// It tried what it may not do, and the call failed for it. (A refused
    /// request of a call that succeeded all the same is only logged.)
    Denied {
        /// What was tried, such as `GET http://169.254.169.254/`.
        attempted: String,
        /// Which rule refuses it, and how to allow it.
        reason: String,
    },
    /// What it returned breaks the contract: invalid JSON, a score list of the
    /// wrong length, NaN.
    Contract(String),
    /// The guest called `exit`.
    Exit {
        /// Whether it claimed success.
        success: bool,
    },
    /// The host failed it: no memory left for another instance, say.
    Host(String),
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit { limit, allowed, used } => {
                let (name, unit) = limit.name_and_unit();
                write!(f, "exceeded its limit '{name}': used {used} of {allowed} {unit}")
            }
            Self::Trap { reason, stderr: Some(line) } => write!(f, "trapped: {reason} ({line})"),
            Self::Trap { reason, stderr: None } => write!(f, "trapped: {reason}"),
            Self::Denied { attempted, reason } => write!(f, "was refused {attempted}: {reason}"),
            Self::Contract(what) => write!(f, "broke its contract: {what}"),
            Self::Exit { success } => {
                write!(f, "called exit with {}", if *success { "success" } else { "failure" })
            }
            Self::Host(what) => write!(f, "could not be run: {what}"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transient(p)
            | Self::Throttled { problem: p, .. }
            | Self::Permanent(p)
            | Self::InvalidInput(p)
            | Self::Denied(p) => f.write_str(&p.message),
            Self::Other(message) => f.write_str(message),
        }
    }
}

/// A host that could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// wasmtime has no engine for this machine.
    #[error("could not set up wasmtime: {0}")]
    Engine(String),
    /// The thread that ends epochs could not be started.
    #[error("could not start a thread: {0}")]
    Thread(std::io::Error),
}

/// A file that did not become a plugin. [`LoadError::hint`] says what to do.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file named is not there.
    #[error("there is no plugin file '{path}'")]
    Missing {
        /// As written.
        path: String,
        /// The working directory, where a relative path starts.
        from: PathBuf,
    },
    /// The bytes could not be read.
    #[error("could not read '{path}': {source}")]
    Read {
        /// Where they were looked for.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The bytes are not a WebAssembly component.
    #[error("'{plugin}' is not a WebAssembly component: {reason}")]
    NotAComponent {
        /// The plugin's name or file.
        plugin: String,
        /// What the decoder said, or what the file is instead.
        reason: String,
    },
    /// The manifest section is there but wrong.
    #[error("the manifest of '{plugin}' is not valid: {reason}")]
    Manifest {
        /// The plugin's name or file.
        plugin: String,
        /// Which field and why.
        reason: String,
    },
    /// It exports none of the contracts, or an unknown version of one, or not
    /// the one it is used as.
    #[error("'{plugin}' does not export {expected}: {found}")]
    WrongWorld {
        /// The plugin's name or file.
        plugin: String,
        /// The export that was needed.
        expected: String,
        /// What it exports instead.
        found: String,
    },
    /// It imports something the host does not provide.
    #[error("'{plugin}' imports '{import}', which this host does not provide; {hint}")]
    MissingImport {
        /// The plugin's name or file.
        plugin: String,
        /// The first import that cannot be met.
        import: String,
        /// What to do about it.
        hint: String,
    },
    /// Compilation failed.
    #[error("could not compile '{plugin}': {reason}")]
    Compile {
        /// The plugin's name or file.
        plugin: String,
        /// What the compiler said.
        reason: String,
    },
    /// The digest asked for is not the digest found.
    #[error("'{plugin}' has digest {found}, not {wanted}")]
    Digest {
        /// The plugin's name or file.
        plugin: String,
        /// As written in the reference.
        wanted: String,
        /// As computed.
        found: String,
    },
    /// It, or a part of it, is larger than what the host compiles.
    #[error("{part} of '{plugin}' has {size} bytes, more than the {most} of the limit '{limit}'")]
    TooLarge {
        /// The plugin's name or file.
        plugin: String,
        /// What is too large, such as `the component`.
        part: &'static str,
        /// Its bytes.
        size: u64,
        /// The limit, in bytes.
        most: u64,
        /// The limit's name; see [`LoadOptions`](crate::LoadOptions).
        limit: &'static str,
    },
    /// It was still being compiled when the time for that was over. The
    /// compiler cannot be stopped: it goes on in the background, and the code
    /// is in the cache once it is done.
    #[error("'{plugin}' was not compiled within {seconds} s, the limit 'compile_time'")]
    CompileTime {
        /// The plugin's name or file.
        plugin: String,
        /// The limit.
        seconds: f64,
    },
    /// Several plugins fit the reference.
    #[error("'{reference}' could be any of {candidates}; write one of them as name@digest")]
    Ambiguous {
        /// As written.
        reference: String,
        /// Name, version, digest and place of each.
        candidates: String,
    },
    /// No plugin of that name anywhere.
    #[error("no plugin named '{name}'")]
    Unknown {
        /// The name as written.
        name: String,
        /// Near names, and where the host looked.
        hint: String,
    },
}

impl LoadError {
    /// Whether there is no such plugin, rather than one that is wrong.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Unknown { .. })
    }

    /// What to do about it, where the message does not say that already.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { path, .. } if Path::new(path).is_absolute() => {
                Some("build the plugin, or correct the path".to_owned())
            }
            Self::Missing { path, from } => {
                let place: PathBuf = from.join(path).components().collect();
                Some(format!(
                    "build the plugin, or correct the path: it starts in the working directory, \
                     so '{}' was looked for",
                    place.display()
                ))
            }
            Self::Unknown { hint, .. } => Some(hint.clone()),
            Self::NotAComponent { .. } => Some(
                "a plugin is one component, as cargo builds it for wasm32-wasip2; name its '.wasm' \
                 file, or a plugin that 'consort plugin list' shows"
                    .to_owned(),
            ),
            Self::TooLarge { limit, .. } => Some(format!(
                "if you trust it, raise '{limit}' under 'plugins' in the host configuration"
            )),
            Self::CompileTime { .. } => Some(
                "if you trust it, raise 'compile_time' under 'plugins' in the host configuration"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

/// The first twelve hexadecimal digits of a digest, as people quote it.
pub fn short_digest(digest: &str) -> &str {
    let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
    hex.get(..12).unwrap_or(hex)
}
