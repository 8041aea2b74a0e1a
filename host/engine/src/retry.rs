//! A *retry* does a part of a run again that is over: what failed, or what
//! somebody names, and all that depends on it. It is a run of its own, which
//! takes over the results of the other tasks and does not need the earlier run
//! any more.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

use consort_core::graph::TaskIx;
use consort_core::plan::{Work, compile};
use consort_core::scheduler::Status;
use consort_store::{Reader, RunStatus, Store};
use serde::Serialize;
use serde_json::Value;

use crate::attempt::AttemptEnd;
use crate::cast::Cast;
use crate::control::{Command, ControlError};
use crate::draft::Proposal;
use crate::earlier::{Earlier, Leftover, Spawned};
use crate::journal::{Input, JournalError, Reading, Submitted};
use crate::message::Message;
use crate::output::{Archive, Output};
use crate::past::PastRun;
use crate::run::durable::{self, ResumeError};
use crate::run::{Conductor, Run};
use crate::setup::Engine;

/// Which tasks are done again; those that depend on them are in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// All that have failed, or were cancelled.
    Failed,
    /// These, with their steps and their items.
    From(Vec<String>),
}

/// A run that cannot be done again.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// It cannot be read, or needs what is not there.
    #[error(transparent)]
    Run(#[from] ResumeError),
    /// It is not over.
    #[error("run {id} is not over")]
    NotOver {
        /// The run.
        id: String,
    },
    /// Nothing of it failed.
    #[error("nothing of run {id} failed: it has {status}")]
    NothingFailed {
        /// The run.
        id: String,
        /// How it ended.
        status: RunStatus,
    },
    /// There is no such task.
    #[error(transparent)]
    Task(#[from] ControlError),
}

impl From<JournalError> for RetryError {
    fn from(error: JournalError) -> Self {
        Self::Run(error.into())
    }
}

/// A part of a run that is to be done again.
#[derive(Debug)]
pub struct Retry {
    submitted: Submitted,
    tasks: Vec<RetriedTask>,
    earlier: Earlier,
}

/// What becomes of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RetriedTask {
    /// Its id; `task[n]` for an item.
    pub task_id: Arc<str>,
    /// How it ended; none if it never did.
    pub was: Option<Status>,
    /// What becomes of it.
    pub becomes: Becomes,
}

/// What becomes of a task of the earlier run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Becomes {
    /// It is done again.
    Again,
    /// Its result is taken over.
    Reused,
    /// It has none, because it was skipped: whether it is done is decided anew.
    Decided,
}

impl Becomes {
    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Again => "again",
            Self::Reused => "reused",
            Self::Decided => "decided",
        }
    }
}

impl Retry {
    /// Works out what is to be done again. `id` may be the unique beginning or
    /// end of the run's id.
    ///
    /// # Errors
    ///
    /// There is no such run or task, the run is not over or cannot be read, or
    /// there is nothing to be done; see [`RetryError`].
    pub fn plan(reader: &Reader, id: &str, what: &Again) -> Result<Self, RetryError> {
        let mut past = PastRun::read(reader, id)?;
        let (id, status) = (past.row().id.clone(), past.row().status);
        if status == RunStatus::Running {
            return Err(RetryError::NotOver { id });
        }
        let from = match what {
            Again::Failed => None,
            Again::From(tasks) => {
                let find = |task: &String| past.conductor.find(task);
                Some(tasks.iter().map(find).collect::<Result<Vec<_>, _>>()?)
            }
        };
        let submitted = durable::submitted(reader, past.row()).map_err(ResumeError::from)?;
        let additions = Additions::read(reader, &mut past, submitted.earlier.as_deref())?;
        let conductor = &past.conductor;
        let mut doing = Doing::new(conductor, &additions);
        let fresh = match from {
            Some(tasks) => doing.all_of(tasks),
            None => {
                doing.failed();
                Vec::new()
            }
        };
        let again = doing.again;
        if !again.contains(&true) {
            return Err(RetryError::NothingFailed { id, status });
        }
        let fresh = fresh.into_iter().map(|task| conductor.id(task)).collect();
        let mut earlier =
            Earlier { run: id, added: additions.from_outside, fresh, ..Earlier::default() };
        let mut tasks = Vec::with_capacity(again.len());
        for task in conductor.all_nodes() {
            let (record, again) = (conductor.record(task), again[task.index()]);
            let task_id = conductor.id(task);
            // A fan-out is taken over item by item, a collaborative task step by
            // step.
            let whole = conductor.items(task).is_none() && conductor.task(task).work != Work::Join;
            let output = record.result.as_ref().and_then(Output::kept);
            if let (false, true, Some(output)) = (again, whole, output) {
                let spawn = additions.spawned.get(&task).cloned().unwrap_or_default();
                let leftover = Leftover { output: output.clone(), spawn };
                earlier.results.insert(task_id.clone(), leftover);
            }
            let becomes = match (again, record.status) {
                (true, _) => Becomes::Again,
                (false, Some(Status::Succeeded)) => Becomes::Reused,
                (false, _) => Becomes::Decided,
            };
            tasks.push(RetriedTask { task_id, was: record.status, becomes });
        }
        Ok(Self { submitted, tasks, earlier })
    }

