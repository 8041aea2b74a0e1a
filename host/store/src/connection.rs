//! A *connection* is one open handle of SQLite on the store's file: the
//! writer's, or a reader's.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::{StoreError, is_busy};
use crate::options::Options;
use crate::{patience, schema};

/// How long a reader waits for a lock; a moment is needed at most, when the
/// write-ahead log is recovered or started anew.
const READER_PATIENCE: Duration = Duration::from_secs(5);

/// How long a post waits for the file.
const POSTER_PATIENCE: Duration = Duration::from_secs(10);

/// How many pages the write-ahead log has when they are moved into the file:
/// 16 MiB, so that the two more waits for the disk are rare.
const CHECKPOINT_PAGES: u32 = 4096;

/// The write-ahead log is cut back to this many bytes after it was larger.
const LOG_LIMIT: u32 = 64 << 20;

/// The absolute path of the store's file, which need not exist, its folder must.
pub(crate) fn resolve(path: &Path) -> Result<PathBuf, StoreError> {
    match path.canonicalize() {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        result => return result.map_err(|error| StoreError::io(path, "open", error)),
    }
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    let name = path.file_name().ok_or_else(|| StoreError::NotAStore { path: path.to_owned() })?;
    let folder = folder.canonicalize().map_err(|error| StoreError::io(folder, "open", error))?;
    Ok(folder.join(name))
}

/// Opens the file for writing, creates it if it is missing, and brings its
/// schema up to date. `path` is what the user calls `file`.
///
/// From then on the connection waits for nobody: that is the writer's to do.
pub(crate) fn open_writer(
    file: &Path,
    path: &Path,
    options: &Options,
) -> Result<Connection, StoreError> {
    create(file).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            StoreError::ReadOnly { path: path.to_owned() }
        }
        _ => StoreError::io(path, "create", error),
    })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection =
        Connection::open_with_flags(file, flags).map_err(|error| cannot_open(path, error))?;
    let failed = |error| StoreError::sqlite(path, error);
    connection
        .busy_handler(Some(patience::for_as_long_as(options.busy_timeout())))
        .map_err(failed)?;
    prepare_writer(&connection, path, options)?;
    connection.busy_timeout(Duration::ZERO).map_err(failed)?;
    Ok(connection)
}

fn prepare_writer(
    connection: &Connection,
    path: &Path,
    options: &Options,
) -> Result<(), StoreError> {
    let failed = |error| StoreError::sqlite(path, error);
    if connection.is_readonly("main").map_err(failed)? {
        return Err(StoreError::ReadOnly { path: path.to_owned() });
    }
    if schema::version(connection, path)?.is_none() {
        // Possible only while the file is empty.
        set(connection, "auto_vacuum", "incremental").map_err(failed)?;
    }
    set_log(connection, path)?;
    set_durable(connection).map_err(failed)?;
    set(connection, "wal_autocheckpoint", CHECKPOINT_PAGES).map_err(failed)?;
    set(connection, "journal_size_limit", LOG_LIMIT).map_err(failed)?;
    set(connection, "cache_size", -16_384).map_err(failed)?;
    set(connection, "trusted_schema", "off").map_err(failed)?;
    if let Some(pages) = options.max_pages {
        set(connection, "max_page_count", pages).map_err(failed)?;
    }
    connection.set_prepared_statement_cache_capacity(64);
    schema::migrate(connection, path, schema::STEPS)
}

/// A transaction that is committed is on disk.
fn set_durable(connection: &Connection) -> rusqlite::Result<()> {
    set(connection, "synchronous", "full")?;
    // On macOS nothing less gets past the disk's own cache.
    set(connection, "fullfsync", "on")?;
    set(connection, "checkpoint_fullfsync", "on")
}

/// SQLite keeps the mode it had where it cannot share memory between processes,
/// as on most network file systems.
fn set_log(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(|error| StoreError::sqlite(path, error))?;
    match mode.as_str() {
        "wal" => Ok(()),
        _ => Err(StoreError::io(path, "keep a write-ahead log of", ErrorKind::Unsupported.into())),
    }
}

/// Moves what is in the write-ahead log into the file and empties the log, as
/// far as nobody is reading it.
pub(crate) fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    let result = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    match result {
        Err(error) if is_busy(&error) => Ok(()),
        result => result,
    }
}

