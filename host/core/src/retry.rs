//! How long to wait before the next attempt.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the wait grows from one failed attempt to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// No wait at all.
    None,
    /// `initial_delay` every time.
    Fixed,
    /// `initial_delay` × failed attempts.
    Linear,
    /// `initial_delay` × 2^(failed attempts − 1).
    #[default]
    Exponential,
}

/// When a failed task is tried again. Times are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Attempts in all, the first included; at least 1.
    pub max_attempts: u32,
    /// How the wait grows.
    pub backoff: Backoff,
    /// The first wait.
    pub initial_delay: u64,
    /// The longest wait, jitter included. A wait the agent asked for may be
    /// longer.
    pub max_delay: u64,
    /// Share of each wait that is random, from 0 to 1: a wait of `d` becomes a
    /// uniform choice from `d·(1−jitter)` to `d`.
    pub jitter: f64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 1,
            backoff: Backoff::Exponential,
            initial_delay: 1_000,
            max_delay: 60_000,
            jitter: 0.1,
        }
    }
}

impl RetryPolicy {
    /// The wait after the `failed`-th attempt (from 1), in milliseconds.
    /// `random` is uniform over all `u64` and decides the jitter; `asked` is
    /// what the agent asked for, which is the least that is waited.
    pub fn delay(&self, failed: u32, random: u64, asked: Option<u64>) -> u64 {
        let steps = failed.saturating_sub(1);
        let raw = match self.backoff {
            Backoff::None => 0,
            Backoff::Fixed => self.initial_delay,
            Backoff::Linear => self.initial_delay.saturating_mul(u64::from(steps) + 1),
            Backoff::Exponential => match 1u64.checked_shl(steps) {
                Some(factor) => self.initial_delay.saturating_mul(factor),
                None => u64::MAX,
            },
        };
        let capped = raw.min(self.max_delay);
        let share = random as f64 / u64::MAX as f64;
        let jittered = capped as f64 * (1.0 - self.jitter.clamp(0.0, 1.0) * share);
        (jittered as u64).max(asked.unwrap_or(0))
    }
}

/// A uniform number that depends on nothing but its arguments (SplitMix64,
/// Steele et al., "Fast Splittable Pseudorandom Number Generators", 2014).
pub fn random(seed: u64, task: u32, attempt: u32) -> u64 {
    let mut z = seed
        .wrapping_add((u64::from(task) << 32) | u64::from(attempt))
        .wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(backoff: Backoff) -> Vec<u64> {
        let policy = RetryPolicy {
            backoff,
            initial_delay: 100,
            max_delay: 1_000,
            jitter: 0.0,
            ..Default::default()
        };
        [1, 2, 3, 4, 5, 200].map(|n| policy.delay(n, 7, None)).to_vec()
    }

    #[test]
    fn each_backoff_grows_as_documented_up_to_the_cap() {
        assert_eq!(delays(Backoff::None), [0; 6]);
        assert_eq!(delays(Backoff::Fixed), [100; 6]);
        assert_eq!(delays(Backoff::Linear), [100, 200, 300, 400, 500, 1_000]);
        assert_eq!(delays(Backoff::Exponential), [100, 200, 400, 800, 1_000, 1_000]);
    }

    #[test]
    fn jitter_only_shortens_and_the_agent_s_wish_is_a_floor() {
        let policy = RetryPolicy { jitter: 0.5, initial_delay: 1_000, ..Default::default() };
        for task in 0..1_000 {
            let delay = policy.delay(1, random(42, task, 1), None);
            assert!((500..=1_000).contains(&delay), "{delay}");
        }
        assert_eq!(policy.delay(1, u64::MAX, Some(90_000)), 90_000);
    }
}
