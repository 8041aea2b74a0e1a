//! A *prioritizer* decides which ready task runs first.

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

impl Snapshot {
    /// The string that `kind` or `agent` of a candidate refers to; empty when
    /// the index is out of range, which no host that keeps its contract sends.
    pub fn name(&self, index: u32) -> &str {
        self.names.get(index as usize).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::snapshot;

    #[test]
    fn names_are_looked_up_by_index() {
        let mut now = snapshot(0);
        now.names = vec!["task".into(), "writer".into()];
        assert_eq!(now.name(1), "writer");
        assert_eq!(now.name(7), "");
    }
}
