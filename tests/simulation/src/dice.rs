//! *Dice*: everything random about a simulated run, from its seed.

use consort_core::retry::random;

/// A stream of random numbers.
#[derive(Debug)]
pub(crate) struct Dice {
    state: u64,
    rolls: u64,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        // Seeds that follow each other must not give streams that overlap.
        Self { state: random(random(seed, 1, 0), 2, 0), rolls: 0 }
    }

    /// From 0 to `sides`, which is not included.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.rolls += 1;
        random(self.state, (self.rolls >> 32) as u32, self.rolls as u32) % sides.max(1)
    }

    /// From `low` to `high`, which is not included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.roll(high - low)
    }

    /// True in this many of a hundred cases.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.roll(100) < percent
    }

    /// One of these.
    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.roll(choices.len() as u64) as usize]
    }
}
