//! The *outline* of a workflow: its tasks and steps in one list, in the order of
//! the document, with who stands in whom. Places are indexes into that list and
//! become [`TaskIx`](crate::graph::TaskIx) numbers.

use std::collections::HashMap;

use super::steps::StepOrder;
use crate::problem::Problem;
use crate::spec::limits::{MAX_NESTING, MAX_TASKS};
use crate::spec::{DependencyDoc, Document, Findings, Root, TaskDoc, brief};

/// The `type` that has steps.
pub(super) const COLLABORATIVE: &str = "collaborative_task";
/// The `type` that waits for a person.
pub(super) const APPROVAL: &str = "approval";

/// Tasks and steps in the order of the document, each before its own steps.
pub(super) struct Outline<'d> {
    root: Root,
    pub(super) drafts: Vec<Draft<'d>>,
    /// The roles that drafts have; the first is [`Role::ALONE`].
    roles: Vec<Role>,
    /// The collaborative tasks, in the same order.
    pub(super) groups: Vec<Group>,
    /// Lists of steps that later steps wait for.
    pub(super) barriers: Vec<Vec<u32>>,
}

/// A task on its way into the plan.
pub(super) struct Draft<'d> {
    pub(super) doc: &'d TaskDoc<'d>,
    /// Its place among its siblings.
    number: u32,
    /// Which of the roles it has: a million tasks have the same one.
    role: u32,
}

/// What a task has to do with collaborative tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Role {
    /// The group it is a step of.
    pub(super) parent: Option<u32>,
    /// The group it stands for.
    pub(super) group: Option<u32>,
    pub(super) after: After,
}

impl Role {
    /// That of a task which has nothing to do with any.
    pub(super) const ALONE: Self = Self { parent: None, group: None, after: After::Nothing };
}

/// What a task waits for because of where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// Only what it says.
    Nothing,
    /// What its collaborative task waits for: it is one of the first steps.
    Parent,
    /// The steps of that barrier.
    Barrier(u32),
}

/// A collaborative task.
pub(super) struct Group {
    /// The place of the task itself.
    pub(super) place: u32,
    /// The places of its steps.
    pub(super) steps: Vec<u32>,
}

impl<'d> Outline<'d> {
    /// Lists the tasks of a document, steps included.
    pub(super) fn new(document: &'d Document<'d>, findings: &mut Findings) -> Self {
        let mut outline = Self {
            root: document.root,
            drafts: Vec::with_capacity(document.tasks.len()),
            roles: vec![Role::ALONE],
            groups: Vec::new(),
            barriers: Vec::new(),
        };
        outline.add(&document.tasks, None, 0, findings);
        outline
    }

