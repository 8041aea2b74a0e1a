use super::*;
use crate::source::locate;
use crate::spec::Format;

fn shown(text: &str, mut problems: Vec<Problem>, style: Style) -> String {
    locate(text, Format::guess("", text), &mut problems);
    report("w.yaml", text, &problems, style)
}

#[test]
fn a_problem_is_shown_with_its_text_and_the_remedy() {
    let text = "tasks:\n  - task_id: a\n    depends_on: [b]\n  - task_id: a\n";
    let problems = vec![
        Problem::warning("unused", "tasks[0]", "nobody waits for it"),
        Problem::error("plugin", "policy", "there is no plugin 'x'"),
        Problem::error("duplicate-id", "tasks[1].task_id", "the id 'a' is taken")
            .related("tasks[0].task_id", "it was first used here"),
        Problem::error("missing-dependency", "tasks[0].depends_on[0]", "there is no task 'b'")
            .hint("did you mean 'a'?"),
    ];
    assert_eq!(
        shown(text, problems, Style::PLAIN),
        "\
error[plugin]: there is no plugin 'x' (at policy in w.yaml)

error[missing-dependency]: there is no task 'b'
   ,-[w.yaml:3:18]
 2 |   - task_id: a
 3 |     depends_on: [b]
   :                  ^
 4 |   - task_id: a
   `----
  help: did you mean 'a'?

error[duplicate-id]: the id 'a' is taken
   ,-[w.yaml:4:14]
 1 | tasks:
 2 |   - task_id: a
   :              |
   :              `-- it was first used here
 3 |     depends_on: [b]
 4 |   - task_id: a
   :              ^
   `----

warning[unused]: nobody waits for it
   ,-[w.yaml:2:14]
 1 | tasks:
 2 |   - task_id: a
   :              ^
 3 |     depends_on: [b]
   `----

w.yaml: 3 errors, 1 warning
"
    );
}

#[test]
fn places_that_are_far_apart_are_shown_one_after_the_other() {
    let text = format!("- task_id: a\n{}- task_id: a\n", "#\n".repeat(100));
    let problem = Problem::error("duplicate-id", "[1].task_id", "the id 'a' is taken")
        .related("[0].task_id", "it was first used here");
    let shown = shown(&text, vec![problem], Style::PLAIN);
    for part in ["[w.yaml:1:12]", "[w.yaml:102:12]", "`-- it was first used here"] {
        assert!(shown.contains(part), "{shown}");
    }
    assert!(shown.lines().count() < 20, "{shown}");
}

#[test]
fn a_huge_line_and_a_flood_of_problems_are_not_printed_whole() {
    let item = "{\"task_id\": \"a\", \"timeot\": 1}, ";
    let text = format!("[{}1]", item.repeat(10_000));
    let problems = (0..10_000).map(|n| {
        let (problem, path) = (Problem::error, format!("[{n}].timeot"));
        problem("unknown-field", path, "there is no field 'timeot'").hint("'timeout'?")
    });
    let shown = shown(&text, problems.collect(), Style::PLAIN);
    assert!(shown.ends_with("w.yaml: 10000 errors; 9950 more than are shown here\n"), "{shown}");
    assert_eq!(shown.matches("error[unknown-field]").count(), MOST_SHOWN);
    assert!(shown.len() < MOST_SHOWN * 1_000, "{}", shown.len());
}

#[test]
fn terminals_get_colours_and_lines_of_their_width() {
    let style = Style { colours: true, unicode: true, width: Some(50) };
    let text = "a: b\n";
    let long = "a message that is longer than fits into one line of this terminal";
    let error = shown(text, vec![Problem::error("x", "a", long)], style);
    assert!(error.starts_with("\u{1b}[31merror[x]:\u{1b}[0m a message"), "{error}");
    assert!(error.contains("\u{1b}[31m   ─\u{1b}[0m"), "{error}");
    assert!(error.lines().all(|line| console_width(line) <= 50), "{error}");
    let warning = shown(text, vec![Problem::warning("x", "a", "y")], style);
    assert!(warning.starts_with("\u{1b}[33mwarning[x]:\u{1b}[0m y"), "{warning}");
}

/// Characters of a line without its escape sequences.
fn console_width(line: &str) -> usize {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default().chars().count();
    first
        + parts
            .map(|part| part.split_once('m').map_or(0, |(_, t)| t.chars().count()))
            .sum::<usize>()
}

#[test]
fn what_others_wrote_cannot_command_the_terminal() {
    let evil = "\u{1b}]0;x\u{7}\u{9b}31m";
    let problem = Problem::error("x", "a", evil).hint(evil).related("b", evil);
    let shown = shown("a: 1\nb: \"\u{1b}[31m\"\n", vec![problem], Style::PLAIN);
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
    let named = report(evil, "", &[Problem::error("x", evil, "y")], Style::PLAIN);
    assert!(!named.chars().any(|c| c.is_control() && c != '\n'), "{named:?}");
}

#[test]
fn places_outside_the_text_do_no_harm() {
    let mut problem = Problem::error("x", "", "y").related("z", "zz");
    (problem.line, problem.column) = (Some(7), Some(9_999));
    problem.span = Some(Span { offset: 77, length: 7 });
    problem.related[0].span = Some(Span { offset: usize::MAX / 2, length: 1 });
    (problem.related[0].line, problem.related[0].column) = (Some(1), Some(1));
    for text in ["a\n", "", "\n", "é", "a\r\n\u{feff}"] {
        assert!(report("w", text, &[problem.clone()], Style::PLAIN).contains("w:7:9999"));
    }
}
