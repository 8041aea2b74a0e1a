//! `consort graph`: every workflow in `tests/cli/graph/` in every format.

use std::fs;

use crate::support::{consort, consort_with, expect_file, tests_dir};

const FORMATS: [(&str, &str); 4] =
    [("text", "txt"), ("mermaid", "mmd"), ("dot", "dot"), ("svg", "svg")];

#[test]
fn every_workflow_looks_as_it_should_in_every_format() {
    let mut seen = 0;
    for entry in fs::read_dir(tests_dir().join("graph")).expect("the folder is there") {
        let name = entry.expect("readable").file_name().into_string().expect("UTF-8");
        let Some(stem) = name.strip_suffix(".yaml") else { continue };
        for (format, extension) in FORMATS {
            let ran = consort(&["graph", &format!("graph/{name}"), "--format", format]);
            assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{name} as {format}");
            expect_file(&format!("graph/{stem}.{extension}"), &ran.out);
        }
        seen += 1;
    }
    assert!(seen >= 4, "only {seen} workflows found");
}

#[test]
fn one_task_is_shown_with_both_sides() {
    for (format, extension) in FORMATS {
        let ran = consort(&["graph", "graph/frames.yaml", "--task", "compare", "--format", format]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{format}");
        expect_file(&format!("graph/frames-compare.{extension}"), &ran.out);
    }
}

#[test]
fn a_task_that_is_not_there_is_an_error_with_a_hint() {
    let ran = consort(&["graph", "graph/frames.yaml", "--task", "compaer"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert_eq!(
        ran.err,
        "error: the workflow has no task 'compaer'\n  hint: did you mean 'compare'?\n"
    );
}

#[test]
fn problems_are_shown_and_nothing_is_drawn() {
    let ran = consort_with(
        &["graph", "-"],
        "- {task_id: a, agent: x, depends_on: [b]}\n- {task_id: b, agent: x, depends_on: [a]}\n",
    );
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("a -> b -> a"), "{}", ran.err);
    assert!(ran.err.contains("[<stdin>:1:38]"), "{}", ran.err);
}

#[test]
fn names_cannot_break_out_of_any_format() {
    let evil =
        r#"[{"task_id": "\"]; x --> y <script>&amp;\\", "agent": "a\"b`<b>\u0007\u001b[31m"}]"#;
    for (format, forbidden) in [
        ("svg", &["<script", "\u{1b}", "\u{7}", "<b>"][..]),
        ("mermaid", &["\"]; ", "<script", "\u{1b}", "`"][..]),
        ("dot", &["label=\"\"]", "\u{1b}"][..]),
        ("text", &["\u{1b}", "\u{7}"][..]),
    ] {
        let ran = consort_with(&["graph", "-", "--format", format], evil);
        assert_eq!(ran.code, 0, "{}", ran.err);
        for text in forbidden {
            assert!(!ran.out.contains(text), "{format} has {text:?}: {}", ran.out);
        }
    }
    let ran = consort_with(&["graph", "-"], r#"[{"task_id": "a\u001b[31m", "agent": "a"}]"#);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("U+001B") && !ran.err.contains('\u{1b}'), "{}", ran.err);
}

#[test]
fn large_workflows_are_drawn_or_refused_at_once() {
    let tasks: Vec<String> = (0..10_000)
        .map(|n: u32| {
            let before = n.checked_sub(1).map(|n| format!("\"t{n}\"")).unwrap_or_default();
            format!("{{\"task_id\": \"t{n}\", \"agent\": \"a\", \"depends_on\": [{before}]}}")
        })
        .collect();
    let workflow = format!("[{}]", tasks.join(","));
    for format in ["text", "mermaid", "dot"] {
        let ran = consort_with(&["graph", "-", "--format", format], &workflow);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{format}");
        assert!(ran.out.contains("t9999"), "{format}");
    }
    let ran = consort_with(&["graph", "-", "--task", "t5000"], &workflow);
    assert_eq!(ran.code, 0);
    assert!(ran.out.lines().count() < 100, "a tree fits a terminal: {}", ran.out.lines().count());
    let ran = consort_with(&["graph", "-", "--format", "svg"], &workflow);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("--task"), "{}", ran.err);
}
