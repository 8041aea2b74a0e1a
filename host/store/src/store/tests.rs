use futures::executor::block_on;
use futures::future::join_all;

use super::*;
use crate::RunEnd;
use crate::testing::{
    Place, append, begin, end_at, entry, entry_with, new_run, noise, patient, texts,
};
use crate::{Durability, RunFilter, RunStatus};

#[test]
fn what_was_appended_is_there_after_opening_again() {
    let place = Place::new();
    let store = place.open();
    let mut journal = begin(&store, "a");
    assert_eq!(journal.next_seq(), 1);
    append(&mut journal, "second");
    drop(store);

    let store = place.open();
    let mut journal = block_on(store.continue_run("a")).unwrap();
    assert_eq!(journal.next_seq(), 2);
    append(&mut journal, "third");
    assert_eq!(texts(&store.reader().unwrap(), "a"), "first second third");
    let row = place.reader().run("a").unwrap();
    assert_eq!((row.name.as_str(), row.tasks, row.submitted_at), ("demo", 3, 5));
    assert_eq!((row.about.as_str(), row.status), (r#"{"by":"test"}"#, RunStatus::Running));
    assert_eq!((row.ended_at, row.summary, row.entries), (None, None, 3));
}

#[test]
fn appends_are_written_in_the_order_of_the_calls() {
    let place = Place::new();
    let store = place.open();
    let mut journals = [begin(&store, "a"), begin(&store, "b")];
    let appends: Vec<_> = (0..40_000)
        .map(|n| {
            let durability = if n % 3 == 0 { Durability::Lazy } else { Durability::Synced };
            journals[n % 2].append(entry(&n.to_string()), durability)
        })
        .collect();
    // Whoever waits for the last has waited for all, in whatever order.
    block_on(join_all(appends.into_iter().rev())).into_iter().for_each(Result::unwrap);
    let expected = |first: usize| {
        let numbers = (first..40_000).step_by(2).map(|n| n.to_string());
        ["first".to_owned()].into_iter().chain(numbers).collect::<Vec<_>>().join(" ")
    };
    let reader = place.reader();
    assert_eq!(texts(&reader, "a"), expected(0));
    assert_eq!(texts(&reader, "b"), expected(1));
}

#[test]
fn lazy_entries_get_to_the_disk_with_the_next_synced_one_of_any_run() {
    let place = Place::new();
    let store = place.open();
    let (mut a, mut b) = (begin(&store, "a"), begin(&store, "b"));
    block_on(a.append(entry("lazy"), Durability::Lazy)).unwrap();
    assert_eq!(texts(&place.reader(), "a"), "first");
    append(&mut b, "synced");
    assert_eq!(texts(&place.reader(), "a"), "first lazy");

    block_on(a.append(entry("flushed"), Durability::Lazy)).unwrap();
    block_on(store.flush()).unwrap();
    assert_eq!(texts(&place.reader(), "a"), "first lazy flushed");

    block_on(a.append(entry("closed"), Durability::Lazy)).unwrap();
    drop(store);
    assert!(!place.path("runs.db-wal").exists(), "the log is in the file");
    assert_eq!(texts(&place.reader(), "a"), "first lazy flushed closed");
}

#[test]
fn lazy_entries_get_to_the_disk_after_a_while() {
    let place = Place::new();
    let store = place.try_open(Options { linger_ms: 1, ..Options::default() }).unwrap();
    let mut journal = begin(&store, "a");
    // A snapshot lingers too, and says when it is on disk.
    block_on(journal.append(entry("lazy"), Durability::Lazy)).unwrap();
    block_on(journal.snapshot(1, 1, b"state".to_vec(), Vec::new())).unwrap();
    assert_eq!(texts(&place.reader(), "a"), "first lazy");
}

#[test]
fn lazy_entries_wait_when_too_much_is_queued() {
    let place = Place::new();
    let store = place.try_open(Options { max_queued: 1000, ..patient() }).unwrap();
    let mut journal = begin(&store, "a");
    block_on(journal.append(entry(&"x".repeat(2000)), Durability::Lazy)).unwrap();
    block_on(journal.append(entry("waits"), Durability::Lazy)).unwrap();
    assert_eq!(place.reader().run("a").unwrap().entries, 3);
}

#[test]
fn one_process_writes_at_a_time() {
    let place = Place::new();
    let store = place.open();
    let error = place.try_open(patient()).unwrap_err();
    assert!(matches!(error, StoreError::Locked { pid: Some(_), .. }), "{error}");
    // A clone keeps it open.
    let clone = store.clone();
    drop(store);
    place.try_open(patient()).unwrap_err();
    drop(clone);
    place.open();
}

#[test]
fn a_run_has_one_journal_at_a_time() {
    let place = Place::new();
    let store = place.open();
    let journal = begin(&store, "a");
    let error = block_on(store.continue_run("a")).unwrap_err();
    assert!(matches!(error, StoreError::RunInUse { .. }), "{error}");
    drop(journal);
    block_on(store.continue_run("a")).unwrap();
    // Whoever gave up waiting has not got it either.
    drop(Box::pin(store.continue_run("a")));
    block_on(store.continue_run("a")).unwrap();
}

#[test]
fn a_runs_id_is_taken_once_and_must_be_known() {
    let place = Place::new();
    let store = place.open();
    let mut journal = begin(&store, "nightly");
    let error = block_on(store.create_run(new_run("nightly"), entry("x"))).unwrap_err();
    assert!(matches!(error, StoreError::DuplicateRun { .. }), "{error}");
    let error = block_on(store.continue_run("nigthly")).unwrap_err();
    assert_eq!(error.to_string(), "there is no run 'nigthly'; did you mean nightly?");
    append(&mut journal, "still");
    assert_eq!(texts(&place.reader(), "nightly"), "first still");
}

#[test]
fn a_run_that_is_over_takes_no_more_entries() {
    let place = Place::new();
    let store = place.open();
    let mut journal = begin(&store, "a");
    let running = RunEnd { status: RunStatus::Running, ..end_at(1) };
    let error = block_on(journal.close(None, running)).unwrap_err();
    assert!(matches!(error, StoreError::NotAnEnd { .. }), "{error}");
    drop(journal.append(entry("lazy"), Durability::Lazy));
    block_on(journal.close(Some(entry("last")), end_at(9))).unwrap();

    let reader = place.reader();
    assert_eq!(texts(&reader, "a"), "first lazy last");
    let row = reader.run("a").unwrap();
    assert_eq!((row.status, row.ended_at), (RunStatus::Succeeded, Some(9)));
    assert_eq!(row.summary.as_deref(), Some("{}"));
    for error in [
        block_on(journal.append(entry("more"), Durability::Synced)).unwrap_err(),
        block_on(journal.snapshot(0, 1, Vec::new(), Vec::new())).unwrap_err(),
        block_on(journal.close(None, end_at(9))).unwrap_err(),
        block_on(store.continue_run("a")).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::RunOver { .. }), "{error}");
    }
}

