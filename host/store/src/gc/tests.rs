//! Whatever was stored in whatever order, a collection leaves exactly what is
//! still reachable, and a dry run foretells it.

use std::collections::{BTreeMap, BTreeSet};

use futures::executor::block_on;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::testing::{Place, append, begin, end_at, entry_with, new_run, noise, texts};
use crate::{Blob, Durability, Hash, Reader, RunFilter, Store};

/// What the world does to a store. Small numbers meet often.
#[derive(Debug, Clone)]
enum Action {
    Append { run: u8, blobs: Vec<u8> },
    Snapshot { run: u8, blobs: Vec<u8> },
    Close { run: u8, at: i64 },
    Post { run: u8 },
    Put { key: u8, blobs: Vec<u8>, at: i64, expires: Option<i64> },
    Collect { older_than: i64, now: i64 },
}

fn action() -> impl Strategy<Value = Action> {
    let (run, key, time) = (0..4_u8, 0..4_u8, 0..10_i64);
    let blobs = || vec(0..6_u8, 0..4);
    prop_oneof![
        4 => (run.clone(), blobs()).prop_map(|(run, blobs)| Action::Append { run, blobs }),
        2 => (run.clone(), blobs()).prop_map(|(run, blobs)| Action::Snapshot { run, blobs }),
        2 => (run.clone(), time.clone()).prop_map(|(run, at)| Action::Close { run, at }),
        1 => run.prop_map(|run| Action::Post { run }),
        2 => (key, blobs(), time.clone(), proptest::option::of(time.clone()))
            .prop_map(|(key, blobs, at, expires)| Action::Put { key, blobs, at, expires }),
        2 => (time.clone(), time).prop_map(|(older_than, now)| Action::Collect { older_than, now }),
    ]
}

/// The blob with this number; some have more than one chunk.
fn blob(number: u8) -> Blob {
    Blob::new(noise(number.into(), usize::from(number) * 300_000))
}

fn blobs(numbers: &[u8]) -> Vec<Blob> {
    numbers.iter().map(|number| blob(*number)).collect()
}

/// What there should be.
#[derive(Default)]
struct Model {
    runs: BTreeMap<u8, ModelRun>,
    cached: BTreeMap<u8, ModelResult>,
    /// Numbers of blobs that are stored, whether or not they are reachable.
    stored: BTreeSet<u8>,
}

struct ModelResult {
    blobs: Vec<u8>,
    at: i64,
    expires: Option<i64>,
}

#[derive(Default)]
struct ModelRun {
    /// Those of each entry.
    entries: Vec<Vec<u8>>,
    snapshot: Vec<u8>,
    ended: Option<i64>,
    posts: usize,
}

impl Model {
    fn reachable(&self) -> BTreeSet<u8> {
        let runs = self.runs.values();
        let entries = runs.clone().flat_map(|run| run.entries.iter().flatten());
        let snapshots = runs.flat_map(|run| &run.snapshot);
        let cached = self.cached.values().flat_map(|cached| &cached.blobs);
        entries.chain(snapshots).chain(cached).copied().collect()
    }

    fn collect(&mut self, older_than: i64, now: i64) {
        self.runs.retain(|_, run| run.ended.is_none_or(|ended| ended >= older_than));
        self.cached.retain(|_, cached| {
            cached.at >= older_than && cached.expires.is_none_or(|expires| expires > now)
        });
        self.stored = self.reachable();
    }

    fn compare(&self, reader: &Reader) {
        for number in 0..6 {
            let found = reader.blob(blob(number).hash()).unwrap();
            assert_eq!(found.is_some(), self.stored.contains(&number), "blob {number}");
        }
        let rows = reader.runs(&RunFilter::default()).unwrap();
        let found: BTreeMap<_, _> = rows.into_iter().map(|row| (row.id, row.entries)).collect();
        let expected =
            self.runs.iter().map(|(id, run)| (id.to_string(), run.entries.len() as u64)).collect();
        assert_eq!(found, expected);
        for (id, run) in &self.runs {
            assert_eq!(reader.posts(&id.to_string(), 0).unwrap().len(), run.posts);
        }
        assert_eq!(reader.size().unwrap().cached, self.cached.len() as u64);
        assert_eq!(reader.check().unwrap(), [""; 0]);
    }
}

