//! What a snapshot does *not* hold, since the journal does: tasks that were added,
//! and the items of fan-outs that are not over. Both are read where they came in.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use consort_core::graph::TaskIx;
use consort_store::Reader;
use serde_json::Value;

use super::Unusable;
use crate::attempt::AttemptEnd;
use crate::control::Command;
use crate::decide::Verdict;
use crate::draft::{Draft, Drafting, Proposal};
use crate::earlier::Earlier;
use crate::job::Fan;
use crate::journal::{Input, Place, Reading};
use crate::message::Message;

/// What was read of a journal for the sake of a snapshot.
pub(crate) struct Contents<'a> {
    reader: &'a Reader,
    reading: &'a Reading<'a>,
    drafting: &'a Drafting,
    earlier: Option<&'a Earlier>,
    entries: HashMap<u64, Vec<Input>>,
    /// By entry and input.
    drafts: HashMap<(u64, u32), Vec<Arc<Draft>>>,
}

impl<'a> Contents<'a> {
    pub(crate) fn new(
        reader: &'a Reader,
        reading: &'a Reading<'a>,
        drafting: &'a Drafting,
        earlier: Option<&'a Earlier>,
    ) -> Self {
        let (entries, drafts) = (HashMap::new(), HashMap::new());
        Self { reader, reading, drafting, earlier, entries, drafts }
    }

    /// The task of that name that came in there. `id` says what a task is called
    /// that was in the run before.
    pub(crate) fn draft(
        &mut self,
        place: Place,
        name: &str,
        id: impl Fn(TaskIx) -> Option<Arc<str>>,
    ) -> Result<Arc<Draft>, Unusable> {
        let Place { entry, input, part } = place;
        if !self.drafts.contains_key(&(entry, input)) {
            let drafts = match entry {
                0 => self.added_again()?,
                _ => self.added_by(entry, input, id)?,
            };
            self.drafts.insert((entry, input), drafts);
        }
        let found = self.drafts[&(entry, input)].get(part as usize);
        let found = found.filter(|draft| &*draft.task.id == name).cloned();
        found.ok_or_else(|| missing(place))
    }

    /// The fan-out of so many items that came in there.
    pub(crate) fn fan(&mut self, place: Place, count: u32) -> Result<Arc<Fan>, Unusable> {
        match self.input(place.entry, place.input)? {
            Input::Message(Message::Decided { verdict: Verdict::FanOut(fan), .. })
                if fan.items.len() == count as usize =>
            {
                Ok(fan.clone())
            }
            _ => Err(missing(place)),
        }
    }

    /// What had been added to the run that this one repeats.
    fn added_again(&self) -> Result<Vec<Arc<Draft>>, Unusable> {
        let added = self.earlier.map(|earlier| earlier.added.clone()).unwrap_or_default();
        self.drafting.draft(Value::Array(added)).map_err(|problems| format!("{problems:?}"))
    }

    fn added_by(
        &mut self,
        entry: u64,
        input: u32,
        id: impl Fn(TaskIx) -> Option<Arc<str>>,
    ) -> Result<Vec<Arc<Draft>>, Unusable> {
        let (drafting, earlier) = (self.drafting, self.earlier);
        Ok(match self.input(entry, input)? {
            Input::Command(Command::Add { drafts, .. })
            | Input::Posted { command: Command::Add { drafts, .. }, .. } => drafts.clone(),
            Input::Message(Message::Ended {
                end: Some(AttemptEnd::Done { proposals, .. }),
                ..
            }) => those_that_are_valid(proposals),
            Input::Message(Message::Decided { task, verdict: Verdict::Reused }) => {
                let leftover = earlier.and_then(|earlier| earlier.results.get(&id(*task)?));
                let spawn = leftover.into_iter().flat_map(|leftover| &leftover.spawn);
                let proposals: Vec<Proposal> =
                    spawn.map(|one| drafting.spawned(one.source.clone(), &one.agent)).collect();
                those_that_are_valid(&proposals)
            }
            _ => Vec::new(),
        })
    }

    fn input(&mut self, entry: u64, input: u32) -> Result<&Input, Unusable> {
        if !self.entries.contains_key(&entry) {
            let mut inputs = Err(format!("entry {entry} is missing"));
            let read = self.reader.entries(self.reading.run, entry, &mut |seq, found| {
                inputs = self.reading.inputs(seq, &found, self.drafting).map_err(in_words);
                ControlFlow::Break(())
            });
            read.map_err(in_words)?;
            self.entries.insert(entry, inputs?);
        }
        let found = self.entries[&entry].get(input as usize);
        found.ok_or_else(|| missing(Place { entry, input, part: 0 }))
    }
}

fn those_that_are_valid(proposals: &[Proposal]) -> Vec<Arc<Draft>> {
    let valid = proposals.iter().filter_map(|proposal| proposal.drafts.as_ref().ok());
    valid.flatten().cloned().collect()
}

fn missing(place: Place) -> Unusable {
    format!("there is nothing at {place:?}")
}

fn in_words(error: impl ToString) -> Unusable {
    error.to_string()
}
