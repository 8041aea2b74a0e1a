//! A *figure* is one measured number; its *bar* is what it has to reach.

use std::fmt;

use serde::Serialize;

/// All figures of one run of the benchmark.
#[derive(Debug, Serialize)]
pub(crate) struct Table {
    /// Processors that may be used.
    processors: usize,
    /// Programs that wanted one when the benchmark began, over the last minute.
    load: Option<f64>,
    figures: Vec<Figure>,
}

/// One measured number.
#[derive(Debug, Serialize)]
struct Figure {
    what: String,
    value: f64,
    unit: &'static str,
    bar: Option<Bar>,
    reached: bool,
}

/// What a figure has to reach.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bar {
    AtLeast(f64),
    AtMost(f64),
}

impl Table {
    pub(crate) fn new() -> Self {
        let load = std::fs::read_to_string("/proc/loadavg").ok();
        Self {
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            load: load.and_then(|text| text.split(' ').next()?.parse().ok()),
            figures: Vec::new(),
        }
    }

    /// Adds a figure with a bar, and says so at once: measuring takes a while.
    pub(crate) fn figure(&mut self, what: &str, value: f64, unit: &'static str, bar: Bar) {
        self.add(what, value, unit, Some(bar));
    }

    /// Adds a figure that explains others.
    pub(crate) fn detail(&mut self, what: &str, value: f64, unit: &'static str) {
        self.add(what, value, unit, None);
    }

    fn add(&mut self, what: &str, value: f64, unit: &'static str, bar: Option<Bar>) {
        let reached = match bar {
            Some(Bar::AtLeast(least)) => value >= least,
            Some(Bar::AtMost(most)) => value <= most,
            None => true,
        };
        eprintln!("{what}: {} {unit}", number(value));
        self.figures.push(Figure { what: what.to_owned(), value, unit, bar, reached });
    }

    pub(crate) fn all_reached(&self) -> bool {
        self.figures.iter().all(|figure| figure.reached)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let load = self.load.map_or_else(String::new, |load| format!(", load {load} at the start"));
        writeln!(f, "\n{} processors{load}\n", self.processors)?;
        writeln!(f, "{:<58} {:>10} {:<8} {:>14}", "figure", "value", "unit", "bar")?;
        for Figure { what, value, unit, bar, reached } in &self.figures {
            let (bar, verdict) = match bar {
                Some(Bar::AtLeast(least)) => (format!("at least {}", number(*least)), *reached),
                Some(Bar::AtMost(most)) => (format!("at most {}", number(*most)), *reached),
                None => (String::new(), true),
            };
            let verdict = match (bar.is_empty(), verdict) {
                (true, _) => "",
                (false, true) => "  pass",
                (false, false) => "  FAIL",
            };
            let value = number(*value);
            writeln!(f, "{:<58} {value:>10} {unit:<8} {bar:>14}{verdict}", what)?;
        }
        Ok(())
    }
}

/// Three digits that matter, or all there are.
fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        medium if medium >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
