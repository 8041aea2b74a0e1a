//! A *backup* is a copy of the store in one file, made while the store is
//! written to. It is written under a temporary name beside the one it gets when
//! it is whole and on disk.

use std::ffi::c_int;
use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::connection::{beside, create_private, resolve, sync_folder};
use crate::error::{StoreError, damage};

/// How many pages are copied between two reports: 4 MiB.
const PAGES: c_int = 1024;

/// Copies what `from` sees. A transaction is open on it, so that what others
/// commit meanwhile does not make the copying start again. `path` is what the
/// user calls the store.
pub(crate) fn copy(
    from: &Connection,
    path: &Path,
    to: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), StoreError> {
    let file = resolve(to)?;
    check_free(&file, to)?;
    let partial = Partial(beside(&file, &format!(".{}.partial", std::process::id())));
    create_private(&partial.0).map_err(|error| StoreError::io(to, "create", error))?;
    copy_pages(from, path, &partial.0, to, progress)?;
    check_free(&file, to)?;
    partial.publish(&file).map_err(|error| StoreError::io(to, "write", error))
}

/// Neither the file may be there nor a log that SQLite would take for its.
fn check_free(file: &Path, to: &Path) -> Result<(), StoreError> {
    let is_there = |file: &Path| file.symlink_metadata().is_ok();
    if is_there(file) {
        return Err(StoreError::Exists { path: to.to_owned() });
    }
    ["-wal", "-journal"].into_iter().try_for_each(|suffix| {
        let path = beside(file, suffix);
        if is_there(&path) { Err(StoreError::Exists { path }) } else { Ok(()) }
    })
}

fn copy_pages(
    from: &Connection,
    path: &Path,
    partial: &Path,
    to: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), StoreError> {
    let at_source = |error| StoreError::sqlite(path, error);
    let at_target = |error| StoreError::sqlite(to, error);
    // A transaction sees no state before it has read something.
    from.query_row("SELECT count(*) FROM runs", [], |_| Ok(())).map_err(at_source)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut target = Connection::open_with_flags(partial, flags).map_err(at_target)?;
    // What is not whole is thrown away, so nothing need be kept for an undo.
    target.pragma_update(None, "journal_mode", "off").map_err(at_target)?;
    target.pragma_update(None, "synchronous", "off").map_err(at_target)?;
    let backup = Backup::new(from, &mut target).map_err(at_target)?;
    loop {
        let result = backup.step(PAGES).map_err(|error| match damage(&error) {
            Some(_) => at_source(error),
            None => at_target(error),
        })?;
        let pages = backup.progress();
        let count = |pages: c_int| u64::from(pages.unsigned_abs());
        progress(count(pages.pagecount - pages.remaining), count(pages.pagecount));
        match result {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            _ => {
                return Err(StoreError::Locked { path: path.to_owned(), pid: None });
            }
        }
    }
}

/// A file that goes away unless it becomes the backup.
struct Partial(PathBuf);

impl Partial {
    fn publish(self, file: &Path) -> std::io::Result<()> {
        File::open(&self.0)?.sync_all()?;
        std::fs::rename(&self.0, file)?;
        sync_folder(file)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // It is not there any more once it has its name.
        let _ = std::fs::remove_file(&self.0);
    }
}
