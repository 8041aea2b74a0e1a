//! A *report* shows problems to the author of a file: what is wrong, the text it
//! is about, and what to do.

use std::fmt;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, ThemeCharacters, ThemeStyles,
};

use crate::problem::{Problem, Severity, Span};
use crate::source::{Excerpt, Shown, printable};

/// Problems that are shown; whoever has more mends these first.
pub const MOST_SHOWN: usize = 50;

/// How reports look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether severity is told by colours, too.
    pub colours: bool,
    /// Whether lines are drawn with characters beyond ASCII.
    pub unicode: bool,
    /// Columns to break sentences at.
    pub width: Option<usize>,
}

impl Style {
    /// For files, pipes and tests.
    pub const PLAIN: Self = Self { colours: false, unicode: false, width: None };
}

/// Shows the problems of a text that is called `name`; they have been
/// [located](crate::source::locate). Errors come first, each kind in the order
/// of the text, what has no place in it before the rest; of more than [`MOST_SHOWN`], the rest is counted.
pub fn report(name: &str, text: &str, problems: &[Problem], style: Style) -> String {
    let mut order: Vec<&Problem> = problems.iter().collect();
    order.sort_by_key(|problem| (problem.severity == Severity::Warning, problem.span));
    let mut out = String::new();
    for problem in order.iter().take(MOST_SHOWN) {
        show(&mut out, name, text, problem, style);
        out.push('\n');
    }
    out.push_str(&summary(name, problems));
    out
}

/// One line that counts them.
fn summary(name: &str, problems: &[Problem]) -> String {
    let warnings = problems.iter().filter(|p| p.severity == Severity::Warning).count();
    let errors = problems.len() - warnings;
    let counted = |count: usize, what: &str| match count {
        0 => None,
        1 => Some(format!("1 {what}")),
        _ => Some(format!("{count} {what}s")),
    };
    let counts: Vec<String> =
        [counted(errors, "error"), counted(warnings, "warning")].into_iter().flatten().collect();
    let hidden = match problems.len().saturating_sub(MOST_SHOWN) {
        0 => String::new(),
        more => format!("; {more} more than are shown here"),
    };
    let name: String = printable(name).collect();
    format!("{name}: {}{hidden}\n", counts.join(", "))
}

fn show(out: &mut String, name: &str, text: &str, problem: &Problem, style: Style) {
    let shown = |span: Option<Span>, line: Option<usize>, column: Option<usize>| {
        Some(Shown { span: span?, line: line?, column: column? })
    };
    let related = problem.related.iter();
    let own = shown(problem.span, problem.line, problem.column);
    let related: Vec<(Shown, &str)> = related
        .filter_map(|r| Some((shown(r.span, r.line, r.column)?, r.label.as_str())))
        .collect();
    let mut places: Vec<Shown> = own.into_iter().collect();
    let mut labels = vec![""; places.len()];
    places.extend(related.iter().map(|(shown, _)| *shown));
    labels.extend(related.iter().map(|(_, label)| *label));

    let excerpt = Excerpt::new(name, text, &places);
    let finding = Finding { problem, excerpt, labels };
    let mut drawn = String::new();
    finding
        .handler(style)
        .render_report(&mut drawn, &finding)
        .expect("an excerpt holds its own places, and writing to a string cannot fail");
    // miette indents what is the first line here.
    out.push_str(drawn.strip_prefix("  ").unwrap_or(&drawn));
}

/// A problem as miette draws it.
#[derive(Debug)]
struct Finding<'p> {
    problem: &'p Problem,
    excerpt: Excerpt,
    /// For each place of the excerpt what is said there, if anything.
    labels: Vec<&'p str>,
}

impl Finding<'_> {
    fn handler(&self, style: Style) -> GraphicalReportHandler {
        let mut characters =
            if style.unicode { ThemeCharacters::unicode() } else { ThemeCharacters::ascii() };
        let code = self.problem.code;
        characters.error = format!("error[{code}]:");
        characters.warning = format!("warning[{code}]:");
        let mut styles = if style.colours { ThemeStyles::ansi() } else { ThemeStyles::none() };
        let own = match self.problem.severity {
            Severity::Error => styles.error,
            Severity::Warning => styles.warning,
        };
        // miette gives styles to places in the order of the text.
        let mut places: Vec<usize> = (0..self.labels.len()).collect();
        places.sort_by_key(|place| self.excerpt.spans[*place]);
        let of = |place: &usize| if self.labels[*place].is_empty() { own } else { styles.advice };
        styles.highlights = places.iter().map(of).collect();
        styles.highlights.push(own);
        GraphicalReportHandler::new_themed(GraphicalTheme { characters, styles })
            .with_links(false)
            .with_context_lines(1)
            .without_syntax_highlighting()
            .with_wrap_lines(style.width.is_some())
            .with_width(style.width.unwrap_or(usize::MAX).max(40))
    }
}

impl fmt::Display for Finding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        printable(&self.problem.message).try_for_each(|c| fmt::Write::write_char(f, c))?;
        if self.problem.span.is_none() && !self.problem.path.is_empty() {
            let place = format!(" (at {} in {})", self.problem.path, self.excerpt.name());
            printable(&place).try_for_each(|c| fmt::Write::write_char(f, c))?;
        }
        Ok(())
    }
}

impl std::error::Error for Finding<'_> {}

impl Diagnostic for Finding<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.problem.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let hint = self.problem.hint.as_ref()?;
        Some(Box::new(printable(hint).collect::<String>()))
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(&self.excerpt)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let places = self.excerpt.spans.iter().zip(&self.labels);
        Some(Box::new(places.map(|(span, label)| {
            let label = (!label.is_empty()).then(|| printable(label).collect());
            match label {
                None => LabeledSpan::new_primary_with_span(None, (span.offset, span.length)),
                Some(_) => LabeledSpan::new(label, span.offset, span.length),
            }
        })))
    }
}

#[cfg(test)]
mod tests;
