//! A *server* plays the agent: HTTP/1.1 on a loopback port of its own, which
//! behaves as the request's path asks.
//!
//! | path | what happens |
//! |---|---|
//! | `/echo` | answers with the request as JSON: `{method, path, headers, body}` |
//! | `/status?code=N` | answers with that status; `&retry-after=S` adds the header |
//! | `/flaky?key=K&times=N&code=C` | that status the first N times for this key, then as `/echo` |
//! | `/redirect?to=URL` | 302 to the URL |
//! | `/body?bytes=N` | a body of that many bytes |
//! | `/headers?count=N&bytes=B` | that many headers of that size |
//! | `/trickle` | a byte every millisecond, for ever |
//! | `/hangup` | promises 1,000 bytes, sends ten, closes |
//! | `/never` | no answer |
//! | `/slow?ms=N` | as `/echo`, after that long |
//! | `/gather?n=N` | as `/echo`, once N requests are there at the same time |
//! | `/work?ms=N&fails=N&code=C` | that status the first N times for this idempotency key, then `{answer}`, after that long; `&list=N` makes it a list |
//! | `/runs` | runs that are done by themselves, see [`RemoteRun`] |
//! | `/v1/chat/completions` | an OpenAI-compatible answer that repeats the last message |

mod ledger;
mod openai;
mod routes;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderMap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use ledger::Ledger;
pub use ledger::RemoteRun;

/// A running server; ends when dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Such as `GET`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// `None`: requests are counted only.
    recorded: Option<Mutex<Vec<Recorded>>>,
    /// How often each `/flaky` key was asked for.
    flaky: Mutex<HashMap<String, usize>>,
    ledger: Arc<Ledger>,
    connections: watch::Sender<usize>,
    in_flight: watch::Sender<usize>,
    most_in_flight: AtomicUsize,
    requests: AtomicUsize,
}

impl Server {
    /// Starts a server that remembers its requests.
    pub async fn start() -> Self {
        Self::listen(true).await
    }

    /// Starts a server that only counts them.
    pub async fn start_counting() -> Self {
        Self::listen(false).await
    }

    async fn listen(record: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            recorded: record.then(Mutex::default),
            flaky: Mutex::default(),
            ledger: Arc::default(),
            connections: watch::Sender::new(0),
            in_flight: watch::Sender::new(0),
            most_in_flight: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, accepting }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A URL of it; `path` begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests so far, in the order they arrived.
    ///
    /// # Panics
    ///
    /// When the server only counts.
    pub fn requests(&self) -> Vec<Recorded> {
        let recorded = self.shared.recorded.as_ref().expect("started with `start`");
        lock(recorded).clone()
    }

    /// How many requests there were.
    pub fn count(&self) -> usize {
        self.shared.requests.load(SeqCst)
    }

    /// The most requests that were there at the same time.
    pub fn most_in_flight(&self) -> usize {
        self.shared.most_in_flight.load(SeqCst)
    }

    /// How many requests have been answered, or given up by who asked.
    pub fn answered(&self) -> usize {
        let in_flight = *self.shared.in_flight.borrow();
        self.count().saturating_sub(in_flight)
    }

    /// Waits for something to arrive or to be answered, until this is true.
    pub async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        let mut in_flight = self.shared.in_flight.subscribe();
        while !is_so(self) {
            if in_flight.changed().await.is_err() {
                return;
            }
        }
    }

    /// How often `/work` was asked for, by idempotency key.
    pub fn calls(&self) -> BTreeMap<String, usize> {
        self.shared.ledger.calls()
    }

    /// The runs of `/runs`, by idempotency key.
    pub fn runs(&self) -> BTreeMap<String, RemoteRun> {
        self.shared.ledger.runs()
    }

    /// The most requests for `/work` and `/runs` at the same time, those that
    /// end a run aside.
    pub fn most_busy(&self) -> usize {
        self.shared.ledger.most_busy()
    }

    /// Waits until nothing more can come from clients that are gone: their
    /// connections have been taken and are closed. No others may be open.
    ///
    /// # Panics
    ///
    /// When the server cannot be reached.
    pub async fn settled(&self) {
        // Connections are taken in order, so those before this one have been.
        let mut last = TcpStream::connect(self.address).await.expect("it listens");
        let request = b"GET /status?code=204 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        last.write_all(request).await.expect("it reads");
        last.read_to_end(&mut Vec::new()).await.expect("it answers");
        let mut connections = self.shared.connections.subscribe();
        // The sender lives as long as this server.
        let _ = connections.wait_for(|open| *open == 0).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Out of file descriptors, or a client that is gone already: go on.
    loop {
        let Ok((connection, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        // An answer must not wait for the acknowledgement of its header.
        let _ = connection.set_nodelay(true);
        let shared = Arc::clone(&shared);
        shared.connections.send_modify(|open| *open += 1);
        tokio::spawn(async move {
            let connections = shared.connections.clone();
            let answer = service_fn(move |request| routes::answer(Arc::clone(&shared), request));
            // Clients hang up as they please.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .max_headers(1024)
                .max_buf_size(4 << 20)
                .serve_connection(TokioIo::new(connection), answer)
                .await;
            connections.send_modify(|open| *open -= 1);
        });
    }
}

impl Shared {
    fn arrived(self: &Arc<Self>, request: impl FnOnce() -> Recorded) -> InFlight {
        self.requests.fetch_add(1, SeqCst);
        if let Some(recorded) = &self.recorded {
            lock(recorded).push(request());
        }
        self.in_flight.send_modify(|now| {
            *now += 1;
            self.most_in_flight.fetch_max(*now, SeqCst);
        });
        InFlight(Arc::clone(self))
    }

    /// Waits until that many requests have been there at the same time.
    async fn gathered(&self, requests: usize) {
        let mut in_flight = self.in_flight.subscribe();
        while self.most_in_flight.load(SeqCst) < requests {
            if in_flight.changed().await.is_err() {
                return;
            }
        }
    }

    /// How often this key was asked for before.
    fn asked_before(&self, key: &str) -> usize {
        let mut flaky = lock(&self.flaky);
        let times = flaky.entry(key.to_owned()).or_default();
        *times += 1;
        *times - 1
    }
}

/// A request that has not been answered.
struct InFlight(Arc<Shared>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.send_modify(|now| *now -= 1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
