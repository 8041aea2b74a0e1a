//! The *outcome* of a run for people: a table of its tasks, the results nobody
//! else used, and why tasks failed.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use consort_core::plan::Plan;
use consort_core::scheduler::Status;
use consort_engine::output::{Form, OutputError};
use consort_engine::report::{CriticalPath, PathStep, TaskReport};
use consort_engine::{Cause, Output, Report};
use consort_plugin_host::Payload;

use crate::error::CommandError;
use crate::table::Table;
use crate::terminal::{harmless, print_json};
use crate::watch::seconds;

/// Tasks in the table; of larger runs those that did not succeed come first.
const MOST_ROWS: usize = 40;
/// Steps of a critical path that are shown.
const LONGEST_PATH: usize = 6;
/// Failed tasks that are explained.
const MOST_ERRORS: usize = 20;
/// Lines of a plugin's stack that are shown.
const MOST_FRAMES: usize = 5;

/// The ids of the tasks that nobody depends on, whose results are the run's.
pub(crate) fn last_tasks(plan: &Plan) -> HashSet<Arc<str>> {
    plan.last_tasks().map(|task| task.id.clone()).collect()
}

/// How every task ended and what it took.
pub(crate) fn table(report: &Report) -> String {
    let mut table = Table::new(&["TASK", "STATUS", "AGENT", "ATTEMPTS", "TIME"]);
    let (well, badly): (Vec<_>, Vec<_>) =
        report.tasks.iter().partition(|task| task.status == Status::Succeeded);
    let all = report.tasks.len();
    let shown: Vec<&TaskReport> = if all <= MOST_ROWS {
        report.tasks.iter().collect()
    } else {
        badly.into_iter().chain(well).take(MOST_ROWS).collect()
    };
    for task in &shown {
        table.row([
            task.id.to_string(),
            task.status.as_str().to_owned(),
            who(task),
            match task.agent {
                Some(_) if task.cached => "cached".to_owned(),
                Some(_) if task.reused => "reused".to_owned(),
                Some(_) => task.attempts.to_string(),
                None => String::new(),
            },
            elapsed(task).map(seconds).unwrap_or_default(),
        ]);
    }
    let mut out = table.to_string();
    if all > shown.len() {
        out.push_str(&format!("… and {} more\n", all - shown.len()));
    }
    out.push('\n');
    out.push_str(&summary(report));
    out
}

/// Who did a task, or how many items it was done for.
fn who(task: &TaskReport) -> String {
    match (&task.agent, task.items) {
        (_, Some(1)) => "1 item".to_owned(),
        (_, Some(items)) => format!("{items} items"),
        (Some(agent), None) => agent.to_string(),
        (None, None) => String::new(),
    }
}

fn elapsed(task: &TaskReport) -> Option<Duration> {
    let span = task.finished?.duration_since(task.started?);
    span.try_into().ok()
}

fn summary(report: &Report) -> String {
    let metrics = &report.metrics;
    let counts: Vec<String> =
        metrics.tasks.iter().map(|(status, count)| format!("{count} {status}")).collect();
    let mut out = format!(
        "run {}: {} in {}",
        report.status.as_str(),
        counts.join(", "),
        seconds(Duration::from_millis(metrics.duration_ms))
    );
    let usage = &metrics.usage;
    if usage.input_tokens + usage.output_tokens > 0 {
        let _ =
            write!(out, "; {} tokens read, {} written", usage.input_tokens, usage.output_tokens);
    }
    if usage.cost > 0.0 {
        let _ = write!(out, ", ${:.4}", usage.cost);
    }
    out.push('\n');
    if metrics.critical_path.tasks > 1 {
        let _ = writeln!(out, "critical path: {}", critical_path(&metrics.critical_path));
    }
    if let Some(told) = metrics.notifications.filter(|told| told.failed > 0) {
        let all = told.delivered + told.failed;
        let _ = writeln!(out, "{} of the {all} notifications not delivered", told.failed);
    }
    let policy = &metrics.policy;
    if policy.faults > 0 {
        let _ = write!(
            out,
            "policy {} could not score {} of {} times",
            policy.name, policy.faults, policy.ticks
        );
        if policy.rested > 0 {
            let _ = write!(out, " and rested {} times", policy.rested);
        }
        out.push_str("; the built-in order decided then\n");
    }
    out
}

/// What the run's duration was made of: its last steps, if there are many.
fn critical_path(path: &CriticalPath) -> String {
    let shown = &path.path[path.path.len().saturating_sub(LONGEST_PATH)..];
    let mut steps: Vec<String> = Vec::new();
    if (shown.len() as u32) < path.tasks {
        steps.push(format!("… {} tasks", path.tasks - shown.len() as u32));
    }
    let step =
        |step: &PathStep| format!("{} {}", step.task_id, seconds(Duration::from_millis(step.ms)));
    steps.extend(shown.iter().map(step));
    steps.join(" → ")
}

/// How results are shown.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Style {
    /// Under the names of their tasks, also if there is only one.
    pub(crate) titled: bool,
    /// To a terminal, which must not obey what an agent said.
    pub(crate) terminal: bool,
}

