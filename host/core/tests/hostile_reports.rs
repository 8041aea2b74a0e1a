//! Files made to take long or to break the host get an error, quickly.

use std::time::{Duration, Instant};

mod support;

/// How long any of these may take, even on a busy machine.
const LONGEST: Duration = Duration::from_secs(30);

/// Checks that a file gets an error of this code in time, and a readable report.
#[track_caller]
fn refused(name: &str, bytes: &[u8], code: &str) {
    let start = Instant::now();
    let report = support::check(name, bytes);
    assert!(start.elapsed() < LONGEST, "{name} took {:?}", start.elapsed());
    assert!(report.contains(&format!("error[{code}]")), "{name}: {report}");
    assert!(report.len() < 100_000, "{name}: the report has {} bytes", report.len());
}

#[test]
fn nesting_without_end() {
    let open = "[".repeat(1_000_000);
    refused("open.json", open.as_bytes(), "syntax");
    refused("open.yaml", open.as_bytes(), "too-deep");
    let closed = format!("[{{\"input\": {open}{}}}]", "]".repeat(1_000_000));
    refused("closed.json", closed.as_bytes(), "too-deep");
    refused("objects.json", "{\"a\":".repeat(1_000_000).as_bytes(), "syntax");
    refused("indented.yaml", "- ".repeat(100_000).as_bytes(), "too-deep");
}

#[test]
fn aliases_of_aliases() {
    let mut bomb = "a0: &a0 x\n".to_owned();
    for level in 1..=30 {
        let item = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", [item.as_str(); 9].join(", "));
    }
    refused("bomb.yaml", bomb.as_bytes(), "too-large");
}

#[test]
fn strings_of_a_hundred_megabytes() {
    let long = "x".repeat(100_000_000);
    let json = format!("[{{\"task_id\": \"a\", \"agent\": \"echo\", \"{long}\": 1}}]");
    refused("key.json", json.as_bytes(), "unknown-field");
    let json = format!("[{{\"task_id\": \"{long}\", \"agent\": \"echo\"}}]");
    refused("id.json", json.as_bytes(), "too-long");
    refused("open.json", format!("[\"{long}").as_bytes(), "syntax");
}

#[test]
fn a_key_a_hundred_thousand_times() {
    let fields = "\"timeout\": 1, ".repeat(100_000);
    let json = format!("[{{{fields}\"task_id\": \"a\", \"agent\": \"echo\"}}]");
    refused("twice.json", json.as_bytes(), "duplicate-key");
    let yaml = "timeout: 1\n".repeat(100_000);
    refused("twice.yaml", yaml.as_bytes(), "duplicate-key");
}

#[test]
fn mistakes_in_every_task() {
    let tasks =
        "{\"task_id\": \"a\", \"agent\": \"ecko\", \"timeot\": 1, \"depends_on\": [\"b\"]},";
    let json = format!("[{}0]", tasks.repeat(100_000));
    refused("mistakes.json", json.as_bytes(), "unknown-field");
}

#[test]
fn bytes_that_are_not_text() {
    refused("zeros.json", &vec![0; 1_000_000], "syntax");
    refused("noise.yaml", &vec![0xff; 1_000_000], "invalid-utf8");
}
