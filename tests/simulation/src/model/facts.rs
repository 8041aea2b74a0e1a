//! What does not change about a task.

use std::sync::Arc;

use consort_core::graph::{TaskIx, Wanted};
use consort_core::plan::{AgentIx, Batching, Deadline, OnFailure, Plan, Timeouts, Work};
use consort_core::retry::RetryPolicy;
use consort_core::scheduler::{ClassLimits, Doer, Submission, TaskRules};

/// Who does a task: classes by number, nobody, or a person.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum By {
    Agents(Vec<usize>),
    Nobody,
    Person,
}

/// The facts of one task.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) by: By,
    pub(super) dependencies: Vec<usize>,
    /// Names of additions that it waits for.
    pub(super) names: Vec<Arc<str>>,
    pub(super) decide: bool,
    pub(super) decide_items: bool,
    pub(super) width: usize,
    pub(super) timeouts: Timeouts,
    pub(super) retry: RetryPolicy,
    pub(super) on_failure: OnFailure,
    /// The class of its first attempt, if that may be started together with
    /// others of its kind.
    pub(super) batch: Option<usize>,
    pub(super) kind: u32,
    pub(super) priority: f64,
    pub(super) deadline: Option<i64>,
}

/// The moment a deadline means for what is submitted at `now`.
pub(super) fn moment(deadline: Deadline, now: i64) -> i64 {
    match deadline {
        Deadline::At(at) => at,
        Deadline::After(span) => now + span as i64,
    }
}

impl Facts {
    /// Those of a task of the plan.
    pub(super) fn planned(plan: &Plan, task: TaskIx, submission: &Submission, now: i64) -> Self {
        let kind = submission.tasks[task.index()].facts.kind;
        let task = plan.task(task);
        let settings = &task.settings;
        let slots = settings.resources.slots.unwrap_or(1);
        let class = |agent: AgentIx, batching: Option<Batching>| {
            let wanted = ClassLimits { agent: agent.0, slots, batching };
            let mut classes = submission.classes.iter();
            classes.position(|class| *class == wanted).expect("there is a class for it")
        };
        let batch = match &task.work {
            Work::Agents(agents) => {
                let own = plan.agent(agents[0]).batch;
                let wanted = settings.batch.unwrap_or(own.is_some());
                wanted.then(|| class(agents[0], Some(own.unwrap_or_default())))
            }
            Work::Join | Work::Approval => None,
        };
        Self {
            batch,
            kind,
            by: match &task.work {
                Work::Agents(agents) => {
                    By::Agents(agents.iter().map(|agent| class(*agent, None)).collect())
                }
                Work::Join => By::Nobody,
                Work::Approval => By::Person,
            },
            dependencies: task.dependencies.iter().map(|edge| edge.task.index()).collect(),
            names: Vec::new(),
            decide: settings.when.is_some() || settings.for_each.is_some(),
            decide_items: false,
            width: settings
                .for_each
                .as_ref()
                .and_then(|each| each.max_parallel)
                .map_or(usize::MAX, |width| width as usize),
            timeouts: settings.timeouts,
            retry: settings.retry,
            on_failure: settings.on_failure,
            priority: f64::from(settings.priority),
            deadline: settings.deadline.map(|deadline| moment(deadline, now)),
        }
    }

    /// Those of an added task.
    pub(super) fn added(rules: &TaskRules, wanted: &[Wanted]) -> Self {
        let mut dependencies = Vec::new();
        let mut names = Vec::new();
        for wanted in wanted {
            match wanted {
                Wanted::Task(task) => dependencies.push(task.index()),
                Wanted::Name(name) => names.push(name.clone()),
            }
        }
        Self {
            by: match &rules.work {
                Doer::Agents(classes) => {
                    By::Agents(classes.iter().map(|class| class.0 as usize).collect())
                }
                Doer::Join => By::Nobody,
                Doer::Person => By::Person,
            },
            dependencies,
            names,
            batch: rules.batch.map(|class| class.0 as usize),
            kind: rules.facts.kind,
            decide: rules.decide,
            decide_items: rules.decide_items,
            width: rules.max_parallel as usize,
            timeouts: rules.timeouts,
            retry: rules.retry,
            on_failure: rules.on_failure,
            priority: f64::from(rules.facts.priority),
            deadline: rules.facts.deadline,
        }
    }

    /// Those of an item of the task.
    pub(super) fn item(&self) -> Self {
        let decide = self.decide_items;
        Self { decide, dependencies: Vec::new(), names: Vec::new(), ..self.clone() }
    }

    pub(super) fn continues(&self) -> bool {
        self.on_failure == OnFailure::Continue
    }

    /// The class of one of its agents.
    pub(super) fn class(&self, agent: usize) -> Option<usize> {
        match &self.by {
            By::Agents(classes) => classes.get(agent).copied(),
            By::Nobody | By::Person => None,
        }
    }
}
