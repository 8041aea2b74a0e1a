//! Durations as (fractional) *seconds*, the way configurations spell them: for
//! `#[serde(with = "seconds")]`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de};

pub(crate) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(value.as_secs_f64())
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(from)?;
    match Duration::try_from_secs_f64(seconds) {
        // Timers cannot look further ahead than some hundred years.
        Ok(duration) if (1e-3..=1e9).contains(&seconds) => Ok(duration),
        _ => Err(de::Error::custom("a timeout is a number of seconds, 0.001 or more")),
    }
}
