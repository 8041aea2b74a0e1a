//! The compiler: from a document to a plan, or to everything that is wrong.
//!
//! Passes: flatten steps into tasks, give every task its fields, resolve
//! references into edges, then look for cycles. A pass reports its problems and
//! leaves something usable, so that the next still finds its own.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Agent, AgentIx, Edge, Known, OnFailure, Plan, Task, TransformerUse, Work, fields};
use crate::graph::{DependencyGraph, TaskIx};
use crate::problem::Problem;
use crate::retry::RetryPolicy;
use crate::spec::{
    AgentDoc, DependencyDoc, Document, Located, OnFailureDoc, OnFailureWord, TaskDoc, TransformDoc,
    typed,
};
use crate::template::Template;

/// Seconds an attempt may take unless the task says.
const DEFAULT_TIMEOUT: f64 = 300.0;
/// Milliseconds a task is expected to take unless it says.
const DEFAULT_EXPECTED: u64 = 1_000;
/// Levels of collaborative tasks within collaborative tasks.
const MAX_NESTING: usize = 32;
/// The `type` that has steps.
const COLLABORATIVE: &str = "collaborative_task";

/// Checks a document and turns it into a plan.
///
/// # Errors
///
/// Every problem found, in the order of the document, cycles last.
pub fn compile(document: Document, known: &Known) -> Result<Plan, Vec<Problem>> {
    let mut compiler = Compiler {
        known,
        document_agents: &document.agents,
        default_rule: document.on_failure.as_ref(),
        agents: Vec::new(),
        agent_numbers: HashMap::new(),
        drafts: Vec::new(),
        problems: Vec::new(),
    };
    compiler.flatten(document.tasks, None, 0);
    compiler.check_agents();
    let ids = compiler.index_ids();
    let drafts = std::mem::take(&mut compiler.drafts);
    let mut tasks = Vec::with_capacity(drafts.len());
    for draft in &drafts {
        let edges = compiler.edges(draft, &drafts, &ids);
        tasks.push(compiler.task(draft, edges));
    }
    let graph = build_graph(&tasks);
    let order = match graph.topological_order() {
        Ok(order) => order,
        Err(cycles) => {
            for cycle in cycles {
                let names: Vec<&str> =
                    cycle.path.iter().map(|task| &*tasks[task.index()].id).collect();
                let path = format!("{}.depends_on", drafts[cycle.path[0].index()].path);
                compiler.problems.push(
                    Problem::error(
                        "cycle",
                        path,
                        format!("these tasks wait for each other: {}", names.join(" -> ")),
                    )
                    .hint("remove one of these dependencies"),
                );
            }
            Vec::new()
        }
    };
    if !compiler.problems.is_empty() {
        return Err(compiler.problems);
    }
    Ok(Plan {
        name: document.name.into(),
        inputs: document.inputs,
        agents: compiler.agents,
        tasks,
        graph,
        order,
    })
}

fn build_graph(tasks: &[Task]) -> DependencyGraph {
    let edges = tasks.iter().map(|task| task.dependencies.len()).sum();
    let mut graph = DependencyGraph::with_capacity(tasks.len(), edges);
    for _ in tasks {
        graph.add_task();
    }
    for (index, task) in tasks.iter().enumerate() {
        for edge in &task.dependencies {
            graph.add_dependency(TaskIx(index as u32), edge.task);
        }
    }
    graph
}

/// A task on its way into the plan.
struct Draft {
    path: String,
    doc: TaskDoc,
    /// The collaborative task it is a step of.
    parent: Option<usize>,
    /// Tasks it waits for because of where it stands, before `depends_on`.
    implied: Implied,
}

/// What a task waits for without saying so.
enum Implied {
    /// Only what it says.
    Nothing,
    /// Steps that stand before it; their results are passed on.
    Steps(Vec<usize>),
    /// What its collaborative task waits for; these results are passed on.
    Parent,
    /// The steps it stands for.
    Children(Vec<usize>),
}

struct Compiler<'a> {
    known: &'a Known,
    document_agents: &'a std::collections::BTreeMap<String, AgentDoc>,
    default_rule: Option<&'a OnFailureDoc>,
    agents: Vec<Agent>,
    agent_numbers: HashMap<String, AgentIx>,
    drafts: Vec<Draft>,
    problems: Vec<Problem>,
}

