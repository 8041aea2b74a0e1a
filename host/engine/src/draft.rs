//! A *draft* is a task on its way into a live run: compiled like the workflow
//! itself, except that what it waits for is still a name.
//!
//! An added task may use the agents and the transformers that the run began
//! with, and nothing else: everything is loaded and checked before a run
//! starts.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use consort_core::plan::{AgentIx, Known, OnFailure, Plan, Task, TransformerUse, Work, compile};
use consort_core::problem::Problem;
use consort_core::spec::{AgentDoc, Format, OnFailureDoc, OnFailureWord, parse};
use serde_json::{Value, json};

use crate::now;

/// A task on its way into a live run.
#[derive(Debug)]
pub(crate) struct Draft {
    /// Its agents are the run's. The tasks its edges lead to mean nothing.
    pub(crate) task: Task,
    /// The id of the task each of its edges leads to.
    pub(crate) waits_for: Box<[Arc<str>]>,
}

impl Draft {
    /// The same, waiting for those only that `stay`.
    pub(crate) fn waiting_for(self: Arc<Self>, stay: impl Fn(&Arc<str>) -> bool) -> Arc<Self> {
        if self.waits_for.iter().all(&stay) {
            return self;
        }
        let mut task = self.task.clone();
        let edges = task.dependencies.iter().zip(&self.waits_for);
        let (edges, waits_for): (Vec<_>, Vec<_>) = edges
            .filter(|(_, name)| stay(name))
            .map(|(edge, name)| (edge.clone(), name.clone()))
            .unzip();
        task.dependencies = edges.into();
        Arc::new(Self { task, waits_for: waits_for.into() })
    }
}

/// What an agent wants added to the run.
pub(crate) struct Proposal {
    /// As the agent wrote it.
    pub(crate) source: String,
    /// The agent.
    pub(crate) agent: Arc<str>,
    /// Its id, as far as it has one.
    pub(crate) name: Arc<str>,
    /// The task and its steps, or why there are none.
    pub(crate) drafts: Result<Vec<Arc<Draft>>, String>,
}

/// What a running workflow offers to added tasks.
#[derive(Debug)]
pub(crate) struct Drafting {
    known: Known,
    agents: Vec<Arc<str>>,
    /// None: every transformer there is, in any configuration.
    transformers: Option<HashSet<String>>,
    /// What a task does when it fails, unless it says.
    on_failure: Option<OnFailureWord>,
}

impl Drafting {
    /// What a plan offers that was compiled with what is `known`: its default
    /// agent, if the plan uses it, and for an open run every transformer.
    pub(crate) fn new(plan: &Plan, known: &Known) -> Self {
        let transformers = match plan.open {
            true => known.transformers.clone(),
            false => plan.transformers().map(|used| used.plugin.clone()).collect(),
        };
        let agents = plan.agents.iter();
        let agents = agents.map(|agent| (agent.name.to_string(), AgentDoc::from(agent)));
        let known = Known {
            agents: agents.collect(),
            adapters: Vec::new(),
            transformers,
            default_agent: known.default_agent.clone(),
            anything: false,
        };
        Self {
            known,
            agents: plan.agents.iter().map(|agent| agent.name.clone()).collect(),
            transformers: (!plan.open).then(|| plan.transformers().map(transformer).collect()),
            // Tasks that are added to any other run have always said it themselves.
            on_failure: plan.open.then_some(match plan.on_failure {
                OnFailure::Fail => OnFailureWord::Fail,
                OnFailure::Skip => OnFailureWord::Skip,
                OnFailure::Continue => OnFailureWord::Continue,
            }),
        }
    }

    /// Compiles one task that an agent wants added, in JSON. Unless it says,
    /// that agent does it.
    pub(crate) fn spawned(&self, source: String, agent: &Arc<str>) -> Proposal {
        let (name, drafts) = match serde_json::from_str(&source) {
            Ok(task @ Value::Object(_)) => {
                let name = task["task_id"].as_str().unwrap_or("?").into();
                let drafts = self.compile(task, Some(agent)).map_err(|problems| {
                    problems.iter().map(in_words).collect::<Vec<_>>().join("; ")
                });
                (name, drafts)
            }
            Ok(_) => ("?".into(), Err("a task is an object".to_owned())),
            Err(error) => ("?".into(), Err(format!("it is not JSON: {error}"))),
        };
        Proposal { source, agent: agent.clone(), name, drafts }
    }

