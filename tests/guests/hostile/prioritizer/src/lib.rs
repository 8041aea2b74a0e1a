//! A *hostile* prioritizer: it does what `do` in its configuration names, or else
//! the type of the first task it is asked about.

/// All behaviours. The guest makes its dispatch from the list and the host's
/// tests check with it that no behaviour is without a test.
#[macro_export]
macro_rules! prioritizer_behaviours {
    ($each:ident) => {
        $each! {
            spin trap panic too_short too_long empty not_a_number infinite huge_list refuse
            huge_refusal exit sleep hoard_between_calls
        }
    };
}

macro_rules! names {
    ($($name:ident)*) => { &[$(stringify!($name)),*] };
}

/// The names of all behaviours.
pub const BEHAVIOURS: &[&str] = prioritizer_behaviours!(names);

#[cfg(target_family = "wasm")]
mod guest {
    use std::cell::RefCell;
    use std::hint::black_box;

    use consort_plugin_sdk::bindings::wasi::clocks::monotonic_clock;
    use consort_plugin_sdk::serde_json::Value;
    use consort_plugin_sdk::{Candidate, Prioritizer, Snapshot};

    type Scores = Result<Vec<f64>, String>;

    struct Hostile;

    impl Prioritizer for Hostile {
        fn score(batch: &[Candidate], now: &Snapshot) -> Scores {
            let config: Value = consort_plugin_sdk::config::get().parse().unwrap_or_default();
            let kind = batch.first().map_or("", |candidate| now.name(candidate.kind));
            let behaviour = config["do"].as_str().unwrap_or(kind);
            macro_rules! dispatch {
                ($($name:ident)*) => {
                    match behaviour {
                        $(stringify!($name) => $name(batch),)*
                        other => Err(format!("no behaviour named '{other}'")),
                    }
                };
            }
            crate::prioritizer_behaviours!(dispatch)
        }
    }

    fn spin(_: &[Candidate]) -> Scores {
        let mut turns = 0u64;
        loop {
            turns = black_box(turns).wrapping_add(1);
        }
    }

    fn trap(_: &[Candidate]) -> Scores {
        core::arch::wasm32::unreachable()
    }

    fn panic(_: &[Candidate]) -> Scores {
        panic!("this policy meant to panic")
    }

    fn too_short(batch: &[Candidate]) -> Scores {
        Ok(vec![1.0; batch.len().saturating_sub(1)])
    }

    fn too_long(batch: &[Candidate]) -> Scores {
        Ok(vec![1.0; batch.len() + 1])
    }

    fn empty(_: &[Candidate]) -> Scores {
        Ok(Vec::new())
    }

    fn not_a_number(batch: &[Candidate]) -> Scores {
        let mut scores = vec![1.0; batch.len()];
        if let Some(last) = scores.last_mut() {
            *last = f64::NAN;
        }
        Ok(scores)
    }

    /// Allowed: first candidate last, last candidate first.
    fn infinite(batch: &[Candidate]) -> Scores {
        let mut scores = vec![0.0; batch.len()];
        if let [first, .., last] = scores.as_mut_slice() {
            *first = f64::NEG_INFINITY;
            *last = f64::INFINITY;
        }
        Ok(scores)
    }

    /// 24 MiB of scores.
    fn huge_list(_: &[Candidate]) -> Scores {
        Ok(vec![0.0; 3 << 20])
    }

    fn refuse(_: &[Candidate]) -> Scores {
        Err("this policy has no opinion".into())
    }

    fn huge_refusal(_: &[Candidate]) -> Scores {
        Err("no ".repeat(8 << 20))
    }

    fn exit(_: &[Candidate]) -> Scores {
        std::process::exit(0)
    }

    fn sleep(_: &[Candidate]) -> Scores {
        const HOUR: u64 = 3_600_000_000_000;
        monotonic_clock::subscribe_duration(HOUR).block();
        Ok(Vec::new())
    }

    /// 4 MiB more with every call.
    fn hoard_between_calls(batch: &[Candidate]) -> Scores {
        thread_local! {
            static HOARD: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
        }
        HOARD.with_borrow_mut(|hoard| hoard.push(vec![1; 4 << 20]));
        Ok(vec![0.0; batch.len()])
    }

    consort_plugin_sdk::export_prioritizer!(Hostile, "plugin.json");
}
