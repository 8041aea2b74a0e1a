//! Rules as text and JSON, and what they say about requests.

use super::super::policy::Policy;
use super::super::target::Target;
use super::*;

fn target(url: &str) -> Target {
    let uri = url.parse().expect("a URI");
    Target::parse(&uri).unwrap_or_else(|why| panic!("{url}: {why}"))
}

fn check(operator: &[&str], request: &str) -> Result<(), Denial> {
    let (method, url) = request.split_once(' ').expect("METHOD URL");
    let grants = Grants { operator: rules(operator), ..Grants::none() };
    let everything = asks(&["*:*"]);
    let policy = Policy { grants: &grants, capabilities: &everything, plugin: "p", private: &[] };
    policy.check(&method.parse().expect("a method"), &target(url))
}

#[test]
fn rules_allow_by_scheme_host_port_method_and_path() {
    let table: &[(&str, &[&str], &[&str])] = &[
        (
            "api.example.com",
            &[
                "GET http://api.example.com",
                "POST https://API.example.com./a?b",
                "GET https://api.example.com:443/",
            ],
            &[
                "GET https://example.com/",
                "GET http://api.example.com:8080/",
                "GET https://xapi.example.com/",
                "GET https://api.example.com.evil.org/",
            ],
        ),
        (
            "https://api.example.com/v1",
            &[
                "GET https://api.example.com/v1",
                "GET https://api.example.com/v1/",
                "GET https://api.example.com/v1/chat?x=/../y",
                "GET https://api.example.com/v2/../v1/x",
            ],
            &[
                "GET http://api.example.com/v1",
                "GET https://api.example.com/v1x",
                "GET https://api.example.com/V1",
                "GET https://api.example.com/",
                "GET https://api.example.com/v1/../admin",
                "GET https://api.example.com/v1/%2e%2e/admin",
                "GET https://api.example.com/v1/.%2E/admin",
                "GET https://api.example.com/v1\\..\\admin",
            ],
        ),
        (
            "GET,HEAD https://*.example.com:8443",
            &["GET https://a.example.com:8443/", "HEAD https://a.b.example.com:8443/x"],
            &[
                "POST https://a.example.com:8443/",
                "GET https://example.com:8443/",
                "GET https://a.example.com/",
                "GET https://aexample.com:8443/",
                "get https://a.example.com:8443/",
            ],
        ),
        (
            "http://127.0.0.1:*",
            &[
                "GET http://127.0.0.1:1/",
                "GET http://0x7f.1:65535/",
                "GET http://2130706433/",
                "GET http://0177.0.0.1/",
                "GET http://[::ffff:127.0.0.1]:9/",
            ],
            &[
                "GET http://127.0.0.2:1/",
                "GET https://127.0.0.1/",
                "GET http://localhost:1/",
                "GET http://[::1]:1/",
            ],
        ),
        ("[::1]:80", &["GET http://[0:0::1]/"], &["GET http://[::2]/", "GET http://127.0.0.1/"]),
        (
            "*:*",
            &["GET http://example.com:99/", "GET https://1.1.1.1/"],
            &["GET http://10.0.0.1/", "GET http://localhost/"],
        ),
        (
            "münchen.example",
            &["GET http://xn--mnchen-3ya.example/"],
            &["GET http://munchen.example/"],
        ),
    ];
    for (rule, allowed, refused) in table {
        for request in *allowed {
            assert_eq!(check(&[rule], request), Ok(()), "{rule} should allow {request}");
        }
        for request in *refused {
            assert!(check(&[rule], request).is_err(), "{rule} should refuse {request}");
        }
    }
}

#[test]
fn paths_that_can_be_read_in_two_ways_are_refused_where_the_path_matters() {
    let table = [
        ("/v1/%2fadmin", "an encoded slash"),
        ("/v1/..%2fadmin", "an encoded slash"),
        ("/v1/..%5cadmin", "an encoded slash"),
        ("/v1/..%252fadmin", "an encoded slash"),
        ("/v1/%252e%252e/admin", "a dot segment"),
        ("/v1/..;/admin", "a dot segment"),
        ("/v1/..;x=1/admin", "a dot segment"),
        ("/v1//admin", "an empty segment"),
        ("/v1/a%00b", "a control character"),
        ("/v1/%2525252525252e", "a character encoded many times"),
    ];
    for (path, why) in table {
        let request = format!("GET https://a.example{path}");
        let denial = check(&["https://a.example/v1"], &request).expect_err(path);
        assert!(denial.reason.contains(why), "{path}: {}", denial.reason);
        assert_eq!(check(&["https://a.example"], &request), Ok(()), "{path} under no prefix");
    }
    // Another rule may still allow it.
    let both = ["https://a.example/v1", "https://a.example/v1/x"];
    assert_eq!(check(&both, "GET https://a.example/v1/x/100%25"), Ok(()));
}