/// Writes the results of the last tasks: alone as it is, several under their
/// names. One of them is in memory at a time, and none that is large and text.
pub(crate) fn outputs(
    report: &Report,
    last: &HashSet<Arc<str>>,
    style: Style,
    out: &mut dyn Write,
) -> Result<(), OutputError> {
    let mut out = Lines { to: out, ended: false };
    for task in report.tasks.iter().filter(|task| last.contains(&task.id)) {
        let Some(output) = &task.output else { continue };
        if style.titled || last.len() > 1 {
            out.put(&format!("\n── {} ──\n", task.id), style)?;
        }
        match output.form() {
            Form::Text if !style.terminal => drop(output.write_to(&mut out)?),
            _ => out.put(&readable(output)?, style)?,
        }
        if !out.ended {
            out.put("\n", style)?;
        }
    }
    Ok(())
}

/// Knows whether a line has ended.
struct Lines<'a> {
    to: &'a mut dyn Write,
    ended: bool,
}

impl Lines<'_> {
    fn put(&mut self, text: &str, style: Style) -> Result<(), OutputError> {
        let done = match style.terminal {
            true => self.write_all(harmless(text).as_bytes()),
            false => self.write_all(text.as_bytes()),
        };
        done.map_err(OutputError::Write)
    }
}

impl Write for Lines<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        if let Some(last) = bytes[..written].last() {
            self.ended = *last == b'\n';
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn readable(output: &Output) -> Result<String, OutputError> {
    if let Form::Blob { media_type } = output.form() {
        return Ok(format!("({} bytes of {media_type}; '--json' has them)", output.len()));
    }
    Ok(match output.to_payload()? {
        Payload::Json(text) => match serde_json::from_str::<serde_json::Value>(&text) {
            Ok(serde_json::Value::String(text)) => text,
            Ok(value) => format!("{value:#}"),
            Err(_) => text.to_string(),
        },
        Payload::Text(text) => text.to_string(),
        Payload::Blob { .. } => String::new(),
    })
}

/// Prints a report as JSON.
///
/// # Errors
///
/// It cannot be written, or one of its results is not to be had.
pub(crate) fn print_report(report: &Report) -> Result<(), CommandError> {
    print_json(report).map_err(|error| blame(report, error))
}

/// What kept a report from being printed, with the task whose result it was.
pub(crate) fn blame(report: &Report, error: CommandError) -> CommandError {
    if !error.is_cut_off() {
        return error;
    }
    match report.unreadable() {
        Some((task, why)) => unreadable(task, CommandError::cut_off(why.to_string())),
        None => error,
    }
}

/// The same of one task.
pub(crate) fn unreadable(task: &str, error: CommandError) -> CommandError {
    match error {
        CommandError::Said { message, cut_off: true, .. } => CommandError::cut_off(format!(
            "the result of task '{task}' is not to be had: {message}"
        ))
        .hint("'consort check' says what else is wrong with the store"),
        other => other,
    }
}

/// Why tasks failed, and what to do about it where that is known. What did not
/// keep the run from succeeding is a warning.
pub(crate) fn errors(report: &Report) -> String {
    let mut out = String::new();
    let severity = if report.status == Status::Succeeded { "warning" } else { "error" };
    let failed: Vec<&TaskReport> =
        report.tasks.iter().filter(|task| task.status == Status::Failed).collect();
    for task in failed.iter().take(MOST_ERRORS) {
        let Some(error) = &task.error else { continue };
        let _ = writeln!(out, "{severity}: task '{}' failed: {}", task.id, error.message);
        for Cause { message, agent, task, .. } in &error.causes {
            let of = match (task, agent) {
                (Some(task), Some(agent)) => format!("'{task}', by {agent}: "),
                (Some(task), None) => format!("'{task}': "),
                (None, Some(agent)) => format!("{agent}: "),
                (None, None) => String::new(),
            };
            let _ = writeln!(out, "    after {of}{message}");
        }
        for frame in error.backtrace.lines().take(MOST_FRAMES) {
            let _ = writeln!(out, "    {frame}");
        }
        if let Some(limit) = &error.limit {
            let (name, _) = limit.name.name_and_unit();
            let _ = writeln!(
                out,
                "  hint: raise '{name}' under 'limits' of the agent, up to the host's ceiling"
            );
        } else if let Some(hint) = hint(&error.kind) {
            let _ = writeln!(out, "  hint: {hint}");
        }
    }
    if failed.len() > MOST_ERRORS {
        let _ = writeln!(out, "… and {} more failed; '--json' has all", failed.len() - MOST_ERRORS);
    }
    for task in report.not_added.iter().take(MOST_ERRORS) {
        let by = task.by.as_ref().map(|by| format!(", which '{by}' wanted,")).unwrap_or_default();
        let _ =
            writeln!(out, "warning: task '{}'{by} was not added: {}", task.task_id, task.reason);
    }
    if report.not_added.len() > MOST_ERRORS {
        let more = report.not_added.len() - MOST_ERRORS;
        let _ = writeln!(out, "… and {more} more not added; '--json' has all");
    }
    // A failed task has been explained.
    if let Some(reason) = report.reason.as_ref().filter(|reason| reason.task.is_none()) {
        let _ = writeln!(out, "error: {}", reason.message);
    }
    out
}

/// What to do about an error of this kind, where that is known.
fn hint(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "timeout" => "raise the task's 'timeout', or see why its agent is slow with -v",
        "idle-timeout" => "raise 'timeouts.idle', or let the agent report progress",
        "queue-timeout" => {
            "raise 'timeouts.queue', or what may run at once: '--concurrency', the agent's 'max_concurrency' or 'rate_limit'"
        }
        "total-timeout" => "raise 'timeouts.total', or see how often it was tried with -v",
        _ => return None,
    })
}
