//! `consort resume`: goes on with a run that was interrupted.

use std::sync::Arc;

use clap::Args;
use serde_json::Map;

use crate::approvals::Answer;
use crate::error::{CommandError, Exit};
use crate::execution::{OperatorArgs, ShowArgs, also_as_json, execute};
use crate::store::{StoreArgs, unreadable};

/// Go on with a recorded run that was interrupted
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consort resume 019ab3 --store runs.db
  consort resume 019ab3 --store runs.db --answer review=true --json

RUN is a run's id, or its beginning or end if no other run has it. Results that were
recorded are not computed again; calls whose results were not are repeated with the
same idempotency key; what goes on at an agent is asked after, not begun again. The
workflow is the one the run began with; agents of the host configuration are, too.
Webhooks that have not been told everything are: those it began with, by their names.

Exit codes: 0 succeeded, 1 failed, 2 not valid, 130 interrupted and cleanly cancelled")]
pub(crate) struct ResumeArgs {
    /// The run
    run: String,

    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    operator: OperatorArgs,

    /// Answer a task that waits for a person: true, false, or any JSON as its
    /// result [default: ask on the terminal]
    #[arg(long, value_name = "TASK=JSON")]
    answer: Vec<Answer>,

    /// Give up what this webhook has not been told, which the host configuration
    /// does not have any more
    #[arg(long, value_name = "NAME")]
    give_up_webhook: Vec<String>,

    #[command(flatten)]
    show: ShowArgs,
}

/// Carries the command out.
pub(crate) fn resume(args: &ResumeArgs) -> Result<Exit, CommandError> {
    carry_out(args).inspect_err(|error| also_as_json(&args.show, error))
}

fn carry_out(args: &ResumeArgs) -> Result<Exit, CommandError> {
    let store = args.store.open()?;
    let (engine, _) = args.operator.set_up(&args.show, None, None)?;
    execute(&args.show, true, async || {
        let mut run = engine.resume(&store, &args.run).await.map_err(unreadable)?;
        let given_up = |name: &Arc<str>| args.give_up_webhook.iter().any(|one| **one == **name);
        if let Some(missing) = run.missing_webhooks().into_iter().find(|name| !given_up(name)) {
            let message = format!(
                "run {} tells the webhook '{missing}' what happens, and the host configuration has none of that name",
                run.id()
            );
            return Err(CommandError::invalid(message).hint(format!(
                "'--config FILE' names another configuration; '--give-up-webhook {missing}' gives up what it has not been told"
            )));
        }
        for Answer { task, value } in &args.answer {
            run.answer(task.as_str(), value.clone());
        }
        Ok((run, Map::new()))
    })
}
