use super::*;
use crate::testing::{ANSWER, SPIN, TRAP, broken, host, load, transform, transformer};
use crate::{Payload, PluginHost, Source};

fn done() -> Payload {
    Payload::Text("done".into())
}

async fn open(plugin: &Plugin) -> Session {
    let cx = CallContext::new(Limits::DEFAULT);
    Session::open(plugin, Function::Transform, &cx).await.expect("there is room")
}

#[tokio::test]
async fn beyond_the_pool_instances_are_made_on_demand() {
    let plugin = load(&host(2), transformer(ANSWER, "")).await;
    assert_eq!(plugin.tiers(), 2);
    let mut sessions = Vec::new();
    for _ in 0..4 {
        sessions.push(open(&plugin).await);
    }
    assert_eq!(sessions.iter().map(|s| s.tier).collect::<Vec<_>>(), [0, 0, 1, 1]);
    assert_eq!(transform(&plugin, Limits::DEFAULT).await.expect("on demand"), done());
    sessions.clear();
    assert_eq!(open(&plugin).await.tier, 0, "the pool has room again");
}

#[tokio::test]
async fn a_large_pool_comes_after_the_small_one() {
    let plugin = load(&host(130), transformer(ANSWER, "")).await;
    let mut sessions = Vec::new();
    for _ in 0..131 {
        sessions.push(open(&plugin).await);
    }
    let tiers: Vec<usize> = sessions.iter().map(|s| s.tier).collect();
    assert_eq!((tiers[127], tiers[128], tiers[129], tiers[130]), (0, 1, 1, 2));
}

#[tokio::test]
async fn without_a_pool_everything_is_made_on_demand() {
    let plugin = load(&host(0), transformer(ANSWER, "")).await;
    assert_eq!(plugin.tiers(), 1);
    assert_eq!(transform(&plugin, Limits::DEFAULT).await.expect("on demand"), done());
}

#[tokio::test]
async fn a_component_that_does_not_fit_the_pool_is_made_on_demand() {
    let many = "(table 1 1 funcref)".repeat(20);
    for tables in [many.as_str(), "(table 1 funcref)", "(table 30000 30000 funcref)"] {
        let plugin = load(&host(2), transformer(ANSWER, tables)).await;
        assert!(plugin.loaded(0).is_err_and(|why| why.contains("table")), "{tables}");
        assert_eq!(transform(&plugin, Limits::DEFAULT).await.expect("on demand"), done());
    }
}

/// On one thread: were the guest to keep it, the other task would never run.
#[tokio::test(flavor = "current_thread")]
async fn a_spinning_guest_yields_its_thread() {
    let plugin = load(&host(2), transformer(SPIN, "")).await;
    let limits = Limits { fuel: u64::MAX, cpu_time: u64::MAX, time: u64::MAX, ..Limits::DEFAULT };
    let spinning = tokio::spawn(async move { transform(&plugin, limits).await });
    for _ in 0..10 {
        // Comes back when everything else, the guest included, had its turn.
        tokio::task::yield_now().await;
    }
    assert!(!spinning.is_finished());
    spinning.abort();
    assert!(spinning.await.expect_err("stopped").is_cancelled());
}

#[tokio::test]
async fn fuel_time_and_computing_time_end_a_spinning_guest() {
    let plugin = load(&host(2), transformer(SPIN, "")).await;
    let cases = [
        (Limits { fuel: 10_000, ..Limits::DEFAULT }, LimitKind::Fuel),
        (Limits { fuel: u64::MAX, cpu_time: 20, ..Limits::DEFAULT }, LimitKind::CpuTime),
        (Limits { fuel: u64::MAX, time: 20, ..Limits::DEFAULT }, LimitKind::Time),
    ];
    for (limits, expected) in cases {
        let kind = broken(transform(&plugin, limits).await);
        let FaultKind::Limit { limit, allowed, used } = kind else { panic!("{kind:?}") };
        assert_eq!(limit, expected);
        assert!(used >= allowed, "{limit:?}: {used} of {allowed}");
    }
}

#[tokio::test]
async fn memory_is_bounded_from_the_start() {
    let plugin = load(&host(2), transformer(ANSWER, "(table 1000 1000 funcref)")).await;
    let needs = (64 << 10) + 1000 * 16;
    let limits = |memory| Limits { memory, ..Limits::DEFAULT };
    let kind = broken(transform(&plugin, limits(needs - 1)).await);
    assert_eq!(
        kind,
        FaultKind::Limit { limit: LimitKind::Memory, allowed: needs - 1, used: needs }
    );
}

#[tokio::test]
async fn a_fault_names_plugin_digest_and_function_and_has_a_backtrace() {
    let plugin = load(&host(2), transformer(TRAP, "")).await;
    match transform(&plugin, Limits::DEFAULT).await {
        Err(CallError::Fault(fault)) => {
            assert_eq!(&*fault.plugin, "guest");
            assert_eq!(fault.digest, *plugin.digest());
            assert_eq!(fault.function, "transform");
            assert!(fault.backtrace.contains("function "), "{}", fault.backtrace);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_damaged_cache_costs_a_compilation_and_nothing_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let options = || crate::HostOptions {
        cache_dir: Some(directory.path().join("code")),
        pool: 2,
        ..crate::HostOptions::default()
    };
    let bytes = transformer(ANSWER, "");
    let files = || -> Vec<_> {
        let entries = std::fs::read_dir(directory.path().join("code")).expect("readable");
        entries.map(|entry| entry.expect("readable").path()).collect()
    };
    for damage in [None, Some(&b""[..]), Some(b"\x7fELF and nothing more")] {
        if let Some(damage) = damage {
            std::fs::write(&files()[0], damage).expect("writable");
        }
        let host = PluginHost::new(options()).expect("a host");
        let source = Source::Bytes { name: "guest".to_owned(), bytes: bytes.clone() };
        let plugin = host.load(&source).await.expect("compiled again");
        assert_eq!(transform(&plugin, Limits::DEFAULT).await.expect("runs"), done());
        assert_eq!(files().len(), 1);
        assert!(files()[0].metadata().expect("readable").len() > 1000, "replaced");
    }
}

#[tokio::test]
async fn loading_again_shares_what_is_loaded() {
    let host = host(2);
    let (first, second) =
        (load(&host, transformer(ANSWER, "")).await, load(&host, transformer(ANSWER, "")).await);
    assert!(std::ptr::eq(first.name(), second.name()));
}
