//! What is *added* to a run, by agents and from outside.

use std::collections::HashMap;
use std::sync::Arc;

use consort_core::graph::TaskIx;
use consort_core::plan::AgentIx;
use consort_core::problem::Problem;
use consort_core::scheduler::{
    Addition, ClassIx, ClassLimits, Conflict, Event, Facts, NewTask, TaskRules, Wanted, moment,
};

use serde::{Deserialize, Serialize};

use super::Conductor;
use crate::control::{AddOutcome, AddedTask, ControlError, Reply, Terms};
use crate::draft::{Draft, Proposal};
use crate::journal::Place;
use crate::nodes::MAX_GROWTH;
use crate::report::NotAdded;
use crate::snapshot::Unusable;
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
    /// Where it came in.
    place: Place,
}

/// What is saved of additions.
#[derive(Serialize, Deserialize)]
pub(crate) struct SavedAdditions {
    next_key: u64,
    open: Vec<SavedOpen>,
    spawned: usize,
    not_added: Vec<NotAdded>,
}

#[derive(Serialize, Deserialize)]
struct SavedOpen {
    key: u64,
    place: Place,
    id: Arc<str>,
    by: Option<Arc<str>>,
}

/// Tasks that are to be added, each with its number among those that came in with
/// it.
pub(super) type Drafts = Vec<(u32, Arc<Draft>)>;

/// Those that came in alone with each other.
pub(super) fn numbered(drafts: Vec<Arc<Draft>>) -> Drafts {
    (0..).zip(drafts).collect()
}

/// An answer that is due when the step is over.
struct Answering {
    /// The key of its first task; the others follow.
    first: u64,
    tasks: Vec<AddedTask>,
    to: Reply<Vec<AddedTask>>,
}

impl Additions {
    /// What is saved of them.
    pub(super) fn save(&self) -> SavedAdditions {
        let open = self.open.iter().map(|(key, open)| SavedOpen {
            key: *key,
            place: open.place,
            id: open.draft.task.id.clone(),
            by: open.by.clone(),
        });
        let mut open: Vec<_> = open.collect();
        open.sort_unstable_by_key(|open| open.key);
        SavedAdditions {
            next_key: self.next_key,
            open,
            spawned: self.spawned,
            not_added: self.not_added.clone(),
        }
    }

    /// Those that were saved; `draft` finds the task of that name that came in at
    /// a place.
    pub(super) fn load(
        saved: SavedAdditions,
        mut draft: impl FnMut(Place, &str) -> Result<Arc<Draft>, Unusable>,
    ) -> Result<Self, Unusable> {
        let SavedAdditions { next_key, open, spawned, not_added } = saved;
        let open = open.into_iter().map(|SavedOpen { key, place, id, by }| {
            let draft = draft(place, &id)?;
            Ok((key, Open { draft, by, place }))
        });
        let open = open.collect::<Result<_, Unusable>>()?;
        Ok(Self { next_key, open, replies: Vec::new(), spawned, not_added })
    }

    /// Sends the answers that the step has completed.
    pub(super) fn reply(&mut self) {
        for Answering { tasks, to, .. } in self.replies.drain(..) {
            // Whoever asked may have gone.
            let _ = to.send(Ok(tasks));
        }
    }

    /// Whether a task of that id is held.
    pub(super) fn is_held(&self, id: &str) -> bool {
        self.key(id).is_some()
    }

    /// The earliest of that id: others that come in the same step are duplicates,
    /// and are rejected when it is over.
    fn key(&self, id: &str) -> Option<u64> {
        let open = self.open.iter().filter(|(_, open)| &*open.draft.task.id == id);
        open.map(|(key, _)| *key).min()
    }

    fn settle(&mut self, key: u64, outcome: AddOutcome, conflicts: Vec<Problem>) {
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
        let mut all = Drafts::new();
        let mut count = 0;
        for Proposal { name, drafts, .. } in proposals {
            let drafts = match drafts {
                Ok(drafts) => drafts,
                Err(why) => {
                    self.leave_out(&name, Some(&by), why);
                    continue;
                }
            };
            let first = count;
            count += drafts.len() as u32;
            if self.additions.spawned + drafts.len() > MAX_SPAWNED {
                let why = format!("agents have added {MAX_SPAWNED} tasks to this run already");
                self.leave_out(&name, Some(&by), why);
                continue;
            }
            self.additions.spawned += drafts.len();
            all.extend((first..).zip(drafts));
        }
        // Together: they may wait for each other.
        self.add(all, Some(&by), Terms::default(), None);
    }

