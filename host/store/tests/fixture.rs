//! Files that earlier versions wrote can still be read, and written on.
//!
//! `tests/fixtures/v<n>.db` was written by the crate when its schema had
//! version n, and is never changed. The newest is written again, before the
//! version that has its schema is released, by
//! `CONSORT_WRITE_FIXTURE=1 cargo test -p consort-store --test fixture`.

#![expect(clippy::unwrap_used, reason = "a test that unwraps fails where it stands")]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use consort_store::{
    Blob, Durability, Entry, Hash, NewRun, Options, Post, Reader, RunEnd, RunStatus, Store, post,
};
use futures::executor::block_on;

/// The schema version the crate writes.
const NEWEST: u32 = 2;

/// The schema version from which on the fixture has a post.
const INBOX: u32 = 2;

fn fixture(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/v{version}.db"))
}

fn entry(text: &str, blobs: Vec<Blob>) -> Entry {
    Entry { at: 1_700_000_000_000, version: 1, body: text.into(), blobs }
}

fn payload() -> Blob {
    Blob::new("a payload ".repeat(1000))
}

/// What every version's fixture contains; those before [`INBOX`] have no post.
async fn write(store: &Store) -> Result<(), consort_store::StoreError> {
    let new = |id: &str, about: &str| NewRun {
        id: id.into(),
        name: "demo".into(),
        tasks: 2,
        submitted_at: 1_700_000_000_000,
        about: about.to_owned(),
    };
    let mut open = store.create_run(new("open", "{}"), entry("one", vec![payload()])).await?;
    open.append(entry("two", Vec::new()), Durability::Synced).await?;
    let snapshot = open.snapshot(1, 4, b"state".to_vec(), vec![payload()]);
    let mut over = store.create_run(new("over", r#"{"by":"me"}"#), entry("x", Vec::new())).await?;
    let end = RunEnd { at: 1_700_000_001_000, status: RunStatus::Failed, summary: "{}".into() };
    over.close(Some(entry("end", Vec::new())), end).await?;
    let key = Hash::of(b"key");
    store.cache_put("ns", key, b"result".to_vec(), vec![payload()], 5, Some(10)).await?;
    store.flush().await?;
    post(store.path(), "open", 1_700_000_002_000, b"answer")?;
    snapshot.await
}

#[test]
fn every_version_can_be_read_and_written_on() {
    if std::env::var_os("CONSORT_WRITE_FIXTURE").is_some() {
        write_fixture();
    }
    for version in 1..=NEWEST {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("runs.db");
        std::fs::copy(fixture(version), &file).unwrap();
        let before = Reader::open(&file).unwrap();
        read(&before, "one two");
        let posts = before.posts("open", 0).unwrap();
        let expected = Post { id: 1, at: 1_700_000_002_000, body: b"answer".to_vec() };
        assert_eq!(posts, if version < INBOX { vec![] } else { vec![expected] });
        let store = Store::open(&file, Options::default()).unwrap();
        read(&store.reader().unwrap(), "one two");
        let mut open = block_on(store.continue_run("open")).unwrap();
        block_on(open.append(entry("three", vec![payload()]), Durability::Synced)).unwrap();
        read(&store.reader().unwrap(), "one two three");
        // The reader need not be opened again for what the new version brought.
        let posted = post(&file, "open", 1, b"later").unwrap();
        let later = before.posts("open", posted - 1).unwrap();
        assert_eq!(later, [Post { id: posted, at: 1, body: b"later".to_vec() }]);
        read(&before, "one two three");
        let cached = block_on(store.cache_get("ns", Hash::of(b"key"), 9)).unwrap().unwrap();
        assert_eq!((cached.body, cached.blobs), (b"result".to_vec(), vec![payload()]));
    }
}

fn read(reader: &Reader, open: &str) {
    let mut texts = Vec::new();
    let mut each = |_, entry: Entry| {
        texts.push(String::from_utf8(entry.body).unwrap());
        ControlFlow::Continue(())
    };
    reader.entries("open", 0, &mut each).unwrap();
    assert_eq!(texts.join(" "), open);
    assert_eq!(reader.blob(payload().hash()).unwrap().as_ref(), payload().bytes());
    let snapshot = reader.snapshot("open").unwrap().unwrap();
    assert_eq!((snapshot.upto, snapshot.version, snapshot.body), (1, 4, b"state".to_vec()));
    let over = reader.run("over").unwrap();
    assert_eq!(
        (over.status, over.ended_at, over.entries),
        (RunStatus::Failed, Some(1_700_000_001_000), 2)
    );
    assert_eq!(over.about, r#"{"by":"me"}"#);
    assert_eq!(reader.check().unwrap(), [""; 0]);
}

fn write_fixture() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("runs.db");
    let store = Store::open(&file, Options::default()).unwrap();
    block_on(write(&store)).unwrap();
    drop(store);
    std::fs::copy(&file, fixture(NEWEST)).unwrap();
}
