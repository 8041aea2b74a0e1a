//! Timeouts, by servers that never say what is waited for.

use std::time::Duration;

use super::*;

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(3600);

fn patient(change: impl FnOnce(&mut EgressOptions)) -> CallEgress {
    let mut call = Call::new();
    change(&mut call.options);
    call.start()
}

#[tokio::test]
async fn first_byte() {
    let server = serve_bytes("").await;
    let egress = patient(|options| options.first_byte_timeout = SHORT);
    let error = get(&egress, &format!("http://{server}/")).await.expect_err("silence");
    assert!(matches!(error, Error::ConnectionReadTimeout), "{error}");
}

#[tokio::test]
async fn idle_in_the_middle_of_a_body() {
    let server = serve_bytes("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    let egress = patient(|options| options.idle_timeout = SHORT);
    let request = request(Method::GET, &format!("http://{server}/")).body(empty()).expect("valid");
    let mut body = egress.send(request, None).await.expect("a header").into_body();
    let first = body.frame().await.expect("a frame").expect("data").into_data().expect("data");
    assert_eq!(&first[..], b"half");
    let error = body.frame().await.expect("an error").expect_err("silence");
    assert!(matches!(error, Error::ConnectionReadTimeout), "{error}");
}

#[tokio::test]
async fn total_over_a_body_that_never_ends() {
    let server = listen(async |mut stream: TcpStream| {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(b"drip").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let egress = patient(|options| options.total_timeout = SHORT);
    let error = get(&egress, &format!("http://{server}/")).await.expect_err("endless");
    assert!(matches!(error, Error::HttpResponseTimeout), "{error}");
}

#[tokio::test]
async fn connecting() {
    // A listener that does not accept, with its queue of connections filled.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let listener = socket.listen(1).expect("listening");
    let server = listener.local_addr().expect("bound");
    let mut filled = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(SHORT, TcpStream::connect(server)).await {
        filled.push(stream);
    }
    let url = format!("http://{server}/");

    let operators = patient(|options| options.connect_timeout = SHORT);
    let error = get(&operators, &url).await.expect_err("no connection");
    assert!(matches!(error, Error::ConnectionTimeout), "{error}");

    let guests = patient(|options| options.connect_timeout = LONG);
    let shorter = RequestOptions { connect_timeout: Some(SHORT), ..Default::default() };
    let request = request(Method::GET, &url).body(empty()).expect("valid");
    let error = exchange(&guests, request, Some(shorter)).await.expect_err("no connection");
    assert!(matches!(error, Error::ConnectionTimeout), "{error}");
}

#[tokio::test]
async fn guests_shorten_and_never_lengthen() {
    let server = serve_bytes("").await;
    let url = format!("http://{server}/");
    for (operator, guest) in [(LONG, SHORT), (SHORT, LONG)] {
        let egress = patient(|options| options.first_byte_timeout = operator);
        let options = RequestOptions { first_byte_timeout: Some(guest), ..Default::default() };
        let request = request(Method::GET, &url).body(empty()).expect("valid");
        let error = exchange(&egress, request, Some(options)).await.expect_err("silence");
        assert!(matches!(error, Error::ConnectionReadTimeout), "{error}");
    }
}
