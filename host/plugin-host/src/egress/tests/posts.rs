//! What the host itself sends.

use std::time::Duration;

use super::*;
use crate::egress::{Answer, Post, PostError};

fn post(url: &str) -> Post {
    let mut headers = HeaderMap::new();
    headers.insert("x-kind", "test".parse().expect("a value"));
    let url = url.parse().expect("a URL");
    Post { url, headers, body: Bytes::from_static(b"{}"), timeout: Duration::from_secs(5) }
}

async fn send(options: EgressOptions, url: &str) -> Result<Answer, PostError> {
    EgressClient::new(options).post(post(url)).await
}

fn names(name: &str, private: &[&str]) -> EgressOptions {
    EgressOptions {
        hosts: [(name.to_owned(), vec!["127.0.0.1".parse().expect("an address")])].into(),
        private: private.iter().map(|range| range.parse().expect("a range")).collect(),
        ..EgressOptions::default()
    }
}

#[tokio::test]
async fn a_post_arrives_with_its_headers_and_body_and_redirects_are_answers() {
    let server = serve(async |request| {
        let kind = request.headers()["x-kind"].clone();
        let method = request.method().clone();
        let body = request.into_body().collect().await.expect("a body").to_bytes();
        let fits = method == Method::POST && kind == "test" && body == "{}";
        let answer = Response::builder().status(if fits { 302 } else { 400 });
        let answer = answer.header("location", "/elsewhere").header("retry-after", "7");
        answer.body(Full::default()).expect("an answer")
    })
    .await;
    let answer = send(EgressOptions::default(), &format!("http://{server}/hook")).await;
    assert_eq!(answer, Ok(Answer { status: 302, retry_after: Some("7".to_owned()) }));
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_refused_unless_that_is_opened() {
    let server = serve_paths().await;
    let url = format!("http://ops.example:{}/", server.port());
    let refused = send(names("ops.example", &[]), &url).await;
    assert!(
        matches!(&refused, Err(PostError::Denied(why)) if why.contains("'private'")),
        "{refused:?}"
    );
    assert!(send(names("ops.example", &["127.0.0.0/8"]), &url).await.is_ok());
    let url = format!("http://localhost:{}/", server.port());
    assert!(send(EgressOptions::default(), &url).await.is_ok());
}

#[tokio::test]
async fn what_went_wrong_is_told_with_what_it_came_of() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", nobody.local_addr().expect("bound"));
    drop(nobody);
    let refused = send(EgressOptions::default(), &url).await;
    assert!(
        matches!(&refused, Err(PostError::Transport(why)) if why.to_lowercase().contains("refused")),
        "{refused:?}"
    );
    let silent = serve_bytes("").await;
    let mut slow = post(&format!("http://{silent}/"));
    slow.timeout = Duration::from_millis(50);
    let late = EgressClient::new(EgressOptions::default()).post(slow).await;
    assert_eq!(late, Err(PostError::Timeout(Duration::from_millis(50))));
}
