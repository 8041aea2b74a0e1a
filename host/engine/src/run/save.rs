//! The state of a run, *saved* now and then: a run that comes back goes on from
//! there, and not from its beginning.

use std::collections::{BTreeMap, HashMap};

use consort_store::{Reader, RunRow};

use super::add::Additions;
use super::remote::Remotes;
use super::{Conductor, Ended};
use crate::journal::Reading;
use crate::nodes::Nodes;
use crate::policy::Names;
use crate::snapshot::{self, Contents, Part, State, Unusable, Written};

impl Conductor {
    /// Saves the state if that is worth it: to go to it costs nearly as much as the
    /// run has tasks, and saves what has happened since the last time.
    pub(super) fn save_when_due(&mut self) {
        let tasks = self.records.len() as u64;
        if self.unsaved < self.save_every.max(tasks + tasks / 4) || self.journal.is_none() {
            return;
        }
        self.unsaved = 0;
        let state = self.state();
        if let Some(journal) = &mut self.journal {
            journal.keep(state);
        }
    }

    /// All that follows from the inputs so far.
    pub(crate) fn state(&self) -> Written {
        self.parts().written(&self.records)
    }

    fn parts(&self) -> State<'_> {
        let answers = self.answers.iter().map(|(task, answer)| (task.clone(), answer.clone()));
        let logged = self.logged.iter().map(|(task, bytes)| (task.clone(), *bytes));
        State {
            scheduler: Part::Lent(&self.scheduler),
            now: self.now,
            nodes: self.nodes.save(),
            names: self.names.all().to_vec(),
            classes: Part::Lent(&self.classes),
            answers: answers.collect(),
            additions: self.additions.save(),
            remotes: self.remotes.save(),
            notices: Part::Lent(&self.notices),
            spent: self.spent,
            cancelled: self.cancelled,
            paused: self.paused,
            kept: self.kept,
            logged: logged.collect::<BTreeMap<_, _>>(),
            taken: self.taken,
            ended: self.ended.map(|Ended { status, reason, at }| (status, reason, at)),
        }
    }

    /// Goes to the state that was saved last, and says which entry comes after it;
    /// none if none was saved.
    ///
    /// # Errors
    ///
    /// There is one, and it is of no use. Nothing has changed then.
    pub(crate) fn load(&mut self, reader: &Reader, row: &RunRow) -> Result<Option<u64>, Unusable> {
        let in_words = |error: consort_store::StoreError| error.to_string();
        let Some(snapshot) = reader.snapshot(&row.id).map_err(in_words)? else { return Ok(None) };
        let state = snapshot::unpack(&snapshot, reader)?;
        self.go_to(&state, reader, row)?;
        Ok(Some(snapshot.upto + 1))
    }

    /// Goes to a state that was saved.
    fn go_to(&mut self, state: &[u8], reader: &Reader, row: &RunRow) -> Result<(), Unusable> {
        let stage = self.stage.clone();
        let archive = stage.archive.as_ref().ok_or("nothing is recorded")?;
        let (state, records) = State::read(state, archive)?;
        let reading = Reading { run: &row.id, fetch: &|hash| reader.blob(hash), archive };
        let mut contents =
            Contents::new(reader, &reading, &stage.drafting, self.earlier.as_deref());
        let nodes = Nodes::load(state.nodes, &stage.plan, &mut contents)?;
        let id = |task| nodes.known_id(task, &stage.plan);
        let additions =
            Additions::load(state.additions, |place, name| contents.draft(place, name, id))?;
        let scheduler = state.scheduler.own();
        let counts = [scheduler.task_count(), records.len(), nodes.count()];
        if counts.iter().any(|count| *count != counts[0]) {
            return Err(format!("its parts have {counts:?} tasks"));
        }
        self.scheduler = scheduler;
        self.now = state.now;
        self.records = records;
        self.nodes = nodes;
        self.names = Names::new(state.names);
        self.classes = state.classes.own();
        self.answers = state.answers.into_iter().collect();
        self.additions = additions;
        self.remotes = Remotes::load(state.remotes);
        self.notices = state.notices.own();
        self.spent = state.spent;
        self.cancelled = state.cancelled;
        self.paused = state.paused;
        self.kept = state.kept;
        self.logged = state.logged.into_iter().collect::<HashMap<_, _>>();
        self.taken = state.taken;
        self.ended = state.ended.map(|(status, reason, at)| Ended { status, reason, at });
        if let Some(journal) = &mut self.journal {
            journal.inbox.took(self.taken, false);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use consort_store::{Hash, Options, Reader, RunFilter, RunStatus, Store};
    use futures::executor::block_on;
    use tempfile::TempDir;

    use crate::journal::Input;
    use crate::past::PastRun;
    use crate::snapshot;

    /// Runs in which everything happens that can, as they were recorded once.
    fn fixture() -> (TempDir, Reader) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("runs.db");
        let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/journal-v1.db");
        std::fs::copy(fixture, &file).unwrap();
        // It is of an earlier schema.
        drop(Store::open(&file, Options::default()).unwrap());
        let reader = Reader::open(&file).unwrap();
        (folder, reader)
    }

    /// All states that the runs of the fixture go through.
    const SAVED: &str = "1 2a06412ac75913d95f10244cca48c5ddc50029534e50692857ce21f30a2c04b4";

    /// A snapshot that means something else than it did must not be read.
    #[test]
    fn what_is_saved_changes_with_its_version_only() {
        let (_folder, reader) = fixture();
        let mut all = Vec::new();
        for row in reader.runs(&RunFilter::default()).unwrap() {
            let mut run = PastRun::begun(&reader, &row.id).unwrap().conductor;
            run.live = false;
            run.apply(0, run.now, [Input::Submitted]);
            for next in 1..=row.entries {
                all.extend(run.state().whole());
                run.go_on(&reader, &row, next..next + 1, &mut |_| {}).unwrap();
            }
        }
        let now = format!("{} {}", snapshot::VERSION, Hash::of(&all));
        assert_eq!(now, SAVED, "raise VERSION, and write down here what is saved now");
    }

    /// What a snapshot leads to is compared with what all entries lead to.
    #[test]
    fn a_snapshot_that_leads_elsewhere_is_found() {
        let (folder, reader) = fixture();
        let running = RunFilter { status: Some(RunStatus::Running), ..RunFilter::default() };
        let row = reader.runs(&running).unwrap().remove(0);
        let store = Store::open(&folder.path().join("runs.db"), Options::default()).unwrap();
        let mut journal = block_on(store.continue_run(&row.id)).unwrap();
        let end = row.entries / 2;
        let mut run = PastRun::begun(&reader, &row.id).unwrap().conductor;
        run.replay(&reader, &row, end, &mut |_| {}).unwrap();
        // The second one says that it is of one entry more than it is.
        for (upto, wrong) in
            [(end - 1, None), (end, Some("its snapshot leads to another state than its entries"))]
        {
            let (body, blobs) = run.state().pack();
            let queued = journal.snapshot(upto, snapshot::VERSION, body, blobs);
            block_on(store.flush()).unwrap();
            block_on(queued).unwrap();
            let found = PastRun::check(&reader, &row.id).unwrap();
            assert_eq!(found.as_deref(), wrong);
        }
    }

    /// Whenever a run is saved, it goes on from there as it would have gone on.
    #[test]
    fn a_state_that_is_saved_is_as_good_as_all_that_led_to_it() {
        let (_folder, reader) = fixture();
        for row in reader.runs(&RunFilter::default()).unwrap() {
            let begun = || PastRun::begun(&reader, &row.id).unwrap().conductor;
            let mut whole = begun();
            whole.replay(&reader, &row, u64::MAX, &mut |_| {}).unwrap();
            let mut run = begun();
            run.live = false;
            run.apply(0, run.now, [Input::Submitted]);
            for next in 1..=row.entries {
                let saved = run.state();
                let mut other = begun();
                other.go_to(&saved.whole(), &reader, &row).unwrap();
                assert!(other.state() == saved, "run {} before {next}", row.id);
                other.go_on(&reader, &row, next..u64::MAX, &mut |_| {}).unwrap();
                let (other, whole) = (other.state(), whole.state());
                assert!(other == whole, "run {} from {next}", row.id);
                run.go_on(&reader, &row, next..next + 1, &mut |_| {}).unwrap();
                run.live = false;
            }
        }
    }
}
