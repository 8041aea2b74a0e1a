//! Memory that grows.

use consort_plugin_host::LimitKind;
use consort_tests::lab::{LIMITS, Lab};

consort_hostile_adapter::memory_behaviours!(assert_tests_exist);

async fn breaks_memory(behaviour: &str) -> u64 {
    let (allowed, used) = Lab::new().await.broken_limit(behaviour, LimitKind::Memory).await;
    assert_eq!(allowed, LIMITS.memory);
    used
}

#[tokio::test]
async fn grow_memory() {
    let used = breaks_memory("grow_memory").await;
    assert!(used <= LIMITS.memory + (16 << 16), "stopped at the first MiB too many: {used}");
}

#[tokio::test]
async fn hoard_small_pieces() {
    breaks_memory("hoard_small_pieces").await;
}

#[tokio::test]
async fn allocate_one_gib() {
    let used = breaks_memory("allocate_one_gib").await;
    assert!(used > 1 << 30, "it says how much was asked for: {used}");
}
