//! A *verdict* says whether a task is done at all, and for which items. It is
//! given once, when the task's dependencies are finished.

use std::sync::Arc;

use consort_core::plan::Items;
use consort_core::scheduler::Decision;
use consort_core::spec::limits::MAX_ITEMS;
use serde_json::Value;

use crate::error::{Failed, TaskError, never};
use crate::job::{Fan, Given, Job};

/// What is to become of a task.
pub(crate) enum Verdict {
    /// It is done.
    Run,
    /// It has been done, in the run that this one repeats.
    Reused,
    /// Its condition does not hold.
    Skip,
    /// It is done for each item.
    FanOut(Arc<Fan>),
    /// Nobody can tell.
    Broken(Box<TaskError>),
}

impl Verdict {
    /// The same for the scheduler.
    pub(crate) fn decision(&self) -> Decision {
        match self {
            Self::Run => Decision::Run,
            Self::Reused => Decision::Done,
            Self::Skip => Decision::Skip,
            Self::FanOut(fan) => Decision::FanOut(fan.items.len() as u32),
            Self::Broken(_) => Decision::Fail,
        }
    }
}

/// Evaluates the `when` and then the `for_each` of a task.
pub(crate) async fn decide(job: &Job) -> Verdict {
    let verdict = match job.given().await {
        Ok(given) => weigh(job, given),
        Err(failed) => Err(failed),
    };
    verdict.unwrap_or_else(|(error, _)| Verdict::Broken(error))
}

fn weigh(job: &Job, given: Arc<Given>) -> Result<Verdict, Failed> {
    let settings = &job.task().settings;
    if let Some(when) = &settings.when {
        let holds = when.holds(job.values(&given));
        if !holds.map_err(|reason| broken("when", &reason))? {
            return Ok(Verdict::Skip);
        }
    }
    let Some(for_each) = &settings.for_each else { return Ok(Verdict::Run) };
    let (items, taken) = match &for_each.items {
        Items::Literal(items) => (items.clone(), Vec::new()),
        Items::Expression(expression) => {
            let items = expression.evaluate(job.values(&given));
            let reads = expression.reads().results;
            let names = given.dependencies.iter().map(|dependency| &dependency.name);
            let taken = names.filter(|name| reads.contains(&***name)).cloned().collect();
            (list(items.map_err(|reason| broken("for_each", &reason))?)?, taken)
        }
    };
    if items.len() > MAX_ITEMS {
        let message = format!("'for_each' has {} items; a task may have {MAX_ITEMS}", items.len());
        return Err(never("too-many", message));
    }
    Ok(Verdict::FanOut(Arc::new(Fan { items, given, taken })))
}

fn broken(field: &str, reason: &str) -> Failed {
    never("expression", format!("'{field}' could not be worked out: {reason}"))
}

fn list(value: Value) -> Result<Arc<[Value]>, Failed> {
    let what = match value {
        Value::Array(items) => return Ok(items.into()),
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Object(_) => "an object",
    };
    Err(never("expression", format!("'for_each' is {what}, and a list is needed")))
}