    /// Adds tasks, as far as they fit.
    pub(super) fn add(
        &mut self,
        drafts: Drafts,
        by: Option<&Arc<str>>,
        terms: Terms,
        reply: Option<Reply<Vec<AddedTask>>>,
    ) {
        let first = self.additions.next_key;
        self.additions.next_key += drafts.len() as u64;
        if let Some(to) = reply {
            // The step answers each of them; rejected is what never got there.
            let tasks = drafts.iter().map(|(_, draft)| AddedTask {
                task_id: draft.task.id.clone(),
                outcome: AddOutcome::Rejected,
                conflicts: Vec::new(),
            });
            self.additions.replies.push(Answering { first, tasks: tasks.collect(), to });
        }
        let mut tasks = Vec::with_capacity(drafts.len());
        let mut fitting = Vec::with_capacity(drafts.len());
        let mut unfit = None;
        let mut classes = Vec::new();
        for (key, (part, draft)) in (first..).zip(drafts) {
            match self.new_task(key, &draft, tasks.len(), &mut classes) {
                Ok(task) => {
                    tasks.push(task);
                    fitting.push((key, part, draft));
                }
                Err(why) => {
                    unfit.get_or_insert_with(|| draft.task.id.clone());
                    self.reject(key, &draft.task.id, by, vec![*why]);
                }
            }
        }
        if let Some(unfit) = unfit.filter(|_| terms.whole) {
            for (key, _, draft) in fitting {
                let id = &draft.task.id;
                let why = problem(id, &Conflict::Companion(unfit.clone()));
                self.reject(key, id, by, vec![why]);
            }
            return;
        }
        let open = |(key, part, draft)| {
            (key, Open { draft, by: by.cloned(), place: Place { part, ..self.place } })
        };
        self.additions.open.extend(fitting.into_iter().map(open));
        if !tasks.is_empty() {
            let Terms { whole, on_conflict } = terms;
            self.classes.extend(&classes);
            let addition = Addition { tasks, whole, on_conflict, classes };
            self.events.push(Event::Add(Box::new(addition)));
        }
    }

    /// Lets a task that is held wait no longer.
    pub(super) fn resolve(&mut self, id: &str, admit: bool) -> Result<(), ControlError> {
        let Some(key) = self.additions.key(id) else {
            let held = self.additions.open.values().map(|open| &*open.draft.task.id);
            return Err(ControlError::unknown(id, held));
        };
        self.events.push(Event::Resolve { key, admit });
        Ok(())
    }

