use super::*;
use crate::problem::Problem;

/// Where a path leads: `line:column text`.
#[track_caller]
fn place(text: &str, path: &str) -> String {
    place_of("x", text, path)
}

#[track_caller]
fn place_of(code: &'static str, text: &str, path: &str) -> String {
    let format = Format::guess("", text);
    let mut problems = [Problem::error(code, path, "")];
    locate(text, format, &mut problems);
    let [problem] = problems;
    let Some(span) = problem.span else { return "nowhere".to_owned() };
    let (line, column) = (problem.line.unwrap(), problem.column.unwrap());
    format!("{line}:{column} {}", &text[span.offset..span.end()])
}

#[test]
fn paths_lead_to_values_in_yaml_and_in_json() {
    let yaml = "name: w\ntasks:\n  - task_id: a\n  - task_id: b\n    depends_on: [a, zz]\n";
    assert_eq!(place(yaml, "tasks[1].depends_on[1]"), "5:21 zz");
    assert_eq!(place(yaml, "tasks[1].depends_on"), "5:17 [a, zz]");
    assert_eq!(place(yaml, "name"), "1:7 w");
    let json = "[\n  {\"task_id\": \"a\"},\n\t{\"task_id\": \"b\", \"timeout\": -1}\n]";
    assert_eq!(place(json, "[1].timeout"), "3:30 -1");
    assert_eq!(place(json, "[1].task_id"), "3:14 \"b\"");
    assert_eq!(place(json, "[0]"), "2:3 {\"task_id\": \"a\"}");
}

#[test]
fn the_key_is_shown_where_it_is_what_is_wrong() {
    let yaml = "- task_id: a\n  timeot: 3\n  depends_on:\n  - b\n  - c\n";
    assert_eq!(place_of("unknown-field", yaml, "[0].timeot"), "2:3 timeot");
    assert_eq!(place_of("not-applicable", yaml, "[0].timeot"), "2:3 timeot");
    // A value of several lines is shown by its key.
    assert_eq!(place(yaml, "[0].depends_on"), "3:3 depends_on");
    let json = r#"{"tasks": [{"task_id": "a", "timeot": 1}]}"#;
    assert_eq!(place_of("unknown-field", json, "tasks[0].timeot"), "1:29 \"timeot\"");
}

#[test]
fn what_is_there_twice_is_shown_the_second_time() {
    let json = r#"[{"task_id": "a", "timeout": 1, "timeout": {"x": 2}, "timeout": 3}]"#;
    assert_eq!(place_of("duplicate-key", json, "[0].timeout"), "1:33 \"timeout\"");
    assert_eq!(place(json, "[0].timeout"), "1:30 1");
    assert_eq!(place(json, "[0].timeout.x"), "1:19 \"timeout\"");
}

#[test]
fn what_is_not_there_is_shown_at_what_is_around_it() {
    let yaml = "tasks:\n  - description: x\n    retry_policy: {backoff: none}\n  - task_id: b\n";
    assert_eq!(place_of("missing-id", yaml, "tasks[0]"), "2:5 description: x");
    assert_eq!(place(yaml, "tasks[0].retry_policy.jitter"), "3:5 retry_policy");
    assert_eq!(place_of("missing-field", yaml, "tasks[1].agent"), "4:14 b");
    assert_eq!(place(yaml, "policy"), "nowhere");
    assert_eq!(place_of("empty", "name: w\n", "tasks"), "1:1 name: w");
    assert_eq!(place_of("empty", "name: w\ntasks: []\n", "tasks"), "2:8 []");
    assert_eq!(place_of("empty", "", ""), "1:1 ");
}

#[test]
fn names_may_hold_dots_and_tasks_may_be_named_by_id() {
    let yaml = "agents:\n  a.b:\n    adapter: x\ntasks:\n  - url: nowhere\n    task_id: t.1\n";
    assert_eq!(place(yaml, "agents.a.b.adapter"), "3:14 x");
    assert_eq!(place(yaml, "t.1.url"), "5:10 nowhere");
    let json = r#"[{"steps": [{"url": 7, "task_id": "t"}], "task_id": "tt"}]"#;
    assert_eq!(place(json, "t.url"), "1:21 7");
    assert_eq!(place(json, "tt.steps[0].url"), "1:21 7");
    assert_eq!(place(json, "ttt.url"), "nowhere");
}

#[test]
fn keys_are_compared_by_what_they_say() {
    let json = r#"{"\u0074asks": [1, "x\"]", {"a\"b": 5}]}"#;
    assert_eq!(place(json, "tasks[2].a\"b"), "1:37 5");
    assert_eq!(place("'ta''sks': [1, \"\\u0041\"]", "ta'sks[1]"), "1:16 \"\\u0041\"");
    let empty = r#"{"": {"": 1}, "a": 2}"#;
    assert_eq!(place(empty, "a"), "1:20 2");
    assert_eq!(place(empty, ".x"), "nowhere");
}