    /// Compiles a task or a list of tasks in the workflow format.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them, except what they wait for: that is
    /// for the scheduler to say.
    pub(crate) fn draft(&self, tasks: Value) -> Result<Vec<Arc<Draft>>, Vec<Problem>> {
        self.compile(tasks, self.known.default_agent.as_deref())
    }

    fn compile(
        &self,
        tasks: Value,
        default_agent: Option<&str>,
    ) -> Result<Vec<Arc<Draft>>, Vec<Problem>> {
        let alone = tasks.is_object();
        let mut tasks = match tasks {
            Value::Array(tasks) => tasks,
            task @ Value::Object(_) => vec![task],
            _ => {
                let problem = Problem::error("wrong-type", "", "this is not a task");
                return Err(vec![problem.hint("give a task or a list of tasks")]);
            }
        };
        // Tasks that are in the run, or will be, are stood in for, so that
        // nothing is reported that only the scheduler can know.
        let others = others(&tasks);
        let stand_in = |id: &String| json!({"task_id": id, "type": "approval", "description": "-"});
        tasks.extend(others.iter().map(stand_in));
        let known = Known {
            default_agent: default_agent.filter(|name| self.has_agent(name)).map(str::to_owned),
            ..self.known.clone()
        };
        let text = Value::Array(tasks).to_string();
        let plan = parse(&text, Format::Json)
            .and_then(|mut document| {
                document.on_failure = self.on_failure.map(OnFailureDoc::Word);
                compile(document, &known, now())
            })
            .map_err(|problems| {
                problems.into_iter().map(|problem| self.place(problem, alone)).collect::<Vec<_>>()
            })?;
        self.take(plan, others.len())
    }

    /// A problem with the place it has in what was given: a task alone is compiled
    /// as a list of one.
    fn place(&self, mut problem: Problem, alone: bool) -> Problem {
        // The text has been written anew.
        (problem.line, problem.column) = (None, None);
        if alone && let Some(path) = problem.path.strip_prefix("[0]") {
            problem.path = path.trim_start_matches('.').to_owned();
        }
        match (problem.code, &self.transformers) {
            ("unknown-agent", Some(_)) => {
                problem.hint("an added task may use the agents that the workflow uses")
            }
            ("unknown-agent", None) => problem.hint(
                "define it under 'agents', in the workflow that the run was opened with or in \
                 the host's configuration",
            ),
            _ => problem,
        }
    }

    fn has_agent(&self, name: &str) -> bool {
        self.known.agents.contains_key(name)
    }

    /// The tasks of a plan but its last ones, which only stand in for others.
    fn take(&self, plan: Plan, stand_ins: usize) -> Result<Vec<Arc<Draft>>, Vec<Problem>> {
        let Plan { agents, mut tasks, .. } = plan;
        let ids: Vec<Arc<str>> = tasks.iter().map(|task| task.id.clone()).collect();
        tasks.truncate(ids.len() - stand_ins);
        let mut problems = Vec::new();
        let mut drafts = Vec::with_capacity(tasks.len());
        for mut task in tasks {
            self.check_transformers(&task, &mut problems);
            if let Work::Agents(own) = &task.work {
                let number = |agent: &AgentIx| {
                    let name = &agents[agent.0 as usize].name;
                    let known = self.agents.iter().position(|known| known == name);
                    AgentIx(known.expect("only the run's agents are known") as u32)
                };
                task.work = Work::Agents(own.iter().map(number).collect());
            }
            let waits_for = task.dependencies.iter().map(|edge| ids[edge.task.index()].clone());
            let waits_for = waits_for.collect();
            drafts.push(Arc::new(Draft { task, waits_for }));
        }
        if problems.is_empty() { Ok(drafts) } else { Err(problems) }
    }

    fn check_transformers(&self, task: &Task, problems: &mut Vec<Problem>) {
        let Some(transformers) = &self.transformers else { return };
        let edges = task.dependencies.iter().flat_map(|edge| &edge.transform);
        for used in task.settings.transform.iter().chain(edges) {
            if !transformers.contains(&transformer(used)) {
                let message = format!(
                    "the run does not use the transformer '{}' with this configuration",
                    used.plugin
                );
                problems.push(
                    Problem::error("unknown-transformer", &*task.id, message)
                        .hint("an added task may use what the workflow uses"),
                );
            }
        }
    }
}

