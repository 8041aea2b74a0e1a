//! A *diagnosis* shows problems to the author of a file: what is wrong, the line
//! it is in, and what to do.

use std::fmt::Write as _;

use consort_core::problem::{Problem, Severity};

use crate::error::CommandError;
use crate::locate::locate;

/// Problems that are shown; whoever has more mends these first.
const MOST_SHOWN: usize = 100;
/// Characters of a line that are shown.
const WIDEST: usize = 120;

/// Finds the problems' lines and makes an error of them all.
pub(crate) fn problems(name: &str, text: &str, mut problems: Vec<Problem>) -> CommandError {
    locate(text, &mut problems);
    let shown = describe(name, text, &problems);
    CommandError::Problems { problems, shown }
}

fn describe(name: &str, text: &str, problems: &[Problem]) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut out = String::new();
    for problem in problems.iter().take(MOST_SHOWN) {
        describe_one(&mut out, name, &lines, problem).expect("writing to a string cannot fail");
        out.push('\n');
    }
    let count = match problems.len() {
        1 => "1 problem".to_owned(),
        count => format!("{count} problems"),
    };
    let more = match problems.len().saturating_sub(MOST_SHOWN) {
        0 => String::new(),
        _ => format!(", the first {MOST_SHOWN} are shown"),
    };
    out.push_str(&format!("{name}: {count}{more}\n"));
    out
}

fn describe_one(
    out: &mut String,
    name: &str,
    lines: &[&str],
    problem: &Problem,
) -> std::fmt::Result {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    writeln!(out, "{severity}[{}]: {}", problem.code, problem.message)?;
    let path = match problem.path.as_str() {
        "" => String::new(),
        path => format!(" at {path}"),
    };
    match (problem.line, problem.column.unwrap_or(1)) {
        (None, _) => writeln!(out, "  --> {name}{path}")?,
        (Some(line), column) => {
            writeln!(out, "  --> {name}:{line}:{column}{path}")?;
            if let Some(source) = lines.get(line - 1) {
                excerpt(out, line, column, source)?;
            }
        }
    }
    match &problem.hint {
        Some(hint) => writeln!(out, "  hint: {hint}"),
        None => Ok(()),
    }
}

/// The line with a mark under the column, if both fit.
fn excerpt(out: &mut String, line: usize, column: usize, source: &str) -> std::fmt::Result {
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let source: String =
        source.chars().take(WIDEST).map(|c| if c == '\t' { ' ' } else { c }).collect();
    writeln!(out, " {margin} |\n {number} | {}", source.trim_end())?;
    if column <= WIDEST {
        writeln!(out, " {margin} | {}^", " ".repeat(column - 1))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_shown_with_its_line_and_the_remedy() {
        let text = "tasks:\n  - task_id: a\n    depends_on: [b]\n";
        let mut problems = [
            Problem::error("missing-dependency", "tasks[0].depends_on[0]", "there is no task 'b'")
                .hint("did you mean 'a'?"),
            Problem::error("empty", "", "nothing here"),
        ];
        locate(text, &mut problems);
        assert_eq!(
            describe("w.yaml", text, &problems),
            "error[missing-dependency]: there is no task 'b'\n  \
             --> w.yaml:3:18 at tasks[0].depends_on[0]\n   \
             |\n 3 |     depends_on: [b]\n   |                  ^\n  \
             hint: did you mean 'a'?\n\n\
             error[empty]: nothing here\n  --> w.yaml\n\n\
             w.yaml: 2 problems\n"
        );
    }

    #[test]
    fn places_outside_the_text_do_no_harm() {
        let mut problem = Problem::error("x", "", "y");
        (problem.line, problem.column) = (Some(7), Some(9_999));
        assert!(describe("w", "a\n", &[problem]).contains("w:7:9999"));
    }
}