#[test]
fn columns_count_characters_whatever_the_line_ends_with() {
    let yaml = "\u{feff}ä: {é: 日本, b: 5}\r\n# ü\r\nc: -1\r\n";
    assert_eq!(place(yaml, "ä.b"), "1:15 5");
    assert_eq!(place(yaml, "c"), "3:4 -1");
    let json = "\u{feff}{\t\"ä\":\r\n \"日本\", \"b\": 5}";
    assert_eq!(place(json, "b"), "2:13 5");
    assert_eq!(place(json, "ä"), "2:2 \"日本\"");
}

#[test]
fn a_problem_with_a_line_gets_the_character_there() {
    for (text, line, column, expected) in [
        ("[{\"ä\": }]", 1, 9, (1, 8, "}")),
        ("a: b\nc: ]1\n", 2, 4, (2, 4, "]")),
        ("[", 9, 9, (1, 2, "")),
    ] {
        let mut problem = Problem::error("syntax", "", "");
        (problem.line, problem.column) = (Some(line), Some(column));
        let mut problems = [problem];
        locate(text, Format::guess("", text), &mut problems);
        let span = problems[0].span.unwrap();
        let found = (problems[0].line.unwrap(), problems[0].column.unwrap());
        assert_eq!((found.0, found.1, &text[span.offset..span.end()]), expected, "{text}");
    }
}

#[test]
fn related_places_are_found_on_the_way() {
    let yaml = "- task_id: a\n- task_id: a\n";
    let problem = Problem::error("duplicate-id", "[1].task_id", "").related("[0].task_id", "first");
    let mut problems = [problem];
    locate(yaml, Format::Yaml, &mut problems);
    assert_eq!((problems[0].line, problems[0].column), (Some(2), Some(12)));
    let related = &problems[0].related[0];
    assert_eq!((related.line, related.column), (Some(1), Some(12)));
}

#[test]
fn a_word_of_a_string_is_found_in_it() {
    let word = |text: &str, word: &str| {
        let mut problems = [Problem::error("x", "[0].d", "").quoting(word)];
        locate(text, Format::guess("", text), &mut problems);
        let span = problems[0].span.unwrap();
        let (line, column) = (problems[0].line.unwrap(), problems[0].column.unwrap());
        format!("{line}:{column} {}", &text[span.offset..span.end()])
    };
    let yaml = "- d: |\n    Say {{ results.a.b }}\n    {{ result.a }} {{ b }}\n";
    assert_eq!(word(yaml, "result"), "3:8 result");
    assert_eq!(word(yaml, "results.a"), "2:12 results.a");
    assert_eq!(word(yaml, "b"), "3:23 b");
    assert_eq!(word(yaml, "elsewhere"), "1:3 d");
    assert_eq!(word(yaml, ""), "1:3 d");
    assert_eq!(word(r#"[{"d": "{{ é }}{{ x"}]"#, "x"), "1:19 x");
}

#[test]
fn aliases_and_odd_keys_are_walked_past() {
    let yaml = "a: &x {b: 1}\n? [c, {d: e}]\n: {f: 2}\ng: *x\nh: {i: 3}\n";
    assert_eq!(place(yaml, "h.i"), "5:8 3");
    assert_eq!(place(yaml, "g"), "4:4 *x");
    assert_eq!(place(yaml, "g.b"), "4:1 g");
    assert_eq!(place("a:\n---\nb: 1\n", "b"), "nowhere");
}

#[test]
fn a_text_that_stops_making_sense_is_understood_up_to_there() {
    for text in
        ["[{\"a\": [1, 2", "[{\"a\": [1, 2}", "[{\"a\": [1, 2], \"b", "[{\"a\": [1, 2], b: 3}"]
    {
        assert_eq!(place(text, "[0].a[1]"), "1:12 2", "{text}");
    }
    assert_eq!(place("a: 1\nb: [1, 2\nc: }\n", "a"), "1:4 1");
    for text in ["", "[", "{", "{\"", "{\"a\"", "{\"a\":", "[[[[", "}", "\"", "\\"] {
        place(text, "[0].a");
        locate(text, Format::Json, &mut [Problem::error("x", "a[0]", "")]);
    }
}

#[test]
fn a_long_value_is_shown_by_its_key() {
    let json = format!("{{\"a\": \"{0}\", \"{0}\": 1}}", "x".repeat(1_000));
    assert_eq!(place(&json, "a"), "1:2 \"a\"");
    let long = place_of("unknown-field", &json, &"x".repeat(1_000));
    assert_eq!(long.len(), "1:1012 ".len() + LONGEST);
}

#[test]
fn nesting_and_numbers_of_problems_are_no_trouble() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(place(&deep, "[0][0]"), "1:3 ".to_owned() + &"[".repeat(LONGEST));
    let json = format!("[{}0]", "{\"task_id\": \"a\", \"b\": [1, {\"c\": 5}]}, ".repeat(10_000));
    let path = |n| format!("[{n}].b[1].c");
    let mut problems: Vec<Problem> =
        (0..10_000).map(|n| Problem::error("x", path(n), "")).collect();
    locate(&json, Format::Json, &mut problems);
    assert!(problems.iter().all(|problem| problem.span.is_some_and(|span| span.length == 1)));
    assert!(problems.is_sorted_by_key(|problem| problem.column));
}
