//! From ids to *edges*: who waits for whom, and who gets whose result.
//!
//! What a collaborative task waits for is handed to those of its steps that
//! wait for none of the others; the task itself waits for its steps. A step
//! that begins the collaborative task gets the results too.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable, hash_table::Entry};

use super::Edge;
use super::agents::Agents;
use super::fields::{control_character, has_controls};
use super::outline::{After, Outline, waited_for};
use crate::graph::TaskIx;
use crate::problem::Problem;
use crate::spec::limits::{MAX_IMPLIED_EDGES, MAX_NAME};
use crate::spec::{DependencyDoc, Findings, ForEachDoc, TransformDoc, brief};

/// Tasks before a task that are looked at before the index is.
const NEAR: usize = 4;

/// Finds the edges of one task after the other, in the order of the outline.
pub(super) struct Wiring<'o, 'd> {
    outline: &'o Outline<'d>,
    /// The ids of all tasks, to be shared by their edges; none if no edge is kept.
    pub(super) ids: Vec<Arc<str>>,
    /// The places of all tasks by id. Only numbers, so that the index of a
    /// million tasks stays small enough for the processor's cache. Ids that ascend,
    /// as those that a program counts, are unique without it, and it is made when
    /// somebody looks for one.
    places: OnceCell<HashTable<u32>>,
    hasher: DefaultHashBuilder,
    /// For each group, what it waits for.
    outer: Vec<Vec<Edge>>,
    /// For each task, the last one found to wait for it, plus one.
    waited: Vec<u32>,
    /// Edges that nobody wrote.
    implied: usize,
}

/// What one task waits for.
pub(super) struct Waits {
    /// The edges, those its place implies first.
    pub(super) edges: Vec<Edge>,
    /// Whether nothing in its collaborative task comes before it, so that it
    /// waits for what that task waits for.
    pub(super) enters: bool,
}

impl<'o, 'd> Wiring<'o, 'd> {
    /// Looks through the ids and reports those that are missing or taken. Unless
    /// the edges are to be kept, each gets a name of its own.
    pub(super) fn new(outline: &'o Outline<'d>, keep: bool, findings: &mut Findings) -> Self {
        let count = outline.drafts.len();
        let ids = if keep { count } else { 0 };
        let mut wiring = Self {
            outline,
            ids: (0..ids).map(|place| outline.id(place).into()).collect(),
            places: OnceCell::new(),
            hasher: DefaultHashBuilder::default(),
            outer: outline.groups.iter().map(|_| Vec::new()).collect(),
            waited: vec![0; count],
            implied: 0,
        };
        let mut like_items = Vec::new();
        let mut last = "";
        for (place, draft) in outline.drafts.iter().enumerate() {
            let id = draft.doc.task_id.as_deref();
            if id.is_some_and(|id| id.ends_with(']')) {
                like_items.push(place);
            }
            match id {
                Some(id) if can_name(id) => {
                    let ascends = (last.len(), last) < (id.len(), id);
                    last = id;
                    if !ascends || wiring.places.get().is_some() {
                        wiring.name(id, place, findings);
                    }
                }
                _ if draft.doc.unread.contains("task_id") => {}
                other => findings.push(bad_id(other, outline, place)),
            }
        }
        for place in like_items {
            wiring.check_item(place, findings);
        }
        wiring
    }

    /// Reports an id that an item of a fan-out will have: those of `a` are
    /// `a[0]`, `a[1]` and so on.
    fn check_item(&self, place: usize, findings: &mut Findings) {
        let id = self.outline.id(place);
        let Some((owner, number)) =
            id.strip_suffix(']').and_then(|id| id.rsplit_once('[')).and_then(|(owner, number)| {
                let item: usize = number.parse().ok()?;
                (item.to_string() == number).then(|| self.find(owner).map(|owner| (owner, item)))?
            })
        else {
            return;
        };
        let taken = match &self.outline.drafts[owner].doc.for_each {
            None => false,
            Some(ForEachDoc::List(items)) => number < items.len(),
            Some(ForEachDoc::Expression(_)) => true,
        };
        if taken {
            let message = format!("'{}' is the id of an item of another task", brief(id));
            findings.push(
                Problem::error("duplicate-id", self.outline.at(place, "task_id"), message)
                    .related(self.outline.at(owner, "for_each"), "these are its items")
                    .hint("ids are unique in the whole run; choose one without brackets"),
            );
        }
    }

