//! A *lab* is a plugin host with a hostile plugin in it and a server for it to
//! talk to: a test sets limits and grants, lets the plugin misbehave, and looks
//! at what the host made of it.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use consort_plugin_host::egress::{EgressOptions, Grants};
use consort_plugin_host::{
    Adapter, CallContext, CallError, Fault, FaultKind, HostOptions, Invocation, Level, LimitKind,
    Limits, LoadError, Metric, Observer, Payload, Plugin, PluginHost, Progress, Source, Step,
};

use crate::guests;
use crate::server::Server;

/// Limits small enough that breaking one takes a moment, large enough that only
/// the one a test is about is broken.
pub const LIMITS: Limits = Limits {
    fuel: 200_000_000,
    memory: 64 << 20,
    cpu_time: 60_000,
    time: 120_000,
    log: 64 << 10,
    output: 8 << 20,
    headers: 64 << 10,
    network: 4 << 20,
    network_rate: 1 << 30,
    requests: 16,
};

/// Compiled once for all tests of a process, and by the way a test of the cache.
static CODE: LazyLock<(tempfile::TempDir, PathBuf)> = LazyLock::new(|| {
    let directory = tempfile::tempdir().expect("there is a place for temporary files");
    let path = directory.path().join("code");
    (directory, path)
});

/// A host, a server, and the context of the next call.
pub struct Lab {
    /// The host.
    pub host: PluginHost,
    /// Plays the agent.
    pub server: Server,
    /// What calls are bounded by.
    pub limits: Limits,
    /// The configuration of calls.
    pub config: Arc<str>,
    /// The operator's rules and secrets.
    pub grants: Grants,
    /// The task's input.
    pub input: Option<Payload>,
    /// What plugins say.
    pub heard: Arc<Heard>,
}

impl Lab {
    /// A host that lets plugins reach the server, and nothing else.
    pub async fn new() -> Self {
        Self::with(EgressOptions::default()).await
    }

    /// The same with these settings of the network.
    pub async fn with(egress: EgressOptions) -> Self {
        let server = Server::start().await;
        let cache_dir = Some(CODE.1.clone());
        let host = PluginHost::new(HostOptions { cache_dir, egress, ..HostOptions::default() })
            .expect("this machine runs plugins");
        let mut lab = Self {
            host,
            server,
            limits: LIMITS,
            config: "{}".into(),
            grants: Grants::none(),
            input: None,
            heard: Arc::default(),
        };
        lab.allow(&format!("http://{}", lab.server.address()));
        lab
    }

    /// Adds a rule to the operator's.
    ///
    /// # Panics
    ///
    /// When it is none.
    pub fn allow(&mut self, rule: &str) {
        self.grants.operator.push(rule.parse().expect("a rule"));
    }

    /// Loads a plugin.
    ///
    /// # Errors
    ///
    /// The host's.
    pub async fn load(&self, source: &Source) -> Result<Plugin, LoadError> {
        self.host.load(source).await
    }

    /// The guest that is an adapter and misbehaves.
    pub async fn hostile_adapter(&self) -> Adapter {
        let plugin = self.load(&guests::source("hostile-adapter")).await.expect("it loads");
        plugin.adapter().expect("it is an adapter")
    }

    /// An invocation with this description and the lab's endpoint and input.
    pub fn invocation(&self, description: &str) -> Invocation {
        Invocation {
            run_id: "run".into(),
            task_id: "task".into(),
            task_type: "task".into(),
            attempt: 1,
            idempotency_key: "key".into(),
            description: description.into(),
            input: self.input.clone(),
            dependencies: Vec::new(),
            metadata: "{}".into(),
            agent: "agent".into(),
            endpoint: Some(self.server.url("/").into()),
            config: Arc::clone(&self.config),
            remaining: Duration::from_millis(self.limits.time),
        }
    }

    /// The context of a call.
    pub fn context(&self) -> CallContext {
        let mut grants = self.grants.clone();
        grants.endpoint = Some(self.server.url("/").parse().expect("a URL"));
        let mut context = CallContext::new(self.limits);
        context.config = Arc::clone(&self.config);
        context.grants = Arc::new(grants);
        let heard: Arc<dyn Observer> = Arc::clone(&self.heard) as _;
        context.observer = Some(heard);
        context
    }

    /// Lets the hostile adapter do something.
    ///
    /// # Errors
    ///
    /// The call's.
    pub async fn misbehave(&self, behaviour: &str) -> Result<Step, CallError> {
        let adapter = self.hostile_adapter().await;
        adapter.start(&self.invocation(behaviour), &self.context()).await
    }

    /// Lets the hostile adapter do something that is a fault, and checks that
    /// the fault says whose.
    ///
    /// # Panics
    ///
    /// When it is none.
    pub async fn fault(&self, behaviour: &str) -> Fault {
        let (_, digest) = guests::component("hostile-adapter");
        let fault = fault(self.misbehave(behaviour).await);
        assert_eq!(&*fault.plugin, "hostile-adapter");
        assert_eq!(&*fault.digest, digest);
        assert_eq!(fault.function, "start");
        fault
    }

    /// As [`fault`](Self::fault), for a limit: allowed and used.
    ///
    /// # Panics
    ///
    /// When it is another limit, or what was used is not more than is allowed.
    pub async fn broken_limit(&self, behaviour: &str, limit: LimitKind) -> (u64, u64) {
        let fault = self.fault(behaviour).await;
        broken_limit(&fault, limit)
    }
}

/// The fault that a call ended with.
///
/// # Panics
///
/// When there was none.
pub fn fault<T: std::fmt::Debug>(result: Result<T, CallError>) -> Fault {
    match result {
        Err(CallError::Fault(fault)) => {
            let message = fault.to_string();
            assert!(message.contains(&*fault.plugin), "{message}");
            assert!(message.contains(fault.function), "{message}");
            *fault
        }
        other => panic!("not a fault: {}", short(&other)),
    }
}

/// What was allowed and used of the limit that was broken.
///
/// # Panics
///
/// When another rule was broken, or what was used is less than is allowed.
pub fn broken_limit(fault: &Fault, limit: LimitKind) -> (u64, u64) {
    match &fault.kind {
        FaultKind::Limit { limit: broken, allowed, used } if *broken == limit => {
            assert!(used >= allowed, "{fault}");
            (*allowed, *used)
        }
        other => panic!("{limit:?} is not what was broken: {}", short(other)),
    }
}

/// The beginning of what a value looks like: some hold megabytes.
pub fn short(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}").chars().take(600).collect()
}

/// Remembers what plugins say.
#[derive(Debug, Default)]
pub struct Heard {
    logs: Mutex<Vec<(Level, String)>>,
    progress: Mutex<Vec<Progress>>,
    metrics: Mutex<Vec<Metric>>,
}

impl Heard {
    /// Log lines.
    pub fn logs(&self) -> Vec<(Level, String)> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Progress reports.
    pub fn progress(&self) -> Vec<Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Metrics.
    pub fn metrics(&self) -> Vec<Metric> {
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Observer for Heard {
    fn log(&self, level: Level, message: &str) {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        logs.push((level, message.to_owned()));
    }

    fn progress(&self, update: Progress) {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).push(update);
    }

    fn metric(&self, metric: Metric) {
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner).push(metric);
    }
}
