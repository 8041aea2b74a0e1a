//! `consort answer`: answers a question of a recorded run.

use clap::Args;
use consort_engine::Request;
use serde_json::Value;

use crate::approvals::{misfit, not_json};
use crate::error::{CommandError, Exit};
use crate::requests::post;
use crate::store::{StoreArgs, find_task};

/// Answer a question of a recorded run
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consort status 019ab3 --store runs.db                       shows what is asked
  consort answer 019ab3 review true --store runs.db
  consort answer 019ab3 city '{\"city\": \"Oslo\"}' --store runs.db
  consort answer 019ab3 city Oslo --store runs.db             text needs no quotes

The answer waits in the store until the process that carries the run out takes it up,
at once or when the run is resumed. To an approval, 'false' and an object whose
'approved' is false say no; any other JSON is its result.

Exit codes: 0 noted, 1 the store failed, 2 no such run or question, or it does not fit")]
pub(crate) struct AnswerArgs {
    /// The run
    run: String,

    /// The task that asks; `task[n]` for an item
    task: String,

    /// The answer: JSON, else text
    answer: String,

    #[command(flatten)]
    store: StoreArgs,
}

/// Carries the command out.
pub(crate) fn answer(args: &AnswerArgs) -> Result<Exit, CommandError> {
    let mut run = args.store.run(&args.run)?;
    let task = find_task(&mut run, &args.task)?;
    let Some(question) = &task.question else {
        let message = format!("task '{}' asks nothing: it is {}", args.task, task.state);
        return Err(CommandError::invalid(message)
            .hint(format!("'consort status {}' shows what is asked", run.row().id)));
    };
    let answer = match serde_json::from_str(&args.answer) {
        Ok(answer) => answer,
        // Text is not taken for the result of an approval: 'no' would be a yes.
        Err(_) if !question.by_agent => {
            return Err(not_json(&args.answer));
        }
        Err(_) => Value::String(args.answer.clone()),
    };
    question.check(&answer).map_err(|reasons| misfit(&args.task, &reasons))?;
    post(&args.store, &run, &Request::Answer { task: args.task.clone(), answer })
}
