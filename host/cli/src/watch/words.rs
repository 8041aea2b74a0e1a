//! What happened, in *words*.

use std::sync::Arc;
use std::time::Duration;

use consort_engine::{RunEvent, Topic};
use consort_plugin_host::Level;

use crate::when::moment;

/// Says what happened in one line, or nothing if it is not worth one. With
/// `verbose` it says what plugins say, too.
pub(crate) fn say(event: &RunEvent, verbose: bool) -> Option<String> {
    Some(match event {
        RunEvent::RunStarted { run_id, tasks } => format!("run {run_id} started: {tasks} tasks"),
        RunEvent::RunResumed { run_id, tasks, finished } => {
            format!("run {run_id} goes on: {finished} of {tasks} tasks are finished")
        }
        RunEvent::TaskStarted { task, agent, attempt, resumed } => {
            let verb = if *resumed { "resumed" } else { "started" };
            let attempt = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
            format!("{task} {verb} ({agent}{attempt})")
        }
        RunEvent::Progress { task, update } if verbose => {
            let share = update.fraction.map(|share| format!(" {:.0} %", share * 100.0));
            let message = update.message.as_ref().map(|message| format!(" {message}"));
            format!("{task}{}{}", share.unwrap_or_default(), message.unwrap_or_default())
        }
        RunEvent::Log { task, plugin, level, message } if verbose => {
            let task = task.as_ref().map(|task| format!("{task} ")).unwrap_or_default();
            format!("{task}{plugin} {}: {message}", name(*level))
        }
        RunEvent::Progress { .. } | RunEvent::Log { .. } => return None,
        RunEvent::Retrying { task, error, agent, wait } => {
            let why =
                error.as_ref().map(|error| format!(": {}", error.message)).unwrap_or_default();
            format!("{task} failed{why}; trying again with {agent} in {}", seconds(*wait))
        }
        RunEvent::PolicyFault { plugin, message } => {
            format!("policy {plugin} could not score, the built-in order decides: {message}")
        }
        RunEvent::PolicyRested { plugin, rest } => {
            format!("policy {plugin} keeps failing and is not asked for {}", seconds(*rest))
        }
        RunEvent::FannedOut { task, items } => format!("{task} is done for {items} items"),
        RunEvent::Asked { task, question, until } => {
            let until = until.map(|at| format!(" (until {})", moment(at)));
            format!("{task} asks{}: {}", until.unwrap_or_default(), question.prompt)
        }
        RunEvent::Answered { task, accepted } => {
            format!("{task} is {}", if *accepted { "answered" } else { "refused" })
        }
        RunEvent::Added { task, by } => match by {
            Some(by) => format!("{task} added by {by}"),
            None => format!("{task} added"),
        },
        RunEvent::NotAdded { task, by, held, why } => {
            let by = by.as_ref().map(|by| format!(", which {by} wanted,")).unwrap_or_default();
            let what = if *held { "held back" } else { "not added" };
            format!("{task}{by} is {what}: {why}")
        }
        RunEvent::Delivered { task, failure } => {
            format!("{task} has a {} from outside", if *failure { "failure" } else { "result" })
        }
        RunEvent::Closed => "closed: no more tasks come".to_owned(),
        RunEvent::Paused => "paused: nothing starts".to_owned(),
        RunEvent::Resumed => "the run goes on".to_owned(),
        RunEvent::TaskFinished { task, cached: true, .. } => {
            format!("{task} has the result of an equal task, which was kept")
        }
        RunEvent::TaskFinished { task, reused: true, .. } => {
            format!("{task} has the result that it had in the earlier run")
        }
        RunEvent::TaskFinished { task, status, error, elapsed, .. } => {
            let why = error.as_ref().map(|error| format!(": {}", error.message));
            let why = why.unwrap_or_default();
            format!("{task} {} after {}{why}", status.as_str(), seconds(*elapsed))
        }
        RunEvent::RunFinished { status, elapsed, notifications } => {
            let waiting = match notifications {
                0 => String::new(),
                1 => "; 1 notification is to be delivered".to_owned(),
                more => format!("; {more} notifications are to be delivered"),
            };
            format!("run {} after {}{waiting}", status.as_str(), seconds(*elapsed))
        }
        RunEvent::Notified { webhook, about, task, tries, .. } if verbose => {
            let tries = if *tries > 1 { format!(", try {tries}") } else { String::new() };
            format!("{webhook} was told of {}{tries}", subject(*about, task.as_ref()))
        }
        RunEvent::NotNotified { webhook, about, task, why, wait: Some(wait), .. } if verbose => {
            let about = subject(*about, task.as_ref());
            format!("{webhook} was not told of {about}: {why}; again in {}", seconds(*wait))
        }
        RunEvent::NotNotified { webhook, about, task, tries, why, wait: None, others, .. } => {
            let tries = if *tries > 1 { format!(" in {tries} tries") } else { String::new() };
            let others = match others {
                0 => String::new(),
                more => format!("; {more} that waited behind it are given up, too"),
            };
            format!(
                "{webhook} was not told of {}{tries}: {why}{others}",
                subject(*about, task.as_ref())
            )
        }
        RunEvent::Notified { .. } | RunEvent::NotNotified { .. } => return None,
    })
}

/// What a notification is about.
fn subject(about: Topic, task: Option<&Arc<str>>) -> String {
    match task {
        Some(task) => format!("{task} ({})", about.as_str()),
        None => format!("the run ({})", about.as_str()),
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::Trace => "trace",
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warning",
        Level::Error => "error",
    }
}

/// A time span as people read it.
pub(crate) fn seconds(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    match span.as_secs() {
        0 if seconds < 0.001 => "< 1 ms".to_owned(),
        0 if seconds < 0.1 => format!("{:.0} ms", seconds * 1_000.0),
        0..60 => format!("{seconds:.2} s"),
        whole @ 60..3_600 => format!("{} min {:02} s", whole / 60, whole % 60),
        whole => format!("{} h {:02} min", whole / 3_600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short_and_have_units() {
        for (millis, text) in [
            (0, "< 1 ms"),
            (34, "34 ms"),
            (340, "0.34 s"),
            (59_900, "59.90 s"),
            (125_000, "2 min 05 s"),
            (3_720_000, "1 h 02 min"),
        ] {
            assert_eq!(seconds(Duration::from_millis(millis)), text);
        }
    }
}