#[test]
fn a_blob_is_stored_once_whoever_refers_to_it() {
    let place = Place::new();
    let store = place.open();
    let shared = Blob::new(noise(1, 3 * crate::CHUNK + 17));
    let empty = Blob::new("");
    let both = [shared.clone(), empty.clone(), shared.clone()];
    block_on(store.create_run(new_run("a"), entry_with("x", &both))).unwrap();
    let mut journal = begin(&store, "b");
    block_on(journal.append(entry_with("y", &both), Durability::Lazy)).unwrap();
    let snapshot = journal.snapshot(1, 2, b"s".to_vec(), both.to_vec());
    block_on(store.flush()).unwrap();
    block_on(snapshot).unwrap();
    let reader = place.reader();
    assert_eq!(reader.size().unwrap().blobs, 2);
    assert_eq!(reader.blob(shared.hash()).unwrap().as_ref(), shared.bytes());
    assert_eq!(reader.blob(empty.hash()).unwrap().as_ref(), empty.bytes());
    assert_eq!(reader.blob(Hash::of(b"no")).unwrap(), None);
    let mut written = Vec::new();
    assert_eq!(reader.write_blob(shared.hash(), &mut written).unwrap(), written.len() as u64);
    assert_eq!(Some(written.as_slice()), shared.bytes().map(|bytes| &bytes[..]));
    let error = reader.write_blob(Hash::of(b"no"), &mut written).unwrap_err();
    assert!(matches!(error, StoreError::UnknownBlob { .. }), "{error}");
    assert_eq!(reader.check().unwrap(), [""; 0]);
}

