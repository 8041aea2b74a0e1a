//! A *source* is where a plugin's bytes come from.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::error::LoadError;

/// Where a plugin's bytes come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A file, whatever it holds when it is loaded.
    File(PathBuf),
    /// A file that must have this digest when it is loaded.
    Pinned {
        /// The file.
        path: PathBuf,
        /// `sha256:` and 64 hexadecimal digits.
        digest: String,
    },
    /// Part of this binary.
    Embedded(&'static EmbeddedPlugin),
    /// In memory.
    Bytes {
        /// Names the plugin in errors, and otherwise if it has no manifest.
        name: String,
        /// The component.
        bytes: Vec<u8>,
    },
}

/// A plugin that is part of the binary.
#[derive(Debug)]
pub struct EmbeddedPlugin {
    /// The name in its manifest.
    pub name: &'static str,
    /// `sha256:` and 64 hexadecimal digits, computed when the binary was built.
    pub digest: &'static str,
    /// The component.
    pub component: &'static [u8],
}

impl Source {
    /// Names the plugin in errors.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::File(path) | Self::Pinned { path, .. } => path.display().to_string(),
            Self::Embedded(plugin) => plugin.name.to_owned(),
            Self::Bytes { name, .. } => name.clone(),
        }
    }

    /// The name of the plugin if it has no manifest.
    pub(crate) fn fallback_name(&self) -> String {
        match self {
            Self::File(path) | Self::Pinned { path, .. } => file_name(path),
            Self::Embedded(plugin) => plugin.name.to_owned(),
            Self::Bytes { name, .. } => name.clone(),
        }
    }

    /// Its bytes, of which there may be `most`.
    pub(crate) fn read(&self, most: u64) -> Result<Cow<'_, [u8]>, LoadError> {
        let (bytes, size) = match self {
            Self::File(path) | Self::Pinned { path, .. } => {
                let (bytes, size) = read_file(path, most)?;
                (Cow::Owned(bytes), size)
            }
            Self::Embedded(plugin) => {
                (Cow::Borrowed(plugin.component), plugin.component.len() as u64)
            }
            Self::Bytes { bytes, .. } => (Cow::Borrowed(bytes.as_slice()), bytes.len() as u64),
        };
        if size > most {
            let (plugin, part, limit) = (self.label(), "the component", "component_size");
            return Err(LoadError::TooLarge { plugin, part, size, most, limit });
        }
        Ok(bytes)
    }

    /// The digest of `bytes`, which were read from this source.
    pub(crate) fn digest_of(&self, bytes: &[u8]) -> Result<Arc<str>, LoadError> {
        if let Self::Embedded(plugin) = self {
            return Ok(plugin.digest.into());
        }
        let found = digest(bytes);
        match self {
            Self::Pinned { digest, .. } if *digest != found => {
                Err(LoadError::Digest { plugin: self.label(), wanted: digest.clone(), found })
            }
            _ => Ok(found.into()),
        }
    }
}

/// The bytes of a plugin file, unless there are more than `most`, and how many
/// there are.
pub(crate) fn read_file(path: &Path, most: u64) -> Result<(Vec<u8>, u64), LoadError> {
    let read = || -> io::Result<_> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut bytes = Vec::new();
        if size <= most {
            file.by_ref().take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        }
        // A file that grows, or a pipe, has more than it said.
        let size = size.max(bytes.len() as u64);
        Ok((bytes, size))
    };
    read().map_err(|source| unreadable(path, source))
}

/// Why a plugin file has no bytes.
fn unreadable(path: &Path, source: io::Error) -> LoadError {
    let shown = path.display().to_string();
    if source.kind() != io::ErrorKind::NotFound {
        return LoadError::Read { path: shown, source };
    }
    LoadError::Missing { path: shown, from: std::env::current_dir().unwrap_or_default() }
}

/// `sha256:` and 64 hexadecimal digits.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(71);
    text.push_str("sha256:");
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// `echo` for `some/where/echo.wasm`.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_stem().map_or_else(|| "plugin".to_owned(), |stem| stem.to_string_lossy().into_owned())
}
