use std::time::{Duration, Instant};

use futures::executor::block_on;

use super::*;
use crate::testing::{
    Place, append, as_nobody, begin, end_at, entry, new_run, patient, permit, texts,
};
use crate::{Durability, Options, Reader, Store};

/// The bodies of a run's posts after one of them, separated by spaces.
fn bodies(reader: &Reader, run: &str, after: i64) -> String {
    let posts = reader.posts(run, after).unwrap();
    assert!(posts.is_sorted_by_key(|post| post.id));
    let bodies = posts.into_iter().map(|post| String::from_utf8(post.body).unwrap());
    bodies.collect::<Vec<_>>().join(" ")
}

#[test]
fn posts_wait_for_the_run_they_are_meant_for() {
    let place = Place::new();
    let store = place.open();
    let _journals = [begin(&store, "nightly-a1"), begin(&store, "nightly-b2")];
    let post = |run, body: &str| post(&place.file(), run, 7, body.as_bytes()).unwrap();
    let first = post("nightly-a1", "one");
    let other = post("nightly-b", "other");
    let second = post("a1", "two");
    assert!(first > 0 && other > first && second > other);

    let reader = place.reader();
    assert_eq!(bodies(&reader, "nightly-a1", 0), "one two");
    assert_eq!(bodies(&reader, "nightly-a1", first), "two");
    assert_eq!(bodies(&reader, "nightly-a1", second), "");
    let expected = Post { id: other, at: 7, body: b"other".to_vec() };
    assert_eq!(reader.posts("nightly-b2", 0).unwrap(), [expected]);
    assert_eq!(reader.posts("x", 0).unwrap_err().to_string(), "there is no run 'x'");
}

#[test]
fn posts_wait_while_nobody_carries_the_run_out() {
    let place = Place::new();
    begin(&place.open(), "a");
    post(&place.file(), "a", 0, b"cancel").unwrap();
    assert!(!place.path("runs.db-wal").exists(), "the log is in the file");
    let store = place.open();
    assert_eq!(bodies(&store.reader().unwrap(), "a", 0), "cancel");
    append(&mut block_on(store.continue_run("a")).unwrap(), "second");
    assert_eq!(texts(&place.reader(), "a"), "first second");
}

#[test]
fn posts_are_forgotten_together_with_what_was_queued_before() {
    let place = Place::new();
    let store = place.open();
    let (mut a, _b) = (begin(&store, "a"), begin(&store, "b"));
    let post = |run, body: &str| post(&place.file(), run, 0, body.as_bytes()).unwrap();
    post("a", "one");
    post("b", "other");
    let second = post("a", "two");
    let third = post("a", "three");
    let reader = place.reader();

    block_on(a.append(entry("took-two"), Durability::Lazy)).unwrap();
    block_on(store.forget_posts("a", second)).unwrap();
    block_on(store.forget_posts("c", i64::MAX)).unwrap();
    assert_eq!(
        (texts(&reader, "a"), bodies(&reader, "a", 0)),
        ("first".into(), "one two three".into())
    );
    block_on(store.flush()).unwrap();
    assert_eq!(texts(&reader, "a"), "first took-two");
    assert_eq!(
        (bodies(&reader, "a", 0), bodies(&reader, "b", 0)),
        ("three".into(), "other".into())
    );

    for run in ["a", "b"] {
        block_on(store.forget_posts(run, i64::MAX)).unwrap();
    }
    drop(store);
    let _store = place.open();
    assert!(post("a", "four") > third, "an id is given once");
    assert_eq!(bodies(&reader, "a", third), "four");
}

