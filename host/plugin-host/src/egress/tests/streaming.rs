//! Bodies, headers and connections as the other side sees them.

use std::sync::Mutex;
use std::time::Duration;

use futures::channel::mpsc;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::sync::oneshot;

use super::*;

type Frames = mpsc::UnboundedSender<Result<Frame<Bytes>, Error>>;

/// A body that a test writes while it is sent.
fn channel() -> (Frames, WasiBody) {
    let (frames, body) = mpsc::unbounded();
    (frames, StreamBody::new(body).boxed_unsync())
}

/// Gives the first request's header and the bytes of its body that come next.
async fn serve_recording(bytes: usize) -> (SocketAddr, oneshot::Receiver<String>) {
    let (record, recorded) = oneshot::channel();
    let record = Arc::new(Mutex::new(Some(record)));
    let server = listen(move |mut stream| {
        let record = record.lock().expect("not poisoned").take();
        async move {
            let mut seen = read_head(&mut stream).await;
            let mut body = vec![0; bytes];
            stream.read_exact(&mut body).await.expect("a body");
            seen.push_str(std::str::from_utf8(&body).expect("text"));
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            if let Some(record) = record {
                record.send(seen).expect("the test waits");
            }
        }
    })
    .await;
    (server, recorded)
}

#[tokio::test]
async fn a_request_streams_before_it_is_complete() {
    // What a chunked body looks like on the wire.
    let (server, recorded) = serve_recording(b"3\r\none\r\n".len()).await;
    let egress = Call::new().start();
    let (frames, body) = channel();
    let request = request(Method::POST, &format!("http://{server}/")).body(body).expect("valid");
    let sending = tokio::spawn(egress.send(request, None));
    frames.unbounded_send(Ok(Frame::data("one".into()))).expect("open");
    let seen = recorded.await.expect("the first piece arrives while the body is open");
    assert!(seen.contains("transfer-encoding: chunked"), "{seen}");
    assert!(seen.ends_with("3\r\none\r\n"), "{seen}");
    drop(frames);
    assert_eq!(sending.await.expect("no panic").expect("answered").status(), 204);
}

#[tokio::test]
async fn the_guests_content_length_is_kept() {
    let (server, recorded) = serve_recording(6).await;
    let egress = Call::new().start();
    let (frames, body) = channel();
    for piece in ["one", "two"] {
        frames.unbounded_send(Ok(Frame::data(piece.into()))).expect("open");
    }
    drop(frames);
    let request = request(Method::POST, &format!("http://{server}/")).header("content-length", "6");
    exchange(&egress, request.body(body).expect("valid"), None).await.expect("answered");
    let seen = recorded.await.expect("recorded");
    assert!(seen.contains("content-length: 6\r\n") && seen.ends_with("onetwo"), "{seen}");
    assert!(!seen.contains("chunked"), "{seen}");
}

#[tokio::test]
async fn a_length_without_a_body_is_not_sent() {
    let server = serve_paths().await;
    let egress = Call::new().start();
    let request =
        request(Method::POST, &format!("http://{server}/")).header("content-length", "10");
    let error = exchange(&egress, request.body(empty()).expect("valid"), None)
        .await
        .expect_err("it would swallow the next request");
    assert!(matches!(error, Error::HttpRequestBodySize(Some(0))), "{error}");
}

#[tokio::test]
async fn headers_of_the_connection_are_ours() {
    let (server, recorded) = serve_recording(0).await;
    let egress = Call::new().start();
    let request = request(Method::GET, &format!("http://{server}/"))
        .header("host", "other.example")
        .header("connection", "close, x-hop")
        .header("x-hop", "1")
        .header("keep-alive", "1")
        .header("proxy-authorization", "1")
        .header("transfer-encoding", "chunked")
        .header("upgrade", "h2c")
        .header("te", "gzip")
        .header("x-kept", "1");
    exchange(&egress, request.body(empty()).expect("valid"), None).await.expect("answered");
    let seen = recorded.await.expect("recorded").to_ascii_lowercase();
    assert!(
        seen.contains(&format!("host: {server}\r\n")) && seen.contains("x-kept: 1\r\n"),
        "{seen}"
    );
    for gone in [
        "other.example",
        "connection:",
        "x-hop",
        "keep-alive",
        "proxy-",
        "transfer-",
        "upgrade",
        "te:",
    ] {
        assert!(!seen.contains(gone), "{gone} in {seen}");
    }
    assert!(seen.contains("user-agent: consort/"), "{seen}");
}

