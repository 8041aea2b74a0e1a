//! What tests and the fuzz target share.

use consort_core::plan::{Known, compile};
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
    let compiled = match utf8(bytes) {
        Ok(text) => parse(text, format).and_then(|document| compile(document, &known(), NOW)),
        Err(problems) => Err(problems),
    };
    let mut problems = match compiled {
        Ok(plan) if plan.warnings.is_empty() => return String::new(),
        Ok(plan) => plan.warnings,
        Err(problems) => problems,
    };
    locate(&text, format, &mut problems);
    report(name, &text, &problems, Style::PLAIN)
}

/// A host with a few plugins and no default agent.
fn known() -> Known {
    Known {
        adapters: ["echo", "local", "openai"].map(Into::into).into(),
        transformers: ["jq", "json-schema", "text"].map(Into::into).into(),
        ..Known::default()
    }
}
