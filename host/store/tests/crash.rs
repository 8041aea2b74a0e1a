//! What was acknowledged survives whatever ends the process, and what was not
//! is there whole or not at all.
//!
//! The test binary runs itself again as the process that dies: it appends
//! synced entries, several on the way at once, and says the number of each on
//! standard output once it is acknowledged.

#![expect(clippy::unwrap_used, reason = "a test that unwraps fails where it stands")]

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use consort_store::{
    Blob, Durability, Entry, NewRun, Options, Reader, RunJournal, Store, StoreError,
};
use futures::executor::block_on;

/// Names the store to the process that dies.
const VICTIM: &str = "CONSORT_CRASH_STORE";

/// How many appends are on the way at once.
const PIPELINED: usize = 16;

#[test]
fn acknowledged_entries_survive_a_kill_at_any_moment() {
    if let Some(store) = std::env::var_os(VICTIM) {
        victim(Path::new(&store));
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("runs.db");
    let mut state = 0x5eed_u64;
    for round in 0..12 {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let kill_after = 1 + (state >> 33) % 400;
        let (status, acknowledged) = run_victim(&file, None, Some(kill_after));
        assert_eq!(status.signal(), Some(9));
        let found = check(&file);
        let acknowledged = acknowledged.expect("it was killed after an acknowledgement");
        assert!(found > acknowledged, "round {round}: {acknowledged} is not among {found}");
    }
    // The writer takes up where the last one died.
    assert_eq!(block_on(open_journal(&open(&file))).unwrap().next_seq(), check(&file));
}

#[cfg(feature = "failpoints")]
#[test]
fn acknowledged_entries_survive_a_crash_at_any_failpoint() {
    for point in consort_store::failpoint::ALL {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("runs.db");
        for times in [1, 2, 7, 40] {
            let before = if file.exists() { count(&file) } else { 0 };
            let (status, acknowledged) = run_victim(&file, Some((point, times)), None);
            assert_eq!(status.signal(), Some(6), "{point}={times} aborts");
            let found =
                if acknowledged.is_some() || before > 0 { check(&file) } else { count(&file) };
            assert!(acknowledged.is_none_or(|number| found > number), "{point}={times}");
            assert!(found >= before, "{point}={times}");
            if point == consort_store::failpoint::AFTER_COMMIT {
                assert!(found > before || times == 1, "what was committed is there");
            }
        }
        check(&file);
    }
}

/// Runs the victim until it dies, at the latest when it has acknowledged
/// `kill_after` entries. Returns the last number it acknowledged.
fn run_victim(
    file: &Path,
    failpoint: Option<(&str, u32)>,
    kill_after: Option<u64>,
) -> (ExitStatus, Option<u64>) {
    let mut child = spawn(file, failpoint);
    let output = BufReader::new(child.stdout.take().unwrap());
    let (mut last, mut seen) = (None, 0);
    for line in output.lines() {
        // The harness of the test binary says things too.
        let line = line.unwrap();
        let Some(number) = line.split("acknowledged ").nth(1) else { continue };
        // A line the kill cut short has no end, so it is no number either.
        let Some(number) = number.strip_suffix('.').and_then(|number| number.parse().ok()) else {
            continue;
        };
        assert!(last.is_none_or(|last| number > last), "in order");
        last = Some(number);
        seen += 1;
        if seen == 1 {
            look_on(file, child.id(), number);
        }
        if kill_after == Some(seen) {
            child.kill().unwrap();
        }
    }
    (child.wait().unwrap(), last)
}

/// While one process writes, another can read and cannot write.
fn look_on(file: &Path, writer: u32, acknowledged: u64) {
    assert!(count(file) > acknowledged);
    match Store::open(file, Options::default()).map(drop) {
        Err(StoreError::Locked { pid, .. }) => assert_eq!(pid, Some(writer)),
        // It died meanwhile.
        Ok(()) => {}
        Err(error) => panic!("{error}"),
    }
}

fn spawn(file: &Path, failpoint: Option<(&str, u32)>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "acknowledged_entries_survive_a_kill_at_any_moment", "--nocapture"])
        .env(VICTIM, file)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some((point, times)) = failpoint {
        command.env("CONSORT_FAILPOINT", format!("{point}={times}"));
    }
    command.spawn().unwrap()
}

fn victim(file: &Path) -> ! {
    let store = open(file);
    block_on(async {
        let mut journal = open_journal(&store).await.unwrap();
        let mut on_the_way = VecDeque::new();
        loop {
            while on_the_way.len() < PIPELINED {
                let seq = journal.next_seq();
                on_the_way.push_back((seq, journal.append(entry(seq), Durability::Synced)));
            }
            let Some((seq, append)) = on_the_way.pop_front() else { unreachable!() };
            append.await.unwrap();
            let mut out = std::io::stdout().lock();
            out.write_all(format!("acknowledged {seq}.\n").as_bytes()).unwrap();
            out.flush().unwrap();
        }
    })
}

fn open(file: &Path) -> Store {
    Store::open(file, Options::default()).unwrap()
}

async fn open_journal(store: &Store) -> Result<RunJournal, StoreError> {
    match store.continue_run("victim").await {
        Err(StoreError::UnknownRun { .. }) => {
            let (id, name) = ("victim".into(), "crash".into());
            let new = NewRun { id, name, tasks: 1, submitted_at: 0, about: String::new() };
            store.create_run(new, entry(0)).await
        }
        result => result,
    }
}

/// Entries differ in length; every fourth brings a payload.
fn entry(seq: u64) -> Entry {
    let body = seq.to_string().repeat(1 + seq as usize % 7).into_bytes();
    let blobs = if seq.is_multiple_of(4) { vec![blob(seq)] } else { Vec::new() };
    Entry { at: seq as i64, version: 1, body, blobs }
}

fn blob(seq: u64) -> Blob {
    Blob::new(seq.to_le_bytes().repeat(1000 + seq as usize % 9))
}

/// How many entries there are; a run that was never created has none.
fn count(file: &Path) -> u64 {
    let reader = match Reader::open(file) {
        Err(StoreError::NotAStore { .. } | StoreError::NotFound { .. }) => return 0,
        reader => reader.unwrap(),
    };
    reader.run("victim").map_or(0, |row| row.entries)
}

/// Makes sure that every entry is there, whole and with its payload, as a
/// reader sees it before any writer has cleaned up. Returns how many.
fn check(file: &Path) -> u64 {
    let reader = Reader::open(file).unwrap();
    let (mut found, mut blobs) = (0, Vec::new());
    let mut each = |seq, read: Entry| {
        let expected = entry(seq);
        assert_eq!(seq, found);
        assert_eq!((read.at, read.body), (expected.at, expected.body));
        blobs.extend(expected.blobs);
        found += 1;
        ControlFlow::Continue(())
    };
    reader.entries("victim", 0, &mut each).unwrap();
    for blob in blobs {
        assert_eq!(reader.blob(blob.hash()).unwrap().as_ref(), blob.bytes());
    }
    assert_eq!(reader.check().unwrap(), [""; 0]);
    assert_eq!(reader.run("victim").unwrap().entries, found);
    found
}
