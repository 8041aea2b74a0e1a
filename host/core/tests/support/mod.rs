//! What tests and the fuzz target share.

use consort_core::plan::{Checked, Known, Needs, check as look_through, compile_with_needs};
use consort_core::problem::Problem;
use consort_core::report::{Style, report};
use consort_core::source::locate;
use consort_core::spec::{Format, parse, utf8};

/// When all this happens, in milliseconds since the Unix epoch: 2027.
const NOW: i64 = 1_800_000_000_000;

/// The report on a file, as it would be written to a file: empty if nothing is
/// wrong.
pub(crate) fn check(name: &str, bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let format = Format::guess(name, &text);
    let document = utf8(bytes).and_then(|text| parse(text, format));
    let (mut problems, needs) = match document {
        Ok(document) => {
            let compiled = compile_with_needs(document.clone(), &known(), NOW);
            let problems = compiled.plan.map_or_else(|problems| problems, |plan| plan.warnings);
            let Checked { problems: the_same, .. } = look_through(document, &known(), NOW);
            assert_eq!(problems, the_same, "{name}: a plan makes no difference");
            (problems, compiled.needs)
        }
        Err(problems) => (problems, Needs::default()),
    };
    show_needs(name, &text, format, &needs);
    if problems.is_empty() {
        return String::new();
    }
    locate(&text, format, &mut problems);
    report(name, &text, &problems, Style::PLAIN)
}

/// Whatever a plugin says about what it is told can be shown.
fn show_needs(name: &str, text: &str, format: Format, needs: &Needs) {
    let agents = needs.agents.iter().map(|need| need.path());
    let transformers = needs.transformers.iter().map(|(path, _)| path.clone());
    let urls = needs.urls.iter().map(|need| need.path.clone());
    let schemas = needs.schemas.iter().map(|(path, _)| path.clone());
    let paths = agents.chain(transformers).chain(urls).chain(schemas);
    let problem = |path| Problem::error("bad-config", path, "it does not please");
    let mut problems: Vec<Problem> = paths.map(problem).collect();
    locate(text, format, &mut problems);
    for Problem { path, span, .. } in &problems {
        assert!(span.is_some() || path.starts_with("agents."), "{name}: {path} is nowhere");
    }
    report(name, text, &problems, Style::PLAIN);
}

/// A host with a few plugins and no default agent.
fn known() -> Known {
    Known {
        adapters: ["echo", "local", "openai"].map(Into::into).into(),
        transformers: ["jq", "json-schema", "text"].map(Into::into).into(),
        ..Known::default()
    }
}
