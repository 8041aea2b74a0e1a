//! The *writer's lock* is an advisory lock on `<store>.lock` that says which
//! process writes. It is a file of its own, since whoever closes a descriptor
//! of the database file drops SQLite's locks with it. It holds the writer's
//! process number while it is locked, is empty otherwise, and stays.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::error::StoreError;

/// Held as long as this process writes; the operating system releases it when
/// the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct WriterLock {
    file: File,
}

impl WriterLock {
    /// Locks the store `file`, which `path` is what the user calls.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] with the number of the process that holds it.
    pub(crate) fn acquire(file: &Path, path: &Path) -> Result<Self, StoreError> {
        let name = name_of(file);
        let mut lock = open(&name).map_err(|error| match error.kind() {
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                StoreError::ReadOnly { path: path.to_owned() }
            }
            _ => StoreError::io(&name, "open", error),
        })?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked { path: path.to_owned(), pid: read_pid(&mut lock) });
            }
            Err(TryLockError::Error(error)) => return Err(StoreError::io(&name, "lock", error)),
        }
        write_pid(&mut lock).map_err(|error| StoreError::io(&name, "write to", error))?;
        Ok(Self { file: lock })
    }
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        // A number that stays behind is only ever read while somebody else
        // holds the lock, who has written their own by then.
        let _ = self.file.set_len(0);
    }
}

fn open(name: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(name)
}

fn name_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

fn write_pid(lock: &mut File) -> std::io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}

/// `None` in the moment between the lock and the number.
fn read_pid(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_who_wants_to_write_is_told_who_does() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("runs.db");
        let held = WriterLock::acquire(&file, &file).unwrap();
        let error = WriterLock::acquire(&file, &file).unwrap_err();
        let pid = std::process::id();
        assert!(matches!(error, StoreError::Locked { pid: Some(p), .. } if p == pid), "{error}");
        drop(held);
        WriterLock::acquire(&file, &file).unwrap();
    }
}
