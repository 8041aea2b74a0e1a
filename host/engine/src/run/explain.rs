//! Why a task has no result, and why a run ended, in words.

use std::sync::Arc;

use consort_core::graph::TaskIx;
use consort_core::plan::Deadline;
use consort_core::scheduler::{Reason, RunReason, Status, Stop, Timeout, moment};

use super::Conductor;
use crate::error::{Cause, TaskError};
use crate::report::RunError;

impl Conductor {
    /// Why an attempt was stopped.
    pub(super) fn stop_error(&self, task: TaskIx, why: Stop) -> TaskError {
        match why {
            Stop::Timeout(timeout) => self.timeout_error(task, timeout),
            Stop::Cancelled => self.cancelled_error(),
            Stop::Refused => TaskError::new("needs-input", "nobody answers its question"),
            Stop::RunFailed => TaskError::new("cancelled", "the run failed before it was done"),
            Stop::RunDeadline => self.run_deadline_error(),
            Stop::Budget => self.budget_error(),
            // The task comes to what was delivered, and nobody asks.
            Stop::Delivered(_) => TaskError::new("cancelled", "its task was done elsewhere"),
        }
    }

    fn timeout_error(&self, task: TaskIx, timeout: Timeout) -> TaskError {
        let settings = &self.task(task).settings;
        let timeouts = &settings.timeouts;
        let span = |millis: Option<u64>| seconds(millis.unwrap_or_default());
        match timeout {
            Timeout::Attempt => TaskError::new(
                "timeout",
                format!(
                    "no result within {}, which is the task's 'timeout'",
                    seconds(timeouts.attempt)
                ),
            ),
            Timeout::Queue => TaskError::new(
                "queue-timeout",
                format!("not started within {}, which is 'timeouts.queue'", span(timeouts.queue)),
            ),
            Timeout::Idle => TaskError::new(
                "idle-timeout",
                format!("no sign of life for {}, which is 'timeouts.idle'", span(timeouts.idle)),
            ),
            Timeout::Total => TaskError::new(
                "total-timeout",
                format!("not finished within {}, which is 'timeouts.total'", span(timeouts.total)),
            ),
            Timeout::Deadline => TaskError::new(
                "deadline",
                match settings.deadline {
                    Some(deadline) => {
                        format!("not finished by its deadline, {}", self.in_words(deadline))
                    }
                    None => "not finished by its deadline".to_owned(),
                },
            ),
        }
    }

    fn cancelled_error(&self) -> TaskError {
        let what = if self.cancelled { "the run was cancelled" } else { "it was cancelled" };
        TaskError::new("cancelled", what)
    }

    fn run_deadline_error(&self) -> TaskError {
        let when = self.plan().deadline.map(|deadline| format!(", {}", self.in_words(deadline)));
        let message = format!("the run's deadline is over{}", when.unwrap_or_default());
        TaskError::new("run-deadline", message)
    }

    fn budget_error(&self) -> TaskError {
        let budget = &self.plan().budget;
        let mut figures = Vec::new();
        if let Some(most) = budget.tokens {
            let used = self.spent.input_tokens.saturating_add(self.spent.output_tokens);
            figures.push(format!("{used} of {most} tokens"));
        }
        if let Some(most) = budget.cost {
            figures.push(format!("{} of {most} in cost", self.spent.cost));
        }
        let message = format!("the run's budget is used up: {}", figures.join(", "));
        TaskError::new("budget", message)
    }

    /// A deadline as its author wrote it.
    fn in_words(&self, deadline: Deadline) -> String {
        match deadline {
            Deadline::After(span) => format!("{} after the run began", seconds(span)),
            Deadline::At(at) => match jiff::Timestamp::from_millisecond(at) {
                Ok(at) => at.to_string(),
                Err(_) => format!("{at} ms after 1970"),
            },
        }
    }

    /// When a task's own time is over, if it began to wait at `now`.
    pub(super) fn own_end(&self, task: TaskIx, now: i64) -> Option<i64> {
        let settings = &self.task(task).settings;
        let deadline = settings.deadline.map(|deadline| moment(deadline, self.submitted_at));
        let total = settings.timeouts.total.map(|total| now.saturating_add_unsigned(total));
        deadline.into_iter().chain(total).min()
    }

