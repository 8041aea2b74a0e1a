//! A *rate* bounds how often attempts of an agent start.
//!
//! It is kept by the generic cell rate algorithm (ITU-T Recommendation I.371,
//! annex A, in its form as virtual scheduling): starts that keep the rate are
//! `per / attempts` apart, and the *theoretical arrival time* says when the next
//! one is expected. A start may come before it by what `burst` starts take, and
//! each moves it on by one interval. That is one number an agent, without
//! windows to count in, and it never lets through twice the rate where two
//! windows meet.
//!
//! In any span of `per`, at most `attempts + burst - 1` attempts start.

use serde::{Deserialize, Serialize};

/// How often attempts may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// This many attempts; at least 1.
    pub attempts: u32,
    /// In this many milliseconds; at least 1.
    pub per: u64,
    /// As many may start at once after a pause; at least 1.
    pub burst: u32,
}

impl Rate {
    /// A rate whose starts are spread evenly, so that no span of `per` sees more
    /// than `attempts`.
    pub fn even(attempts: u32, per: u64) -> Self {
        Self { attempts, per, burst: 1 }
    }
}

/// What an agent's rate allows at present.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Allowance {
    rate: Rate,
    /// The theoretical arrival time of the next start. Its unit is a
    /// millisecond divided by `rate.attempts`, in which the interval between
    /// starts is a whole number: `rate.per`.
    expected: i128,
}

impl Allowance {
    pub(crate) fn new(rate: Rate) -> Self {
        let rate =
            Rate { attempts: rate.attempts.max(1), per: rate.per.max(1), burst: rate.burst.max(1) };
        Self { rate, expected: i128::MIN >> 1 }
    }

    /// The first moment at which an attempt may start, milliseconds since the
    /// epoch.
    pub(crate) fn next(&self) -> i64 {
        let early = i128::from(self.rate.burst - 1) * i128::from(self.rate.per);
        let unit = i128::from(self.rate.attempts);
        let at = (self.expected - early).div_euclid(unit);
        let whole = (self.expected - early).rem_euclid(unit) == 0;
        let at = if whole { at } else { at + 1 };
        at.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
    }

    /// Notes that an attempt starts at `now`.
    pub(crate) fn take(&mut self, now: i64) {
        let unit = i128::from(self.rate.attempts);
        // The clock shows a millisecond once it is over: a start may have been
        // due since just after the one before. Taken as the end of it, each start
        // would lose a part of a millisecond, and a high rate be missed by far.
        let due = i128::from(now) * unit - (unit - 1);
        self.expected = self.expected.max(due) + i128::from(self.rate.per);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The moments of starts that are wanted all the time until `end`.
    fn starts(rate: Rate, from: i64, end: i64) -> Vec<i64> {
        let mut allowance = Allowance::new(rate);
        let mut now = from;
        let mut starts = Vec::new();
        loop {
            now = now.max(allowance.next());
            if now >= end {
                return starts;
            }
            starts.push(now);
            allowance.take(now);
        }
    }

    #[test]
    fn starts_are_spread_evenly() {
        assert_eq!(starts(Rate::even(4, 1_000), 100, 1_100), [100, 350, 600, 850]);
        assert_eq!(starts(Rate::even(3, 1_000), 0, 1_001), [0, 333, 666, 1_000]);
    }

    #[test]
    fn a_burst_may_start_at_once_and_then_the_rate_holds() {
        let rate = Rate { burst: 3, ..Rate::even(10, 1_000) };
        assert_eq!(starts(rate, 0, 300), [0, 0, 0, 100, 200]);
    }

    #[test]
    fn a_rate_finer_than_the_clock_is_reached() {
        for attempts in [700, 999, 1_000, 1_001, 5_000] {
            let starts = starts(Rate::even(attempts, 1_000), 0, 3_000);
            assert_eq!(starts.len() as u32, 3 * attempts, "{attempts} a second");
        }
    }

    #[test]
    fn the_longest_and_the_shortest_fit() {
        let year = Rate { attempts: u32::MAX, per: 366 * 86_400_000, burst: u32::MAX };
        let mut allowance = Allowance::new(year);
        allowance.take(i64::MAX);
        assert!(allowance.next() > i64::MAX / 2);
        let mut allowance = Allowance::new(Rate::even(1, u64::MAX));
        allowance.take(0);
        assert_eq!(allowance.next(), i64::MAX);
    }

    proptest! {
        /// Whenever starts are wanted, no span sees more than the rate.
        #[test]
        fn no_span_sees_more_than_the_rate(
            attempts in 1..50u32,
            per in 1..2_000u64,
            burst in 1..20u32,
            waits in prop::collection::vec(0..300i64, 1..200),
        ) {
            let rate = Rate { attempts, per, burst };
            let mut allowance = Allowance::new(rate);
            let mut now = 0;
            let mut starts: Vec<i64> = Vec::new();
            for wait in waits {
                now += wait;
                if allowance.next() <= now {
                    starts.push(now);
                    allowance.take(now);
                }
            }
            for (n, first) in starts.iter().enumerate() {
                let span = starts[n..].iter().take_while(|at| **at < first + per as i64);
                prop_assert!((span.count() as u32) < attempts + burst);
            }
        }
    }
}
