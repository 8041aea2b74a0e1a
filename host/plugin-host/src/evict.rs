//! *Eviction* keeps the directory of compiled code within its size: before a
//! file is written, those that were not used for longest are removed.
//!
//! A file's modification time says when it was last used. Several processes may
//! do this at once: a file that another one removed first is simply gone, one
//! that is in use stays readable for who has it open, and whoever is about to
//! open it compiles again. Two that write at the same moment may go beyond the
//! size by what they write; the next one makes up for it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How the names of files with compiled code end.
pub(crate) const CODE: &str = "code";
/// How the names of files end that are still being written.
pub(crate) const TEMPORARY: &str = "tmp";
/// After this long nobody is still writing a file: its process has died.
const ABANDONED: Duration = Duration::from_secs(3_600);

/// A file of the directory.
struct Entry {
    path: PathBuf,
    used: SystemTime,
    size: u64,
}

/// Notes that a file was used. Failing to makes it seem older than it is, no
/// more.
pub(crate) fn touch(path: &Path, now: SystemTime) {
    let _ = File::options().append(true).open(path).and_then(|file| file.set_modified(now));
}

/// Removes files from `directory` until no more than `allowed` bytes are left,
/// and what dead processes left half written.
pub(crate) fn make_room(directory: &Path, allowed: u64, now: SystemTime) -> io::Result<()> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        // Gone in the meantime: no longer this one's business.
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        let used = metadata.modified()?;
        match path.extension().and_then(|extension| extension.to_str()) {
            Some(CODE) => kept.push(Entry { path, used, size: metadata.len() }),
            Some(TEMPORARY) if now.duration_since(used).is_ok_and(|age| age > ABANDONED) => {
                remove(&path)?;
            }
            _ => {}
        }
    }
    kept.sort_unstable_by_key(|entry| entry.used);
    let mut size: u64 = kept.iter().map(|entry| entry.size).sum();
    for entry in &kept {
        if size <= allowed {
            break;
        }
        remove(&entry.path)?;
        size -= entry.size;
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with files of 10 bytes, last used so many hours ago.
    fn directory(files: &[(&str, u64)], now: SystemTime) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, hours) in files {
            let path = directory.path().join(name);
            fs::write(&path, [0; 10]).expect("writable");
            touch(&path, now - Duration::from_secs(hours * 3_600));
        }
        directory
    }

    fn names(directory: &tempfile::TempDir) -> Vec<String> {
        let entries = fs::read_dir(directory.path()).expect("readable");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_least_recently_used_go_first_and_no_more_than_needed() {
        let now = SystemTime::now();
        let files = [("a.code", 2), ("b.code", 4), ("c.code", 1), ("d.code", 3)];
        let directory = directory(&files, now);
        make_room(directory.path(), 40, now).expect("readable");
        assert_eq!(names(&directory).len(), 4);
        make_room(directory.path(), 25, now).expect("readable");
        assert_eq!(names(&directory), ["a.code", "c.code"]);
        make_room(directory.path(), 0, now).expect("readable");
        assert!(names(&directory).is_empty());
    }

    #[test]
    fn what_is_not_the_caches_stays_and_abandoned_files_go() {
        let now = SystemTime::now();
        let files = [("a.code.1-0.tmp", 2), ("b.code.2-0.tmp", 0), ("notes.txt", 9)];
        let directory = directory(&files, now);
        make_room(directory.path(), 0, now).expect("readable");
        assert_eq!(names(&directory), ["b.code.2-0.tmp", "notes.txt"]);
    }
}