    /// The run that is done again.
    pub fn of(&self) -> &str {
        &self.earlier.run
    }

    /// Every task of it, in the order of the plan, items and additions last.
    pub fn tasks(&self) -> &[RetriedTask] {
        &self.tasks
    }
}

impl Engine {
    /// Makes a run ready that does a part of an earlier one again, recorded in
    /// the same store. Workflow, inputs and policy are the earlier run's; agents
    /// of the host configuration are this engine's.
    ///
    /// # Errors
    ///
    /// The workflow needs what this engine does not have.
    pub async fn retry(&self, store: &Store, retry: Retry) -> Result<Run, ResumeError> {
        let Retry { submitted, earlier, .. } = retry;
        let origin = durable::origin(&submitted);
        let invalid = |problems| ResumeError::Invalid {
            id: earlier.run.clone(),
            origin: origin.clone(),
            problems,
        };
        let document = submitted.parse().map_err(invalid)?;
        let plan = compile(document, self.known(), crate::now()).map_err(invalid)?;
        let policy = submitted.policy;
        let (cast, prioritizer) = Cast::gather(self, &plan, &policy).await.map_err(invalid)?;
        let (slots, known) = (submitted.slots, self.known());
        let mut run = Run::new(self.clone(), plan, cast, prioritizer, policy, slots, known);
        run.repeat(store.clone(), origin, submitted.inputs, earlier);
        Ok(run)
    }
}

/// What was added to a run.
#[derive(Default)]
struct Additions {
    /// By the task whose agent wanted them.
    spawned: HashMap<TaskIx, Vec<Spawned>>,
    /// By the task whose agent wanted them.
    theirs: HashMap<TaskIx, Vec<TaskIx>>,
    from_outside: Vec<Value>,
}

