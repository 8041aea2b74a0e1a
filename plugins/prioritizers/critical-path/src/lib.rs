//! The *critical-path* policy: the task that the most work waits for goes first,
//! so that the run as a whole ends early.

use consort_plugin_sdk::{Candidate, Prioritizer, Snapshot};

/// Longest remaining path first, ties by priority.
pub struct CriticalPath;

/// Priorities are at most 10, so a millisecond of path is worth more than all
/// of them.
const PER_MILLISECOND: u64 = 16;

/// Where a path counts as endless, 8,900 years: up to here scores are exact.
const LONGEST: u64 = 1 << 48;

impl Prioritizer for CriticalPath {
    fn score(batch: &[Candidate], _: &Snapshot) -> Result<Vec<f64>, String> {
        Ok(batch.iter().map(score).collect())
    }
}

consort_plugin_sdk::export_prioritizer!(CriticalPath, "plugin.json");

fn score(candidate: &Candidate) -> f64 {
    let path = candidate.remaining_path.min(LONGEST);
    (path * PER_MILLISECOND + u64::from(candidate.priority)) as f64
}

#[cfg(test)]
mod tests {
    use consort_plugin_sdk::testing::{candidate, order, snapshot};

    use super::*;

    fn task(id: u32, remaining_path: u64, priority: u8) -> Candidate {
        Candidate { remaining_path, priority, ..candidate(id) }
    }

    #[test]
    fn the_longest_path_goes_first_and_priority_breaks_ties() {
        let batch = [task(0, 999, 10), task(1, 1_000, 1), task(2, 1_000, 2), task(3, 5_000, 1)];
        assert_eq!(order(&batch, CriticalPath::score(&batch, &snapshot(0))), [3, 2, 1, 0]);
    }

    #[test]
    fn endless_paths_still_have_an_order() {
        let batch = [task(0, u64::MAX, 1), task(1, u64::MAX, 2), task(2, LONGEST - 1, 10)];
        assert_eq!(order(&batch, CriticalPath::score(&batch, &snapshot(0))), [1, 0, 2]);
    }
}
