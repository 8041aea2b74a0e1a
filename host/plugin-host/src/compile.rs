//! *Compiled code*: what the compiler makes of a component, and the directory
//! that keeps it from one process to the next.
//!
//! A file in that directory is machine code that will be executed, so it is
//! read only if nobody else can have written it, and run only if its checksum
//! is right. Everything else is compiled again and replaced.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use sha2::{Digest, Sha256};
use wasmtime::component::Component;
use wasmtime::{Engine, Result};

/// Length of the checksum at the end of a file.
const CHECKSUM: usize = 32;

/// Code that an engine compiled. **Invariant:** only made in this module, from
/// what a compiler returned or from a file whose checksum was right.
#[derive(Debug)]
pub(crate) struct Code(Place);

#[derive(Debug)]
enum Place {
    Memory(Vec<u8>),
    File(PathBuf),
}

impl Code {
    /// Compiles `component`. Takes seconds for a large one.
    pub(crate) fn compile(engine: &Engine, component: &[u8]) -> Result<Self> {
        Ok(Self(Place::Memory(engine.precompile_component(component)?)))
    }

    /// The code of a component that is loaded, to load it into another engine.
    pub(crate) fn of(component: &Component) -> Result<Self> {
        Ok(Self(Place::Memory(component.serialize()?)))
    }

    /// Makes the code executable in `engine`, which must have been configured
    /// like the one that compiled it; wasmtime checks that much.
    #[expect(unsafe_code, reason = "wasmtime cannot know that code is what a compiler made")]
    pub(crate) fn load(&self, engine: &Engine) -> Result<Component> {
        match &self.0 {
            // SAFETY: the type's invariant. The file can be changed by this
            // user alone (checked by `CodeCache`), and no Consort process
            // changes it: files are replaced as a whole.
            Place::File(path) => unsafe { Component::deserialize_file(engine, path) },
            // SAFETY: the type's invariant.
            Place::Memory(bytes) => unsafe { Component::deserialize(engine, bytes) },
        }
    }
}

/// The directory of compiled code.
#[derive(Debug)]
pub(crate) struct CodeCache {
    directory: PathBuf,
    compatibility: u64,
}

impl CodeCache {
    /// Opens the directory, creating it for this user alone if it does not
    /// exist. Fails if others can write to it.
    pub(crate) fn open(directory: &Path, compatibility: u64) -> io::Result<Self> {
        access::create(directory)?;
        access::check(&fs::symlink_metadata(directory)?)?;
        Ok(Self { directory: directory.to_owned(), compatibility })
    }

    /// The code of the component with this digest, if it is there and sound.
    pub(crate) fn get(&self, digest: &str) -> Option<Code> {
        let key = self.key(digest);
        let path = self.directory.join(&key);
        match verify(&path, &key) {
            Ok(()) => Some(Code(Place::File(path))),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(path = %path.display(), %error, "compiling again: the cached code cannot be used");
                }
                None
            }
        }
    }

    /// Keeps `code` for the next process. Failing to is no reason to stop.
    pub(crate) fn put(&self, digest: &str, code: &Code) {
        let Code(Place::Memory(bytes)) = code else { return };
        let key = self.key(digest);
        if let Err(error) = self.write(&key, bytes) {
            let path = self.directory.join(&key);
            tracing::warn!(path = %path.display(), %error, "could not keep compiled code");
        }
    }

    /// Everything that code depends on.
    fn key(&self, digest: &str) -> String {
        let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
        format!("{digest}-{:016x}-{}.code", self.compatibility, env!("CARGO_PKG_VERSION"))
    }

    /// Writes beside the file and renames, so that readers and other writers
    /// see one whole file or another.
    fn write(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        static WRITTEN: AtomicU64 = AtomicU64::new(0);
        let number = WRITTEN.fetch_add(1, Relaxed);
        let temporary = self.directory.join(format!("{key}.{}-{number}.tmp", process::id()));
        let mut file = access::create_file(&temporary)?;
        let mut hasher = Sha256::new();
        hasher.update(key);
        hasher.update(bytes);
        let written = file
            .write_all(bytes)
            .and_then(|()| file.write_all(&hasher.finalize()))
            .and_then(|()| fs::rename(&temporary, self.directory.join(key)));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

/// Checks that a file is ours and that its checksum, which covers its name, is
/// right.
fn verify(path: &Path, key: &str) -> io::Result<()> {
    let broken = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut file = File::open(path)?;
    access::check(&fs::symlink_metadata(path)?)?;
    let metadata = file.metadata()?;
    access::check(&metadata)?;
    let length = usize::try_from(metadata.len()).map_err(|_| broken("it is too long"))?;
    let mut left = length.checked_sub(CHECKSUM).ok_or_else(|| broken("it is too short"))?;
    let mut hasher = Sha256::new();
    hasher.update(key);
    let mut buffer = vec![0; 256 << 10];
    while left > 0 {
        let chunk = left.min(buffer.len());
        file.read_exact(&mut buffer[..chunk])?;
        hasher.update(&buffer[..chunk]);
        left -= chunk;
    }
    let mut checksum = [0; CHECKSUM];
    file.read_exact(&mut checksum)?;
    if hasher.finalize()[..] == checksum { Ok(()) } else { Err(broken("its checksum is wrong")) }
}

/// Who may write what.
#[cfg(unix)]
mod access {
    use std::fs::{DirBuilder, File, Metadata, OpenOptions};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
    use std::path::Path;

    pub(super) fn create(directory: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)
    }

    pub(super) fn create_file(path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
    }

    /// Refuses what others own or may write, and what is neither a file nor a
    /// directory.
    pub(super) fn check(metadata: &Metadata) -> io::Result<()> {
        let refuse = |why: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, why.to_owned()));
        if metadata.is_symlink() {
            return refuse("it is a symbolic link");
        }
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return refuse("it belongs to another user");
        }
        if metadata.mode() & 0o022 != 0 {
            return refuse("other users may write to it; `chmod go-w` it, or delete it");
        }
        Ok(())
    }
}

/// Who may write what: elsewhere the user's own directories are private.
#[cfg(not(unix))]
mod access {
    use std::fs::{self, File, Metadata, OpenOptions};
    use std::io;
    use std::path::Path;

    pub(super) fn create(directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)
    }

    pub(super) fn create_file(path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).open(path)
    }

    pub(super) fn check(_: &Metadata) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
