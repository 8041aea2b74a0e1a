use super::*;

fn problems(text: &str) -> Vec<String> {
    match parse(text, Format::guess("", text)) {
        Ok(document) => document.findings.into_problems(),
        Err(problems) => problems,
    }
    .iter()
    .map(|p| format!("{} {p} {}", p.code, p.hint.clone().unwrap_or_default()))
    .collect()
}

#[test]
fn all_three_shapes_are_read() {
    for text in [
        r#"[{"task_id": "a"}]"#,
        r#"{"task_id": "a", "type": "collaborative_task", "steps": []}"#,
        "name: w\ntasks:\n  - task_id: a\n    depends_on: [{task: b, as: c}]\n",
    ] {
        let document = parse(text, Format::guess("", text)).unwrap();
        assert_eq!(document.tasks[0].task_id.as_deref(), Some("a"));
    }
}

#[test]
fn every_problem_is_reported_with_its_path() {
    let text = r#"{"tasks": [
        {"task_id": "a", "retry_policy": {"max_attempt": 3}},
        {"description": "x"},
        {"task_id": "c", "timeout": "soon"},
        {"task_id": "d", "on_failure": "explode"}]}"#;
    assert_eq!(
        problems(text),
        [
            "unknown-field tasks[0].retry_policy.max_attempt: there is no field 'max_attempt' did you mean 'max_attempts'?",
            "wrong-type tasks[2].timeout: expected a number, found the string \"soon\" write a number, or leave it out",
            "unknown-value tasks[3].on_failure: there is no value 'explode' expected one of fail, skip, continue",
        ]
    );
}

#[test]
fn syntax_errors_have_a_line_and_a_column() {
    for (text, line) in [("[{\"task_id\": }]", 1), ("a: b\nc: [1\n", 2)] {
        let problem = parse(text, Format::guess("", text)).unwrap_err().remove(0);
        assert_eq!((problem.code, problem.line), ("syntax", Some(line)), "{problem}");
    }
}
