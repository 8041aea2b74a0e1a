//! A *receiver* plays an operator's webhook: HTTP/1.1 on a loopback port of its
//! own, which keeps what it gets and answers as it is told. What is signed it
//! checks with a code of its own, made of nothing but SHA-256.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A running receiver; ends when dropped.
pub struct Receiver {
    address: SocketAddr,
    got: Arc<Got>,
    accepting: JoinHandle<()>,
}

/// What it got.
struct Got {
    messages: Mutex<Vec<Message>>,
    count: watch::Sender<usize>,
}

/// A message as it arrived.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// The same, read.
    pub json: Value,
}

/// What a receiver answers.
#[derive(Debug, Clone, Copy)]
pub enum Reply {
    /// This status.
    Status(u16),
    /// This status, and to wait so many seconds.
    After(u16, u64),
    /// Nothing, ever.
    Never,
}

impl Receiver {
    /// Starts a receiver. `reply` is told of a message and of how many came
    /// before it, with its id and in all.
    ///
    /// # Panics
    ///
    /// When no port is free.
    pub async fn start(
        reply: impl Fn(&Message, usize, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let address = listener.local_addr().expect("it is bound");
        let got = Arc::new(Got { messages: Mutex::default(), count: watch::Sender::new(0) });
        let accepting = tokio::spawn(accept(listener, got.clone(), Arc::new(reply)));
        Self { address, got, accepting }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// What has arrived, in order.
    pub fn messages(&self) -> Vec<Message> {
        self.got.messages().clone()
    }

    /// What has arrived, in order: types and tasks.
    pub fn summary(&self) -> Vec<String> {
        self.messages().iter().map(Message::summary).collect()
    }

    /// Waits until that many messages have arrived.
    pub async fn until(&self, messages: usize) {
        let mut count = self.got.count.subscribe();
        // The sender lives as long as this receiver.
        let _ = count.wait_for(|count| *count >= messages).await;
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Got {
    fn messages(&self) -> std::sync::MutexGuard<'_, Vec<Message>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a message; gives how many came before, with its id and in all.
    fn keep(&self, message: &Message) -> (usize, usize) {
        let mut messages = self.messages();
        let same = messages.iter().filter(|other| other.id() == message.id()).count();
        messages.push(message.clone());
        self.count.send_replace(messages.len());
        (same, messages.len() - 1)
    }
}

impl Message {
    /// A header's value; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Its `webhook-id`.
    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// Its type, and the task it is about.
    pub fn summary(&self) -> String {
        let kind = self.json["type"].as_str().unwrap_or_default();
        match self.json["data"]["task_id"].as_str() {
            Some(task) => format!("{kind} {task}"),
            None => kind.to_owned(),
        }
    }

    /// Whether it is signed with this key, not long ago.
    pub fn is_signed(&self, key: &[u8]) -> bool {
        let (id, time) = (self.id(), self.header("webhook-timestamp"));
        let signed = [id.as_bytes(), b".", time.as_bytes(), b".", &self.body].concat();
        let expected = format!("v1,{}", STANDARD.encode(hmac(key, &signed)));
        let seconds: i64 = time.parse().unwrap_or_default();
        let is_fresh = (consort_engine::now() / 1_000 - seconds).abs() < 300;
        is_fresh && self.header("webhook-signature") == expected
    }
}

/// HMAC-SHA256 as RFC 2104 writes it.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 64;
    let mut block = [0; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let padded = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = Sha256::digest([&padded(0x36)[..], text].concat());
    Sha256::digest([&padded(0x5c)[..], &inner].concat()).to_vec()
}

type Replies = dyn Fn(&Message, usize, usize) -> Reply + Send + Sync;

async fn accept(listener: TcpListener, got: Arc<Got>, reply: Arc<Replies>) {
    while let Ok((connection, _)) = listener.accept().await {
        let (got, reply) = (got.clone(), reply.clone());
        tokio::spawn(async move {
            let answer = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let (got, reply) = (got.clone(), reply.clone());
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
                    let json = serde_json::from_slice(&body).unwrap_or_default();
                    let message = Message { headers: parts.headers, body, json };
                    let (same, all) = got.keep(&message);
                    let answer = match reply(&message, same, all) {
                        Reply::Status(status) => Response::builder().status(status),
                        Reply::After(status, seconds) => {
                            Response::builder().status(status).header("retry-after", seconds)
                        }
                        Reply::Never => std::future::pending().await,
                    };
                    let answer = answer.body(Full::<Bytes>::default()).expect("a valid answer");
                    Ok::<_, Infallible>(answer)
                }
            });
            // Senders hang up as they please.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), answer).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test cases 2 and 6.
    #[test]
    fn its_own_hmac_is_hmac() {
        let hex = |bytes: Vec<u8>| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(
            hex(hmac(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let text = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(
            hex(hmac(&[0xaa; 131], text)),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }
}