#[test]
fn what_cannot_be_posted_is_refused_with_its_reason() {
    let place = Place::new();
    let store = place.open();
    let _journals = [begin(&store, "nightly-a1"), begin(&store, "nightly-b2")];
    let mut over = begin(&store, "over");
    block_on(over.close(None, end_at(1))).unwrap();
    let refused = |run, body: &[u8]| post(&place.file(), run, 0, body).unwrap_err().to_string();
    let cases = [
        ("x", "there is no run 'x'"),
        ("nightly-a2", "there is no run 'nightly-a2'; did you mean nightly-a1 or nightly-b2?"),
        ("night", "'night' could be any of nightly-b2, nightly-a1; write more of it"),
        ("over", "run 'over' is over and takes no more entries; start a new run"),
    ];
    for (run, message) in cases {
        assert_eq!(refused(run, b""), message);
    }
    let most = vec![b'x'; MAX_POST as usize];
    assert_eq!(
        refused("x", &[&most[..], b"x"].concat()),
        "request of 1048577 bytes is larger than the store takes, which is 1048576 bytes"
    );
    for _ in 0..MAX_INBOX / MAX_POST {
        post(&place.file(), "nightly-a", 0, &most).unwrap();
    }
    assert_eq!(
        refused("nightly-a1", b"x"),
        "run 'nightly-a1' has 16 requests waiting, which is as much as the store takes; \
         resume the run, which takes them up"
    );
    post(&place.file(), "nightly-b2", 0, b"").unwrap();
    block_on(store.forget_posts("nightly-a1", 1)).unwrap();
    block_on(store.flush()).unwrap();
    post(&place.file(), "nightly-a1", 0, &most).unwrap();
    assert_eq!(place.reader().check().unwrap(), [""; 0]);
}

#[test]
fn a_run_takes_so_many_posts() {
    let place = Place::new();
    let store = place.open();
    let _journal = begin(&store, "a");
    let foreign = Connection::open(place.file()).unwrap();
    let fill = "WITH n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
        INSERT INTO inbox (run, at, sum, body) SELECT 1, 0, 0, x'' FROM n";
    foreign.execute(fill, [MAX_POSTS as i64 - 1]).unwrap();
    post(&place.file(), "a", 0, b"last").unwrap();
    let error = post(&place.file(), "a", 0, b"one more").unwrap_err();
    assert!(matches!(error, StoreError::InboxFull { posts: MAX_POSTS, .. }), "{error}");
}

#[test]
fn what_is_no_store_of_this_version_takes_no_posts() {
    let place = Place::new();
    let file = place.file();
    let refused = || post(&file, "open", 0, b"x").unwrap_err();
    assert!(matches!(refused(), StoreError::NotFound { .. }));
    assert!(!file.exists());

    for content in ["", "Dear diary, today I was not a database. "] {
        std::fs::write(&file, content.repeat(100)).unwrap();
        assert!(matches!(refused(), StoreError::NotAStore { .. }));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), content.repeat(100));
    }

    let v1 = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/v1.db");
    std::fs::copy(v1, &file).unwrap();
    assert_eq!(
        refused().to_string(),
        format!(
            "store '{}' has format 1, which is older than {}; \
             resume or start a run with it once to bring it up to date",
            file.display(),
            schema::STEPS.len()
        )
    );
    assert_eq!(place.reader().posts("open", 0).unwrap(), []);
    assert_eq!(place.reader().check().unwrap(), [""; 0]);
    drop(place.open());
    assert_eq!(post(&file, "open", 0, b"x").unwrap(), 1);

    let connection = Connection::open(&file).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert!(matches!(refused(), StoreError::Newer { found: 99, .. }));
}

#[test]
fn a_store_without_permission_to_write_takes_no_posts() {
    let check = |file: &Path| {
        let error = post(file, "a", 0, b"x").unwrap_err();
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    };
    if let Some(file) = std::env::var_os("STORE") {
        return check(Path::new(&file));
    }
    let place = Place::new();
    begin(&place.open(), "a");
    let (file, folder) = (place.file(), place.path(""));
    for (file_mode, folder_mode) in [(0o444, 0o555), (0o444, 0o777), (0o666, 0o555)] {
        permit(&file, file_mode);
        permit(&folder, folder_mode);
        let me = "inbox::tests::a_store_without_permission_to_write_takes_no_posts";
        if as_nobody(me, &place) {
            check(&file);
        }
    }
    permit(&folder, 0o755);
}