    /// A draft in the scheduler's terms; `before` tasks are on their way with it,
    /// and these classes.
    fn new_task(
        &mut self,
        key: u64,
        draft: &Draft,
        before: usize,
        classes: &mut Vec<ClassLimits>,
    ) -> Result<NewTask, Box<Problem>> {
        let stage = self.stage.clone();
        let plan = &stage.plan;
        let task = &draft.task;
        if self.nodes.find(&task.id, plan).is_some() || self.nodes.is_item_id(&task.id, plan) {
            return Err(problem(&task.id, &Conflict::Duplicate(task.id.clone())).into());
        }
        if self.nodes.room() <= before {
            let message = format!("the run has grown by {MAX_GROWTH} tasks already");
            return Err(Problem::error("too-many", &*task.id, message).into());
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
            let class = self.class(wanted, classes);
            if class.is_none() && wanted.batching.is_none() {
                unknown = Some((AgentIx(wanted.agent), wanted.slots));
                return Some(ClassIx(wanted.agent));
            }
            class
        });
        if let Some((agent, slots)) = unknown {
            let agent = &plan.agent(agent).name;
            let message = format!("no task of the workflow takes {slots} slots of agent '{agent}'");
            return Err(Problem::error("resources", format!("{}.resources", task.id), message)
                .hint("give it as many slots as a task of the workflow takes")
                .into());
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

    /// The class of those limits. An open run comes to have what it lacks; any
    /// other keeps to those of its plan, as it always has.
    fn class(&self, wanted: ClassLimits, new: &mut Vec<ClassLimits>) -> Option<ClassIx> {
        let open = self.plan().open;
        let slots = if open { wanted.slots.min(self.scheduler.slots()) } else { wanted.slots };
        let wanted = ClassLimits { slots, ..wanted };
        let place = self.classes.iter().chain(&*new).position(|class| *class == wanted);
        if place.is_none() && open {
            new.push(wanted);
            return Some(ClassIx((self.classes.len() + new.len() - 1) as u32));
        }
        place.map(|place| ClassIx(place as u32))
    }

    pub(super) fn added(&mut self, key: u64, task: TaskIx, without: &[Conflict]) {
        let Some(Open { draft, by, place }) = self.additions.open.remove(&key) else { return };
        let id = draft.task.id.clone();
        self.nodes.add(task, without_missing(draft, without), place);
        self.records.resize_with(task.index() + 1, Default::default);
        let conflicts = without.iter().map(|conflict| problem(&id, conflict)).collect();
        self.stage.tell(&RunEvent::Added { task: id, by });
        self.additions.settle(key, AddOutcome::Added, conflicts);
    }

    pub(super) fn not_added(&mut self, key: u64, held: bool, conflicts: &[Conflict]) {
        let Some(Open { draft, by, .. }) = self.additions.open.get(&key) else { return };
        let (id, by) = (draft.task.id.clone(), by.clone());
        let why: Vec<Problem> = match conflicts {
            [] => vec![Problem::error("over", &*id, "the run was over")],
            conflicts => conflicts.iter().map(|conflict| problem(&id, conflict)).collect(),
        };
        if held {
            let said = in_words(&why);
            self.stage.tell(&RunEvent::NotAdded { task: id, by, held, why: said });
            self.additions.settle(key, AddOutcome::Held, why);
        } else {
            self.additions.open.remove(&key);
            self.reject(key, &id, by.as_ref(), why);
        }
    }

    fn reject(&mut self, key: u64, id: &Arc<str>, by: Option<&Arc<str>>, why: Vec<Problem>) {
        let said = in_words(&why);
        self.additions.settle(key, AddOutcome::Rejected, why);
        self.leave_out(id, by, said);
    }

    pub(super) fn leave_out(&mut self, id: &Arc<str>, by: Option<&Arc<str>>, reason: String) {
        let (task, by) = (id.clone(), by.cloned());
        self.tell_those_who_wait_in_vain(id, &reason);
        let (not, why) = (by.clone(), reason.clone());
        self.stage.tell(&RunEvent::NotAdded { task: task.clone(), by: not, held: false, why });
        self.additions.not_added.push(NotAdded { task_id: task, by, reason });
    }
}

/// A draft without the edges to tasks that were not there when it was admitted:
/// should they come later, it does not wait for them.
fn without_missing(draft: Arc<Draft>, without: &[Conflict]) -> Arc<Draft> {
    let missing = |name: &Arc<str>| {
        without.iter().any(|conflict| matches!(conflict, Conflict::Missing(one) if one == name))
    };
    draft.waiting_for(|name| !missing(name))
}

/// Why a task does not fit, as the compiler would say it.
fn problem(id: &str, conflict: &Conflict) -> Problem {
    let depends_on = format!("{id}.depends_on");
    match conflict {
        Conflict::Missing(name) => {
            let message = format!("it depends on '{name}', which is not in the run");
            let problem = Problem::error("missing-dependency", depends_on, message);
            Problem { word: Some(name.to_string()), ..problem }
        }
        Conflict::Cycle(path) => {
            let message = format!("it would wait for itself: {}", path.join(" -> "));
            let cycle = path.iter().map(ToString::to_string).collect();
            Problem { cycle, ..Problem::error("cycle", depends_on, message) }
        }
        Conflict::Duplicate(name) => {
            let message = format!("there is a task '{name}' in the run already");
            Problem::error("duplicate-id", format!("{id}.task_id"), message)
        }
        Conflict::Companion(name) => {
            let message = format!("it was to be added together with '{name}', which does not fit");
            Problem::error("not-alone", id, message)
        }
    }
}

fn in_words(problems: &[Problem]) -> String {
    let all: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    all.join("; ")
}
