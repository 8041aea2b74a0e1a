//! Whatever bytes a file holds, it is read, compiled, and what is wrong with it
//! located and shown, without a panic. The first byte says how the rest is
//! written.
//!
//! In `host/core`: `cargo +nightly fuzz run check fuzz/corpus/check tests/invalid`.
//! `tests/mutations.rs` does the same with mutated fixtures, on any compiler.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/support/mod.rs"]
mod support;

fuzz_target!(|bytes: &[u8]| {
    if let Some((first, rest)) = bytes.split_first() {
        let name = if first % 2 == 0 { "fuzzed.json" } else { "fuzzed.yaml" };
        support::check(name, rest);
    }
});