#[test]
fn what_is_stored_already_is_referred_to_without_its_bytes() {
    let place = Place::new();
    let store = place.open();
    let blob = Blob::new(noise(1, 100_000));
    let first = |id, blob: &Blob| {
        let first = entry_with("x", std::slice::from_ref(blob));
        block_on(store.create_run(new_run(id), first))
    };
    let known = Blob::stored(blob.hash());
    let error = first("a", &known).unwrap_err();
    assert!(matches!(error, StoreError::UnknownBlob { .. }), "{error}");
    // The writer goes on.
    let mut a = first("a", &blob).unwrap();
    let mut b = first("b", &known).unwrap();
    block_on(a.close(None, end_at(1))).unwrap();
    assert_eq!(block_on(store.gc(2, false)).unwrap().blobs, 0);
    let reader = place.reader();
    assert_eq!(reader.blob(blob.hash()).unwrap().as_ref(), blob.bytes());
    block_on(b.close(None, end_at(1))).unwrap();
    assert_eq!(block_on(store.gc(2, false)).unwrap().blobs, 1);
}

#[test]
fn a_blob_of_64_mib_is_stored_and_streamed() {
    let place = Place::new();
    let store = place.open();
    let large = Blob::new(noise(2, 64 << 20));
    block_on(store.create_run(new_run("a"), entry_with("x", std::slice::from_ref(&large))))
        .unwrap();
    struct Pieces(usize, usize);
    impl std::io::Write for Pieces {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            *self = Self(self.0 + bytes.len(), self.1.max(bytes.len()));
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut pieces = Pieces(0, 0);
    place.reader().write_blob(large.hash(), &mut pieces).unwrap();
    assert_eq!((pieces.0, pieces.1), (64 << 20, crate::CHUNK));
}

#[test]
fn what_is_too_large_is_refused_and_nothing_else_is() {
    let place = Place::new();
    let options = Options { max_blob: 10, max_body: 20, ..patient() };
    let store = place.try_open(options).unwrap();
    let mut journal = begin(&store, "a");
    let large = Blob::new(vec![0; 11]);
    let too_large = entry_with("x", std::slice::from_ref(&large));
    let long = entry(&"x".repeat(21));
    for error in [
        block_on(store.create_run(new_run("b"), too_large.clone())).unwrap_err(),
        block_on(journal.append(too_large.clone(), Durability::Lazy)).unwrap_err(),
        block_on(journal.snapshot(0, 1, Vec::new(), vec![large.clone()])).unwrap_err(),
        block_on(journal.close(Some(too_large), end_at(1))).unwrap_err(),
        block_on(store.cache_put("n", large.hash(), Vec::new(), vec![large], 1, None)).unwrap_err(),
    ] {
        assert_eq!(
            error.to_string(),
            "payload of 11 bytes is larger than the store takes, which is 10 bytes"
        );
    }
    let error = block_on(journal.append(long, Durability::Synced)).unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { what: "entry", size: 21, cap: 20 }), "{error}");
    append(&mut journal, "fits");
    assert_eq!(texts(&place.reader(), "a"), "first fits");
    assert_eq!(place.reader().runs(&RunFilter::default()).unwrap().len(), 1);
}

#[test]
fn a_snapshot_takes_the_place_of_an_older_one() {
    let place = Place::new();
    let store = place.open();
    let mut journal = begin(&store, "a");
    assert_eq!(place.reader().snapshot("a").unwrap(), None);
    for upto in [0, 1] {
        let body = upto.to_string().into_bytes();
        let snapshot = journal.snapshot(upto, 3, body.clone(), Vec::new());
        block_on(store.flush()).unwrap();
        block_on(snapshot).unwrap();
        let expected = crate::Snapshot { upto, version: 3, body };
        assert_eq!(place.reader().snapshot("a").unwrap(), Some(expected));
    }
    assert_eq!(place.reader().snapshot("b").unwrap_err().to_string(), "there is no run 'b'");
}