impl Additions {
    /// `before` is what the run had itself from an earlier one.
    fn read(
        reader: &Reader,
        past: &mut PastRun,
        before: Option<&Earlier>,
    ) -> Result<Self, RetryError> {
        let mut all = Self::default();
        if !past.conductor.has_additions() {
            return Ok(all);
        }
        let row = past.row().clone();
        let drafting = past.conductor.drafting();
        let archive = &Archive::at(reader.path());
        let reading = Reading { run: &row.id, fetch: &|hash| reader.blob(hash), archive };
        let mut failed = None;
        let mut wanted: BTreeMap<TaskIx, Vec<Arc<str>>> = BTreeMap::new();
        for (id, leftover) in before.iter().flat_map(|before| &before.results) {
            if let (false, Ok(task)) = (leftover.spawn.is_empty(), past.conductor.find(id)) {
                let spawn = leftover.spawn.iter().cloned();
                let proposals = spawn.map(|one| drafting.spawned(one.source, &one.agent));
                all.keep(task, proposals.collect(), &mut wanted);
            }
        }
        all.from_outside.extend(before.iter().flat_map(|before| before.added.iter().cloned()));
        let read = reader.entries(&row.id, 1, &mut |seq, entry| {
            match reading.inputs(seq, &entry, &drafting) {
                Ok(inputs) => inputs.into_iter().for_each(|input| all.take(input, &mut wanted)),
                Err(error) => failed = Some(error),
            }
            if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        read.map_err(ResumeError::from)?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        for (by, names) in wanted {
            let added = names.iter().filter_map(|name| past.conductor.find(name).ok());
            all.theirs.insert(by, added.collect());
        }
        Ok(all)
    }

    fn take(&mut self, input: Input, wanted: &mut BTreeMap<TaskIx, Vec<Arc<str>>>) {
        match input {
            Input::Message(Message::Ended {
                task,
                end: Some(AttemptEnd::Done { proposals, .. }),
                ..
            }) if !proposals.is_empty() => {
                self.keep(task, proposals, wanted);
            }
            Input::Command(Command::Add { tasks, .. })
            | Input::Posted { command: Command::Add { tasks, .. }, .. } => match tasks {
                Value::Array(tasks) => self.from_outside.extend(tasks),
                task => self.from_outside.push(task),
            },
            _ => {}
        }
    }

    /// What the agent of a task wanted added. The ids of the tasks are `wanted`.
    fn keep(
        &mut self,
        task: TaskIx,
        proposals: Vec<Proposal>,
        wanted: &mut BTreeMap<TaskIx, Vec<Arc<str>>>,
    ) {
        let names = wanted.entry(task).or_default();
        for Proposal { source, agent, drafts, .. } in proposals {
            names.extend(drafts.iter().flatten().map(|draft| draft.task.id.clone()));
            self.spawned.entry(task).or_default().push(Spawned { source, agent });
        }
    }
}

/// What is to be done again, as far as it is known.
struct Doing<'a> {
    run: &'a Conductor,
    additions: &'a Additions,
    /// Who depends on each task.
    dependents: Vec<Vec<TaskIx>>,
    again: Vec<bool>,
    /// Those whose consequences have not been drawn; with all their items or
    /// without.
    open: Vec<(TaskIx, bool)>,
}

impl<'a> Doing<'a> {
    fn new(run: &'a Conductor, additions: &'a Additions) -> Self {
        let count = run.all_nodes().count();
        let mut dependents = vec![Vec::new(); count];
        for task in run.all_nodes() {
            run.each_dependency(task, |dependency| dependents[dependency.index()].push(task));
        }
        Self { run, additions, dependents, again: vec![false; count], open: Vec::new() }
    }

    /// Everything that has no result and was not skipped.
    fn failed(&mut self) {
        for task in self.run.all_nodes() {
            match self.run.record(task).status {
                Some(Status::Succeeded | Status::Skipped) => {}
                Some(Status::Failed | Status::Cancelled) | None => self.open.push((task, false)),
            }
        }
        self.draw();
    }

    /// Tasks with their steps and their items; gives all of these.
    fn all_of(&mut self, mut whole: Vec<TaskIx>) -> Vec<TaskIx> {
        let mut all = Vec::new();
        while let Some(task) = whole.pop() {
            self.open.push((task, true));
            if self.run.task(task).work == Work::Join {
                self.run.each_dependency(task, |step| whole.push(step));
            }
            all.push(task);
            all.extend(self.run.items(task).into_iter().flatten());
        }
        self.draw();
        all
    }

    /// Draws consequences until there are none.
    fn draw(&mut self) {
        while let Some((task, with_items)) = self.open.pop() {
            let items = self.run.items(task).into_iter().flatten();
            if with_items {
                self.open.extend(
                    items.filter(|item| !self.again[item.index()]).map(|item| (item, true)),
                );
            }
            if std::mem::replace(&mut self.again[task.index()], true) {
                continue;
            }
            self.open.extend(self.run.item_of(task).map(|parent| (parent, false)));
            let theirs = self.additions.theirs.get(&task).into_iter().flatten();
            let dependents = self.dependents[task.index()].iter().chain(theirs);
            self.open.extend(dependents.map(|next| (*next, true)));
        }
    }
}
