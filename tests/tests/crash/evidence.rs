//! The *evidence* of a run: what could be seen of it each time a process had
//! died, in its journal and at the agent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use consort_engine::{Output, PastRun, RunEvent, Watcher};
use consort_store::Reader;
use consort_tests::server::Server;
use serde_json::Value;

use crate::workflow::Workflow;

/// What was seen so far.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// Tasks that are recorded as finished.
    finished: BTreeMap<String, Finished>,
    /// Tasks whose agent works by itself and whose checkpoint is recorded: how
    /// often their work had been begun then.
    pending: BTreeMap<String, usize>,
    /// The same for all such tasks when we last looked.
    starts: BTreeMap<String, usize>,
}

/// A finished task when it was first seen to be.
#[derive(Debug, PartialEq)]
struct Finished {
    state: &'static str,
    result: Option<Value>,
    /// How often its agent had been asked.
    calls: usize,
}

impl Evidence {
    /// Looks at the run while no process works on it.
    pub(crate) fn look(&mut self, reader: &Reader, run: &str, server: &Server, deaths: usize) {
        let story = Arc::new(Story::default());
        let mut past = PastRun::follow(reader, run, story.clone()).unwrap();
        story.check(deaths);
        let (calls, remote) = (server.calls(), server.runs());
        for task in past.tasks() {
            let id = &*task.task_id;
            let key = format!("{run}/{id}");
            let calls = calls.get(&key).copied().unwrap_or_default();
            let starts = remote.get(&key).map_or(0, |remote| remote.starts);
            if ["succeeded", "failed", "skipped", "cancelled"].contains(&task.state) {
                let result = past.result(id).unwrap().map(|result| value(&result));
                let seen = Finished { state: task.state, result, calls };
                match self.finished.get(id) {
                    Some(before) => assert_eq!(*before, seen, "{id} was finished"),
                    None => drop(self.finished.insert(id.to_owned(), seen)),
                }
            } else {
                let before = self.finished.get(id);
                assert_eq!(before, None, "{id} was finished, and is {}", task.state);
            }
            // None of them fails, so this is no back-off.
            if starts > 0 && task.state == "waiting" {
                self.pending.entry(id.to_owned()).or_insert(starts);
            }
            if let Some(begun) = self.pending.get(id) {
                assert_eq!(*begun, starts, "{id} was pending, and was begun again");
            }
            let last = self.starts.insert(id.to_owned(), starts).unwrap_or_default();
            assert!(starts <= last + 1, "{id} was begun twice by one process");
        }
        for task in self.finished.keys() {
            assert!(past.task(task).is_ok(), "{task} was finished, and there is no such task");
        }
    }

    /// What the agent was asked for, from beginning to end.
    pub(crate) fn check_end(&self, run: &str, workflow: &Workflow, server: &Server, deaths: usize) {
        let (calls, remote) = (server.calls(), server.runs());
        for key in calls.keys().chain(remote.keys()) {
            let task = key.strip_prefix(&format!("{run}/"));
            let known = task.is_some_and(|task| workflow.expected.contains_key(task));
            assert!(known, "{key} is the key of no task");
        }
        for task in workflow.expected.keys() {
            let key = format!("{run}/{task}");
            let (least, most) = attempts(task);
            let calls = calls.get(&key).copied().unwrap_or_default();
            assert!(calls >= least, "{task}: asked {calls} times");
            assert!(calls <= most + deaths, "{task}: asked {calls} times with {deaths} deaths");
        }
        let stuck = remote.get(&format!("{run}/stuck"));
        if self.pending.contains_key("stuck") {
            assert!(stuck.is_some_and(|stuck| stuck.cancels > 0), "nobody stopped {stuck:?}");
        }
        if !workflow.expected.contains_key("equal0") {
            return;
        }
        let equal = |n| calls.get(&format!("{run}/equal{n}")).copied().unwrap_or_default();
        let times = equal(0) + equal(1);
        assert!((1..=2 + 2 * deaths).contains(&times), "equal tasks: asked {times} times");
        assert!(deaths > 0 || times == 1, "equal tasks: asked {times} times");
    }
}

/// How often a task's agent is asked if no process dies.
fn attempts(task: &str) -> (usize, usize) {
    let name = task.trim_end_matches(|c: char| c.is_ascii_digit());
    match name {
        "flaky" => (3, 3),
        "rescued" => (2, 2),
        "equal" => (0, 1),
        "remote" | "stuck" | "pieces" | "review" | "spawner" | "team" | "no" => (0, 0),
        _ => (1, 1),
    }
}

/// A result as JSON.
fn value(output: &Output) -> Value {
    serde_json::to_value(output).unwrap()
}

/// What a journal tells, task by task.
#[derive(Debug, Default)]
struct Story(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    now: i64,
    chapters: BTreeMap<String, Chapter>,
    wrong: Vec<String>,
}

/// Where a task is.
#[derive(Debug, Default, Clone, Copy)]
struct Chapter {
    attempt: u32,
    /// It starts once more, as the next attempt.
    retries: bool,
    /// Starts that a process had no answer to when it died.
    repeated: usize,
    finished: bool,
}

impl Story {
    fn check(&self, deaths: usize) {
        let told = self.0.lock().unwrap();
        assert!(told.wrong.is_empty(), "{:#?}", told.wrong);
        for (task, chapter) in &told.chapters {
            let Chapter { repeated, .. } = chapter;
            assert!(*repeated <= deaths, "{task}: {repeated} repeated starts, {deaths} deaths");
        }
    }
}

impl Watcher for Story {
    fn time(&self, now: i64) {
        let told = &mut *self.0.lock().unwrap();
        if now < told.now {
            told.wrong.push(format!("{now} comes after {}", told.now));
        }
        told.now = now;
    }

    fn event(&self, event: &RunEvent) {
        let told = &mut *self.0.lock().unwrap();
        let Some(task) = event.task() else { return };
        let chapter = told.chapters.entry(task.to_string()).or_default();
        let before = *chapter;
        let legal = match event {
            RunEvent::TaskStarted { attempt, resumed, .. } => {
                let next = before.attempt + u32::from(before.attempt == 0 || before.retries);
                chapter.attempt = *attempt;
                chapter.retries = false;
                chapter.repeated += usize::from(*attempt == before.attempt && !resumed);
                *attempt == next && !(*resumed && before.retries) && !before.finished
            }
            RunEvent::Retrying { .. } => {
                chapter.retries = true;
                before.attempt > 0 && !before.retries && !before.finished
            }
            RunEvent::TaskFinished { .. } => {
                chapter.finished = true;
                !before.finished
            }
            // What webhooks are told comes when they take it.
            RunEvent::Log { .. } | RunEvent::Notified { .. } | RunEvent::NotNotified { .. } => true,
            _ => !before.finished,
        };
        if !legal {
            told.wrong.push(format!("after {before:?}: {event:?}"));
        }
    }
}
