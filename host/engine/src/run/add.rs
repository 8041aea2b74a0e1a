//! What is *added* to a run, by agents and from outside.

use std::collections::HashMap;
use std::sync::Arc;

use consort_core::graph::TaskIx;
use consort_core::plan::AgentIx;
use consort_core::scheduler::{
    Addition, ClassIx, ClassLimits, Conflict, Event, Facts, NewTask, TaskRules, Wanted, moment,
};

use super::Conductor;
use crate::control::{AddOutcome, AddedTask, Reply};
use crate::draft::{Draft, Proposal};
use crate::nodes::MAX_GROWTH;
use crate::report::NotAdded;
use crate::watch::RunEvent;

/// Tasks that the agents of one run may add to it.
const MAX_SPAWNED: usize = 10_000;

/// What is on its way into the run, and what did not get there.
#[derive(Default)]
pub(super) struct Additions {
    next_key: u64,
    /// By key: proposed to the scheduler, or held by it.
    open: HashMap<u64, Open>,
    replies: Vec<Answering>,
    /// Tasks that agents have added.
    spawned: usize,
    pub(super) not_added: Vec<NotAdded>,
}

struct Open {
    draft: Arc<Draft>,
    by: Option<Arc<str>>,
}

/// An answer that is due when the step is over.
struct Answering {
    /// The key of its first task; the others follow.
    first: u64,
    tasks: Vec<AddedTask>,
    to: Reply<Vec<AddedTask>>,
}

impl Additions {
    /// Sends the answers that the step has completed.
    pub(super) fn reply(&mut self) {
        for Answering { tasks, to, .. } in self.replies.drain(..) {
            // Whoever asked may have gone.
            let _ = to.send(Ok(tasks));
        }
    }

    fn settle(&mut self, key: u64, outcome: AddOutcome, conflicts: Vec<String>) {
        for answering in &mut self.replies {
            let place = key.checked_sub(answering.first).map(|place| place as usize);
            if let Some(task) = place.and_then(|place| answering.tasks.get_mut(place)) {
                (task.outcome, task.conflicts) = (outcome, conflicts);
                return;
            }
        }
    }
}

impl Conductor {
    /// Adds what the agent of a task wants added.
    pub(super) fn propose(&mut self, task: TaskIx, proposals: Vec<Proposal>) {
        if proposals.is_empty() {
            return;
        }
        let by = self.id(task);
        let mut all = Vec::new();
        for Proposal { name, drafts, .. } in proposals {
            let drafts = match drafts {
                Ok(drafts) => drafts,
                Err(why) => {
                    self.reject(&name, Some(&by), why);
                    continue;
                }
            };
            if self.additions.spawned + drafts.len() > MAX_SPAWNED {
                let why = format!("agents have added {MAX_SPAWNED} tasks to this run already");
                self.reject(&name, Some(&by), why);
                continue;
            }
            self.additions.spawned += drafts.len();
            all.extend(drafts);
        }
        // Together: they may wait for each other.
        self.add(all, Some(&by), None);
    }

    /// Adds tasks, as far as they fit.
    pub(super) fn add(
        &mut self,
        drafts: Vec<Arc<Draft>>,
        by: Option<&Arc<str>>,
        reply: Option<Reply<Vec<AddedTask>>>,
    ) {
        let first = self.additions.next_key;
        self.additions.next_key += drafts.len() as u64;
        if let Some(to) = reply {
            // The step answers each of them; rejected is what never got there.
            let tasks = drafts.iter().map(|draft| AddedTask {
                task_id: draft.task.id.clone(),
                outcome: AddOutcome::Rejected,
                conflicts: Vec::new(),
            });
            self.additions.replies.push(Answering { first, tasks: tasks.collect(), to });
        }
        let mut tasks = Vec::with_capacity(drafts.len());
        for (key, draft) in (first..).zip(drafts) {
            match self.new_task(key, &draft, tasks.len()) {
                Ok(task) => {
                    self.additions.open.insert(key, Open { draft, by: by.cloned() });
                    tasks.push(task);
                }
                Err(why) => {
                    self.additions.settle(key, AddOutcome::Rejected, vec![why.clone()]);
                    self.reject(&draft.task.id, by, why);
                }
            }
        }
        if !tasks.is_empty() {
            self.events.push(Event::Add(Box::new(Addition { tasks })));
        }
    }