    /// Adds tasks, each followed by its steps. Recurses as deep as groups may
    /// be nested.
    fn add(
        &mut self,
        docs: &'d [TaskDoc<'d>],
        parent: Option<u32>,
        depth: usize,
        findings: &mut Findings,
    ) {
        let mut order = StepOrder::default();
        let mut siblings: HashMap<&str, u32> = HashMap::new();
        for (number, doc) in docs.iter().enumerate() {
            if self.drafts.len() == MAX_TASKS {
                let message = format!("there are more than {MAX_TASKS} tasks");
                findings.push(Problem::error("too-large", self.path(MAX_TASKS - 1), message));
                return;
            }
            let place = self.drafts.len() as u32;
            let mut role = Role { parent, ..Role::ALONE };
            if let Some(group) = parent {
                self.groups[group as usize].steps.push(place);
                role.after = order.place(place, doc, &siblings, &mut self.barriers);
                siblings.entry(doc.task_id.as_deref().unwrap_or_default()).or_insert(place);
            }
            self.drafts.push(Draft { doc, number: number as u32, role: 0 });
            self.assign(place, role);
            self.check_kind(place as usize, findings);
            let Some(steps) = &doc.steps else { continue };
            if depth == MAX_NESTING {
                findings.push(Problem::error(
                    "too-deep",
                    self.at(place as usize, "steps"),
                    format!("steps are nested more than {MAX_NESTING} levels deep"),
                ));
                continue;
            }
            let group = self.groups.len() as u32;
            self.assign(place, Role { group: Some(group), ..role });
            self.groups.push(Group { place, steps: Vec::with_capacity(steps.len()) });
            self.add(steps, Some(group), depth + 1, findings);
        }
    }

    /// Gives a task a role that may be another one than most have.
    fn assign(&mut self, place: u32, role: Role) {
        if role != Role::ALONE {
            self.drafts[place as usize].role = self.roles.len() as u32;
            self.roles.push(role);
        }
    }

    /// What a task has to do with collaborative tasks.
    pub(super) fn role(&self, place: usize) -> Role {
        self.roles[self.drafts[place].role as usize]
    }

    /// The id of a task; empty if it has none.
    pub(super) fn id(&self, place: usize) -> &'d str {
        self.drafts[place].doc.task_id.as_deref().unwrap_or_default()
    }

    /// Where the task stands in the document, such as `tasks[3].steps[0]`.
    pub(super) fn path(&self, place: usize) -> String {
        let draft = &self.drafts[place];
        let number = draft.number;
        match (self.role(place).parent, self.root) {
            (Some(group), _) => {
                let step = format!("steps[{number}]");
                self.at(self.groups[group as usize].place as usize, &step)
            }
            (None, Root::List) => format!("[{number}]"),
            (None, Root::Workflow) => format!("tasks[{number}]"),
            (None, Root::Task) => String::new(),
        }
    }

    /// Where a field of the task stands.
    pub(super) fn at(&self, place: usize, field: &str) -> String {
        match self.path(place) {
            path if path.is_empty() => field.to_owned(),
            path => format!("{path}.{field}"),
        }
    }

    /// The task at `place` and the collaborative tasks around it, from the
    /// inside out.
    pub(super) fn around(&self, place: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(Some(place), |place| {
            let group = self.role(*place).parent?;
            Some(self.groups[group as usize].place as usize)
        })
    }

    /// What a task says, or else what the nearest collaborative task around it
    /// says for all its steps; with the place of whoever says it.
    pub(super) fn said<T>(
        &self,
        place: usize,
        field: impl Fn(&'d TaskDoc<'d>) -> Option<T>,
    ) -> Option<(usize, T)> {
        self.around(place).find_map(|at| Some((at, field(self.drafts[at].doc)?)))
    }

    /// Reports fields that do not belong to a task of its type.
    fn check_kind(&self, place: usize, findings: &mut Findings) {
        let doc = self.drafts[place].doc;
        let parent = self.role(place).parent;
        let special = matches!(doc.kind.as_deref(), Some(COLLABORATIVE | APPROVAL));
        if let Some(near) = doc.kind.as_deref().filter(|_| !special).and_then(near_kind) {
            let kind = brief(doc.kind.as_deref().unwrap_or_default());
            let message = format!("'{kind}' is a type like any other, which an agent does");
            let problem = Problem::warning("near-type", self.at(place, "type"), message);
            findings.push(problem.hint(format!("did you mean '{near}'?")));
        }
        if !special && doc.more.is_none() {
            return;
        }
        let mut misplaced = |field: &str, why: &str, hint: &str| {
            let problem = Problem::error("not-applicable", self.at(place, field), why);
            findings.push(problem.hint(hint));
        };
        if parent.is_none() && doc.parallel.is_some() {
            misplaced(
                "parallel",
                "'parallel' orders the steps of a collaborative task; this is not a step",
                "remove it: tasks run in parallel unless 'depends_on' orders them",
            );
        }
        if doc.max_parallel.is_some() && doc.for_each.is_none() && !doc.unread.contains("for_each")
        {
            misplaced(
                "max_parallel",
                "'max_parallel' bounds a 'for_each', which this task does not have",
                "remove it, or add 'for_each'",
            );
        }
        let kind = doc.kind.as_deref();
        if doc.steps.is_some() && kind != Some(COLLABORATIVE) && !doc.unread.contains("type") {
            let hint = format!("set 'type: {COLLABORATIVE}'");
            misplaced("steps", "only a collaborative task has steps", &hint);
        }
        if doc.steps.is_some() || kind == Some(COLLABORATIVE) {
            for field in not_of_groups(doc) {
                let why = format!("'{field}' has no effect on a collaborative task");
                misplaced(field, &why, "set it on the steps");
            }
        } else if kind == Some(APPROVAL) {
            for field in not_of_approvals(doc) {
                let why = format!("'{field}' has no effect on an approval, which a person gives");
                misplaced(field, &why, "remove it");
            }
        }
        if kind != Some(APPROVAL) && doc.schema.is_some() {
            let why = "'schema' is for the answer to an approval";
            misplaced("schema", why, "the transformer 'json-schema' checks a result");
        }
        if kind == Some(APPROVAL) && doc.terms().input.is_some() {
            let why = "'input' has no effect on an approval, which a person gives";
            let problem = Problem::warning("not-applicable", self.at(place, "input"), why);
            findings.push(problem.hint("put what the person must know into the description"));
        }
        if kind == Some(COLLABORATIVE) && !doc.unread.contains("steps") {
            match &doc.steps {
                None => findings.push(
                    Problem::error(
                        "missing-field",
                        self.path(place),
                        "a collaborative task needs 'steps'",
                    )
                    .hint("add 'steps', or remove the type"),
                ),
                Some(steps) if steps.is_empty() => findings.push(
                    Problem::error("empty", self.at(place, "steps"), "there are no steps")
                        .hint("add at least one step with a 'task_id'"),
                ),
                Some(_) => {}
            }
        }
    }
}