    fn name(&mut self, id: &str, place: usize, findings: &mut Findings) {
        self.places.get_or_init(|| self.index(place));
        let places = self.places.get_mut().expect("it has just been made");
        let (outline, hasher) = (self.outline, &self.hasher);
        let same = |other: &u32| outline.id(*other as usize) == id;
        let hash = |place: &u32| hasher.hash_one(outline.id(*place as usize));
        let first = match places.entry(hasher.hash_one(id), same, hash) {
            Entry::Occupied(first) => *first.get() as usize,
            Entry::Vacant(vacant) => {
                vacant.insert(place as u32);
                return;
            }
        };
        let at = self.outline.at(place, "task_id");
        let message = format!("the id '{}' is taken", brief(id));
        findings.push(
            Problem::error("duplicate-id", at, message)
                .related(self.outline.at(first, "task_id"), "it is first used here")
                .hint("ids are unique in the whole run"),
        );
    }

    /// The places of the first so many tasks, whose ids are known to be unique.
    fn index(&self, tasks: usize) -> HashTable<u32> {
        let hash = |place: &u32| self.hasher.hash_one(self.outline.id(*place as usize));
        let mut places = HashTable::with_capacity(self.outline.drafts.len());
        for place in 0..tasks as u32 {
            if can_name(self.outline.id(place as usize)) {
                places.insert_unique(hash(&place), place, hash);
            }
        }
        places
    }

    /// The task of that id.
    pub(super) fn find(&self, id: &str) -> Option<usize> {
        let places = self.places.get_or_init(|| self.index(self.outline.drafts.len()));
        let same = |place: &u32| self.outline.id(*place as usize) == id;
        let found = places.find(self.hasher.hash_one(id), same)?;
        Some(*found as usize)
    }

    /// The task of that id, which is most likely to stand shortly before `place`:
    /// a look at those is much cheaper than one into an index of a million.
    fn find_near(&self, id: &str, place: usize) -> Option<u32> {
        let mut near = (place.saturating_sub(NEAR)..place).rev();
        let near = near.find(|near| self.outline.id(*near) == id);
        near.or_else(|| self.find(id)).map(|on| on as u32)
    }

    /// What the task at `place` waits for. Called once for each, in order.
    pub(super) fn waits(
        &mut self,
        place: usize,
        agents: &Agents<'_>,
        findings: &mut Findings,
    ) -> Waits {
        let role = self.outline.role(place);
        let mut edges = Vec::new();
        if let After::Barrier(barrier) = role.after {
            let steps = &self.outline.barriers[barrier as usize];
            if self.affords(steps.len(), place, findings) {
                edges.extend(steps.iter().map(|step| self.plain(*step)));
            }
        }
        self.say(place, &mut edges, agents, findings);
        let mut enters = false;
        if let Some(group) = role.parent {
            let begins = role.after == After::Parent;
            let inside = |edge: &Edge| self.outline.role(edge.task.index()).parent == Some(group);
            enters = begins || !edges.iter().any(inside);
            let outer = self.outer[group as usize].len();
            if enters && self.affords(outer, place, findings) {
                for edge in &self.outer[group as usize] {
                    if self.waited[edge.task.index()] != place as u32 + 1 {
                        edges.push(Edge { forward: begins && edge.forward, ..edge.clone() });
                    }
                }
            }
        }
        Waits { edges, enters }
    }

    /// Counts edges that nobody wrote; too many are reported once.
    fn affords(&mut self, edges: usize, place: usize, findings: &mut Findings) -> bool {
        let fitted = self.implied <= MAX_IMPLIED_EDGES;
        self.implied = self.implied.saturating_add(edges);
        let fits = self.implied <= MAX_IMPLIED_EDGES;
        if fitted && !fits {
            let message =
                format!("steps wait for each other in more than {MAX_IMPLIED_EDGES} ways");
            findings.push(
                Problem::error("too-large", self.outline.path(place), message)
                    .hint("put one step between many that come before and many that come after"),
            );
        }
        fits
    }

    /// Keeps what a collaborative task waits for, for its steps, and returns the
    /// edges to its steps instead.
    pub(super) fn enclose(&mut self, group: u32, outer: Vec<Edge>) -> Vec<Edge> {
        self.outer[group as usize] = outer;
        let steps = &self.outline.groups[group as usize].steps;
        steps.iter().map(|step| self.plain(*step)).collect()
    }

    /// An edge without particulars.
    fn plain(&self, place: u32) -> Edge {
        let own = || self.outline.id(place as usize).into();
        let name = self.ids.get(place as usize).cloned().unwrap_or_else(own);
        Edge { task: TaskIx(place), name, forward: true, transform: Box::default() }
    }

