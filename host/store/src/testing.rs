//! What the tests of this crate share: a store in a folder of its own, and
//! short ways to say what is in it.

use std::fs::Permissions;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use futures::executor::block_on;
use tempfile::TempDir;

use crate::{
    Blob, Durability, Entry, NewRun, Options, Reader, RunEnd, RunJournal, RunStatus, Store,
    StoreError,
};

/// A folder for a store; removed when it is dropped.
pub(crate) struct Place {
    dir: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.path("runs.db")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn open(&self) -> Store {
        self.try_open(patient()).unwrap()
    }

    pub(crate) fn try_open(&self, options: Options) -> Result<Store, StoreError> {
        Store::open(&self.file(), options)
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::open(&self.file()).unwrap()
    }
}

/// Nothing that is lazy gets to the disk by itself.
pub(crate) fn patient() -> Options {
    Options { linger_ms: 1_000_000_000, ..Options::default() }
}

pub(crate) fn entry(text: &str) -> Entry {
    entry_with(text, &[])
}

pub(crate) fn entry_with(text: &str, blobs: &[Blob]) -> Entry {
    Entry { at: 7, version: 1, body: text.into(), blobs: blobs.to_vec() }
}

pub(crate) fn new_run(id: &str) -> NewRun {
    let about = r#"{"by":"test"}"#.to_owned();
    NewRun { id: id.into(), name: "demo".into(), tasks: 3, submitted_at: 5, about }
}

pub(crate) fn end_at(at: i64) -> RunEnd {
    RunEnd { at, status: RunStatus::Succeeded, summary: "{}".to_owned() }
}

/// Begins a run whose first entry is "first".
pub(crate) fn begin(store: &Store, id: &str) -> RunJournal {
    block_on(store.create_run(new_run(id), entry("first"))).unwrap()
}

/// Appends a synced entry.
pub(crate) fn append(journal: &mut RunJournal, text: &str) {
    block_on(journal.append(entry(text), Durability::Synced)).unwrap();
}

/// The bodies of a run's entries, separated by spaces.
pub(crate) fn texts(reader: &Reader, run: &str) -> String {
    try_texts(reader, run).unwrap()
}

pub(crate) fn try_texts(reader: &Reader, run: &str) -> Result<String, StoreError> {
    let mut texts = Vec::new();
    reader.entries(run, 0, &mut |seq, entry| {
        assert_eq!(seq, texts.len() as u64);
        texts.push(String::from_utf8(entry.body).unwrap());
        ControlFlow::Continue(())
    })?;
    Ok(texts.join(" "))
}

/// Bytes that are different for each seed and do not repeat soon.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| next().to_le_bytes()).collect();
    bytes.truncate(len);
    bytes
}

/// A test of permissions means nothing to whom all is permitted, so it runs
/// itself again as nobody.
pub(crate) fn as_nobody(test: &str, place: &Place) -> bool {
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65_534;
    if !rustix::process::geteuid().is_root() {
        return true;
    }
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env("STORE", place.file());
    let output = match command.uid(NOBODY).gid(NOBODY).output() {
        // Nobody may not look into the folder this was built in.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return false,
        output => output.unwrap(),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    false
}

pub(crate) fn permit(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}
