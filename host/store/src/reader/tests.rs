use std::os::unix::fs::FileExt;
use std::path::Path;

use futures::executor::block_on;

use super::*;
use crate::testing::{
    Place, append, as_nobody, begin, end_at, entry_with, new_run, noise, patient, permit, texts,
    try_texts,
};
use crate::{Blob, Options, RunStatus, Store};

#[test]
fn runs_are_listed_newest_first_and_filtered() {
    let place = Place::new();
    let store = place.open();
    for (n, id) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let new = crate::NewRun { submitted_at: n as i64, ..new_run(id) };
        let mut journal = block_on(store.create_run(new, entry_with("x", &[]))).unwrap();
        if n % 2 == 0 {
            block_on(journal.close(None, end_at(9))).unwrap();
        }
    }
    let reader = place.reader();
    let list = |filter: RunFilter| {
        let ids = reader.runs(&filter).unwrap().into_iter().map(|row| row.id);
        ids.collect::<Vec<_>>().concat()
    };
    assert_eq!(list(RunFilter::default()), "dcba");
    assert_eq!(list(RunFilter { limit: Some(3), ..RunFilter::default() }), "dcb");
    assert_eq!(list(RunFilter { before: Some(2), ..RunFilter::default() }), "ba");
    assert_eq!(list(RunFilter { name: Some("other".into()), ..RunFilter::default() }), "");
    let status = Some(RunStatus::Succeeded);
    assert_eq!(list(RunFilter { status, ..RunFilter::default() }), "ca");
    let unfinished = reader.unfinished().unwrap();
    assert_eq!(unfinished.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["b", "d"]);
}

#[test]
fn entries_are_read_from_any_number_until_it_is_enough() {
    let place = Place::new();
    let store = place.open();
    let mut journal = begin(&store, "a");
    for text in ["1", "2", "3", "4"] {
        append(&mut journal, text);
    }
    let reader = place.reader();
    let read = |from, enough| {
        let mut seen = Vec::new();
        let mut each = |seq, _| {
            seen.push(seq);
            if seq == enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        reader.entries("a", from, &mut each).unwrap();
        seen
    };
    assert_eq!(read(0, 9), [0, 1, 2, 3, 4]);
    assert_eq!(read(2, 3), [2, 3]);
    assert_eq!(read(5, 9), [0; 0]);
    assert_eq!(read(u64::MAX, 9), [0; 0]);
    assert_eq!(try_texts(&reader, "b").unwrap_err().to_string(), "there is no run 'b'");
}

/// As whoever replays a journal does that refers to large payloads.
#[test]
fn whoever_is_called_back_reads_on_from_the_same_state() {
    let place = Place::new();
    let store = place.open();
    let mut journal = begin(&store, "a");
    let payload = Blob::new("large");
    let entry = entry_with("second", std::slice::from_ref(&payload));
    block_on(journal.append(entry, crate::Durability::Synced)).unwrap();
    let reader = place.reader();
    let mut each = |_, _| {
        append(&mut journal, "later");
        assert_eq!(reader.blob(payload.hash()).unwrap().as_ref(), payload.bytes());
        assert_eq!(reader.run("a").unwrap().entries, 2);
        ControlFlow::Continue(())
    };
    reader.entries("a", 0, &mut each).unwrap();
    assert_eq!(reader.run("a").unwrap().entries, 4);
}

#[test]
fn a_reader_sees_one_state_while_the_writer_goes_on() {
    let place = Place::new();
    let store = place.open();
    let mut journal = begin(&store, "a");
    append(&mut journal, "second");
    let reader = place.reader();
    let mut seen = 0;
    let mut each = |_, _| {
        seen += 1;
        append(&mut journal, "later");
        ControlFlow::Continue(())
    };
    reader.entries("a", 0, &mut each).unwrap();
    assert_eq!(seen, 2);
    assert_eq!(texts(&reader, "a"), "first second later later");
}

#[test]
fn a_backup_is_the_state_it_was_begun_with() {
    let place = Place::new();
    let store = place.open();
    let blob = Blob::new(noise(1, 9 << 20));
    let entry = entry_with("large", std::slice::from_ref(&blob));
    let mut journal = block_on(store.create_run(new_run("a"), entry)).unwrap();
    let reader = place.reader();
    let to = place.path("copy.db");
    let mut reports = Vec::new();
    let mut progress = |done, total| {
        reports.push((done, total));
        append(&mut journal, "later");
    };
    reader.backup(&to, &mut progress).unwrap();
    assert!(reports.len() >= 3, "{reports:?}");
    assert!(reports.is_sorted() && reports.last().is_some_and(|(done, all)| done == all));

    let copy = Reader::open(&to).unwrap();
    assert_eq!(texts(&copy, "a"), "large");
    assert_eq!(copy.blob(blob.hash()).unwrap().as_ref(), blob.bytes());
    assert_eq!(copy.check().unwrap(), [""; 0]);
    drop(copy);
    // It is a store like any other.
    let store = Store::open(&to, patient()).unwrap();
    append(&mut block_on(store.continue_run("a")).unwrap(), "more");
    assert_eq!(texts(&store.reader().unwrap(), "a"), "large more");

    let error = reader.backup(&to, &mut |_, _| ()).unwrap_err();
    assert!(matches!(error, StoreError::Exists { .. }), "{error}");
    let mut names: Vec<_> = std::fs::read_dir(to.parent().unwrap())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("partial"))
        .collect();
    assert_eq!(std::mem::take(&mut names), [""; 0]);
}

