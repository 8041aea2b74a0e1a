//! Other processes post while this one writes; neither is in the other's way,
//! and what a poster was told is posted is there, however it ends.
//!
//! The test binary runs itself again as the process that posts: each post's
//! body is its number, and it says the post's id on standard output once it is
//! told.

#![expect(clippy::unwrap_used, reason = "a test that unwraps fails where it stands")]

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use consort_store::{Durability, Entry, NewRun, Options, Reader, RunJournal, Store, post};
use futures::executor::block_on;

/// Names the store to the process that posts.
const STORE: &str = "CONSORT_INBOX_STORE";

/// Tells it how many.
const POSTS: &str = "CONSORT_INBOX_POSTS";

/// How many appends are on the way at once.
const PIPELINED: usize = 64;

#[test]
fn posts_arrive_while_thousands_of_entries_are_appended() {
    if let Some(store) = std::env::var_os(STORE) {
        post_numbers(Path::new(&store));
    }
    const EACH: usize = 40;
    let place = Place::new();
    let (store, mut writing) = place.begin();
    let mut posters =
        [Poster::spawn(&place.file, EACH, None), Poster::spawn(&place.file, EACH, None)];
    let reader = Reader::open(&place.file).unwrap();
    let (mut taken, mut last) = (BTreeMap::<_, usize>::new(), 0);
    while taken.len() < 2 * EACH {
        writing.append(100);
        if reader.changed().unwrap() {
            for post in reader.posts("a", last).unwrap() {
                assert!(post.id > last);
                last = post.id;
                taken.insert(post.id, String::from_utf8(post.body).unwrap().parse().unwrap());
            }
            block_on(store.forget_posts("a", last)).unwrap();
        }
    }
    writing.append(2_000);
    writing.finish();
    block_on(store.flush()).unwrap();
    assert_eq!(reader.posts("a", 0).unwrap(), []);
    for poster in &mut posters {
        let told = poster.finish();
        assert_eq!(told.len(), EACH);
        for (number, id) in told.into_iter().enumerate() {
            assert_eq!(taken.remove(&id), Some(number));
        }
    }
    assert!(writing.next > 2_000);
    assert_eq!(reader.run("a").unwrap().entries, writing.next);
    assert_eq!(reader.check().unwrap(), [""; 0]);
}

#[test]
fn a_poster_that_is_killed_takes_nothing_with_it() {
    let place = Place::new();
    let (store, mut writing) = place.begin();
    for round in 0..12 {
        let mut poster = Poster::spawn(&place.file, usize::MAX, None);
        let mut told: Vec<i64> = Vec::new();
        while told.len() <= round * 3 {
            writing.append(20);
            told.push(poster.read().expect("it posts until it is killed"));
        }
        poster.child.kill().unwrap();
        told.extend(poster.finish());
        writing.append(100);
        let found = Reader::open(&place.file).unwrap().posts("a", told[0] - 1).unwrap();
        let found: Vec<_> = found.into_iter().map(|post| post.id).collect();
        assert_eq!(found[..told.len()], told, "round {round}");
        assert!(found.len() <= told.len() + 1, "what nobody was told is one post at most");
        block_on(store.forget_posts("a", found[found.len() - 1])).unwrap();
    }
    writing.finish();
    assert_eq!(store.held_up(), None);
    drop(store);
    assert_eq!(Reader::open(&place.file).unwrap().check().unwrap(), [""; 0]);
    Store::open(&place.file, Options::default()).unwrap();
}

#[cfg(feature = "failpoints")]
#[test]
fn a_poster_that_dies_at_a_failpoint_posts_all_or_nothing() {
    use consort_store::failpoint::{AFTER_COMMIT, BEFORE_COMMIT};
    let place = Place::new();
    let (_store, mut writing) = place.begin();
    let reader = Reader::open(&place.file).unwrap();
    for (point, there) in [(BEFORE_COMMIT, 2), (AFTER_COMMIT, 3)] {
        let before = reader.posts("a", 0).unwrap().len();
        let told = Poster::spawn(&place.file, usize::MAX, Some((point, 3))).finish();
        assert_eq!(told.len(), 2);
        writing.append(100);
        assert_eq!(reader.posts("a", 0).unwrap().len() - before, there, "{point}");
    }
    writing.finish();
    assert_eq!(reader.check().unwrap(), [""; 0]);
}

/// A store in a folder of its own.
struct Place {
    _dir: tempfile::TempDir,
    file: PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { file: dir.path().join("runs.db"), _dir: dir }
    }

    fn begin(&self) -> (Store, Writing) {
        let store = Store::open(&self.file, Options::default()).unwrap();
        let (id, name) = ("a".into(), "inbox".into());
        let new = NewRun { id, name, tasks: 1, submitted_at: 0, about: String::new() };
        let journal = block_on(store.create_run(new, entry())).unwrap();
        (store, Writing { journal, on_the_way: VecDeque::new(), next: 1 })
    }
}

/// A run whose journal grows.
struct Writing {
    journal: RunJournal,
    on_the_way: VecDeque<consort_store::Queued>,
    next: u64,
}

impl Writing {
    fn append(&mut self, entries: usize) {
        for _ in 0..entries {
            self.on_the_way.push_back(self.journal.append(entry(), Durability::Synced));
            self.next += 1;
        }
        self.settle(PIPELINED);
    }

    fn finish(&mut self) {
        self.settle(0);
    }

    fn settle(&mut self, left: usize) {
        while self.on_the_way.len() > left {
            self.on_the_way.pop_front().into_iter().for_each(|append| block_on(append).unwrap());
        }
    }
}

fn entry() -> Entry {
    Entry { at: 0, version: 1, body: vec![b'x'; 100], blobs: Vec::new() }
}

/// The process that posts.
struct Poster {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl Poster {
    fn spawn(file: &Path, posts: usize, failpoint: Option<(&str, u32)>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let me = "posts_arrive_while_thousands_of_entries_are_appended";
        command
            .args(["--exact", me, "--nocapture"])
            .env(STORE, file)
            .env(POSTS, posts.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some((point, times)) = failpoint {
            command.env("CONSORT_FAILPOINT", format!("{point}={times}"));
        }
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, output }
    }

    /// The next id it was told; `None` when there are no more.
    fn read(&mut self) -> Option<i64> {
        // The harness of the test binary says things too, and a line that the
        // kill cut short has no end.
        self.output
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| line.split("posted ").nth(1)?.strip_suffix('.')?.parse().ok())
    }

    /// All further ids it was told.
    fn finish(&mut self) -> Vec<i64> {
        let told = std::iter::from_fn(|| self.read()).collect();
        self.child.wait().unwrap();
        told
    }
}

fn post_numbers(file: &Path) -> ! {
    let posts = std::env::var(POSTS).unwrap().parse::<usize>().unwrap();
    for number in 0..posts {
        let id = post(file, "a", 0, number.to_string().as_bytes()).unwrap();
        let mut out = std::io::stdout().lock();
        out.write_all(format!("posted {id}.\n").as_bytes()).unwrap();
        out.flush().unwrap();
    }
    std::process::exit(0)
}
