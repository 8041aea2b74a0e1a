//! Numbers of a text that are not what they say once they have been read:
//! integers of more than 64 bits, and decimals with more digits than a
//! floating-point number holds.

use std::borrow::Cow;
use std::iter::Peekable;

use super::{Kind, Listener, walk};
use crate::problem::{Problem, Span};
use crate::spec::{Format, brief};

/// Numbers of one text that are reported.
const MOST: usize = 100;

/// A warning for each number that changes when it is read.
pub(crate) fn inexact_numbers(text: &str, format: Format) -> impl Iterator<Item = Problem> {
    let mut numbers = Numbers { text, around: Vec::new(), found: Vec::new() };
    walk(text, format, &mut numbers);
    numbers.found.into_iter()
}

struct Numbers<'t> {
    text: &'t str,
    around: Vec<Frame>,
    found: Vec<Problem>,
}

/// A list or an object that the walk is in.
enum Frame {
    /// The number of the next item.
    List(usize),
    /// The key of the next value.
    Object(String),
}

impl Numbers<'_> {
    /// Where the value is that was passed last.
    fn path(&self) -> String {
        let mut path = String::new();
        for frame in &self.around {
            match frame {
                Frame::List(next) => path.push_str(&format!("[{}]", next.saturating_sub(1))),
                Frame::Object(key) => {
                    path.push_str(if path.is_empty() { "" } else { "." });
                    path.push_str(&brief(key));
                }
            }
        }
        path
    }

    fn next(&mut self) {
        if let Some(Frame::List(next)) = self.around.last_mut() {
            *next += 1;
        }
    }
}

impl Listener for Numbers<'_> {
    fn key(&mut self, name: &str, _: Span) {
        if let Some(Frame::Object(key)) = self.around.last_mut() {
            name.clone_into(key);
        }
    }

    fn open(&mut self, kind: Kind, _: usize) -> bool {
        self.next();
        self.around.push(match kind {
            Kind::List => Frame::List(0),
            Kind::Object => Frame::Object(String::new()),
        });
        true
    }

    fn close(&mut self, _: usize) {
        self.around.pop();
    }

    fn scalar<'t>(&mut self, span: Span, _: impl FnOnce() -> Cow<'t, str>) {
        self.next();
        let written = self.text.get(span.offset..span.end()).unwrap_or_default();
        if self.found.len() < MOST
            && let Some(problem) = change(written)
        {
            let path = self.path();
            self.found.push(Problem { path, span: Some(span), ..problem });
        }
    }
}

/// How a number changes when it is read, if it is one and does.
fn change(written: &str) -> Option<Problem> {
    if !written.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return None;
    }
    let whole = written.strip_prefix('+').unwrap_or(written);
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if integer && (whole.parse::<i64>().is_ok() || whole.parse::<u64>().is_ok()) {
        return None;
    }
    let read: f64 = written.parse().ok().filter(|read: &f64| read.is_finite())?;
    let held = format!("{read:e}");
    if !integer && Decimal::of(whole)? == Decimal::of(&held)? {
        return None;
    }
    let what = if integer { "integer of more than 64 bits" } else { "number" };
    let message = format!("this {what} is held as {held}, which not all of its digits survive");
    let problem = Problem::warning("inexact-number", "", message);
    Some(problem.hint("put it in quotes to pass it on as it is, or give fewer digits"))
}

/// What a decimal means: its digits without zeros at either end, and how many
/// places the point is behind the first of them.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    digits: String,
    point: i64,
}

impl Decimal {
    fn of(written: &str) -> Option<Self> {
        let unsigned = written.trim_start_matches(['-', '+']);
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let exponent: i64 = exponent.parse().ok()?;
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits = whole.bytes().chain(fraction.bytes()).peekable();
        let zeros = leading_zeros(&mut digits);
        let digits = String::from_utf8(digits.collect()).ok()?;
        let digits = digits.trim_end_matches('0').to_owned();
        let point = if digits.is_empty() { 0 } else { whole.len() as i64 + exponent - zeros };
        Some(Self { digits, point })
    }
}

/// Passes zeros and says how many there were.
fn leading_zeros(digits: &mut Peekable<impl Iterator<Item = u8>>) -> i64 {
    let mut zeros = 0;
    while digits.next_if_eq(&b'0').is_some() {
        zeros += 1;
    }
    zeros
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_survive_are_not_reported() {
        for number in [
            "0",
            "-1",
            "0.1",
            "1.50",
            "100e-2",
            "1e5",
            "1E+22",
            "0.30000000000000004",
            "-0.0",
            "9223372036854775807",
            "-9223372036854775808",
            "18446744073709551615",
            "5e-324",
            "abc",
            "-",
            "+",
            "-x",
            "1.2.3",
            "0x10",
            "2026-01-01",
            "",
            "1e99999",
        ] {
            assert_eq!(change(number), None, "{number}");
        }
    }

    #[test]
    fn numbers_that_change_are() {
        for number in [
            "18446744073709551616",
            "-9223372036854775809",
            "+99999999999999999999",
            "100000000000000000000",
            "3.14159265358979323846",
            "0.10000000000000000001",
            "1e-400",
            "123456789.123456789123456789e3",
        ] {
            let problem = change(number).unwrap_or_else(|| panic!("{number}"));
            assert_eq!(problem.code, "inexact-number");
        }
    }

    #[test]
    fn they_are_found_wherever_they_stand() {
        let json =
            r#"{"a": [1, {"b": 99999999999999999999}], "c": "99999999999999999999", "d": 0.5}"#;
        let yaml = "a:\n- 1\n- b: 99999999999999999999\nc: '99999999999999999999'\nd: |\n  99999999999999999999\n";
        for (text, format) in [(json, Format::Json), (yaml, Format::Yaml)] {
            let found: Vec<Problem> = inexact_numbers(text, format).collect();
            let [problem] = found.as_slice() else { panic!("{found:?}") };
            assert_eq!(problem.path, "a[1].b");
            let span = problem.span.expect("it is in the text");
            assert_eq!(&text[span.offset..span.end()], "99999999999999999999");
        }
    }
}
