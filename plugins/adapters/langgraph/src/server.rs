//! The *server* as a set of requests: the part of the LangGraph API that this
//! adapter speaks. Errors are the failures their status means.

use std::time::Duration;

use consort_plugin_sdk::http::url::Url;
use consort_plugin_sdk::http::{Method, Request, Response, Transport};
use consort_plugin_sdk::{Failure, Invocation};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::config::Config;
use crate::failed::reported;
use crate::run::Run;
use crate::state::State;

/// The host gives `cancel` 10 s.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(8);

pub(crate) struct Server<'a> {
    http: &'a dyn Transport,
    config: &'a Config,
    base: Url,
    timeout: Duration,
}

impl<'a> Server<'a> {
    /// The server that the task's endpoint is.
    pub(crate) fn new(
        call: &Invocation,
        config: &'a Config,
        http: &'a dyn Transport,
    ) -> Result<Self, Failure> {
        let base = Url::parse(call.endpoint()?)?;
        Ok(Self { http, config, base, timeout: config.timeout()? })
    }

    /// Makes a thread, unless it is there.
    pub(crate) fn make_thread(&self, thread: &str, metadata: &Value) -> Result<(), Failure> {
        let body = json!({"thread_id": thread, "if_exists": "do_nothing", "metadata": metadata});
        match self.ask::<Value>(self.request(Method::Post, "/threads").json(&body)?) {
            // What a server answers that does not know 'if_exists'.
            Err(failure) if failure.code() == Some("http-409") => Ok(()),
            other => other.map(drop),
        }
    }

    /// Starts a run; `Permanent` with the code `http-409` when another run goes
    /// on.
    pub(crate) fn start_run(&self, thread: &str, body: &Value) -> Result<Run, Failure> {
        self.ask(self.request(Method::Post, &format!("/threads/{thread}/runs")).json(body)?)
    }

    /// The run that was started last; none when there is none, nor a thread.
    pub(crate) fn newest_run(&self, thread: &str) -> Result<Option<Run>, Failure> {
        let path = format!("/threads/{thread}/runs");
        let mut request = self.url(&path);
        // The rest of a run is its input.
        request.query = "?select=run_id&select=status&select=metadata&select=created_at".into();
        let runs = self.ask::<Vec<Run>>(self.to(Method::Get, &request));
        match runs {
            Err(failure) if failure.code() == Some("http-404") => Ok(None),
            Err(failure) => Err(failure),
            Ok(runs) => Ok(runs.into_iter().max_by(|a, b| a.created_at.cmp(&b.created_at))),
        }
    }

    pub(crate) fn run(&self, thread: &str, run: &str) -> Result<Run, Failure> {
        self.ask(self.request(Method::Get, &format!("/threads/{thread}/runs/{run}")))
    }

    pub(crate) fn state(&self, thread: &str) -> Result<State, Failure> {
        self.ask(self.request(Method::Get, &format!("/threads/{thread}/state")))
    }

    /// What a run that has ended came to, which may be its error.
    pub(crate) fn join(&self, thread: &str, run: &str) -> Result<Value, Failure> {
        let path = format!("/threads/{thread}/runs/{run}/join");
        self.request(Method::Get, &path).send(self.http)?.success()?.json()
    }

    /// Tells a run to stop; false when it has already ended.
    pub(crate) fn cancel(&self, thread: &str, run: &str) -> Result<bool, Failure> {
        let mut url = self.url(&format!("/threads/{thread}/runs/{run}/cancel"));
        url.query = "?wait=false&action=interrupt".into();
        let request = self.to(Method::Post, &url).timeout(self.timeout.min(CANCEL_TIMEOUT));
        match request.send(self.http)?.success() {
            Ok(_) => Ok(true),
            Err(failure) if matches!(failure.code(), Some("http-404" | "http-409")) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Sends a request and reads the document it is answered with.
    fn ask<T: DeserializeOwned>(&self, request: Request) -> Result<T, Failure> {
        let response: Response = request.send(self.http)?.success()?;
        let body: Value = response.json()?;
        if let Some(error) = body.get("__error__") {
            return Err(reported(error));
        }
        serde_json::from_value(body.clone()).map_err(|error| {
            Failure::transient(format!("the server's answer is not what was expected: {error}"))
                .with_code("malformed-response")
                .with_detail(&json!({"request": request.to_string(), "body": body}))
        })
    }

    fn request(&self, method: Method, path: &str) -> Request {
        self.to(method, &self.url(path))
    }

    /// A place on the server.
    fn url(&self, path: &str) -> Url {
        let path = format!("{}{path}", self.base.path.trim_end_matches('/'));
        Url { path, ..self.base.clone() }
    }

    fn to(&self, method: Method, url: &Url) -> Request {
        let mut request = Request::new(method, url.to_string())
            .header("accept", "application/json")
            .timeout(self.timeout);
        for (name, value) in &self.config.headers {
            request = request.header(name, value.as_str());
        }
        match &self.config.api_key {
            Some(key) => request.header("x-api-key", key.as_str()),
            None => request,
        }
    }
}
