//! A *prioritizer* decides which ready task runs first.

use std::time::Duration;

pub use crate::bindings::prioritizer::exports::consort::prioritizer::prioritizer::{
    Candidate, Snapshot,
};

/// Scores ready tasks; exported with
/// [`export_prioritizer!`](crate::export_prioritizer).
///
/// The host keeps one instance and calls it once per scheduling tick. State may
/// be kept between calls but must not be relied on.
pub trait Prioritizer {
    /// Scores every candidate, in the order of the batch; the larger score
    /// starts first, equal scores start in the order they became ready. A score
    /// stands until the task starts, so ageing must be an order that does not
    /// change as time passes, such as `priority × weight − ready_at`. NaN or a
    /// list of another length makes the host use its built-in order this tick.
    fn score(batch: &[Candidate], now: &Snapshot) -> Result<Vec<f64>, String>;
}

impl Candidate {
    /// Explicit priority with ageing: a task that has waited for `ageing` longer
    /// goes before one whose priority is one level higher, so nothing starves.
    /// The order does not change as time passes.
    pub fn aged_priority(&self, ageing: Duration) -> f64 {
        f64::from(self.priority) * (ageing.as_secs_f64() * 1000.0) - self.ready_at as f64
    }
}

impl Snapshot {
    /// The string that `kind` or `agent` of a candidate refers to; empty when
    /// the index is out of range, which no host that keeps its contract sends.
    pub fn name(&self, index: u32) -> &str {
        self.names.get(index as usize).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::testing::{candidate, snapshot};

    #[test]
    fn waiting_makes_up_for_a_lower_priority() {
        let ageing = Duration::from_secs(10);
        let mut urgent = candidate(0);
        urgent.priority = 6;
        let waiting = candidate(1);
        for (ready_at, urgent_first) in [(0, true), (9_999, true), (10_001, false)] {
            urgent.ready_at = ready_at;
            assert_eq!(
                urgent.aged_priority(ageing) > waiting.aged_priority(ageing),
                urgent_first,
                "{ready_at}"
            );
        }
    }

    #[test]
    fn names_are_looked_up_by_index() {
        let mut now = snapshot(0);
        now.names = vec!["task".into(), "writer".into()];
        assert_eq!(now.name(1), "writer");
        assert_eq!(now.name(7), "");
    }
}