impl Compiler<'_> {
    /// Adds tasks and, depth first, their steps; returns where they went.
    fn flatten(
        &mut self,
        docs: Vec<Located<TaskDoc>>,
        parent: Option<usize>,
        depth: usize,
    ) -> Vec<usize> {
        let mut order = StepOrder::default();
        let mut siblings: HashMap<String, usize> = HashMap::new();
        let mut places = Vec::with_capacity(docs.len());
        for Located { path, mut doc } in docs {
            let steps = doc.steps.take();
            let place = self.drafts.len();
            places.push(place);
            if parent.is_none() && doc.parallel.is_some() {
                self.problems.push(
                    Problem::error(
                        "not-applicable",
                        format!("{path}.parallel"),
                        "'parallel' orders the steps of a collaborative task; this is not a step",
                    )
                    .hint("remove it: tasks run in parallel unless 'depends_on' orders them"),
                );
            }
            let implied = match parent {
                None => Implied::Nothing,
                Some(_) => order.place(place, &doc, |id| siblings.get(id).copied()),
            };
            if parent.is_some() {
                siblings.entry(doc.task_id.clone()).or_insert(place);
            }
            self.drafts.push(Draft { path: path.clone(), doc, parent, implied });
            self.flatten_steps(place, steps, &path, depth);
        }
        places
    }

    /// Adds the steps of the task at `place`, if it is collaborative.
    fn flatten_steps(&mut self, place: usize, steps: Option<Vec<Value>>, path: &str, depth: usize) {
        let collaborative = self.drafts[place].doc.kind.as_deref() == Some(COLLABORATIVE);
        let Some(steps) = steps else {
            if collaborative {
                self.problems.push(
                    Problem::error("missing-field", path, "a collaborative task needs 'steps'")
                        .hint("add 'steps', or remove the type"),
                );
            }
            return;
        };
        if !collaborative {
            self.problems.push(
                Problem::error(
                    "not-applicable",
                    format!("{path}.steps"),
                    "only a collaborative task has steps",
                )
                .hint(format!("set 'type: {COLLABORATIVE}'")),
            );
        }
        if steps.is_empty() {
            self.problems.push(
                Problem::error("empty", format!("{path}.steps"), "there are no steps")
                    .hint("add at least one step with a 'task_id'"),
            );
        }
        if depth + 1 > MAX_NESTING {
            self.problems.push(Problem::error(
                "too-deep",
                format!("{path}.steps"),
                format!("steps are nested more than {MAX_NESTING} levels deep"),
            ));
            return;
        }
        self.check_collaborative(place);
        let docs: Vec<Located<TaskDoc>> = steps
            .into_iter()
            .enumerate()
            .filter_map(|(n, step)| typed(step, format!("{path}.steps[{n}]"), &mut self.problems))
            .collect();
        let children = self.flatten(docs, Some(place), depth + 1);
        // The task itself now stands behind its steps; what it waited for is
        // what its first steps wait for.
        let before =
            std::mem::replace(&mut self.drafts[place].implied, Implied::Children(children));
        self.drafts[place].doc.parallel = None;
        self.inherit(place, before);
    }

    /// Hands what a collaborative task waits for by its place down to the
    /// steps that begin it, which have [`Implied::Parent`].
    fn inherit(&mut self, place: usize, before: Implied) {
        if let Implied::Steps(steps) = before {
            let ids: Vec<DependencyDoc> = steps
                .iter()
                .map(|step| DependencyDoc::Id(self.drafts[*step].doc.task_id.clone()))
                .collect();
            let doc = &mut self.drafts[place].doc;
            let mut all = doc.depends_on.take().unwrap_or_default();
            all.splice(0..0, ids);
            doc.depends_on = Some(all);
        }
    }

    /// Reports fields that mean nothing on a task that only stands for others.
    fn check_collaborative(&mut self, place: usize) {
        let Draft { path, doc, .. } = &self.drafts[place];
        let fields = [
            ("url", doc.url.is_some()),
            ("timeout", doc.timeout.is_some()),
            ("retry_policy", doc.retry_policy.is_some()),
            ("input", doc.input.is_some()),
            ("resources", doc.resources.is_some()),
            ("expected_duration", doc.expected_duration.is_some()),
        ];
        for (field, _) in fields.iter().filter(|(_, given)| *given) {
            self.problems.push(
                Problem::error(
                    "not-applicable",
                    format!("{path}.{field}"),
                    format!("'{field}' has no effect on a collaborative task"),
                )
                .hint("set it on the steps"),
            );
        }
    }

    /// Every id with its place; ids that clash are reported.
    fn index_ids(&mut self) -> HashMap<String, usize> {
        let mut ids: HashMap<String, usize> = HashMap::with_capacity(self.drafts.len());
        for (place, draft) in self.drafts.iter().enumerate() {
            let id = &draft.doc.task_id;
            let path = format!("{}.task_id", draft.path);
            if id.trim().is_empty() {
                self.problems.push(Problem::error("missing-id", path, "a task id cannot be empty"));
            } else if let Some(first) = ids.get(id) {
                self.problems.push(
                    Problem::error("duplicate-id", path, format!("the id '{id}' is taken")).hint(
                        format!(
                            "{} has it; ids are unique in the whole run",
                            self.drafts[*first].path
                        ),
                    ),
                );
            } else {
                ids.insert(id.clone(), place);
            }
        }
        ids
    }

    /// The edges of one task: implied ones first, then those it says.
    fn edges(
        &mut self,
        draft: &Draft,
        drafts: &[Draft],
        ids: &HashMap<String, usize>,
    ) -> Vec<Edge> {
        let mut edges: Vec<Edge> = Vec::new();
        let plain = |place: usize, forward: bool| Edge {
            task: TaskIx(place as u32),
            name: drafts[place].doc.task_id.as_str().into(),
            forward,
            transform: Vec::new(),
        };
        match &draft.implied {
            Implied::Children(children) => {
                edges.extend(children.iter().map(|child| plain(*child, true)));
                // With the steps done, what they waited for is done as well:
                // what the task says is only checked here.
                self.say_edges(draft, ids, &mut Vec::new());
                return edges;
            }
            Implied::Steps(steps) => edges.extend(steps.iter().map(|step| plain(*step, true))),
            Implied::Parent | Implied::Nothing => {}
        }
        self.say_edges(draft, ids, &mut edges);
        if let Some(parent) = draft.parent {
            let begins = matches!(draft.implied, Implied::Parent);
            let sibling = edges.iter().any(|edge| drafts[edge.task.index()].parent == Some(parent));
            if begins || !sibling {
                self.parent_edges(&drafts[parent], drafts, ids, begins, &mut edges);
            }
        }
        edges
    }

    /// What the collaborative task above waits for, and those above it.
    fn parent_edges(
        &mut self,
        parent: &Draft,
        drafts: &[Draft],
        ids: &HashMap<String, usize>,
        forward: bool,
        edges: &mut Vec<Edge>,
    ) {
        let mut inherited = Vec::new();
        // Its problems are reported where it stands, not once for each step.
        let reported = self.problems.len();
        self.say_edges(parent, ids, &mut inherited);
        self.problems.truncate(reported);
        for edge in inherited {
            if !edges.iter().any(|old| old.task == edge.task) {
                edges.push(Edge { forward: forward && edge.forward, ..edge });
            }
        }
        if let Some(grandparent) = parent.parent {
            let sibling = |edge: &Edge| drafts[edge.task.index()].parent == Some(grandparent);
            let begins = forward && parent.doc.depends_on.is_none();
            if !edges.iter().any(sibling) {
                self.parent_edges(&drafts[grandparent], drafts, ids, begins, edges);
            }
        }
    }

    /// The edges that `depends_on` says.
    fn say_edges(&mut self, draft: &Draft, ids: &HashMap<String, usize>, edges: &mut Vec<Edge>) {
        for (n, dependency) in draft.doc.depends_on.iter().flatten().enumerate() {
            let path = format!("{}.depends_on[{n}]", draft.path);
            let (id, name, transform) = match dependency {
                DependencyDoc::Id(id) => (id, None, &[][..]),
                DependencyDoc::Edge(edge) => (&edge.task, edge.name.as_ref(), &edge.transform[..]),
            };
            let Some(&place) = ids.get(id) else {
                let problem =
                    Problem::error("missing-dependency", path, format!("there is no task '{id}'"));
                self.problems.push(problem.suggest(id, ids.keys().map(String::as_str)));
                continue;
            };
            if *id == draft.doc.task_id {
                self.problems.push(
                    Problem::error(
                        "self-dependency",
                        path,
                        format!("task '{id}' waits for itself"),
                    )
                    .hint("remove this dependency"),
                );
                continue;
            }
            let task = TaskIx(place as u32);
            if edges.iter().any(|edge| edge.task == task) {
                if name.is_some() || !transform.is_empty() {
                    self.problems.push(Problem::error(
                        "duplicate-dependency",
                        path,
                        format!("'{id}' is listed twice"),
                    ));
                }
                continue;
            }
            edges.push(Edge {
                task,
                name: name.unwrap_or(id).as_str().into(),
                forward: true,
                transform: self.transformers(transform, &path),
            });
        }
    }

    /// One task with all its fields.
    fn task(&mut self, draft: &Draft, dependencies: Vec<Edge>) -> Task {
        let Draft { path, doc, .. } = draft;
        let join = matches!(draft.implied, Implied::Children(_));
        let at = |field: &str| format!("{path}.{field}");
        let description = doc.description.as_deref().unwrap_or_default();
        let description = Template::new(description).unwrap_or_else(|reason| {
            self.problems.push(Problem::error("bad-template", at("description"), reason));
            Template::new("").expect("an empty template has no syntax to be wrong")
        });
        let (on_failure, fallbacks) = self.on_failure(doc);
        let work = if join {
            Work::Join
        } else {
            let mut agents = vec![self.agent_of(draft)];
            agents
                .extend(fallbacks.iter().map(|name| self.agent(name, &at("on_failure.fallback"))));
            Work::Agents(agents.into_iter().flatten().collect())
        };
        let problems = &mut self.problems;
        let timeout = doc.timeout.unwrap_or(DEFAULT_TIMEOUT);
        let retry = doc.retry_policy.as_ref();
        let task = Task {
            id: doc.task_id.as_str().into(),
            kind: doc.kind.as_deref().unwrap_or("task").into(),
            work,
            description,
            url: doc.url.as_deref().map(Into::into),
            dependencies,
            timeout: fields::millis(timeout, &at("timeout"), problems),
            priority: doc
                .priority
                .map_or(5, |priority| fields::priority(priority, &at("priority"), problems)),
            deadline: doc
                .deadline
                .as_ref()
                .and_then(|deadline| fields::deadline(deadline, &at("deadline"), problems)),
            retry: retry.map_or_else(RetryPolicy::default, |retry| {
                fields::retry(retry, &at("retry_policy"), problems)
            }),
            input: doc.input.clone(),
            metadata: doc.metadata.clone().unwrap_or_default(),
            transform: Vec::new(),
            on_failure,
            resources: doc
                .resources
                .as_ref()
                .map(|resources| fields::resources(resources, &at("resources"), problems))
                .unwrap_or_default(),
            expected: match doc.expected_duration {
                Some(seconds) => fields::millis(seconds, &at("expected_duration"), problems),
                None if join => 0,
                None => DEFAULT_EXPECTED,
            },
        };
        Task { transform: self.transformers(&doc.transform, path), ..task }
    }

    fn on_failure<'d>(&self, doc: &'d TaskDoc) -> (OnFailure, Vec<&'d str>)
    where
        Self: 'd,
    {
        let word = |word| match word {
            OnFailureWord::Fail => OnFailure::Fail,
            OnFailureWord::Skip => OnFailure::Skip,
            OnFailureWord::Continue => OnFailure::Continue,
        };
        match (&doc.on_failure, self.default_rule) {
            (Some(OnFailureDoc::Word(rule)), _) => (word(*rule), Vec::new()),
            (Some(OnFailureDoc::Fallback(rule)), default) => {
                let after = match default {
                    Some(OnFailureDoc::Word(rule)) => word(*rule),
                    _ => OnFailure::Fail,
                };
                (after, rule.fallback.iter().map(String::as_str).collect())
            }
            (None, Some(OnFailureDoc::Word(rule))) => (word(*rule), Vec::new()),
            (None, _) => (OnFailure::Fail, Vec::new()),
        }
    }

    fn transformers(&mut self, docs: &[TransformDoc], path: &str) -> Vec<TransformerUse> {
        let mut uses = Vec::with_capacity(docs.len());
        for (n, doc) in docs.iter().enumerate() {
            let (plugin, config) = match doc {
                TransformDoc::Name(name) => (name, Map::new()),
                TransformDoc::Configured(doc) => (&doc.transformer, doc.config.clone()),
            };
            if names_installed(plugin) && !self.known.transformers.contains(plugin) {
                let known = self.known.transformers.iter().map(String::as_str);
                self.problems.push(
                    Problem::error(
                        "unknown-transformer",
                        format!("{path}.transform[{n}]"),
                        format!("there is no transformer '{plugin}'"),
                    )
                    .hint("'consort plugin list' shows those installed")
                    .suggest(plugin, known),
                );
            }
            uses.push(TransformerUse { plugin: plugin.clone(), config });
        }
        uses
    }

    /// Checks the agents the document defines, used or not.
    fn check_agents(&mut self) {
        if let Some(OnFailureDoc::Fallback(_)) = self.default_rule {
            self.problems.push(
                Problem::error("not-applicable", "on_failure", "a fallback belongs to one task")
                    .hint("write 'fail', 'skip' or 'continue' here"),
            );
        }
        for (name, agent) in self.document_agents {
            let path = format!("agents.{name}");
            if names_installed(&agent.adapter) && !self.known.adapters.contains(&agent.adapter) {
                let known = self.known.adapters.iter().map(String::as_str);
                self.problems.push(
                    Problem::error(
                        "unknown-adapter",
                        format!("{path}.adapter"),
                        format!("there is no adapter '{}'", agent.adapter),
                    )
                    .hint("'consort plugin list' shows those installed")
                    .suggest(&agent.adapter, known),
                );
            }
            if agent.max_concurrency == Some(0) {
                self.problems.push(
                    Problem::error(
                        "out-of-range",
                        format!("{path}.max_concurrency"),
                        "an agent without room for one attempt never works",
                    )
                    .hint("give a number from 1, or leave it out"),
                );
            }
        }
    }

    /// The agent of a task: its own, its collaborative task's, or the host's.
    fn agent_of(&mut self, draft: &Draft) -> Option<AgentIx> {
        let path = format!("{}.agent", draft.path);
        if let Some(name) = &draft.doc.agent {
            return self.agent(&name.clone(), &path);
        }
        if let Some(name) = self.known.default_agent.clone() {
            return self.agent(&name, &path);
        }
        self.problems.push(
            Problem::error("missing-field", path, "no agent is named")
                .hint("add 'agent', or 'default_agent' to the host's configuration"),
        );
        None
    }

    /// Resolves an agent's name and gives it a number the first time.
    fn agent(&mut self, name: &str, path: &str) -> Option<AgentIx> {
        if let Some(number) = self.agent_numbers.get(name) {
            return Some(*number);
        }
        let implicit = || {
            self.known.adapters.iter().any(|adapter| adapter == name).then(|| AgentDoc {
                adapter: name.to_owned(),
                url: None,
                config: Map::new(),
                limits: Map::new(),
                max_concurrency: None,
            })
        };
        let doc = self.document_agents.get(name).or_else(|| self.known.agents.get(name)).cloned();
        let Some(doc) = doc.or_else(implicit) else {
            let names = self.document_agents.keys().chain(self.known.agents.keys());
            let names = names.chain(&self.known.adapters).map(String::as_str);
            let problem =
                Problem::error("unknown-agent", path, format!("there is no agent '{name}'"))
                    .hint(
                        "define it under 'agents', in the workflow or in the host's configuration",
                    )
                    .suggest(name, names);
            self.problems.push(problem);
            return None;
        };
        let number = AgentIx(self.agents.len() as u32);
        self.agents.push(Agent {
            name: Arc::from(name),
            adapter: doc.adapter,
            url: doc.url.map(Into::into),
            config: doc.config,
            limits: doc.limits,
            max_concurrency: doc.max_concurrency,
        });
        self.agent_numbers.insert(name.to_owned(), number);
        Some(number)
    }
}