fn perform(store: &Store, model: &mut Model, action: &Action) {
    match action {
        Action::Append { run, blobs: numbers } => {
            let entry = entry_with("entry", &blobs(numbers));
            if let Some(known) = model.runs.get_mut(run).filter(|run| run.ended.is_none()) {
                let mut journal = block_on(store.continue_run(&run.to_string())).unwrap();
                block_on(journal.append(entry, Durability::Lazy)).unwrap();
                known.entries.push(numbers.clone());
            } else if !model.runs.contains_key(run) {
                block_on(store.create_run(new_run(&run.to_string()), entry)).unwrap();
                model.runs.entry(*run).or_default().entries.push(numbers.clone());
            } else {
                return;
            }
            model.stored.extend(numbers);
        }
        Action::Snapshot { run, blobs: numbers } => {
            let Some(known) = open_run(model, *run) else { return };
            let before = std::mem::replace(&mut known.snapshot, numbers.clone());
            let mut journal = block_on(store.continue_run(&run.to_string())).unwrap();
            drop(journal.snapshot(0, 1, b"snapshot".to_vec(), blobs(numbers)));
            model.stored.extend(numbers);
            // What only the snapshot before had goes at once.
            let reachable = model.reachable();
            model.stored.retain(|number| !before.contains(number) || reachable.contains(number));
        }
        Action::Close { run, at } => {
            let Some(known) = open_run(model, *run) else { return };
            known.ended = Some(*at);
            let mut journal = block_on(store.continue_run(&run.to_string())).unwrap();
            block_on(journal.close(None, end_at(*at))).unwrap();
        }
        Action::Post { run } => {
            let Some(known) = open_run(model, *run) else { return };
            known.posts += 1;
            block_on(store.flush()).unwrap();
            crate::post(store.path(), &run.to_string(), 0, b"request").unwrap();
        }
        Action::Put { key, blobs: numbers, at, expires } => {
            let hash = Hash::of(&[*key]);
            let put = store.cache_put("n", hash, b"result".to_vec(), blobs(numbers), *at, *expires);
            block_on(put).unwrap();
            let (at, expires) = (*at, *expires);
            model.cached.insert(*key, ModelResult { blobs: numbers.clone(), at, expires });
            model.stored.extend(numbers);
        }
        Action::Collect { older_than, now } => {
            let foreseen = block_on(store.gc_at(*older_than, *now, true)).unwrap();
            let report = block_on(store.gc_at(*older_than, *now, false)).unwrap();
            assert_eq!(foreseen, report);
            model.collect(*older_than, *now);
        }
    }
}

fn open_run(model: &mut Model, run: u8) -> Option<&mut ModelRun> {
    model.runs.get_mut(&run).filter(|run| run.ended.is_none())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn exactly_what_is_reachable_stays(actions in vec(action(), 1..25)) {
        let place = Place::new();
        let store = place.open();
        let mut model = Model::default();
        for action in &actions {
            perform(&store, &mut model, action);
        }
        block_on(store.flush()).unwrap();
        model.compare(&place.reader());
        perform(&store, &mut model, &Action::Collect { older_than: 5, now: 5 });
        model.compare(&place.reader());
    }
}

#[test]
fn space_is_given_back_to_the_file_system() {
    let place = Place::new();
    let store = place.open();
    let mut kept = begin(&store, "kept");
    let large = entry_with("large", &[Blob::new(noise(1, 8 << 20))]);
    let mut journal = block_on(store.create_run(new_run("old"), large)).unwrap();
    crate::post(&place.file(), "old", 0, b"request").unwrap();
    block_on(journal.close(None, end_at(1))).unwrap();
    append(&mut kept, "more");
    let report = block_on(store.gc(2, false)).unwrap();
    let expected = GcReport { runs: 1, entries: 1, cached: 0, blobs: 1, bytes: 5 + 7 + (8 << 20) };
    assert_eq!(report, expected);
    let size = place.reader().size().unwrap();
    assert!(size.file < 200_000 && size.free == 0 && size.log == 0, "{size:?}");
    assert!(place.file().metadata().unwrap().len() < 200_000);
    assert_eq!(texts(&place.reader(), "kept"), "first more");
}

#[test]
fn the_journal_of_a_run_that_was_deleted_is_in_nobodys_way() {
    let place = Place::new();
    let store = place.open();
    let mut old = begin(&store, "a");
    block_on(old.close(None, end_at(1))).unwrap();
    block_on(store.gc(2, false)).unwrap();
    let mut new = begin(&store, "a");
    append(&mut new, "second");
    drop(old);
    assert!(block_on(store.continue_run("a")).is_err(), "it is in use");
    assert_eq!(texts(&place.reader(), "a"), "first second");
}

#[test]
fn appends_go_on_while_garbage_is_collected() {
    let place = Place::new();
    let store = place.open();
    for n in 0..20 {
        let mut journal = begin(&store, &format!("old-{n}"));
        block_on(journal.close(None, end_at(1))).unwrap();
    }
    let mut journal = begin(&store, "new");
    let appends: Vec<_> = (0..100)
        .map(|n| journal.append(entry_with(&n.to_string(), &[]), Durability::Synced))
        .collect();
    let (report, appended) =
        block_on(futures::future::join(store.gc(2, false), futures::future::join_all(appends)));
    appended.into_iter().for_each(Result::unwrap);
    assert_eq!(report.unwrap().runs, 20);
    assert_eq!(place.reader().run("new").unwrap().entries, 101);
}
