//! The *deadline* policy: the task with the least slack goes first. Slack is the
//! time until a task would have to start to be finished by its deadline.
//!
//! Slack shrinks for all tasks alike, so their order is that of their latest
//! starts, `deadline − expected`, and needs no clock. Tasks without a deadline
//! come after those with one, by priority with ageing.

use std::time::Duration;

use consort_plugin_sdk::{Candidate, Prioritizer, Snapshot, config};
use serde::Deserialize;

/// Least slack first.
pub struct Deadline;

/// Times and aged priorities beyond this many milliseconds from the epoch,
/// 35,000 years, count as this: it keeps the two groups apart.
const FARTHEST: i64 = 1 << 50;

/// Lifts tasks with a deadline above those without; scores stay exact to a
/// millisecond.
const WITH_DEADLINE: f64 = (1_i64 << 52) as f64;

impl Prioritizer for Deadline {
    fn score(batch: &[Candidate], _: &Snapshot) -> Result<Vec<f64>, String> {
        let ageing = Config::read()?;
        Ok(batch.iter().map(|candidate| score(candidate, ageing)).collect())
    }
}

consort_plugin_sdk::export_prioritizer!(Deadline, "plugin.json");

fn score(candidate: &Candidate, ageing: Duration) -> f64 {
    match candidate.deadline {
        Some(deadline) => {
            let latest_start = deadline.saturating_sub_unsigned(candidate.expected);
            WITH_DEADLINE - latest_start.clamp(-FARTHEST, FARTHEST) as f64
        }
        None => candidate.aged_priority(ageing).clamp(-FARTHEST as f64, FARTHEST as f64),
    }
}

/// What the operator can say; `plugin.json` says what it means.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    ageing: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { ageing: 60.0 }
    }
}

impl Config {
    fn read() -> Result<Duration, String> {
        let config: Self =
            config::parse(&config::get()).map_err(|failure| failure.message().to_owned())?;
        match Duration::try_from_secs_f64(config.ageing) {
            Ok(ageing) if !ageing.is_zero() => Ok(ageing),
            _ => Err(format!("'ageing' is {}; use a number of seconds above 0", config.ageing)),
        }
    }
}

#[cfg(test)]
mod tests {
    use consort_plugin_sdk::testing::{candidate, order, set_config, snapshot};

    use super::*;

    fn due(id: u32, deadline: i64, expected: u64) -> Candidate {
        Candidate { deadline: Some(deadline), expected, ..candidate(id) }
    }

    fn open(id: u32, priority: u8, ready_at: i64) -> Candidate {
        Candidate { priority, ready_at, ..candidate(id) }
    }

    fn ordered(batch: &[Candidate]) -> Vec<u32> {
        order(batch, Deadline::score(batch, &snapshot(0)))
    }

    #[test]
    fn the_least_slack_goes_first() {
        let now = 1_800_000_000_000;
        let batch = [due(0, now + 9_000, 1_000), due(1, now + 9_001, 1_002), due(2, now - 5, 0)];
        assert_eq!(ordered(&batch), [2, 1, 0]);
    }

    #[test]
    fn tasks_without_a_deadline_come_after_and_do_not_starve_each_other() {
        let batch =
            [open(0, 10, 0), due(1, i64::MAX, 0), open(2, 1, -10 * 60_000), open(3, 1, -60_000)];
        assert_eq!(ordered(&batch), [1, 2, 0, 3]);
    }

    #[test]
    fn extreme_times_do_not_mix_the_groups() {
        let batch = [open(0, 10, i64::MIN), due(1, i64::MAX, 0), due(2, i64::MIN, u64::MAX)];
        assert_eq!(ordered(&batch), [2, 1, 0]);
    }

    #[test]
    fn ageing_is_the_operators() {
        let batch = [open(0, 1, 0), open(1, 2, 5_000)];
        assert_eq!(ordered(&batch), [1, 0]);
        set_config(r#"{"ageing": 4.5}"#);
        assert_eq!(ordered(&batch), [0, 1]);
        set_config(r#"{"ageing": -1}"#);
        assert!(Deadline::score(&batch, &snapshot(0)).unwrap_err().contains("'ageing' is -1"));
    }
}