/// Whether a reference names an installed plugin, not a file or a digest, so
/// that the compiler can tell whether it exists.
fn names_installed(reference: &str) -> bool {
    !reference.contains(['/', '@', '\\']) && !reference.ends_with(".wasm")
}

/// Decides what each step waits for by its place among its siblings.
///
/// A step waits for all steps before it that no step in between waits for; a
/// `parallel` step waits for what the step before it waits for; `depends_on`
/// replaces either.
#[derive(Default)]
struct StepOrder {
    /// What a parallel step would wait for; none: the collaborative task's own
    /// dependencies.
    barrier: Option<Vec<usize>>,
    /// Steps nobody waits for yet.
    open: Vec<usize>,
}

impl StepOrder {
    fn place(
        &mut self,
        step: usize,
        doc: &TaskDoc,
        sibling: impl Fn(&str) -> Option<usize>,
    ) -> Implied {
        if let Some(explicit) = &doc.depends_on {
            let ids = explicit.iter().map(|dependency| match dependency {
                DependencyDoc::Id(id) => id,
                DependencyDoc::Edge(edge) => &edge.task,
            });
            let waited: Vec<usize> = ids.filter_map(|id| sibling(id)).collect();
            self.open.retain(|open| !waited.contains(open));
            self.open.push(step);
            return Implied::Nothing;
        }
        if doc.parallel != Some(true) && !self.open.is_empty() {
            self.barrier = Some(std::mem::take(&mut self.open));
        }
        self.open.push(step);
        match &self.barrier {
            None => Implied::Parent,
            Some(steps) => Implied::Steps(steps.clone()),
        }
    }
}

#[cfg(test)]
mod tests;
