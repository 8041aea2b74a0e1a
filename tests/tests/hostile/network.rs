//! Requests that must not leave, and answers that must not be swallowed whole.

use consort_plugin_host::egress::{EgressOptions, Placeholder, Secret, SecretGrant};
use consort_plugin_host::{CallError, Failure, FaultKind, LimitKind, Outcome, Payload, Step};
use consort_tests::lab::{LIMITS, Lab, short};
use consort_tests::server::Server;
use serde_json::json;

consort_hostile_adapter::network_behaviours!(assert_tests_exist);

/// A lab in which these names lead to loopback.
async fn lab_with_names(names: &[&str]) -> Lab {
    let loopback = vec!["127.0.0.1".parse().unwrap()];
    let hosts = names.iter().map(|name| ((*name).to_owned(), loopback.clone())).collect();
    Lab::with(EgressOptions { hosts, ..EgressOptions::default() }).await
}

/// What was tried and why it was refused.
async fn denied(lab: &Lab, behaviour: &str) -> (String, String) {
    let fault = lab.fault(behaviour).await;
    match fault.kind {
        FaultKind::Denied { attempted, reason } => (attempted, reason),
        other => panic!("not a denial: {}", short(&other)),
    }
}

fn text(step: Result<Step, CallError>) -> String {
    match step {
        Ok(Step::Done(Outcome { output: Payload::Text(text), .. })) => text.to_string(),
        other => panic!("not a text: {}", short(&other)),
    }
}

#[tokio::test]
async fn ask_denied_host() {
    let lab = lab_with_names(&["denied.example"]).await;
    let (attempted, reason) = denied(&lab, "ask_denied_host").await;
    assert_eq!(attempted, "GET http://denied.example/");
    assert!(reason.contains("operator"), "{reason}");
    assert!(reason.contains("http://denied.example"), "it says what to add: {reason}");
}

