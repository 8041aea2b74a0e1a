//! The fixtures, broken in random ways, always get a report: soon, and without a
//! panic. `MUTATIONS` sets how many are tried and `SEED` where to begin; a
//! failure names the seed that shows it again.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use fastrand::Rng;

mod support;

/// How many are tried, unless `MUTATIONS` says.
const MUTATIONS: u64 = 20_000;
/// How long one may take, even on a busy machine.
const LONGEST: Duration = Duration::from_secs(5);
/// Bytes of a mutated file.
const LARGEST: usize = 16 << 10;
/// What means something to one of the parsers.
const TELLING: &[u8] =
    b"{}[]\"':,\\ \t\r\n-#&*!|>%@`?~<0159eE.+/\x00\x1b\x7f\x80\xc3\xe2\xef\xbb\xbf\xff";

#[test]
fn mutated_fixtures_get_a_report() {
    let variable = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let fixtures = fixtures();
    assert!(fixtures.len() > 50, "only {} fixtures were found", fixtures.len());
    let first = variable("SEED").unwrap_or(0);
    for seed in first..first + variable("MUTATIONS").unwrap_or(MUTATIONS) {
        let (name, bytes) = mutated(&fixtures, &mut Rng::with_seed(seed));
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| support::check(&name, &bytes)));
        let again = format!("SEED={seed} MUTATIONS=1 cargo test -p consort-core --test mutations");
        assert!(outcome.is_ok(), "{name} panicked; {again}");
        assert!(start.elapsed() < LONGEST, "{name} took {:?}; {again}", start.elapsed());
    }
}

/// Names and bytes of the invalid workflows and of all examples.
fn fixtures() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut fixtures = Vec::new();
    for folder in ["tests/invalid", "../../tests/fixtures/specification", "../../examples"] {
        let files = fs::read_dir(root.join(folder)).expect("the folder is there");
        let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
        paths.sort();
        for path in paths {
            let name = path.to_string_lossy().trim_end_matches(".case").to_owned();
            // What takes long by itself would take all the time there is.
            let slow = name.ends_with("alias-bomb.yaml");
            if !slow && (name.ends_with(".yaml") || name.ends_with(".json")) {
                let mut bytes = fs::read(&path).expect("the file can be read");
                bytes.truncate(LARGEST);
                fixtures.push((name, bytes));
            }
        }
    }
    fixtures
}

fn mutated(fixtures: &[(String, Vec<u8>)], rng: &mut Rng) -> (String, Vec<u8>) {
    let (name, bytes) = &fixtures[rng.usize(..fixtures.len())];
    let mut bytes = bytes.clone();
    for _ in 0..rng.usize(1..8) {
        let part = part(&bytes, rng);
        let at = rng.usize(..=bytes.len());
        match rng.u8(..8) {
            0 if !bytes.is_empty() => {
                let at = rng.usize(..bytes.len());
                bytes[at] ^= 1 << rng.u8(..8);
            }
            1 if !bytes.is_empty() => {
                let at = rng.usize(..bytes.len());
                bytes[at] = TELLING[rng.usize(..TELLING.len())];
            }
            2 => bytes.insert(at, TELLING[rng.usize(..TELLING.len())]),
            3 => drop(bytes.drain(part)),
            4 => {
                let copy = bytes[part].to_vec();
                insert(&mut bytes, at, &copy);
            }
            5 => {
                let copy = bytes[part].repeat(rng.usize(..100));
                insert(&mut bytes, at, &copy);
            }
            6 => {
                let (_, other) = &fixtures[rng.usize(..fixtures.len())];
                let copy = other[self::part(other, rng)].to_vec();
                insert(&mut bytes, at, &copy);
            }
            _ => bytes.truncate(at),
        }
    }
    bytes.truncate(LARGEST);
    (name.clone(), bytes)
}

/// A short part of these bytes, more rarely a long one.
fn part(bytes: &[u8], rng: &mut Rng) -> std::ops::Range<usize> {
    let start = rng.usize(..=bytes.len());
    let most = if rng.u8(..4) == 0 { bytes.len() } else { 40 };
    start..(start + rng.usize(..=most)).min(bytes.len())
}

fn insert(bytes: &mut Vec<u8>, at: usize, part: &[u8]) {
    bytes.splice(at..at, part.iter().copied());
}
