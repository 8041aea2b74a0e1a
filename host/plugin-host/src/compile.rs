//! *Compiled code*: what the compiler makes of a component, and the directory
//! that keeps it from one process to the next.
//!
//! A file in that directory is machine code that will be executed, so it is
//! read only if nobody else can have written it, and run only if its checksum
//! is right. Everything else is compiled again and replaced.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::SystemTime;
use std::{process, thread};

use sha2::{Digest, Sha256};
use wasmtime::component::Component;
use wasmtime::{Engine, Result};

use crate::evict;

/// Length of the checksum at the end of a file.
const CHECKSUM: usize = 32;
/// Bytes of code whose digest enters the checksum at once.
const PIECE: usize = 1 << 20;
/// Bytes that are read at once: they stay in the processor's cache.
const BUFFER: usize = 128 << 10;

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
    /// Bytes that all files together may have.
    capacity: u64,
}

impl CodeCache {
    /// Opens the directory, creating it for this user alone if it does not
    /// exist. Fails if others can write to it.
    pub(crate) fn open(directory: &Path, compatibility: u64, capacity: u64) -> io::Result<Self> {
        access::create(directory)?;
        access::check(&fs::symlink_metadata(directory)?)?;
        Ok(Self { directory: directory.to_owned(), compatibility, capacity })
    }

    /// The code of the component with this digest, if it is there and sound.
    pub(crate) fn get(&self, digest: &str) -> Option<Code> {
        let key = self.key(digest);
        let path = self.directory.join(&key);
        match verify(&path, &key) {
            Ok(()) => {
                evict::touch(&path, SystemTime::now());
                Some(Code(Place::File(path)))
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(path = %path.display(), %error, "compiling again: the cached code cannot be used");
                }
                None
            }
        }
    }

    /// Keeps `code` for the next process, and lets go of what was not used for
    /// longest where there is too much. Failing to is no reason to stop.
    pub(crate) fn put(&self, digest: &str, code: &Code) {
        let Code(Place::Memory(bytes)) = code else { return };
        let key = self.key(digest);
        let path = self.directory.join(&key);
        let size = (bytes.len() + CHECKSUM) as u64;
        if size > self.capacity {
            tracing::warn!(path = %path.display(), size, capacity = self.capacity, "not keeping compiled code: it is larger than the cache may be");
            return;
        }
        let now = SystemTime::now();
        let kept = evict::make_room(&self.directory, self.capacity - size, now)
            .and_then(|()| self.write(&key, bytes));
        if let Err(error) = kept {
            tracing::warn!(path = %path.display(), %error, "could not keep compiled code");
        }
    }

    /// Everything that code depends on.
    fn key(&self, digest: &str) -> String {
        let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
        format!(
            "{digest}-{:016x}-{}.{}",
            self.compatibility,
            env!("CARGO_PKG_VERSION"),
            evict::CODE
        )
    }

    /// Writes beside the file and renames, so that readers and other writers
    /// see one whole file or another.
    fn write(&self, key: &str, code: &[u8]) -> io::Result<()> {
        static WRITTEN: AtomicU64 = AtomicU64::new(0);
        let number = WRITTEN.fetch_add(1, Relaxed);
        let temporary =
            self.directory.join(format!("{key}.{}-{number}.{}", process::id(), evict::TEMPORARY));
        let pieces = code.chunks(PIECE).map(|piece| Sha256::digest(piece).into()).collect();
        let mut file = access::create_file(&temporary)?;
        let written = file
            .write_all(code)
            .and_then(|()| file.write_all(&checksum(key, pieces)))
            .and_then(|()| fs::rename(&temporary, self.directory.join(key)));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

/// Covers the name of the file and the digests of its pieces, in order.
fn checksum(key: &str, pieces: Vec<[u8; CHECKSUM]>) -> [u8; CHECKSUM] {
    let mut hasher = Sha256::new();
    hasher.update(key);
    pieces.iter().for_each(|piece| hasher.update(piece));
    hasher.finalize().into()
}

/// Checks that a file is ours and that its checksum is right.
fn verify(path: &Path, key: &str) -> io::Result<()> {
    let broken = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut file = File::open(path)?;
    access::check(&fs::symlink_metadata(path)?)?;
    let metadata = file.metadata()?;
    access::check(&metadata)?;
    let length = metadata.len();
    let code = length.checked_sub(CHECKSUM as u64).ok_or_else(|| broken("it is too short"))?;
    let found = checksum(key, digests(path, code)?);
    let mut expected = [0; CHECKSUM];
    file.seek(SeekFrom::Start(code))?;
    file.read_exact(&mut expected)?;
    if found == expected { Ok(()) } else { Err(broken("its checksum is wrong")) }
}

/// The digests of the pieces of a file's first `length` bytes. The code of an
/// interpreter has tens of megabytes, so all processors help.
fn digests(path: &Path, length: u64) -> io::Result<Vec<[u8; CHECKSUM]>> {
    let pieces = length.div_ceil(PIECE as u64);
    let helpers = thread::available_parallelism().map_or(1, NonZero::get) as u64;
    let each = pieces.div_ceil(helpers).max(4);
    thread::scope(|scope| {
        let parts: Vec<_> = (each..pieces)
            .step_by(each as usize)
            .map(|first| scope.spawn(move || digests_of(path, length, first, each)))
            .collect();
        let mut all = digests_of(path, length, 0, each)?;
        for part in parts {
            // Hashing does not panic.
            all.extend(part.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?);
        }
        Ok(all)
    })
}

/// The digests of `count` pieces from the piece `first` on, or as many as there
/// are.
fn digests_of(path: &Path, length: u64, first: u64, count: u64) -> io::Result<Vec<[u8; CHECKSUM]>> {
    let start = first * PIECE as u64;
    let end = length.min(start + count * PIECE as u64);
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let mut buffer = vec![0; BUFFER];
    let mut digests = Vec::new();
    let mut left = end - start;
    while left > 0 {
        let mut hasher = Sha256::new();
        let mut piece = left.min(PIECE as u64);
        left -= piece;
        while piece > 0 {
            let chunk = &mut buffer[..BUFFER.min(piece as usize)];
            file.read_exact(chunk)?;
            hasher.update(&*chunk);
            piece -= chunk.len() as u64;
        }
        digests.push(hasher.finalize().into());
    }
    Ok(digests)
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
        let refuse =
            |why: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, why.to_owned()));
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