    /// A draft in the scheduler's terms; `before` tasks are on their way with it.
    fn new_task(&mut self, key: u64, draft: &Draft, before: usize) -> Result<NewTask, String> {
        let stage = self.stage.clone();
        let plan = &stage.plan;
        let task = &draft.task;
        if self.nodes.find(&task.id, plan).is_some() || self.nodes.is_item_id(&task.id, plan) {
            return Err(conflict(&Conflict::Duplicate(task.id.clone())));
        }
        if self.nodes.room() <= before {
            return Err(format!("the run has grown by {MAX_GROWTH} tasks already"));
        }
        let settings = &task.settings;
        let now = self.now;
        let facts = Facts {
            kind: self.names.number(&settings.kind),
            priority: settings.priority,
            deadline: settings.deadline.map(|deadline| moment(deadline, now)),
            expected: settings.expected,
            remaining_path: settings.expected,
            dependents: 0,
            depth: 0,
        };
        let mut unknown = None;
        let mut rules = TaskRules::new(task, &plan.agents, facts, |wanted| {
            let class = self.class(wanted);
            if class.is_none() && wanted.batching.is_none() {
                unknown = Some((AgentIx(wanted.agent), wanted.slots));
                return Some(ClassIx(wanted.agent));
            }
            class
        });
        if let Some((agent, slots)) = unknown {
            let agent = &plan.agent(agent).name;
            return Err(format!("no task of the workflow takes {slots} slots of agent '{agent}'"));
        }
        if let Some(earlier) = &self.earlier {
            earlier.mark(task, &mut rules);
        }
        let depends_on = draft.waits_for.iter().map(|name| match self.nodes.find(name, plan) {
            Some(task) => Wanted::Task(task),
            None => Wanted::Name(name.clone()),
        });
        let depends_on = depends_on.collect();
        Ok(NewTask { rules, depends_on, key, name: task.id.clone() })
    }

    fn class(&self, wanted: ClassLimits) -> Option<ClassIx> {
        let place = self.classes.iter().position(|class| *class == wanted);
        place.map(|place| ClassIx(place as u32))
    }

    pub(super) fn added(&mut self, key: u64, task: TaskIx, without: &[Conflict]) {
        let Some(Open { draft, by }) = self.additions.open.remove(&key) else { return };
        let id = draft.task.id.clone();
        self.nodes.add(task, without_missing(draft, without));
        self.records.resize_with(task.index() + 1, Default::default);
        self.stage.tell(&RunEvent::Added { task: &id, by: by.as_ref() });
        let conflicts = without.iter().map(conflict).collect();
        self.additions.settle(key, AddOutcome::Added, conflicts);
    }

    pub(super) fn not_added(&mut self, key: u64, held: bool, conflicts: &[Conflict]) {
        let why: Vec<String> = match conflicts {
            [] => vec!["the run was over".to_owned()],
            conflicts => conflicts.iter().map(conflict).collect(),
        };
        let said = why.join("; ");
        if held {
            let Some(Open { draft, by }) = self.additions.open.get(&key) else { return };
            let (task, by) = (&draft.task.id, by.as_ref());
            self.stage.tell(&RunEvent::NotAdded { task, by, held, why: &said });
            self.additions.settle(key, AddOutcome::Held, why);
        } else {
            let Some(Open { draft, by }) = self.additions.open.remove(&key) else { return };
            self.additions.settle(key, AddOutcome::Rejected, why);
            self.reject(&draft.task.id, by.as_ref(), said);
        }
    }

    pub(super) fn reject(&mut self, task: &Arc<str>, by: Option<&Arc<str>>, reason: String) {
        self.stage.tell(&RunEvent::NotAdded { task, by, held: false, why: &reason });
        self.additions.not_added.push(NotAdded { task_id: task.clone(), by: by.cloned(), reason });
    }
}

/// A draft without the edges to tasks that were not there when it was admitted:
/// should they come later, it does not wait for them.
fn without_missing(draft: Arc<Draft>, without: &[Conflict]) -> Arc<Draft> {
    let missing = |name: &Arc<str>| {
        without.iter().any(|conflict| matches!(conflict, Conflict::Missing(one) if one == name))
    };
    if !draft.waits_for.iter().any(missing) {
        return draft;
    }
    let mut task = draft.task.clone();
    let edges = task.dependencies.iter().zip(&draft.waits_for);
    let (edges, waits_for): (Vec<_>, Vec<_>) = edges
        .filter(|(_, name)| !missing(name))
        .map(|(edge, name)| (edge.clone(), name.clone()))
        .unzip();
    task.dependencies = edges.into();
    Arc::new(Draft { task, waits_for: waits_for.into() })
}

fn conflict(conflict: &Conflict) -> String {
    match conflict {
        Conflict::Missing(name) => format!("it depends on '{name}', which is not in the run"),
        Conflict::Cycle(path) => format!("it would wait for itself: {}", path.join(" -> ")),
        Conflict::Duplicate(name) => format!("there is a task '{name}' in the run already"),
    }
}