    /// Why a task is finished, unless it succeeded; `earlier` is the error of
    /// its last attempt, its decision or its question.
    pub(super) fn end_error(
        &self,
        task: TaskIx,
        status: Status,
        reason: Reason,
        earlier: Option<Box<TaskError>>,
    ) -> Option<Box<TaskError>> {
        let error = match reason {
            Reason::Done => return None,
            // What was said then stands.
            Reason::Attempts | Reason::Undecidable | Reason::Refused if earlier.is_some() => {
                return earlier;
            }
            Reason::Attempts | Reason::Undecidable | Reason::Refused => {
                TaskError::new("host", format!("it {} without an error", status.as_str()))
            }
            Reason::Timeout(timeout) => {
                let error = self.timeout_error(task, timeout);
                match earlier {
                    Some(earlier) if earlier.kind == error.kind => return Some(earlier),
                    Some(earlier) => {
                        let message =
                            format!("{}; before that: {}", error.message, earlier.message);
                        TaskError { message, ..error }.blaming(earlier.as_causes())
                    }
                    None => error,
                }
            }
            Reason::Condition => {
                let when = self.task(task).settings.when.as_ref();
                let when = when.map(|when| when.source().trim()).unwrap_or_default();
                TaskError::new("condition", format!("its condition is false: {when}"))
            }
            Reason::Items(item) => self.items_error(task, item),
            Reason::Dependency(cause) => {
                let cause = self.id(cause);
                let message = format!("it depends on '{cause}', which has no result");
                TaskError::new("skipped", message).because(cause)
            }
            // A stopped attempt has said so already.
            Reason::Cancelled | Reason::RunFailed(_) | Reason::RunDeadline | Reason::Budget
                if earlier.as_ref().is_some_and(|earlier| is_stop(earlier)) =>
            {
                return earlier;
            }
            Reason::Cancelled => self.cancelled_error(),
            Reason::RunFailed(cause) => {
                let cause = self.id(cause);
                let message = format!("the run failed with '{cause}' before it was started");
                TaskError::new("cancelled", message).because(cause)
            }
            Reason::RunDeadline => self.run_deadline_error(),
            Reason::Budget => self.budget_error(),
        };
        Some(Box::new(error))
    }

    fn items_error(&self, task: TaskIx, first: TaskIx) -> TaskError {
        let items = self.nodes.fanned_out(task).into_iter().flat_map(|fanned| fanned.items());
        let (mut all, mut without) = (0, 0);
        for item in items {
            all += 1;
            without += u32::from(self.records[item.index()].result.is_none());
        }
        let first_id = self.id(first);
        let error = self.records[first.index()].error.as_ref();
        let why = error.map(|error| format!(": {}", error.message)).unwrap_or_default();
        let message =
            format!("{without} of {all} items have no result, first of all '{first_id}'{why}");
        let causes = error.map(|error| error.as_causes()).unwrap_or_default();
        let of_item = |cause: Cause| Cause { task: cause.task.or(Some(first_id.clone())), ..cause };
        let error = TaskError::new("items", message).blaming(causes.into_iter().map(of_item));
        error.because(first_id)
    }

    /// Why the run did not come to an end of its own.
    pub(super) fn run_error(&self, reason: RunReason) -> Option<RunError> {
        let error =
            |error: TaskError| RunError { kind: error.kind, message: error.message, task: None };
        Some(match reason {
            RunReason::Completed => return None,
            RunReason::Failed(task) => {
                let id: Arc<str> = self.id(task);
                let message = format!("task '{id}' failed");
                RunError { kind: "task-failed".into(), message, task: Some(id) }
            }
            RunReason::Cancelled => error(TaskError::new("cancelled", "the run was cancelled")),
            RunReason::Deadline => error(self.run_deadline_error()),
            RunReason::Budget => error(self.budget_error()),
        })
    }
}

fn is_stop(error: &TaskError) -> bool {
    matches!(&*error.kind, "cancelled" | "run-deadline" | "budget")
}

fn seconds(millis: u64) -> String {
    format!("{} s", millis as f64 / 1_000.0)
}
