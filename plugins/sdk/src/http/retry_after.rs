//! *Retry-After*: how long a server asks to be left alone.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::http::Headers;

/// Where servers say it: the standard's header, and what proxies make of the
/// one they got from behind them.
const NAMES: [&str; 2] = ["retry-after", "llm_provider-retry-after"];

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// How long the server asks to be left alone: in milliseconds (the unofficial
/// `retry-after-ms`, which is the more precise), in seconds, or until a date, which
/// counts from the server's own `Date` where there is one. A date in the past
/// is zero; anything unintelligible is none.
pub fn retry_after(headers: &Headers) -> Option<Duration> {
    if let Some(millis) = headers.get("retry-after-ms").and_then(|ms| ms.trim().parse::<f64>().ok())
    {
        return Duration::try_from_secs_f64(millis / 1000.0).ok();
    }
    let value = NAMES.iter().find_map(|name| headers.get(name))?.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let until = parse_date(value)?;
    let now = headers
        .get("date")
        .and_then(parse_date)
        .or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|now| now.as_secs()))?;
    Some(Duration::from_secs(until.saturating_sub(now)))
}

/// Seconds since the Unix epoch of an HTTP date in any of the three forms of
/// RFC 9110, section 5.6.7.
fn parse_date(text: &str) -> Option<u64> {
    let (mut day, mut month, mut year, mut seconds) = (None, None, None, None);
    for word in text.split([' ', ',', '-']).filter(|word| !word.is_empty()) {
        if word.contains(':') {
            seconds = Some(parse_time(word)?);
        } else if let Ok(number) = word.parse::<u64>() {
            if day.is_none() {
                day = Some(number);
            } else {
                year = Some(if word.len() == 2 { century(number) } else { number });
            }
        } else if let Some(start) = word.get(..3) {
            let name = start.to_ascii_lowercase();
            month = month.or(MONTHS.iter().position(|&month| month == name));
        }
    }
    let days = days_since_epoch(year?, month? as u64 + 1, day?)?;
    Some(days * 86_400 + seconds?)
}

fn parse_time(text: &str) -> Option<u64> {
    let mut parts = text.split(':').map(|part| part.parse::<u64>().ok().filter(|&n| n <= 60));
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    (hours < 24 && parts.next().is_none()).then_some(hours * 3600 + minutes * 60 + seconds)
}

/// The year that two digits mean: retry dates lie ahead.
fn century(year: u64) -> u64 {
    if year < 70 { 2000 + year } else { 1900 + year }
}

/// Howard Hinnant's `days_from_civil`, for years from 1970.
fn days_since_epoch(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    days.checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(fields: &[(&str, &str)]) -> Option<u64> {
        retry_after(&fields.iter().copied().collect()).map(|wait| wait.as_millis() as u64)
    }

    #[test]
    fn seconds_may_be_whole_or_not() {
        assert_eq!(wait(&[("retry-after", "2")]), Some(2000));
        assert_eq!(wait(&[("retry-after", " 0.25 ")]), Some(250));
        assert_eq!(wait(&[("llm_provider-retry-after", "7")]), Some(7000));
        assert_eq!(wait(&[("retry-after", "1"), ("retry-after-ms", "820")]), Some(820));
        assert_eq!(wait(&[("retry-after", "-1")]), None);
        assert_eq!(wait(&[("retry-after", "soon")]), None);
        assert_eq!(wait(&[]), None);
    }

    #[test]
    fn a_date_counts_from_the_servers_own_clock() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:00 GMT");
        for until in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(wait(&[date, ("retry-after", until)]), Some(37_000), "{until}");
        }
        assert_eq!(wait(&[date, ("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")]), Some(0));
    }

    #[test]
    fn dates_are_counted_through_leap_years() {
        assert_eq!(parse_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(parse_date("Tue, 29 Feb 2000 12:00:00 GMT"), Some(951_825_600));
        assert_eq!(parse_date("Sun, 22 Nov 2026 00:00:00 GMT"), Some(1_795_305_600));
        assert_eq!(parse_date("Sun, 22 Foo 2026 00:00:00 GMT"), None);
    }
}
