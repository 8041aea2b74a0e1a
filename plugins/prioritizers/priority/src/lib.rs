//! The *priority* policy: highest explicit priority first, with ageing.
//!
//! A score is `priority × ageing − ready_at`. It is never compared at two
//! times, only with other scores, so it needs no clock: of two tasks, the one
//! that has waited for `ageing` longer beats one level of priority.

use std::time::Duration;

use consort_plugin_sdk::{Candidate, Prioritizer, Snapshot, config};
use serde::Deserialize;

/// Highest priority first.
pub struct Priority;

impl Prioritizer for Priority {
    fn score(batch: &[Candidate], _: &Snapshot) -> Result<Vec<f64>, String> {
        let ageing = Config::read()?;
        Ok(batch.iter().map(|candidate| candidate.aged_priority(ageing)).collect())
    }
}

consort_plugin_sdk::export_prioritizer!(Priority, "plugin.json");

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

    fn task(id: u32, priority: u8, ready_at: i64) -> Candidate {
        Candidate { priority, ready_at, ..candidate(id) }
    }

    #[test]
    fn the_highest_priority_goes_first_and_age_breaks_ties() {
        let batch = [task(0, 5, 1_000), task(1, 10, 2_000), task(2, 5, 500)];
        assert_eq!(order(&batch, Priority::score(&batch, &snapshot(3_000))), [1, 2, 0]);
    }

    #[test]
    fn a_task_of_the_lowest_priority_does_not_starve() {
        let old = task(0, 1, 0);
        let starved_after = (0..20).map(|minute| task(1, 10, minute * 60_000)).position(|urgent| {
            let batch = [old, urgent];
            order(&batch, Priority::score(&batch, &snapshot(0))) == [0, 1]
        });
        assert_eq!(starved_after, Some(9));
    }

    #[test]
    fn ageing_is_the_operators() {
        let batch = [task(0, 1, 0), task(1, 2, 5_000)];
        assert_eq!(order(&batch, Priority::score(&batch, &snapshot(0))), [1, 0]);
        set_config(r#"{"ageing": 4.5}"#);
        assert_eq!(order(&batch, Priority::score(&batch, &snapshot(0))), [0, 1]);
        set_config(r#"{"ageing": 0}"#);
        assert!(Priority::score(&batch, &snapshot(0)).unwrap_err().contains("'ageing' is 0"));
        set_config(r#"{"aging": 1}"#);
        assert!(Priority::score(&batch, &snapshot(0)).unwrap_err().contains("aging"));
    }
}