#[test]
fn what_is_stored_again_is_mended() {
    let place = Place::new();
    let store = place.open();
    let mut journal = begin(&store, "a");
    let payload = Blob::new(noise(7, 600_000));
    let mut put = || {
        let entry = Entry { blobs: vec![payload.clone()], ..entry("e") };
        block_on(journal.append(entry, Durability::Synced)).unwrap();
    };
    put();
    for damage in [
        "UPDATE chunks SET bytes = zeroblob(length(bytes))",
        "DELETE FROM chunks",
        "UPDATE blobs SET size = 9000000000000000000",
        "DELETE FROM blobs; DELETE FROM refs",
    ] {
        rusqlite::Connection::open(place.file()).unwrap().execute_batch(damage).unwrap();
        let reader = place.reader();
        assert_eq!(reader.check().unwrap().len(), 1, "{damage}");
        assert!(reader.size().is_ok(), "{damage}");
        put();
        assert_eq!(reader.check().unwrap(), [""; 0], "{damage}");
        assert_eq!(reader.blob(payload.hash()).unwrap().as_ref(), payload.bytes(), "{damage}");
    }
}

#[test]
fn a_damaged_snapshot_is_none_and_a_finding() {
    let place = Place::new();
    let store = place.open();
    let mut journal = begin(&store, "a");
    let mut put = || {
        let snapshot = journal.snapshot(0, 1, b"state".to_vec(), Vec::new());
        block_on(store.flush()).unwrap();
        block_on(snapshot).unwrap();
    };
    for (damage, wrong) in [
        ("UPDATE snapshots SET body = x'00'", "the snapshot of run a has other bytes"),
        ("UPDATE snapshots SET sum = sum + 1", "the snapshot of run a has other bytes"),
        ("UPDATE snapshots SET version = -1", "the snapshot of run a has other bytes"),
        ("UPDATE snapshots SET run = 77", "there is a snapshot of a run number 77"),
    ] {
        put();
        let connection = rusqlite::Connection::open(place.file()).unwrap();
        connection.execute_batch(damage).unwrap();
        let reader = place.reader();
        let found = reader.check().unwrap();
        assert!(found.len() == 1 && found[0].starts_with(wrong), "{damage}: {found:?}");
        assert_eq!(reader.snapshot("a").unwrap(), None, "{damage}");
        connection.execute_batch("DELETE FROM snapshots").unwrap();
    }
}

#[test]
fn what_only_an_older_snapshot_had_is_gone_with_it() {
    let place = Place::new();
    let store = place.open();
    let mut journal = begin(&store, "a");
    let [own, shared, stays] = ["own", "shared", "stays"].map(Blob::new);
    let entry = Entry { blobs: vec![shared.clone()], ..entry("e") };
    block_on(journal.append(entry, Durability::Synced)).unwrap();
    let mut put = |upto, blobs: &[&Blob]| {
        let blobs = blobs.iter().copied().cloned().collect();
        let snapshot = journal.snapshot(upto, 1, b"s".to_vec(), blobs);
        block_on(store.flush()).unwrap();
        block_on(snapshot).unwrap();
    };
    put(0, &[&own, &shared, &stays]);
    put(1, &[&stays]);
    let reader = place.reader();
    let there = |blob: &Blob| reader.blob(blob.hash()).unwrap().is_some();
    assert_eq!((there(&own), there(&shared), there(&stays)), (false, true, true));
    assert_eq!(reader.check().unwrap(), [""; 0]);
}