/// A transformer with its configuration, as text.
fn transformer(used: &TransformerUse) -> String {
    format!("{} {}", used.plugin, Value::Object(used.config.clone()))
}

/// The ids that tasks and their steps depend on and that none of them has.
fn others(tasks: &[Value]) -> BTreeSet<String> {
    let mut own = HashSet::new();
    let mut wanted = BTreeSet::new();
    let mut stack: Vec<&Value> = tasks.iter().collect();
    while let Some(task) = stack.pop() {
        own.extend(task["task_id"].as_str());
        for dependency in task["depends_on"].as_array().into_iter().flatten() {
            wanted.extend(dependency.as_str().or(dependency["task"].as_str()));
        }
        stack.extend(task["steps"].as_array().into_iter().flatten());
    }
    wanted.into_iter().filter(|id| !own.contains(id)).map(str::to_owned).collect()
}

fn in_words(problem: &Problem) -> String {
    match &problem.hint {
        Some(hint) => format!("{problem} ({hint})"),
        None => problem.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drafting() -> Drafting {
        let text = "
agents: {A: {adapter: echo}, B: {adapter: echo}}
tasks:
  - {task_id: x, agent: A}
  - {task_id: y, agent: B, transform: [{transformer: jq, config: {filter: .}}]}
";
        let known = Known {
            adapters: vec!["echo".into(), "other".into()],
            transformers: vec!["jq".into()],
            ..Known::default()
        };
        let plan = parse(text, Format::Yaml).and_then(|document| compile(document, &known, 0));
        Drafting::new(&plan.expect("a plan"), &Known { default_agent: Some("B".into()), ..known })
    }

    fn problems(tasks: Value) -> Vec<String> {
        let problems = drafting().draft(tasks).expect_err("a problem");
        problems.iter().map(in_words).collect()
    }

    #[test]
    fn agents_are_the_run_s_and_what_is_waited_for_is_a_name() {
        let drafts = drafting()
            .draft(json!([
                {"task_id": "a", "depends_on": ["x", {"task": "later", "as": "l"}]},
                {"task_id": "b", "agent": "A", "depends_on": ["a"]},
            ]))
            .expect("drafts");
        let said: Vec<String> = drafts
            .iter()
            .map(|draft| {
                let names: Vec<&str> =
                    draft.task.dependencies.iter().map(|edge| &*edge.name).collect();
                format!("{} {:?} {:?} {names:?}", draft.task.id, draft.task.work, draft.waits_for)
            })
            .collect();
        assert_eq!(
            said,
            [
                r#"a Agents([AgentIx(1)]) ["x", "later"] ["x", "l"]"#,
                r#"b Agents([AgentIx(0)]) ["a"] ["a"]"#,
            ]
        );
    }

    #[test]
    fn only_what_the_run_began_with_may_be_used() {
        assert_eq!(
            problems(json!({"task_id": "a", "agent": "other"})),
            [
                "agent: there is no agent 'other' (an added task may use the agents that the workflow uses)"
            ]
        );
        let jq = json!([{"transformer": "jq", "config": {"filter": ".x"}}]);
        assert_eq!(
            problems(json!([{"task_id": "a", "transform": jq}])),
            [
                "a: the run does not use the transformer 'jq' with this configuration (an added task may use what the workflow uses)"
            ]
        );
        assert_eq!(problems(json!(3)), ["this is not a task (give a task or a list of tasks)"]);
    }

    #[test]
    fn an_agent_s_task_is_its_own_unless_it_says() {
        let drafting = drafting();
        let drafts =
            drafting.spawned(r#"{"task_id": "a"}"#.into(), &"A".into()).drafts.expect("a draft");
        assert_eq!(drafts[0].task.work, Work::Agents([AgentIx(0)].into()));
        for (text, name, why) in [
            ("{", "?", "it is not JSON"),
            ("[]", "?", "a task is an object"),
            (r#"{"task_id": "a", "descriptoin": ""}"#, "a", "did you mean 'description'?"),
        ] {
            let Proposal { name: named, drafts, .. } = drafting.spawned(text.into(), &"A".into());
            let said = drafts.expect_err("a problem");
            assert!(&*named == name && said.contains(why), "{named}: {said}");
        }
    }
}
