use std::sync::Arc;

use super::*;
use crate::testing::{broken, host, load};
use crate::{FaultKind, Limits};

/// Scores one candidate with the number of calls this instance has had, and
/// traps when the candidate's id (its first field) is 13.
const COUNTING: &str = "
    (if (i32.eq (i32.load (local.get $batch)) (i32.const 13)) (then (unreachable)))
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (f64.store (i32.const 96) (f64.convert_i32_u (global.get $calls)))
    (i32.store (i32.const 68) (i32.const 96))
    (i32.store (i32.const 72) (i32.const 1))
    (i32.const 64)";

fn candidate(id: u32) -> Candidate {
    Candidate {
        id,
        kind: 0,
        agent: 0,
        priority: 5,
        attempt: 1,
        ready_at: 0,
        deadline: None,
        expected: 1000,
        remaining_path: 1000,
        dependents: 0,
        depth: 0,
    }
}

async fn score(prioritizer: &mut Prioritizer, ids: &[u32]) -> Result<Vec<f64>, CallError> {
    let batch: Vec<Candidate> = ids.iter().copied().map(candidate).collect();
    let now = Snapshot { now: 0, names: Arc::from(["x".into()]), ready: 1, running: 0, slots: 1 };
    prioritizer.score(&batch, &now, &CallContext::new(Limits::DEFAULT)).await
}

#[tokio::test]
async fn the_instance_stays_until_it_breaks() {
    let plugin = load(&host(2), crate::testing::prioritizer(COUNTING)).await;
    let mut prioritizer = plugin.prioritizer().expect("a prioritizer");
    assert_eq!(score(&mut prioritizer, &[1]).await.expect("scored"), [1.0]);
    assert_eq!(score(&mut prioritizer, &[1]).await.expect("scored"), [2.0]);
    assert!(matches!(broken(score(&mut prioritizer, &[13]).await), FaultKind::Trap { .. }));
    assert_eq!(score(&mut prioritizer, &[1]).await.expect("a new instance"), [1.0]);
    let kind = broken(score(&mut prioritizer, &[1, 2]).await);
    assert!(matches!(&kind, FaultKind::Contract(why) if why.contains("2 candidates")), "{kind:?}");
    assert_eq!(score(&mut prioritizer, &[1]).await.expect("a new instance"), [1.0]);
}