#[test]
fn a_cached_result_is_found_at_once_until_it_expires() {
    let place = Place::new();
    let store = place.open();
    let key = Hash::of(b"key");
    let get = |namespace, now| block_on(store.cache_get(namespace, key, now)).unwrap();
    let blobs = vec![Blob::new("payload")];
    assert_eq!(get("n", 0), None);
    block_on(store.cache_put("n", key, b"1".to_vec(), blobs.clone(), 10, Some(20))).unwrap();
    let found = Cached { body: b"1".to_vec(), blobs, stored_at: 10 };
    assert_eq!(get("n", 19), Some(found));
    assert_eq!((get("n", 20), get("m", 19)), (None, None));
    block_on(store.cache_put("n", key, b"2".to_vec(), Vec::new(), 30, None)).unwrap();
    let found = Cached { body: b"2".to_vec(), blobs: Vec::new(), stored_at: 30 };
    assert_eq!(get("n", i64::MAX), Some(found));
    block_on(store.flush()).unwrap();
    assert_eq!(place.reader().check().unwrap(), [""; 0]);
}

#[test]
fn a_full_disk_stops_the_writer_and_loses_nothing() {
    let place = Place::new();
    let store = place.try_open(Options { max_pages: Some(64), ..patient() }).unwrap();
    let mut journal = begin(&store, "a");
    let (mut kept, text) = (1, "x".repeat(3000));
    let error = loop {
        match block_on(journal.append(entry(&text), Durability::Synced)) {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert!(kept > 10);
    for error in [
        block_on(journal.append(entry("x"), Durability::Lazy)).unwrap_err(),
        block_on(journal.append(entry("x"), Durability::Synced)).unwrap_err(),
        block_on(store.flush()).unwrap_err(),
        block_on(store.gc(0, true)).unwrap_err(),
    ] {
        let StoreError::Closed { cause: Some(cause) } = error else { panic!("{error}") };
        assert!(matches!(*cause, StoreError::Full { .. }), "{cause}");
    }
    assert_eq!(place.reader().run("a").unwrap().entries, kept);
    drop(store);

    let store = place.open();
    let mut journal = block_on(store.continue_run("a")).unwrap();
    assert_eq!(journal.next_seq(), kept);
    append(&mut journal, &text);
    assert_eq!(place.reader().check().unwrap(), [""; 0]);
}

#[test]
fn everybody_who_waits_learns_why_a_batch_failed() {
    let place = Place::new();
    let store = place.try_open(Options { max_pages: Some(64), ..patient() }).unwrap();
    let mut journal = begin(&store, "a");
    let large = entry_with("x", &[Blob::new(noise(3, 1 << 20))]);
    let mut appends = vec![journal.append(entry("lazy"), Durability::Lazy)];
    appends.push(journal.append(large, Durability::Synced));
    // Whether these are queued before or after the failure.
    appends.extend((0..10).map(|_| journal.append(entry("later"), Durability::Synced)));
    let results = block_on(join_all(appends));
    assert!(results[0].is_ok());
    assert!(matches!(results[1], Err(StoreError::Full { .. })), "{:?}", results[1]);
    for result in &results[2..] {
        assert!(matches!(result, Err(StoreError::Full { .. } | StoreError::Closed { .. })));
    }
    assert_eq!(texts(&place.reader(), "a"), "first");
}

#[test]
fn a_journal_does_not_keep_the_store_open() {
    let place = Place::new();
    let store = place.open();
    let mut journal = begin(&store, "a");
    drop(store);
    let error = block_on(journal.append(entry("x"), Durability::Synced)).unwrap_err();
    assert!(matches!(error, StoreError::Closed { cause: None }), "{error}");
    place.open();
}

#[test]
fn handles_go_to_other_threads() {
    fn is_send<T: Send + 'static>(_: T) {}
    fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<Store>();
    is_shared::<StoreError>();
    let place = Place::new();
    let store = place.open();
    let mut journal = begin(&store, "a");
    is_send(journal.append(entry("x"), Durability::Synced));
    is_send(journal);
    is_send(place.reader());
    fn _futures(store: &Store, journal: &mut RunJournal) -> impl Send {
        (
            store.create_run(new_run("b"), entry("x")),
            store.cache_get("n", Hash::of(b""), 0),
            store.gc(0, true),
            journal.close(None, end_at(1)),
        )
    }
}
