//! Who allows what.

use super::*;

#[tokio::test]
async fn allowed_by_both() {
    let server = serve_paths().await;
    let egress = Call::new().start();
    let answer = get(&egress, &format!("http://{server}/v1/chat?q=1")).await.expect("allowed");
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.text(), "GET /v1/chat?q=1");
    let report = egress.report();
    assert_eq!((report.requests, report.denials.len(), report.overrun), (1, 0, None));
}

#[tokio::test]
async fn nothing_without_an_operator() {
    let egress = Call::new().operator(&[]).start();
    let error = get(&egress, "http://example.com/v1").await.expect_err("refused");
    assert!(matches!(error, Error::HttpRequestDenied), "{error}");
    let denial = denial(&egress);
    assert_eq!(denial.by, DeniedBy::Operator);
    assert_eq!(denial.attempted, "GET http://example.com/v1");
}

#[tokio::test]
async fn nothing_without_a_capability() {
    let server = serve_paths().await;
    let egress = Call::new().manifest(&[]).start();
    let error = get(&egress, &format!("http://{server}/")).await.expect_err("refused");
    assert!(matches!(error, Error::HttpRequestDenied), "{error}");
    let denial = denial(&egress);
    assert_eq!(denial.by, DeniedBy::Manifest);
    assert!(denial.reason.contains("plugin 'probe'"), "{}", denial.reason);
}

#[tokio::test]
async fn endpoint_capability_reaches_the_endpoint_only() {
    let agent = serve_paths().await;
    let other = serve_paths().await;
    let mut call = Call::new().manifest(&["endpoint"]);
    call.grants.endpoint = Some(format!("http://{agent}/v1").parse().expect("a URL"));
    let egress = call.start();
    get(&egress, &format!("http://{agent}/health")).await.expect("same host and port");
    get(&egress, &format!("http://{other}/")).await.expect_err("another port");
    assert_eq!(denial(&egress).by, DeniedBy::Manifest);

    let without = Call::new().manifest(&["endpoint"]).start();
    get(&without, &format!("http://{agent}/")).await.expect_err("no endpoint");
    assert!(denial(&without).reason.contains("has none"));
}

#[tokio::test]
async fn refused_by_path_and_by_method() {
    let server = serve_paths().await;
    let egress = Call::new().operator(&[&format!("GET http://{server}/v1")]).start();
    get(&egress, &format!("http://{server}/v1/chat")).await.expect("below the prefix");
    for (method, path) in
        [(Method::GET, "/admin"), (Method::GET, "/v1/../admin"), (Method::POST, "/v1")]
    {
        let request =
            request(method, &format!("http://{server}{path}")).body(empty()).expect("valid");
        exchange(&egress, request, None).await.expect_err(path);
    }
    assert_eq!(egress.report().denials.len(), 3);
}

#[tokio::test]
async fn what_is_checked_is_what_is_sent() {
    let server = serve_paths().await;
    let egress = Call::new().operator(&[&format!("http://{server}/v1")]).start();
    let url = format!("http://{server}/x/../v1/./%2e/a");
    assert_eq!(get(&egress, &url).await.expect("normalised").text(), "GET /v1/a");
}

#[tokio::test]
async fn redirects_are_the_guests_to_follow_and_are_checked_again() {
    let elsewhere = serve_paths().await;
    let server = serve(move |_| async move {
        let location = format!("http://{elsewhere}/loot");
        let response = Response::builder().status(302).header("location", location);
        response.body(Full::default()).expect("valid")
    })
    .await;
    let egress = Call::new().operator(&[&format!("http://{server}")]).start();
    let answer = get(&egress, &format!("http://{server}/")).await.expect("allowed");
    assert_eq!(answer.status, StatusCode::FOUND);
    let location = answer.headers["location"].to_str().expect("text").to_owned();
    let error = get(&egress, &location).await.expect_err("another host");
    assert!(matches!(error, Error::DestinationIpProhibited), "{error}");
    assert_eq!(denial(&egress).attempted, format!("GET {location}"));
}

#[tokio::test]
async fn credentials_in_the_url_are_refused_and_not_recorded() {
    let egress = Call::new().start();
    let error = get(&egress, "http://admin:hunter2@127.0.0.1:9/").await.expect_err("refused");
    assert!(matches!(error, Error::HttpRequestDenied), "{error}");
    assert_eq!(denial(&egress).attempted, "GET http://127.0.0.1:9/");
}

#[tokio::test]
async fn denials_kept_are_bounded() {
    let egress = Call::new().operator(&[]).start();
    for _ in 0..EgressReport::MAX_DENIALS + 5 {
        get(&egress, "http://example.com/").await.expect_err("refused");
    }
    assert_eq!(egress.report().denials.len(), EgressReport::MAX_DENIALS);
}
