//! A *tally* adds up what the plugin calls made for one attempt have used.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use consort_plugin_host::Consumed;

/// What calls have used so far. They may end on several threads.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    fuel: AtomicU64,
    memory: AtomicU64,
    cpu_time: AtomicU64,
    network: AtomicU64,
    requests: AtomicU64,
}

impl Tally {
    pub(crate) fn add(&self, more: &Consumed) {
        self.fuel.fetch_add(more.fuel, Relaxed);
        self.memory.fetch_max(more.memory, Relaxed);
        self.cpu_time.fetch_add(more.cpu_time, Relaxed);
        self.network.fetch_add(more.network, Relaxed);
        self.requests.fetch_add(more.requests, Relaxed);
    }

    pub(crate) fn total(&self) -> Consumed {
        Consumed {
            fuel: self.fuel.load(Relaxed),
            memory: self.memory.load(Relaxed),
            cpu_time: self.cpu_time.load(Relaxed),
            network: self.network.load(Relaxed),
            requests: self.requests.load(Relaxed),
        }
    }
}

/// Adds up what has been used; memory is at its largest.
pub(crate) fn add(all: &mut Consumed, more: &Consumed) {
    all.fuel = all.fuel.saturating_add(more.fuel);
    all.memory = all.memory.max(more.memory);
    all.cpu_time = all.cpu_time.saturating_add(more.cpu_time);
    all.network = all.network.saturating_add(more.network);
    all.requests = all.requests.saturating_add(more.requests);
}

/// What has been used, as a list.
pub(crate) fn list(used: &Consumed) -> [u64; 5] {
    let Consumed { fuel, memory, cpu_time, network, requests } = *used;
    [fuel, memory, cpu_time, network, requests]
}

/// The same back.
pub(crate) fn of_list(used: [u64; 5]) -> Consumed {
    let [fuel, memory, cpu_time, network, requests] = used;
    Consumed { fuel, memory, cpu_time, network, requests }
}

/// Of what several share, the part of one; a remainder is the first's.
pub(crate) fn share(all: &Consumed, of: u64, first: bool) -> Consumed {
    let part = |whole: u64| whole / of + if first { whole % of } else { 0 };
    Consumed {
        fuel: part(all.fuel),
        memory: all.memory,
        cpu_time: part(all.cpu_time),
        network: part(all.network),
        requests: part(all.requests),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USED: Consumed = Consumed { fuel: 11, memory: 7, cpu_time: 5, network: 100, requests: 1 };

    #[test]
    fn work_adds_up_and_memory_is_at_its_largest() {
        let tally = Tally::default();
        tally.add(&USED);
        tally.add(&Consumed { memory: 3, ..USED });
        let expected = Consumed { fuel: 22, memory: 7, cpu_time: 10, network: 200, requests: 2 };
        assert_eq!(tally.total(), expected);
    }

    #[test]
    fn shares_are_the_whole() {
        let tally = Tally::default();
        (0..3).for_each(|n| tally.add(&share(&USED, 3, n == 0)));
        assert_eq!(tally.total(), USED);
    }
}
