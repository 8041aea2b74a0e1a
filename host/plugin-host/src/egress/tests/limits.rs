//! Bytes, rates, headers and numbers of requests.

use std::time::{Duration, Instant};

use super::*;
use crate::limits::LimitKind;

async fn serve_kilobytes(kilobytes: usize) -> SocketAddr {
    serve(move |_| async move { Response::new(Bytes::from(vec![b'x'; kilobytes << 10]).into()) })
        .await
}

fn limited(limit: impl FnOnce(&mut Limits)) -> CallEgress {
    let mut call = Call::new();
    limit(&mut call.limits);
    call.start()
}

#[tokio::test]
async fn the_byte_budget_ends_a_response_in_its_middle() {
    let server = serve_kilobytes(4096).await;
    let egress = limited(|limits| limits.network = 1 << 20);
    let url = format!("http://{server}/");
    let request = request(Method::GET, &url).body(empty()).expect("valid");
    let mut body = egress.send(request, None).await.expect("the header fits").into_body();
    let mut read = 0;
    let error = loop {
        match body.frame().await.expect("an end that is an error") {
            Ok(frame) => read += frame.into_data().expect("data").len(),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::HttpResponseBodySize(Some(1_048_576))), "{error}");
    assert!(read <= 1 << 20, "{read} bytes got through");
    let overrun = egress.report().overrun.expect("recorded");
    assert_eq!((overrun.limit, overrun.allowed), (LimitKind::Network, 1 << 20));
    assert!(overrun.used > 1 << 20);
    // Nothing more goes out.
    get(&egress, &url).await.expect_err("spent");
}

#[tokio::test]
async fn the_byte_budget_is_one_for_all_requests_and_both_directions() {
    let server = serve_kilobytes(4).await;
    let egress = limited(|limits| limits.network = 30 << 10);
    let url = format!("http://{server}/");
    for _ in 0..3 {
        let request = request(Method::POST, &url).body(full(vec![b'y'; 4 << 10])).expect("valid");
        exchange(&egress, request, None).await.expect("within the budget");
    }
    let used = egress.report().bytes;
    assert!((24 << 10..26 << 10).contains(&used), "{used}");
    let request = request(Method::POST, &url).body(full(vec![b'y'; 8 << 10])).expect("valid");
    let error = exchange(&egress, request, None).await.expect_err("spent");
    assert!(matches!(error, Error::HttpRequestBodySize(_)), "{error}");
    assert_eq!(egress.report().overrun.expect("recorded").limit, LimitKind::Network);
}

#[tokio::test]
async fn the_rate_holds_over_requests_of_a_call() {
    let server = serve_kilobytes(10).await;
    let egress = limited(|limits| limits.network_rate = 100 << 10);
    let url = format!("http://{server}/");
    let start = Instant::now();
    let (one, two) = tokio::join!(get(&egress, &url), get(&egress, &url));
    assert_eq!(one.expect("slow").body.len() + two.expect("slow").body.len(), 20 << 10);
    // 200 ms of bytes, of which the credit pays for 100 ms.
    assert!(start.elapsed() >= Duration::from_millis(95), "{:?}", start.elapsed());
    assert_eq!(egress.report().overrun, None);
}

#[tokio::test]
async fn large_headers_break_their_limit_either_way() {
    let server = serve(async |_| {
        Response::builder()
            .header("x-large", "x".repeat(4096))
            .body(Full::default())
            .expect("valid")
    })
    .await;
    let url = format!("http://{server}/");
    let egress = limited(|limits| limits.headers = 2048);
    let error = get(&egress, &url).await.expect_err("too large");
    assert!(matches!(error, Error::HttpResponseHeaderSectionSize(Some(2048))), "{error}");
    let overrun = egress.report().overrun.expect("recorded");
    assert_eq!((overrun.limit, overrun.allowed), (LimitKind::Headers, 2048));
    assert!((4096..8192).contains(&overrun.used), "{overrun:?}");

    let egress = limited(|limits| limits.headers = 2048);
    let request = request(Method::GET, &url)
        .header("x-large", "x".repeat(2048))
        .body(empty())
        .expect("valid");
    let error = exchange(&egress, request, None).await.expect_err("too large");
    assert!(matches!(error, Error::HttpRequestHeaderSectionSize(Some(2048))), "{error}");
    assert_eq!(egress.report().overrun.expect("recorded").limit, LimitKind::Headers);
}

#[tokio::test]
async fn an_endless_header_breaks_the_limit_too() {
    let server = listen(async |mut stream: TcpStream| {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nx: ").await;
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    let egress = Call::new().start();
    let error = get(&egress, &format!("http://{server}/")).await.expect_err("too large");
    assert!(matches!(error, Error::HttpResponseHeaderSectionSize(_)), "{error}");
    assert_eq!(egress.report().overrun.expect("recorded").limit, LimitKind::Headers);
}

#[tokio::test]
async fn requests_are_counted_refused_ones_too() {
    let server = serve_paths().await;
    let egress = limited(|limits| limits.requests = 2);
    get(&egress, "http://example.com/").await.expect_err("not allowed");
    get(&egress, &format!("http://{server}/")).await.expect("the second");
    let error = get(&egress, &format!("http://{server}/")).await.expect_err("the third");
    assert!(matches!(error, Error::ConnectionLimitReached), "{error}");
    let overrun = egress.report().overrun.expect("recorded");
    assert_eq!((overrun.limit, overrun.allowed, overrun.used), (LimitKind::Requests, 2, 3));
}
