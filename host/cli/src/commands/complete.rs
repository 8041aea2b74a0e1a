//! `consort complete`: says what came of a task of a recorded run elsewhere.

use clap::{ArgGroup, Args};
use consort_engine::Request;
use consort_engine::control::TaskStatus;
use serde_json::Value;

use crate::approvals::{misfit, not_json};
use crate::error::{CommandError, Exit};
use crate::requests::post;
use crate::store::{StoreArgs, find_task};

/// Where a task may be completed, and where it may be failed.
const TAKES_A_RESULT: [&str; 4] = ["ready", "running", "waiting", "asking"];
const TAKES_A_FAILURE: [&str; 3] = ["running", "waiting", "asking"];

/// Deliver the result of a task of a recorded run, or its failure
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("outcome").required(true),
    after_help = "\
Examples:
  consort complete 019ab3 render --result '{\"frames\": 240}' --store runs.db
  consort complete 019ab3 render --result done --store runs.db      text needs no quotes
  consort complete 019ab3 render --error 'the disk is full' --store runs.db
  consort complete 019ab3 render --error 'lost it' --retry --store runs.db

For work that is done by somebody whom the run does not call, or who calls back. A
result goes through the task's transformers; that of an approval is its answer. A
failure goes the way every failure goes: with --retry the task is tried again as its
'retry_policy' says, then by its fallback agents, and in the end its 'on_failure' holds.
What runs for the task is stopped, and agents that work by themselves are told.

It waits in the store until the process that carries the run out takes it up, at once or
when the run is resumed. By then the task may be finished, and it is passed over.

Exit codes: 0 noted, 1 the store failed, 2 no such run or task, or one that is elsewhere"
)]
pub(crate) struct CompleteArgs {
    /// The run
    run: String,

    /// The task; `task[n]` for an item
    task: String,

    /// Its result: JSON, else text
    #[arg(long, group = "outcome")]
    result: Option<String>,

    /// Why it has none, in a sentence
    #[arg(long, group = "outcome", value_name = "TEXT")]
    error: Option<String>,

    /// Another attempt makes sense
    #[arg(long, conflicts_with = "result")]
    retry: bool,

    #[command(flatten)]
    store: StoreArgs,
}

/// Carries the command out.
pub(crate) fn complete(args: &CompleteArgs) -> Result<Exit, CommandError> {
    let mut run = args.store.run(&args.run)?;
    let TaskStatus { state, question, .. } = find_task(&mut run, &args.task)?;
    let approval = question.filter(|question| !question.by_agent);
    let task = args.task.clone();
    let (request, states) = match (&args.result, &args.error) {
        (Some(result), _) => {
            let result = match (serde_json::from_str(result), &approval) {
                (Ok(result), _) => result,
                (Err(_), None) => Value::String(result.clone()),
                // As with an answer: 'no' would be a yes.
                (Err(_), Some(_)) => return Err(not_json(result)),
            };
            if let Some(question) = approval {
                question.check(&result).map_err(|reasons| misfit(&args.task, &reasons))?;
            }
            (Request::Complete { task, result }, &TAKES_A_RESULT[..])
        }
        (None, error) => {
            let message = error.clone().unwrap_or_default();
            (Request::Fail { task, message, retryable: args.retry }, &TAKES_A_FAILURE[..])
        }
    };
    if !states.contains(&state) {
        let message = format!("nothing can be delivered for task '{}': it is {state}", args.task);
        return Err(CommandError::invalid(message)
            .hint(format!("a task takes this while it is {}", states.join(", "))));
    }
    post(&args.store, &run, &request)
}
