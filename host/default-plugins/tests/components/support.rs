//! What tests of the default plugins share: the plugins in a real host, an
//! invocation to start from, and an HTTP server that answers from a script.

use std::sync::{Arc, LazyLock, Mutex as StdMutex};
use std::time::Duration;

use consort_default_plugins::DEFAULT_PLUGINS;
use consort_plugin_host::egress::Grants;
use consort_plugin_host::{
    Adapter, CallContext, CallError, EmbeddedPlugin, Failure, HostOptions, Invocation, Level,
    Limits, Metric, Observer, Outcome, Plugin, PluginHost, Progress, Source, Step,
};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

/// The host that all tests share.
pub(crate) static HOST: LazyLock<PluginHost> = LazyLock::new(|| {
    PluginHost::new(HostOptions { pool: 16, ..HostOptions::default() }).expect("a host starts")
});

/// Plugins in use stay loaded; the lock keeps tests that run at once from
/// compiling the same one.
static LOADED: Mutex<Vec<Plugin>> = Mutex::const_new(Vec::new());

/// A default plugin, loaded.
pub(crate) async fn plugin(name: &str) -> Plugin {
    let mut loaded = LOADED.lock().await;
    if let Some(plugin) = loaded.iter().find(|plugin| &**plugin.name() == name) {
        return plugin.clone();
    }
    let (name, digest, component) =
        DEFAULT_PLUGINS.iter().find(|plugin| plugin.0 == name).expect("it is a default plugin");
    let embedded = EmbeddedPlugin { name, digest, component };
    let source = Source::Embedded(Box::leak(Box::new(embedded)));
    let plugin = HOST.load(&source).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    loaded.push(plugin.clone());
    plugin
}

/// A default plugin as an adapter.
pub(crate) async fn adapter(name: &str) -> Adapter {
    plugin(name).await.adapter().expect("it is an adapter")
}

/// A task with this description and nothing else.
pub(crate) fn invocation(description: &str) -> Invocation {
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
        remaining: Duration::from_secs(60),
    }
}

/// The invocation and the context for a call to an agent at `endpoint`, which
/// the operator allows.
pub(crate) fn call_to(endpoint: &str, config: &Value) -> (Invocation, CallContext) {
    let config: Arc<str> = config.to_string().into();
    let mut call = invocation("Say hi");
    call.endpoint = Some(endpoint.into());
    call.config = Arc::clone(&config);
    let mut cx = CallContext::new(Limits::DEFAULT);
    cx.config = config;
    cx.grants = Arc::new(Grants {
        operator: vec!["http://127.0.0.1:*".parse().expect("a rule")],
        endpoint: Some(endpoint.parse().expect("a URL")),
        secrets: Vec::new(),
    });
    (call, cx)
}

/// The outcome of a call that finished.
pub(crate) fn done(result: Result<Step, CallError>) -> Outcome {
    match result {
        Ok(Step::Done(outcome)) => outcome,
        other => panic!("expected an outcome: {other:?}"),
    }
}

/// The failure that the plugin reported.
pub(crate) fn failed(result: Result<Step, CallError>) -> Failure {
    match result {
        Err(CallError::Failed(failure)) => failure,
        other => panic!("expected a failure: {other:?}"),
    }
}

/// Remembers the partial output and the log of a call.
#[derive(Default)]
pub(crate) struct Ear {
    pub(crate) partial: StdMutex<Vec<String>>,
    pub(crate) log: StdMutex<Vec<String>>,
}

impl Observer for Ear {
    fn log(&self, _: Level, message: &str) {
        self.log.lock().expect("no test panics here").push(message.to_owned());
    }

    fn progress(&self, update: Progress) {
        self.partial.lock().expect("no test panics here").extend(update.partial);
    }

    fn metric(&self, _: Metric) {}
}

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// Request line and header fields.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// An HTTP server that answers each connection with the next part of a script,
/// byte for byte, and then hangs up.
pub(crate) struct Server {
    pub(crate) url: String,
    received: Arc<StdMutex<Vec<Received>>>,
}

impl Server {
    /// Starts a server whose answers are written out whole.
    pub(crate) async fn start(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let received = Arc::new(StdMutex::new(Vec::new()));
        let log = Arc::clone(&received);
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let request = read_request(&mut stream).await;
                log.lock().expect("no test panics here").push(request);
                stream.write_all(answer.as_bytes()).await.expect("the client reads");
                stream.shutdown().await.ok();
            }
        });
        Self { url, received }
    }

    /// Starts a server that answers every request with the same document.
    pub(crate) async fn json(status: u16, body: &Value) -> Self {
        Self::start(vec![response(status, &[], "application/json", &body.to_string())]).await
    }

    /// The requests received so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().expect("no test panics here").clone()
    }
}

async fn read_request(stream: &mut TcpStream) -> Received {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        assert_ne!(stream.read_buf(&mut bytes).await.expect("a request"), 0, "a whole head");
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut body = bytes.split_off(end + 4);
    let request = Received { head, body: Vec::new() };
    assert_eq!(request.header("transfer-encoding"), None, "bodies have a length: {request:?}");
    let length = request.header("content-length").map_or(0, |text| text.parse().expect("a number"));
    while body.len() < length {
        assert_ne!(stream.read_buf(&mut body).await.expect("a body"), 0, "a whole body");
    }
    Received { body, ..request }
}

/// A whole response.
pub(crate) fn response(
    status: u16,
    headers: &[(&str, &str)],
    media_type: &str,
    body: &str,
) -> String {
    let fields: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!(
        "HTTP/1.1 {status} Scripted\r\ncontent-type: {media_type}\r\ncontent-length: {}\r\n\
         connection: close\r\n{fields}\r\n{body}",
        body.len()
    )
}

/// A response whose body comes in chunks; one that is cut has no last chunk.
pub(crate) fn chunked(media_type: &str, chunks: &[String], is_cut: bool) -> String {
    let mut text = format!(
        "HTTP/1.1 200 Scripted\r\ncontent-type: {media_type}\r\ntransfer-encoding: chunked\r\n\
         connection: close\r\n\r\n"
    );
    for chunk in chunks {
        text.push_str(&format!("{:x}\r\n{chunk}\r\n", chunk.len()));
    }
    if !is_cut {
        text.push_str("0\r\n\r\n");
    }
    text
}
