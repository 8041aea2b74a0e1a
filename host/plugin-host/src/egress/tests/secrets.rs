//! Placeholders on their way out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

const KEY: &str = "sk-live-1234567890";

/// Answers with the authorization it was sent, in a header and, read from behind,
/// in the body; for `/echo` the body has it as it is.
async fn serve_echo() -> SocketAddr {
    serve(async |request| {
        let sent = request.headers().get("authorization").cloned();
        let text = sent.as_ref().map_or("", |sent| sent.to_str().expect("text")).to_owned();
        let text = match request.uri().path() {
            "/echo" => text,
            _ => backwards(&text),
        };
        let mut response = Response::new(Full::from(text));
        if let Some(sent) = sent {
            response.headers_mut().insert("x-echo", sent);
        }
        response
    })
    .await
}

fn backwards(text: &str) -> String {
    text.chars().rev().collect()
}

/// A call with a secret granted for `to`, and the secret's placeholder.
fn with_secret(to: &[&str]) -> (CallEgress, String) {
    let placeholder = Placeholder::new();
    let shown = placeholder.to_string();
    let mut call = Call::new();
    let value = Secret::new(KEY).expect("a secret");
    call.grants.secrets = vec![SecretGrant { placeholder, value, to: rules(to) }];
    (call.start(), shown)
}

async fn send(egress: &CallEgress, url: &str, authorization: &str) -> Result<Answer, Error> {
    let request = request(Method::GET, url).header("authorization", authorization);
    exchange(egress, request.body(empty()).expect("valid"), None).await
}

#[tokio::test]
async fn replaced_in_headers_where_granted() {
    let url = format!("http://{}/", serve_echo().await);
    let (egress, placeholder) = with_secret(&[LOOPBACK]);
    let whole = send(&egress, &url, &placeholder).await.expect("granted");
    assert_eq!(backwards(whole.text()), KEY);
    let part = send(&egress, &url, &format!("Bearer {placeholder}")).await.expect("granted");
    assert_eq!(backwards(part.text()), format!("Bearer {KEY}"));
    let basic = STANDARD.encode(format!("user:{placeholder}"));
    let basic = send(&egress, &url, &format!("Basic {basic}")).await.expect("granted");
    assert_eq!(
        backwards(basic.text()),
        format!("Basic {}", STANDARD.encode(format!("user:{KEY}")))
    );
    let none = send(&egress, &url, "Bearer other").await.expect("nothing to replace");
    assert_eq!(backwards(none.text()), "Bearer other");
}

#[tokio::test]
async fn an_echo_in_a_body_shows_asterisks() {
    let url = format!("http://{}/echo", serve_echo().await);
    let (egress, placeholder) = with_secret(&[LOOPBACK]);
    let answer = send(&egress, &url, &format!("Bearer {placeholder}")).await.expect("granted");
    assert_eq!(answer.text(), format!("Bearer {}", "*".repeat(KEY.len())));
}

#[tokio::test]
async fn an_echo_in_a_header_shows_the_placeholder() {
    let url = format!("http://{}/", serve_echo().await);
    let (egress, placeholder) = with_secret(&[LOOPBACK]);
    let answer = send(&egress, &url, &format!("Bearer {placeholder}")).await.expect("granted");
    assert_eq!(answer.headers["x-echo"], format!("Bearer {placeholder}"));
}

#[tokio::test]
async fn refused_where_it_is_not_granted() {
    let url = format!("http://{}/v1", serve_echo().await);
    let basic =
        |placeholder: &str| format!("Basic {}", STANDARD.encode(format!("u:{placeholder}")));
    for to in [&["https://api.example.com"] as &[&str], &[], &["http://127.0.0.1:*/v2"]] {
        let (egress, placeholder) = with_secret(to);
        for value in [placeholder.clone(), format!("Bearer {placeholder}"), basic(&placeholder)] {
            let error = send(&egress, &url, &value).await.expect_err("not granted");
            assert!(matches!(error, Error::HttpRequestDenied), "{error}");
        }
        let report = egress.report();
        assert_eq!(report.denials.len(), 3);
        for denial in report.denials {
            assert_eq!(denial.by, DeniedBy::Secret);
            assert!(denial.reason.contains(to.first().unwrap_or(&"no host")), "{}", denial.reason);
            assert!(!denial.reason.contains(KEY) && denial.attempted == format!("GET {url}"));
        }
    }
}

#[tokio::test]
async fn refused_in_a_url_wherever_it_goes() {
    let server = serve_echo().await;
    let (egress, placeholder) = with_secret(&[LOOPBACK]);
    let encoded = placeholder.replace('c', "%63");
    for path in
        [format!("/{placeholder}"), format!("/?key={placeholder}"), format!("/?key={encoded}")]
    {
        let error = get(&egress, &format!("http://{server}{path}")).await.expect_err(&path);
        assert!(matches!(error, Error::HttpRequestDenied), "{error}");
    }
    assert!(egress.report().denials.iter().all(|denial| denial.by == DeniedBy::Secret));
    assert_eq!(egress.report().denials.len(), 3);
}

#[test]
fn secrets_and_placeholders_keep_to_themselves() {
    let value = Secret::new(format!("{KEY}\n")).expect("trimmed");
    assert!(!format!("{value:?}").contains(KEY));
    assert_eq!(Secret::new(" \n").expect_err("empty"), InvalidSecret::Empty);
    assert_eq!(Secret::new("a\nb").expect_err("two lines"), InvalidSecret::Control);
    let one = Placeholder::new();
    assert_ne!(one, Placeholder::new());
    assert_eq!(one.as_str().len(), "consort-secret-".len() + 32);
}