#[test]
fn a_reader_notices_that_something_changed() {
    let place = Place::new();
    let store = place.open();
    let mut journal = begin(&store, "a");
    let reader = place.reader();
    let changed = || reader.changed().unwrap();
    assert!(changed(), "nobody knows what was before");
    assert!(!changed());
    for _ in 0..3 {
        post(&place.file(), "a", 0, b"x").unwrap();
        // Whatever else is read takes nothing away.
        assert!(!reader.posts("a", 0).unwrap().is_empty());
        assert!(changed());
        assert!(!changed());
    }
    append(&mut journal, "second");
    assert!(changed());
    assert_eq!(texts(&reader, "a"), "first second");
    assert!(!changed());
}

#[test]
fn a_post_with_other_bytes_is_noticed() {
    let place = Place::new();
    let _journal = begin(&place.open(), "a");
    post(&place.file(), "a", 0, b"x").unwrap();
    let connection = Connection::open(place.file()).unwrap();
    connection.execute("UPDATE inbox SET body = x'00'", []).unwrap();
    let reader = place.reader();
    let error = reader.posts("a", 0).unwrap_err();
    assert!(error.to_string().contains("is damaged: request 1 has other bytes"), "{error}");
    assert_eq!(reader.check().unwrap(), ["request 1 has other bytes"]);
}

/// Keeps the file from everybody else, as a foreign tool may.
fn hold(place: &Place) -> Connection {
    let foreign = Connection::open(place.file()).unwrap();
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    foreign
}

/// Waits until the writer has noticed that it cannot go on.
fn wait_until_held_up(store: &Store) {
    while store.held_up().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_writer_that_is_held_up_goes_on_afterwards() {
    let place = Place::new();
    for busy_timeout_ms in [0, 20] {
        let store = place.try_open(Options { busy_timeout_ms, ..patient() }).unwrap();
        let mut journal = begin(&store, &format!("run-{busy_timeout_ms}"));
        assert_eq!(store.held_up(), None);
        let foreign = hold(&place);
        let append = journal.append(entry("second"), Durability::Synced);
        wait_until_held_up(&store);
        drop(foreign);
        block_on(append).unwrap();
        block_on(store.gc(0, false)).unwrap();
        assert_eq!(store.held_up(), None);
        assert_eq!(texts(&place.reader(), journal.id()), "first second");
    }
}

#[test]
fn garbage_collection_that_is_held_up_goes_on_afterwards() {
    let place = Place::new();
    let store = place.try_open(Options { busy_timeout_ms: 0, ..patient() }).unwrap();
    let mut journal = begin(&store, "a");
    block_on(journal.close(None, end_at(1))).unwrap();
    let foreign = hold(&place);
    let release = std::thread::spawn({
        let store = store.clone();
        move || {
            wait_until_held_up(&store);
            drop(foreign);
        }
    });
    assert_eq!(block_on(store.gc(2, false)).unwrap().runs, 1);
    release.join().unwrap();
}

#[test]
fn a_store_that_is_closed_does_not_wait_for_ever() {
    let place = Place::new();
    let store = place.try_open(Options { busy_timeout_ms: 10, ..patient() }).unwrap();
    let mut journal = begin(&store, "a");
    let foreign = hold(&place);
    let append = journal.append(entry("second"), Durability::Synced);
    wait_until_held_up(&store);
    let begun = Instant::now();
    drop(store);
    assert!(begun.elapsed() < Duration::from_secs(5));
    let error = block_on(append).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    drop(foreign);
    let store = place.open();
    assert_eq!(texts(&store.reader().unwrap(), "a"), "first");
    block_on(store.create_run(new_run("b"), entry("x"))).unwrap();
}
