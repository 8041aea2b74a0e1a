//! `consort run` with tasks that wait for a person.

use crate::support::{consort_with, json};

const REVIEW: &str = "
- {task_id: review, type: approval, description: 'Shall we?'}
- {task_id: go, agent: echo, description: 'go {{ results.review }}', depends_on: [review], transform: [{transformer: jq, config: {filter: .description}}]}
";

#[test]
fn a_run_that_would_wait_for_ever_does_not_start() {
    let ran = consort_with(&["run", "-"], REVIEW);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(
        ran.err.contains("'review'") && ran.err.contains("--answer review=true"),
        "{}",
        ran.err
    );
    assert!(!ran.err.contains("started"), "{}", ran.err);
    let report = json(&consort_with(&["run", "-", "--json"], REVIEW).out);
    assert_eq!(report["status"], "invalid");
}

#[test]
fn an_answer_beforehand_is_the_result() {
    let ran = consort_with(&["run", "-", "-q", "--answer", "review={\"approved\": true}"], REVIEW);
    assert_eq!((ran.code, ran.out.as_str()), (0, "go {\"approved\":true}\n"), "{}", ran.err);
}

#[test]
fn a_no_fails_the_run_and_says_why() {
    let no = "review={\"approved\": false, \"comment\": \"too early\"}";
    let ran = consort_with(&["run", "-", "-q", "--answer", no], REVIEW);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.err, "error: task 'review' failed: it was refused: too early\n");
}

#[test]
fn an_answer_to_nothing_is_refused() {
    let ran = consort_with(&["run", "-", "--answer", "reveiw=true"], REVIEW);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("did you mean '--answer review=…'"), "{}", ran.err);
    let ran = consort_with(&["run", "-", "--answer", "review=maybe"], REVIEW);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("is not JSON"), "{}", ran.err);
}
