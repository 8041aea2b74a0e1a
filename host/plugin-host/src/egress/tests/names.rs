//! Names and what they resolve to.

use super::*;

#[tokio::test]
async fn a_public_name_that_resolves_to_a_private_address_is_refused() {
    let server = serve_paths().await;
    for (address, kind) in [
        ("127.0.0.1", "loopback"),
        ("169.254.169.254", "link-local"),
        ("10.0.0.1", "private"),
        ("::ffff:127.0.0.1", "loopback"),
    ] {
        let egress =
            Call::new().operator(&["*:*", "trap.example:*"]).host("trap.example", address).start();
        let url = format!("http://trap.example:{}/secret?key=1", server.port());
        let error = get(&egress, &url).await.expect_err(address);
        assert!(matches!(error, Error::DestinationIpProhibited), "{error}");
        let denial = denial(&egress);
        assert_eq!(denial.by, DeniedBy::Address);
        assert_eq!(denial.attempted, format!("GET http://trap.example:{}/secret", server.port()));
        assert!(
            denial.reason.contains(kind) && denial.reason.contains("trap.example"),
            "{}",
            denial.reason
        );
    }
}

#[tokio::test]
async fn naming_an_address_does_not_open_the_names_that_resolve_to_it() {
    let server = serve_paths().await;
    let egress = Call::new().operator(&[LOOPBACK, "*:*"]).host("trap.example", "127.0.0.1").start();
    get(&egress, &format!("http://127.0.0.1:{}/", server.port())).await.expect("named");
    get(&egress, &format!("http://trap.example:{}/", server.port())).await.expect_err("not named");
}

#[tokio::test]
async fn an_opened_range_opens_names_and_addresses_in_it() {
    let server = serve_paths().await;
    let egress = Call::new()
        .operator(&["*:*"])
        .host("agent.internal", "127.0.0.1")
        .private("127.0.0.0/8")
        .start();
    for host in ["agent.internal", "127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{}/", server.port());
        get(&egress, &url).await.unwrap_or_else(|error| panic!("{host}: {error}"));
    }
}

#[tokio::test]
async fn localhost_is_this_machine_once_a_rule_names_it() {
    let server = serve_paths().await;
    // Whatever the system or the operator's list says about the name.
    let egress = Call::new()
        .operator(&["*.localhost:*", "localhost:*"])
        .host("localhost", "1.1.1.1")
        .start();
    for host in ["localhost", "agent.localhost", "LOCALHOST."] {
        let url = format!("http://{host}:{}/x", server.port());
        assert_eq!(get(&egress, &url).await.expect(host).text(), "GET /x");
    }
}

#[tokio::test]
async fn an_unknown_name_is_a_dns_error_and_no_denial() {
    let egress = Call::new().operator(&["*"]).start();
    // RFC 6761: this name never resolves.
    let error = get(&egress, "http://nobody.invalid/").await.expect_err("unknown");
    assert!(matches!(error, Error::DnsError { .. }), "{error}");
    assert!(egress.report().denials.is_empty());
}