/// The operator's leave is not enough: the manifest has to ask.
#[tokio::test]
async fn ask_host_that_the_manifest_does_not_name() {
    let mut lab = Lab::new().await;
    lab.allow("http://unasked.example");
    lab.input = Some(Payload::Json(r#"{"url": "http://unasked.example/"}"#.into()));
    let (attempted, reason) = denied(&lab, "ask_name_of_private_address").await;
    assert_eq!(attempted, "GET http://unasked.example/");
    assert!(reason.contains("manifest"), "{reason}");
}

/// Metadata services of clouds: refused though the manifest asks and a wildcard
/// would allow it.
#[tokio::test]
async fn ask_link_local() {
    let mut lab = Lab::new().await;
    lab.allow("*");
    let (attempted, reason) = denied(&lab, "ask_link_local").await;
    assert_eq!(attempted, "GET http://169.254.169.254/latest/meta-data/");
    assert!(reason.contains("link-local"), "{reason}");
}

#[tokio::test]
async fn ask_name_of_private_address() {
    let mut lab = lab_with_names(&["inside.example"]).await;
    lab.allow("http://inside.example:*");
    let url = format!("http://inside.example:{}/echo", lab.server.address().port());
    lab.input = Some(Payload::Json(json!({ "url": url }).to_string().into()));
    let (attempted, _) = denied(&lab, "ask_name_of_private_address").await;
    assert_eq!(attempted, format!("GET {url}"));
    assert_eq!(lab.server.count(), 0);
}

/// A server that is allowed cannot lend its permission to one that is not.
#[tokio::test]
async fn follow_redirect() {
    let elsewhere = Server::start().await;
    let mut lab = Lab::new().await;
    let to = elsewhere.url("/echo");
    lab.input = Some(Payload::Json(json!({ "to": to }).to_string().into()));
    let (attempted, _) = denied(&lab, "follow_redirect").await;
    assert_eq!(attempted, format!("GET {to}"));
    assert_eq!(lab.server.count(), 1, "the first request was allowed");
    assert_eq!(elsewhere.count(), 0, "the second never left");
}

#[tokio::test]
async fn connect_tunnel() {
    let lab = Lab::new().await;
    let (attempted, reason) = denied(&lab, "connect_tunnel").await;
    assert!(attempted.starts_with("CONNECT "), "{attempted}");
    assert!(reason.contains("tunnel"), "{reason}");
    assert_eq!(lab.server.count(), 0);
}

const KEY: &str = "sk-very-secret";

/// Configures an API key that may go to the server of the lab only.
fn give_secret(lab: &mut Lab) {
    let placeholder = Placeholder::new();
    lab.config = json!({ "api_key": placeholder.as_str() }).to_string().into();
    lab.grants.secrets.push(SecretGrant {
        placeholder,
        value: Secret::new(KEY).unwrap(),
        to: vec![format!("http://{}", lab.server.address()).parse().unwrap()],
    });
}

#[tokio::test]
async fn send_secret_elsewhere() {
    let elsewhere = Server::start().await;
    let mut lab = Lab::new().await;
    lab.allow(&format!("http://{}", elsewhere.address()));
    give_secret(&mut lab);
    let url = elsewhere.url("/echo");
    lab.input = Some(Payload::Json(json!({ "elsewhere": url }).to_string().into()));
    let fault = lab.fault("send_secret_elsewhere").await;
    let FaultKind::Denied { attempted, reason } = &fault.kind else { panic!("{fault}") };
    assert_eq!(*attempted, format!("GET {url}"));
    assert!(reason.contains("secret"), "{reason}");
    assert!(!fault.to_string().contains(KEY));
    assert_eq!(elsewhere.count(), 0);
}

/// The counterpart: where it is granted, it arrives, and the guest never saw it.
#[tokio::test]
async fn send_secret_where_it_belongs() {
    let mut lab = Lab::new().await;
    give_secret(&mut lab);
    let url = lab.server.url("/status?code=204");
    lab.input = Some(Payload::Json(json!({ "elsewhere": url }).to_string().into()));
    assert_eq!(text(lab.misbehave("send_secret_elsewhere").await), "");
    let requests = lab.server.requests();
    assert_eq!(requests[0].headers["authorization"], format!("Bearer {KEY}"));
    assert!(!lab.config.contains(KEY));
}

#[tokio::test]
async fn send_secret_in_url() {
    let mut lab = Lab::new().await;
    give_secret(&mut lab);
    let (_, reason) = denied(&lab, "send_secret_in_url").await;
    assert!(reason.contains("URL") || reason.contains("query"), "{reason}");
    assert_eq!(lab.server.count(), 0);
}

#[tokio::test]
async fn read_huge_body() {
    let (allowed, used) = Lab::new().await.broken_limit("read_huge_body", LimitKind::Network).await;
    assert_eq!(allowed, LIMITS.network);
    assert!(used < allowed + (4 << 20), "it was stopped soon: {used}");
}

#[tokio::test]
async fn read_huge_headers() {
    let lab = Lab::new().await;
    let (allowed, _) = lab.broken_limit("read_huge_headers", LimitKind::Headers).await;
    assert_eq!(allowed, LIMITS.headers);
}

#[tokio::test]
async fn send_huge_headers() {
    let lab = Lab::new().await;
    let (allowed, _) = lab.broken_limit("send_huge_headers", LimitKind::Headers).await;
    assert_eq!(allowed, LIMITS.headers);
    assert_eq!(lab.server.count(), 0);
}

#[tokio::test]
async fn send_endless_body() {
    let lab = Lab::new().await;
    let (allowed, used) = lab.broken_limit("send_endless_body", LimitKind::Network).await;
    assert_eq!(allowed, LIMITS.network);
    assert!(used < allowed + (4 << 20), "it was stopped soon: {used}");
}

#[tokio::test]
async fn send_unfinished_body() {
    match Lab::new().await.misbehave("send_unfinished_body").await {
        Err(CallError::Failed(Failure::Permanent(problem))) => {
            assert!(!problem.message.is_empty());
        }
        other => panic!("{}", short(&other)),
    }
}

#[tokio::test]
async fn read_trickle() {
    let mut lab = Lab::new().await;
    lab.limits.time = 300;
    let (allowed, _) = lab.broken_limit("read_trickle", LimitKind::Time).await;
    assert_eq!(allowed, 300);
}

#[tokio::test]
async fn wait_for_answer() {
    let mut lab = Lab::new().await;
    // Long enough for the request to arrive on a busy machine.
    lab.limits.time = 2_000;
    let (allowed, _) = lab.broken_limit("wait_for_answer", LimitKind::Time).await;
    assert_eq!(allowed, 2_000);
    assert_eq!(lab.server.count(), 1);
}

#[tokio::test]
async fn ask_many_times() {
    let lab = Lab::new().await;
    let (allowed, used) = lab.broken_limit("ask_many_times", LimitKind::Requests).await;
    assert_eq!((allowed, used), (LIMITS.requests, LIMITS.requests + 1));
    assert_eq!(lab.server.count() as u64, LIMITS.requests);
}

#[tokio::test]
async fn start_many_requests() {
    let lab = Lab::new().await;
    let (allowed, _) = lab.broken_limit("start_many_requests", LimitKind::Requests).await;
    assert_eq!(allowed, LIMITS.requests);
    assert!(lab.server.count() as u64 <= LIMITS.requests);
}

#[tokio::test]
async fn inject_header() {
    assert_eq!(text(Lab::new().await.misbehave("inject_header").await), "");
}

/// The name in the header is the one that was checked.
#[tokio::test]
async fn claim_other_host() {
    let lab = Lab::new().await;
    let said = text(lab.misbehave("claim_other_host").await);
    if !said.starts_with("refused") {
        let host = lab.server.requests()[0].headers["host"].clone();
        assert_eq!(host, lab.server.address().to_string());
    }
}
