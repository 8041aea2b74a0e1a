//! Checks one workflow file as `consort validate` does, without a host's plugins,
//! and says how long each part took: `cargo run --example check -- flow.json`.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use consort_core::plan::{Known, compile};
use consort_core::report::{Style, report};
use consort_core::source::locate;
use consort_core::spec::{Format, parse, utf8};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).ok_or("usage: check FILE")?;
    let start = Instant::now();
    let bytes = std::fs::read(&name)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| "not UTF-8")
        .or_else(|_| utf8(&bytes).map_err(|problems| problems[0].to_string()))?;
    let format = Format::guess(&name, text);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
    let known = Known { adapters: vec!["echo".into()], anything: true, ..Known::default() };
    let read = start.elapsed();
    let checked = parse(text, format).map(|document| (start.elapsed(), document));
    let checked = checked.and_then(|(parsed, document)| {
        compile(document, &known, now).map(|plan| (parsed, start.elapsed(), plan))
    });
    let mut problems = match checked {
        Ok((parsed, compiled, plan)) => {
            let tasks = plan.tasks.len();
            println!("{tasks} tasks; read {read:?}, parsed {parsed:?}, compiled {compiled:?}");
            plan.warnings
        }
        Err(problems) => problems,
    };
    locate(text, format, &mut problems);
    print!("{}", report(&name, text, &problems, Style::PLAIN));
    Ok(())
}