/// The special type that one of an agent's was most likely meant to be. Lengths
/// and first letters rule out almost all, since there may be a million.
fn near_kind(kind: &str) -> Option<&'static str> {
    let (near, slips) = match (kind.len(), kind.as_bytes().first()?.to_ascii_lowercase()) {
        (6..=10, b'a' | b'p') => (APPROVAL, 2),
        (11..=21, b'c' | b'o') => (COLLABORATIVE, 3),
        _ => return None,
    };
    let kind = kind.to_ascii_lowercase();
    let distance = |known: &str| strsim::osa_distance(&kind, known);
    let cut_short = near == COLLABORATIVE && distance("collaborative") <= 2;
    (cut_short || distance(near) <= slips).then_some(near)
}

/// The fields of `doc` that mean nothing on a task that only stands for others.
fn not_of_groups(doc: &TaskDoc<'_>) -> impl Iterator<Item = &'static str> {
    let fields = [
        ("url", doc.url.is_some()),
        ("timeout", doc.terms().timeout.is_some()),
        ("timeouts", doc.timeouts.is_some()),
        ("retry_policy", doc.terms().retry_policy.is_some()),
        ("input", doc.terms().input.is_some()),
        ("transform", !doc.transform.is_empty()),
        ("for_each", doc.for_each.is_some()),
        ("resources", doc.resources.is_some()),
        ("cache", doc.cache.is_some()),
        ("batch", doc.batch.is_some()),
        ("expected_duration", doc.expected_duration.is_some()),
    ];
    fields.into_iter().filter_map(|(field, given)| given.then_some(field))
}

/// The fields of `doc` that mean nothing when a person does the work.
fn not_of_approvals(doc: &TaskDoc<'_>) -> impl Iterator<Item = &'static str> {
    let idle = doc.timeouts.as_ref().is_some_and(|timeouts| timeouts.idle.is_some());
    let fields = [
        ("agent", doc.agent.is_some()),
        ("url", doc.url.is_some()),
        ("timeouts.idle", idle),
        ("retry_policy", doc.terms().retry_policy.is_some()),
        ("resources", doc.resources.is_some()),
        ("cache", doc.cache.is_some()),
        ("batch", doc.batch.is_some()),
    ];
    fields.into_iter().filter_map(|(field, given)| given.then_some(field))
}

/// The task a dependency is for.
pub(super) fn waited_for<'d>(dependency: &'d DependencyDoc<'d>) -> &'d str {
    match dependency {
        DependencyDoc::Id(id) => id,
        DependencyDoc::Edge(edge) => &edge.task,
    }
}
