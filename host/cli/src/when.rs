//! *When* something was, and how long ago it may be.

use std::str::FromStr;
use std::time::Duration;

/// A moment in milliseconds since the epoch, as RFC 3339 in UTC.
pub(crate) fn moment(millis: i64) -> String {
    spell(millis, "%Y-%m-%dT%H:%M:%SZ")
}

/// The same with milliseconds.
pub(crate) fn exact(millis: i64) -> String {
    spell(millis, "%Y-%m-%dT%H:%M:%S%.3fZ")
}

fn spell(millis: i64, format: &str) -> String {
    match jiff::Timestamp::from_millisecond(millis) {
        Ok(at) => at.strftime(format).to_string(),
        Err(_) => millis.to_string(),
    }
}

/// A span of time as people write it: `30d`, `12h`, `1h 30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let span: jiff::SignedDuration = match text.trim().strip_suffix('d') {
            // A day is 24 hours here, which a calendar would not say.
            Some(days) if !days.is_empty() && days.bytes().all(|c| c.is_ascii_digit()) => {
                let days: i64 = days.parse().map_err(|_| too_long(text))?;
                jiff::SignedDuration::from_hours(
                    days.checked_mul(24).ok_or_else(|| too_long(text))?,
                )
            }
            _ => text.parse().map_err(|_| {
                format!("'{text}' is not a span of time; write one such as 30d, 12h or '1h 30m'")
            })?,
        };
        Duration::try_from(span).map(Self).map_err(|_| format!("'{text}' is negative"))
    }
}

fn too_long(text: &str) -> String {
    format!("'{text}' is too long")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        let seconds = |text: &str| text.parse::<Span>().map(|span| span.0.as_secs());
        assert_eq!(seconds("30d"), Ok(30 * 86_400));
        assert_eq!(seconds("1h 30m"), Ok(5_400));
        assert_eq!(seconds("0s"), Ok(0));
        for wrong in ["soon", "", "d", "-1h", "99999999999999999999d"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn moments_are_in_utc() {
        assert_eq!(moment(1_800_000_000_000), "2027-01-15T08:00:00Z");
        assert_eq!(exact(1_800_000_000_042), "2027-01-15T08:00:00.042Z");
    }
}