#[test]
fn what_is_not_a_store_is_named() {
    let place = Place::new();
    let file = place.file();
    let open = || (Reader::open(&file).unwrap_err(), place.try_open(patient()).err());
    let (error, _) = (Reader::open(&file).unwrap_err(), ());
    assert!(matches!(error, StoreError::NotFound { .. }), "{error}");

    std::fs::write(&file, "Dear diary, today I was not a database. ".repeat(100)).unwrap();
    assert!(matches!(open(), (StoreError::NotAStore { .. }, Some(StoreError::NotAStore { .. }))));

    std::fs::remove_file(&file).unwrap();
    let theirs = Connection::open(&file).unwrap();
    theirs.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(theirs);
    assert!(matches!(open(), (StoreError::NotAStore { .. }, Some(StoreError::NotAStore { .. }))));

    let folder = Reader::open(Path::new("/")).unwrap_err();
    assert!(matches!(folder, StoreError::NotAStore { .. }), "{folder}");
    let nowhere = Store::open(&place.path("no/where.db"), patient()).unwrap_err();
    assert!(matches!(nowhere, StoreError::Io { .. }), "{nowhere}");
}

#[test]
fn a_newer_schema_is_refused() {
    let place = Place::new();
    drop(place.open());
    let connection = Connection::open(place.file()).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    for error in [Reader::open(&place.file()).unwrap_err(), place.try_open(patient()).unwrap_err()]
    {
        assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error}");
    }
}

#[test]
fn a_damaged_header_is_noticed_when_the_file_is_opened() {
    let place = Place::new();
    begin(&place.open(), "a");
    overwrite(&place.file(), 0, &[0xff; 40]);
    for error in [Reader::open(&place.file()).unwrap_err(), place.try_open(patient()).unwrap_err()]
    {
        assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
    }
}

#[test]
fn damage_in_the_middle_is_noticed_when_it_is_read() {
    let place = Place::new();
    let blob = Blob::new(noise(1, 100_000));
    let store = place.open();
    let mut journal =
        block_on(store.create_run(new_run("a"), entry_with("first", std::slice::from_ref(&blob))))
            .unwrap();
    append(&mut journal, "unmistakable");
    drop(store);
    let bytes = std::fs::read(place.file()).unwrap();
    let find = |what: &[u8]| bytes.windows(what.len()).position(|at| at == what).unwrap() as u64;
    overwrite(&place.file(), find(b"unmistakable"), b"UN");
    overwrite(&place.file(), find(&blob.bytes().unwrap()[50_000..50_016]), b"xx");

    let reader = place.reader();
    let error = try_texts(&reader, "a").unwrap_err();
    assert!(error.to_string().contains("is damaged: entry 1 has other bytes"), "{error}");
    let error = reader.blob(blob.hash()).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    let error = reader.write_blob(blob.hash(), &mut Vec::new()).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert_eq!(
        reader.check().unwrap(),
        [
            "run a: entry 1 has other bytes".to_owned(),
            format!("payload {}, of run a, has other bytes", blob.hash())
        ]
    );
}

#[test]
fn a_page_that_is_nonsense_is_found() {
    let place = Place::new();
    let store = place.open();
    let mut journal = begin(&store, "a");
    for n in 0..2000 {
        drop(journal.append(entry_with(&format!("entry {n}"), &[]), crate::Durability::Lazy));
    }
    drop(store);
    let pages = place.file().metadata().unwrap().len() / 4096;
    for page in pages / 2..pages {
        overwrite(&place.file(), page * 4096, &noise(page, 4096));
    }
    let reader = place.reader();
    let error = try_texts(&reader, "a").unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(!reader.check().unwrap().is_empty());
}

#[test]
fn an_entry_that_is_missing_is_noticed() {
    let place = Place::new();
    let mut journal = begin(&place.open(), "a");
    let store = place.open();
    drop(journal);
    journal = block_on(store.continue_run("a")).unwrap();
    append(&mut journal, "second");
    append(&mut journal, "third");
    drop(store);
    let connection = Connection::open(place.file()).unwrap();
    connection.execute("DELETE FROM journal WHERE seq = 1", []).unwrap();
    drop(connection);
    let error = try_texts(&place.reader(), "a").unwrap_err();
    assert!(error.to_string().contains("entry 1 is missing"), "{error}");
}

#[test]
fn a_store_without_permission_to_write_can_be_read() {
    let check = |file: &Path| {
        let error = Store::open(file, Options::default()).unwrap_err();
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
        let reader = Reader::open(file).unwrap();
        assert_eq!(texts(&reader, "a"), "first");
        assert_eq!(reader.check().unwrap(), [""; 0]);
    };
    if let Some(file) = std::env::var_os("STORE") {
        return check(Path::new(&file));
    }
    let place = Place::new();
    begin(&place.open(), "a");
    let (file, folder) = (place.file(), place.path(""));
    for (file_mode, folder_mode) in [(0o444, 0o555), (0o444, 0o777)] {
        permit(&file, file_mode);
        permit(&folder, folder_mode);
        let me = "reader::tests::a_store_without_permission_to_write_can_be_read";
        if as_nobody(me, &place) {
            check(&file);
        }
    }
    permit(&folder, 0o755);
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, at).unwrap();
}
