//! What native tests of a plugin need in place of the host: an invocation to
//! start from, a fake agent on the other end of the line, and a look at what
//! was logged and reported. All recordings belong to the current thread.

use std::cell::RefCell;
use std::collections::VecDeque;

use crate::adapter::{Dependency, Invocation};
use crate::failure::Failure;
use crate::host::{Level, Update};
use crate::http::{Headers, Request, Response, Transport};
use crate::payload::Payload;
use crate::prioritizer::{Candidate, Snapshot};
use crate::transformer::TransformContext;

/// An invocation with this description and otherwise plain values: task `task`
/// of run `run`, first attempt, agent `agent`, no endpoint, configuration `{}`.
pub fn invocation(description: &str) -> Invocation {
    Invocation {
        run_id: "run".into(),
        task_id: "task".into(),
        task_type: "task".into(),
        attempt: 1,
        idempotency_key: "run/task".into(),
        description: description.into(),
        input: None,
        dependencies: Vec::new(),
        metadata: "{}".into(),
        agent: "agent".into(),
        endpoint: None,
        config: "{}".into(),
        remaining: 60_000,
    }
}

/// Invocations with these descriptions, as a batch brings them: tasks `task-0`,
/// `task-1` and so on, otherwise like [`invocation`].
pub fn batch(descriptions: &[&str]) -> Vec<Invocation> {
    let calls = descriptions.iter().enumerate().map(|(n, description)| Invocation {
        task_id: format!("task-{n}"),
        idempotency_key: format!("run/task-{n}"),
        ..invocation(description)
    });
    calls.collect()
}

impl Invocation {
    /// Sets the endpoint.
    pub fn at(mut self, endpoint: &str) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// Sets the configuration, a JSON object.
    pub fn configured(mut self, config: impl ToString) -> Self {
        self.config = config.to_string();
        self
    }

    /// Sets the task's input.
    pub fn with_input(mut self, input: Payload) -> Self {
        self.input = Some(input);
        self
    }

    /// Adds the result of a dependency.
    pub fn after(mut self, name: &str, value: Payload) -> Self {
        self.dependencies.push(Dependency { name: name.into(), task: name.into(), value });
        self
    }
}

/// A transform context with this configuration, a JSON object.
pub fn context(config: &str) -> TransformContext {
    TransformContext {
        run_id: "run".into(),
        task_id: "task".into(),
        for_task: None,
        metadata: "{}".into(),
        config: config.into(),
    }
}

/// A candidate that became ready at time 0, with priority 5, no deadline and
/// nothing after it.
pub fn candidate(id: u32) -> Candidate {
    Candidate {
        id,
        kind: 0,
        agent: 0,
        priority: 5,
        attempt: 1,
        ready_at: 0,
        deadline: None,
        expected: 1_000,
        remaining_path: 1_000,
        dependents: 0,
        depth: 0,
    }
}

/// A snapshot of a run without names at this time.
pub fn snapshot(now: i64) -> Snapshot {
    Snapshot { now, names: Vec::new(), ready: 0, running: 0, slots: 1 }
}

/// The ids of a batch in the order in which these scores start them. Panics when
/// the scores break the contract: an error, another length, NaN.
pub fn order(batch: &[Candidate], scores: Result<Vec<f64>, String>) -> Vec<u32> {
    let scores = scores.unwrap_or_else(|error| panic!("the policy failed: {error}"));
    assert_eq!(scores.len(), batch.len(), "one score for each candidate");
    assert!(scores.iter().all(|score| !score.is_nan()), "a score is NaN: {scores:?}");
    let mut ranked: Vec<(&Candidate, f64)> = batch.iter().zip(scores).collect();
    ranked.sort_by(|(a, first), (b, second)| {
        second.total_cmp(first).then(a.ready_at.cmp(&b.ready_at))
    });
    ranked.into_iter().map(|(candidate, _)| candidate.id).collect()
}

type Reply = Result<(u16, Headers, Vec<Result<Vec<u8>, Failure>>), Failure>;

/// An agent that answers requests from a script and remembers them.
#[derive(Default)]
pub struct FakeAgent {
    replies: RefCell<VecDeque<Reply>>,
    requests: RefCell<Vec<Request>>,
}

impl FakeAgent {
    /// An agent that has nothing to say yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers the next request with this status and body.
    pub fn reply(self, status: u16, body: &str) -> Self {
        self.reply_with(status, &[], body)
    }

    /// Answers the next request with this status, these headers and this body.
    pub fn reply_with(self, status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        self.stream(status, headers, vec![Ok(body.as_bytes().to_vec())])
    }

    /// Answers the next request with a body that comes in these pieces; a
    /// failure among them is a connection that breaks.
    pub fn stream(
        self,
        status: u16,
        headers: &[(&str, &str)],
        chunks: Vec<Result<Vec<u8>, Failure>>,
    ) -> Self {
        let headers = headers.iter().copied().collect();
        self.replies.borrow_mut().push_back(Ok((status, headers, chunks)));
        self
    }

    /// Does not answer the next request: it fails like this.
    pub fn fail(self, failure: Failure) -> Self {
        self.replies.borrow_mut().push_back(Err(failure));
        self
    }

    /// The requests received so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.borrow().clone()
    }

    /// The only request received so far; panics when there are more or none.
    pub fn request(&self) -> Request {
        let requests = self.requests.borrow();
        assert_eq!(requests.len(), 1, "one request was expected: {requests:?}");
        requests[0].clone()
    }
}

impl Transport for FakeAgent {
    fn exchange(&self, request: &Request) -> Result<Response, Failure> {
        self.requests.borrow_mut().push(request.clone());
        let reply = self.replies.borrow_mut().pop_front();
        let (status, headers, chunks) =
            reply.unwrap_or_else(|| panic!("no reply was scripted for {request:?}"))?;
        Ok(Response::new(status, headers, chunks.into_iter()))
    }
}

#[derive(Default)]
struct Recordings {
    config: Option<String>,
    log: Vec<(Level, String)>,
    progress: Vec<Update>,
    metrics: Vec<(String, f64)>,
}

thread_local! {
    static RECORDINGS: RefCell<Recordings> = RefCell::default();
}

/// Sets what [`config::get`](crate::config::get) returns; `{}` before.
pub fn set_config(config: impl ToString) {
    RECORDINGS.with_borrow_mut(|recordings| recordings.config = Some(config.to_string()));
}

pub(crate) fn config() -> String {
    RECORDINGS.with_borrow(|recordings| recordings.config.clone()).unwrap_or_else(|| "{}".into())
}

pub(crate) fn record_log(level: Level, message: &str) {
    RECORDINGS.with_borrow_mut(|recordings| recordings.log.push((level, message.into())));
}

pub(crate) fn record_progress(update: &Update) {
    RECORDINGS.with_borrow_mut(|recordings| recordings.progress.push(update.clone()));
}

pub(crate) fn record_metric(name: &str, value: f64) {
    RECORDINGS.with_borrow_mut(|recordings| recordings.metrics.push((name.into(), value)));
}

/// The messages logged since the last call.
pub fn take_log() -> Vec<(Level, String)> {
    RECORDINGS.with_borrow_mut(|recordings| std::mem::take(&mut recordings.log))
}

/// The progress reported since the last call.
pub fn take_progress() -> Vec<Update> {
    RECORDINGS.with_borrow_mut(|recordings| std::mem::take(&mut recordings.progress))
}

/// The metrics recorded since the last call, name and number.
pub fn take_metrics() -> Vec<(String, f64)> {
    RECORDINGS.with_borrow_mut(|recordings| std::mem::take(&mut recordings.metrics))
}