#[tokio::test]
async fn dropping_the_future_or_the_body_closes_the_connection() {
    for answer in ["", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"] {
        let (closed, seen_closed) = oneshot::channel();
        let (reached, seen_reached) = oneshot::channel();
        let senders = Arc::new(Mutex::new(Some((reached, closed))));
        let server = listen(move |mut stream| {
            let senders = senders.lock().expect("not poisoned").take();
            async move {
                let (reached, closed) = senders.expect("one connection");
                read_head(&mut stream).await;
                stream.write_all(answer.as_bytes()).await.expect("open");
                reached.send(()).expect("the test waits");
                assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0, "nothing but the end");
                closed.send(()).expect("the test waits");
            }
        })
        .await;
        let egress = Call::new().start();
        let request =
            request(Method::GET, &format!("http://{server}/")).body(empty()).expect("valid");
        let mut sending = Box::pin(egress.send(request, None));
        if answer.is_empty() {
            tokio::select! {
                _ = &mut sending => panic!("there is no answer"),
                reached = seen_reached => reached.expect("connected"),
            }
        } else {
            let response = (&mut sending).await.expect("a header");
            drop(response);
        }
        drop(sending);
        seen_closed.await.expect("the connection ends");
    }
}

#[tokio::test]
async fn a_slow_reader_slows_the_server() {
    const CHUNK: usize = 64 << 10;
    /// More than the buffers of two sockets and a client.
    const FULL: usize = 64 << 20;
    let written = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = Arc::clone(&written);
    let server = listen(move |mut stream| {
        let counter = Arc::clone(&counter);
        async move {
            read_head(&mut stream).await;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {FULL}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.expect("open");
            while stream.write_all(&[0; CHUNK]).await.is_ok() {
                counter.fetch_add(CHUNK, std::sync::atomic::Ordering::Relaxed);
            }
        }
    })
    .await;
    let egress = Call::new().start();
    let request = request(Method::GET, &format!("http://{server}/")).body(empty()).expect("valid");
    let mut body = egress.send(request, None).await.expect("a header").into_body();
    body.frame().await.expect("a frame").expect("data");
    // The server stands still: what it has written does not grow any more.
    let mut before = usize::MAX;
    let after = loop {
        let now = written.load(std::sync::atomic::Ordering::Relaxed);
        if now == before {
            break now;
        }
        before = now;
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(after < FULL / 2, "{after} bytes written, and nobody reads them");
}

#[tokio::test]
async fn a_guest_that_ends_its_body_early_ends_the_request() {
    let server = serve_bytes("").await;
    let egress = Call::new().start();
    let (frames, body) = channel();
    frames.unbounded_send(Ok(Frame::data("half".into()))).expect("open");
    frames.unbounded_send(Err(Error::HttpProtocolError)).expect("open");
    let request = request(Method::POST, &format!("http://{server}/")).body(body).expect("valid");
    let error = exchange(&egress, request, None).await.expect_err("aborted");
    assert!(matches!(error, Error::HttpProtocolError), "{error}");
}

#[tokio::test]
async fn trailers_arrive() {
    let server = serve_bytes(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n",
    )
    .await;
    let egress = Call::new().start();
    let request = request(Method::GET, &format!("http://{server}/")).body(empty()).expect("valid");
    let body = egress.send(request, None).await.expect("a header").into_body();
    let collected = body.collect().await.expect("complete");
    assert_eq!(collected.trailers().expect("trailers")["x-sum"], "7");
    assert_eq!(&collected.to_bytes()[..], b"ok");
}

#[tokio::test]
async fn what_went_wrong_has_its_own_code() {
    let egress = Call::new().start();
    let closed =
        TcpListener::bind("127.0.0.1:0").await.expect("a free port").local_addr().expect("bound");
    let error = get(&egress, &format!("http://{closed}/")).await.expect_err("nobody listens");
    assert!(matches!(error, Error::ConnectionRefused), "{error}");

    let silent = listen(async |mut stream: TcpStream| {
        read_head(&mut stream).await;
    })
    .await;
    let error = get(&egress, &format!("http://{silent}/")).await.expect_err("hung up");
    assert!(matches!(error, Error::ConnectionTerminated), "{error}");

    let cut = listen(async |mut stream: TcpStream| {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    })
    .await;
    let error = get(&egress, &format!("http://{cut}/")).await.expect_err("cut short");
    assert!(matches!(error, Error::HttpResponseIncomplete), "{error}");

    let garbage = serve_bytes("SSH-2.0-OpenSSH_9.6\r\n\r\n").await;
    let error = get(&egress, &format!("http://{garbage}/")).await.expect_err("not HTTP");
    assert!(matches!(error, Error::HttpProtocolError), "{error}");

    let plain = serve_paths().await;
    let error = get(&egress, &format!("https://{plain}/")).await.expect_err("not TLS");
    assert!(matches!(error, Error::TlsProtocolError), "{error}");
}