#[test]
fn special_addresses_have_to_be_named() {
    let table: &[(&[&str], &str, Result<(), DeniedBy>)] = &[
        (&["*:*"], "GET http://169.254.169.254/latest", Err(DeniedBy::Address)),
        (&["169.254.169.254"], "GET http://169.254.169.254/latest", Ok(())),
        (&["*:*"], "GET http://[fd00::1]/", Err(DeniedBy::Address)),
        (&["*:*"], "GET http://localhost:8080/", Err(DeniedBy::Address)),
        (&["*:*"], "GET http://LOCALHOST./", Err(DeniedBy::Address)),
        (&["*:*"], "GET http://127.1/", Err(DeniedBy::Address)),
        (&["*:*"], "GET http://0xA9FEA9FE/latest", Err(DeniedBy::Address)),
        (&["*:*"], "GET http://169.254.169.254./latest", Err(DeniedBy::Address)),
        (&["*:*"], "GET http://0.0.0.0/", Err(DeniedBy::Address)),
        (&["*.localhost"], "GET http://app.localhost/", Ok(())),
        (&["localhost"], "GET http://app.localhost/", Err(DeniedBy::Address)),
        (&["localhost:8080"], "GET http://localhost:8080/", Ok(())),
        (&["http://127.0.0.1/a", "*:*"], "GET http://127.0.0.1/b", Err(DeniedBy::Address)),
        (&["http://127.0.0.1/a", "*:*"], "GET http://127.0.0.1/a", Ok(())),
        (&["*:*"], "GET http://[::ffff:7f00:1]/", Err(DeniedBy::Address)),
        (&["*:*"], "GET http://[64:ff9b::a00:1]/", Err(DeniedBy::Address)),
        (&["*:*"], "GET http://[64:ff9b::808:808]/", Ok(())),
        (&["*:*"], "CONNECT http://example.com/", Err(DeniedBy::Host)),
        (&["*:*"], "TRACE http://example.com/", Err(DeniedBy::Host)),
        (&[], "GET http://example.com/", Err(DeniedBy::Operator)),
    ];
    for (operator, request, expected) in table {
        let decided = check(operator, request).map_err(|denial| denial.by);
        assert_eq!(decided, *expected, "{operator:?} on {request}");
    }
}

#[test]
fn a_denial_says_which_rule_would_allow_the_request() {
    for request in [
        "GET http://169.254.169.254/latest",
        "POST https://api.example.com:8443/v1/chat?key=1",
        "GET http://localhost:3000/",
        "GET http://[fe80::1]:81/x%20y",
    ] {
        let denial = check(&[], request).expect_err("nothing is allowed");
        let rule = denial.reason.split('\'').nth(1).expect("a quoted rule");
        assert_eq!(check(&[rule], request), Ok(()), "{}", denial.reason);
    }
    let denial = check(&[], "GET http://169.254.169.254/latest?token=1").expect_err("refused");
    assert_eq!(denial.attempted, "GET http://169.254.169.254/latest");
}

#[test]
fn urls_that_are_never_sent() {
    for (url, why) in [
        ("http://user:password@example.com/", "user name"),
        ("http://example.com@evil.example/", "user name"),
        ("ftp://example.com/", "scheme"),
        ("http://a..example/", "empty label"),
        ("http://1.2.3.4.5/", "cannot be read"),
        ("http://example.com:0/", "port 0"),
    ] {
        let uri = url.parse().expect("a URI");
        let refused = Target::parse(&uri).expect_err(url);
        assert!(refused.contains(why), "{url}: {refused}");
    }
}

#[test]
fn rules_read_back_as_they_are_written() {
    for text in [
        "api.example.com",
        "https://api.example.com/v1",
        "GET,HEAD https://*.example.com:8443/a/b",
        "http://127.0.0.1:*",
        "[::1]:80",
        "*",
        "*:*",
    ] {
        let rule: Rule = text.parse().expect(text);
        assert_eq!(rule.to_string(), text);
        let json = serde_json::to_string(&rule).expect("serialisable");
        assert_eq!(serde_json::from_str::<Rule>(&json).expect("own output"), rule, "{json}");
    }
    let spelled: Rule = "get HTTPS://API.Example.com./v1/".parse().expect("a rule");
    assert_eq!(spelled.to_string(), "GET https://api.example.com/v1");
    let object: Rule =
        serde_json::from_str(r#"{"host": "::1", "port": "*", "methods": ["post"], "path": "/"}"#)
            .expect("a rule");
    assert_eq!(object.to_string(), "POST [::1]:*");
}

#[test]
fn wrong_rules_say_what_is_wrong() {
    for (text, why) in [
        ("ftp://example.com", "neither http nor https"),
        ("a*.example.com", "'*' stands for a whole host"),
        ("*.*.example.com", "goes before a name"),
        ("*.127.0.0.1", "goes before a name"),
        ("0177.0.0.1", "write the address as 127.0.0.1"),
        ("2130706433", "write the address as 127.0.0.1"),
        ("a..example", "empty label"),
        ("example.com:0", "port '0'"),
        ("example.com:http", "port 'http'"),
        ("user@example.com", "user name"),
        ("example.com/a/../b", "a dot segment"),
        ("example.com/a%2fb", "an encoded slash"),
        ("example.com/a?b", "has a '?'"),
        ("GE/T example.com", "not an HTTP method"),
        ("", "host"),
        ("https://", "host"),
    ] {
        let error = text.parse::<Rule>().expect_err(text).to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
    for json in
        [r#"{"host": "a", "ports": 1}"#, r#"{"port": 1}"#, r#"{"host": "a", "methods": []}"#]
    {
        assert!(serde_json::from_str::<Rule>(json).is_err(), "{json}");
    }
}

#[test]
fn the_rule_of_an_origin_covers_its_paths_only() {
    let url = "https://agent.example/v1/chat".parse().expect("a URL");
    let rule = Rule::origin(&url).expect("https").to_string();
    assert_eq!(rule, "https://agent.example:443");
    assert_eq!(check(&[&rule], "PUT https://agent.example/elsewhere"), Ok(()));
    assert!(check(&[&rule], "PUT http://agent.example/elsewhere").is_err());
    assert_eq!(Rule::origin(&"file:///etc/passwd".parse().expect("a URL")), None);
}