    /// The edges that `depends_on` says.
    fn say(
        &mut self,
        place: usize,
        edges: &mut Vec<Edge>,
        agents: &Agents<'_>,
        findings: &mut Findings,
    ) {
        let doc = self.outline.drafts[place].doc;
        let Some(dependencies) = &doc.depends_on else { return };
        edges.reserve_exact(dependencies.len());
        let mut named = false;
        for (n, dependency) in dependencies.iter().enumerate() {
            let at = || self.outline.at(place, &format!("depends_on[{n}]"));
            let id = waited_for(dependency);
            let Some(on) = self.find_near(id, place) else {
                let message = format!("there is no task '{}'", brief(id));
                let problem = Problem::error("missing-dependency", at(), message)
                    .hint("add a task with that id, or remove this dependency");
                let all = (0..self.outline.drafts.len()).map(|place| self.outline.id(place));
                findings.push_near(problem, id, all);
                continue;
            };
            if let Some(problem) = self.impossible(place, on as usize, id) {
                findings.push(Problem { path: at(), ..problem });
                continue;
            }
            let (name, transform): (_, &[TransformDoc<'_>]) = match dependency {
                DependencyDoc::Id(_) => (None, &[]),
                DependencyDoc::Edge(edge) => (edge.name.as_deref(), &edge.transform),
            };
            let again = self.waited[on as usize] == place as u32 + 1;
            if again {
                let problem = Problem::error(
                    "duplicate-dependency",
                    at(),
                    format!("'{}' is listed twice", brief(id)),
                )
                .hint("remove one of the two");
                if name.is_some() || !transform.is_empty() {
                    findings.push(problem);
                } else {
                    findings.warn(problem);
                }
                continue;
            }
            self.waited[on as usize] = place as u32 + 1;
            let mut edge = self.plain(on);
            if let Some(name) = name {
                if name.trim().is_empty() {
                    let at = self.outline.at(place, &format!("depends_on[{n}].as"));
                    let problem =
                        Problem::error("empty", at, "the name of a result cannot be empty");
                    findings.push(problem.hint("give it a name, or leave 'as' out"));
                }
                named = true;
                edge.name = name.into();
            }
            if !transform.is_empty() {
                edge.transform = agents.transformers(transform, &at, findings).into();
            }
            edges.push(edge);
        }
        if named {
            self.check_names(place, edges, findings);
        }
    }

    /// What keeps the task at `place` from ever waiting for that at `on`.
    fn impossible(&self, place: usize, on: usize, id: &str) -> Option<Problem> {
        let id = brief(id);
        if on == place {
            let message = format!("task '{id}' waits for itself");
            let problem = Problem::error("self-dependency", "", message);
            return Some(problem.hint("remove this dependency"));
        }
        if self.outline.role(on).group.is_some()
            && self.outline.around(place).any(|around| around == on)
        {
            let message =
                format!("this is a step of '{id}', which is finished after all its steps");
            let problem = Problem::error("unsatisfiable", "", message);
            return Some(
                problem.hint("wait for a step, or for what the collaborative task waits for"),
            );
        }
        if self.outline.role(place).group.is_some()
            && self.outline.around(on).any(|around| around == place)
        {
            let message = format!("'{id}' is a step of this task, and its steps wait for it");
            let problem = Problem::error("unsatisfiable", "", message);
            return Some(problem.hint("a collaborative task waits for its steps by itself"));
        }
        None
    }

    /// Reports results that would have the same name.
    fn check_names(&self, place: usize, edges: &[Edge], findings: &mut Findings) {
        let mut names = HashSet::with_capacity(edges.len());
        for edge in edges {
            if !names.insert(&*edge.name) {
                let message = format!("two results have the name '{}'", brief(&edge.name));
                findings.push(
                    Problem::error("duplicate-name", self.outline.at(place, "depends_on"), message)
                        .hint("give one of them another name with 'as'"),
                );
            }
        }
    }
}

/// Whether an id can name a task.
fn can_name(id: &str) -> bool {
    !id.trim().is_empty() && id.len() <= MAX_NAME && !has_controls(id)
}

/// What is wrong with an id that cannot name a task.
fn bad_id(id: Option<&str>, outline: &Outline<'_>, place: usize) -> Problem {
    match id {
        None => Problem::error("missing-id", outline.path(place), "the task has no id")
            .hint("add a 'task_id'"),
        Some(id) if id.len() > MAX_NAME => Problem::error(
            "too-long",
            outline.at(place, "task_id"),
            format!("an id of {} bytes is too long", id.len()),
        )
        .hint(format!("ids have at most {MAX_NAME} bytes")),
        Some(id) if has_controls(id) => {
            control_character(outline.at(place, "task_id"), "a task id", id)
        }
        Some(_) => {
            Problem::error("missing-id", outline.at(place, "task_id"), "a task id cannot be empty")
                .hint("give the task a name of its own")
        }
    }
}