/// Opens the file for one post, past the writer's lock.
///
/// It leaves the write-ahead log to the writer. SQLite does empty it when the
/// last connection is closed, as this one may be while nobody writes.
pub(crate) fn open_poster(path: &Path) -> Result<Connection, StoreError> {
    let file = existing(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection =
        Connection::open_with_flags(file, flags).map_err(|error| cannot_open(path, error))?;
    let failed = |error| StoreError::sqlite(path, error);
    connection.busy_handler(Some(patience::for_as_long_as(POSTER_PATIENCE))).map_err(failed)?;
    if connection.is_readonly("main").map_err(failed)? {
        return Err(StoreError::ReadOnly { path: path.to_owned() });
    }
    schema::check(&connection, path, schema::INBOX)?;
    set_durable(&connection).map_err(failed)?;
    set(&connection, "wal_autocheckpoint", 0).map_err(failed)?;
    set(&connection, "trusted_schema", "off").map_err(failed)?;
    Ok(connection)
}

/// Opens the file for reading; changes nothing in it.
///
/// With `SQLITE_OPEN_READ_ONLY` SQLite still creates and recovers the index of
/// the write-ahead log beside the file, if it may: that is how entries of a
/// writer that was killed are seen. Where it may not, since the folder is
/// read-only, and there is no log, nobody can be writing either.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let file = existing(path)?;
    match open_read_only(&file, path) {
        Err(StoreError::ReadOnly { .. }) if !has_log(&file) => open_immutable(&file, path),
        result => result,
    }
}

fn existing(path: &Path) -> Result<PathBuf, StoreError> {
    let metadata = path.metadata().map_err(|error| match error.kind() {
        ErrorKind::NotFound => StoreError::NotFound { path: path.to_owned() },
        _ => StoreError::io(path, "open", error),
    })?;
    if !metadata.is_file() {
        return Err(StoreError::NotAStore { path: path.to_owned() });
    }
    resolve(path)
}

fn open_read_only(file: &Path, path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(file, flags).map_err(|error| cannot_open(path, error))?;
    prepare_reader(connection, path)
}

fn open_immutable(file: &Path, path: &Path) -> Result<Connection, StoreError> {
    let text = file.to_str().ok_or_else(|| StoreError::ReadOnly { path: path.to_owned() })?;
    let text = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(format!("file:{text}?immutable=1"), flags)
        .map_err(|error| StoreError::sqlite(path, error))?;
    prepare_reader(connection, path)
}

fn prepare_reader(connection: Connection, path: &Path) -> Result<Connection, StoreError> {
    let failed = |error| StoreError::sqlite(path, error);
    connection.busy_timeout(READER_PATIENCE).map_err(failed)?;
    set(&connection, "query_only", "on").map_err(failed)?;
    set(&connection, "trusted_schema", "off").map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(32);
    schema::check(&connection, path, schema::READABLE)?;
    Ok(connection)
}

/// Whether there is a write-ahead log with something in it.
fn has_log(file: &Path) -> bool {
    beside(file, "-wal").metadata().is_ok_and(|log| log.len() > 0)
}

/// The file with something after its whole name.
pub(crate) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Creates the file if it is missing, for the user alone: payloads may be
/// confidential. SQLite gives what it puts beside it the same permissions.
fn create(file: &Path) -> std::io::Result<()> {
    match create_private(file) {
        Ok(()) => sync_folder(file),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Creates an empty file for the user alone; it must not exist.
pub(crate) fn create_private(file: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map(drop)
}

/// Makes the file's name durable.
pub(crate) fn sync_folder(file: &Path) -> std::io::Result<()> {
    match file.parent() {
        Some(folder) if cfg!(unix) => std::fs::File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

fn set(connection: &Connection, pragma: &str, value: impl rusqlite::ToSql) -> rusqlite::Result<()> {
    connection.pragma_update(None, pragma, value)
}

/// What cannot be opened although it is there is a matter of permissions.
fn cannot_open(path: &Path, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::CannotOpen) => {
            StoreError::io(path, "open", ErrorKind::PermissionDenied.into())
        }
        _ => StoreError::sqlite(path, error),
    }
}
