//! A *snapshot* is the state of a run that is going on, saved: coming back goes
//! through the inputs after it, and not through all that there ever were.
//!
//! * here: how it is kept in the store.
//! * `state`: what is saved of a run.
//! * `record`: what is saved of a task.
//! * `contents`: what is not saved, since the journal has it.
//!
//! It is worth time and nothing else: the journal has everything, and who cannot
//! read a snapshot goes through that. So, unlike in the journal, what is written
//! here are the types the engine and the scheduler work on, and only the version
//! of Consort that wrote it reads it.

mod contents;
mod record;
mod state;

use std::borrow::Cow;

use bytes::Bytes;
use consort_store::{Blob, Hash, Snapshot};
use serde::de::{DeserializeOwned, Deserializer};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::journal::Fetch;
pub(crate) use contents::Contents;
pub(crate) use state::State;

/// Raised with every change of what is saved, or of what it means. A test says
/// when.
pub(crate) const VERSION: u16 = 1;

/// Who reads what this version writes.
const MADE_BY: &str = env!("CARGO_PKG_VERSION");

/// Bytes from which on a state is kept apart, in parts.
const APART: usize = 4 << 20;
/// Bytes of a part.
const PART: usize = 64 << 20;

/// Why there is nothing to be had from a snapshot, in words.
pub(crate) type Unusable = String;

/// What comes before a state.
#[derive(Serialize, Deserialize)]
struct Header<'a> {
    made_by: &'a str,
    /// The parts of a state that is kept apart; none if it follows.
    apart: Vec<Hash>,
}

/// A state as the store keeps it.
pub(crate) fn pack(state: Vec<u8>) -> (Vec<u8>, Vec<Blob>) {
    let mut blobs = Vec::new();
    let mut here = state;
    if here.len() > APART {
        let all = Bytes::from(std::mem::take(&mut here));
        let starts = (0..all.len()).step_by(PART);
        blobs.extend(starts.map(|at| Blob::new(all.slice(at..all.len().min(at + PART)))));
    }
    let apart = blobs.iter().map(Blob::hash).collect();
    let mut body = written(&Header { made_by: MADE_BY, apart });
    body.append(&mut here);
    (body, blobs)
}

/// The state in a snapshot.
///
/// # Errors
///
/// Another version wrote it, or it is not there as a whole.
pub(crate) fn unpack<'a>(
    snapshot: &'a Snapshot,
    fetch: Fetch<'_>,
) -> Result<Cow<'a, [u8]>, Unusable> {
    if snapshot.version != VERSION {
        return Err(format!("it has version {}, not {VERSION}", snapshot.version));
    }
    let (Header { made_by, apart }, here) =
        postcard::take_from_bytes(&snapshot.body).map_err(|error| error.to_string())?;
    if made_by != MADE_BY {
        return Err(format!("Consort {made_by} wrote it"));
    }
    if apart.is_empty() {
        return Ok(Cow::Borrowed(here));
    }
    let mut state = Vec::new();
    for hash in apart {
        match fetch(hash) {
            Ok(Some(part)) => state.extend_from_slice(&part),
            Ok(None) => return Err(format!("its part {hash} is missing")),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(Cow::Owned(state))
}

/// A value in the form of a snapshot.
fn written(value: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).expect("all lengths are known, and memory takes everything")
}

/// Something that is saved where it is, and belongs to whoever has loaded it.
pub(crate) enum Part<'a, T> {
    Lent(&'a T),
    Own(T),
}

impl<T> Part<'_, T> {
    /// What was loaded.
    ///
    /// # Panics
    ///
    /// If it was not.
    pub(crate) fn own(self) -> T {
        match self {
            Self::Own(part) => part,
            Self::Lent(_) => unreachable!("only what was loaded is taken"),
        }
    }
}

impl<T: Serialize> Serialize for Part<'_, T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Lent(part) => part.serialize(to),
            Self::Own(part) => part.serialize(to),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Part<'_, T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        T::deserialize(from).map(Self::Own)
    }
}

/// For what is written as JSON within a snapshot, since it leaves fields out or
/// may be anything.
pub(crate) mod as_json {
    use super::*;

    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        value: &T,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        serde_json::to_string(value).map_err(serde::ser::Error::custom)?.serialize(to)
    }

    pub(crate) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
        from: D,
    ) -> Result<T, D::Error> {
        let text = String::deserialize(from)?;
        serde_json::from_str(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(state: Vec<u8>) -> (Snapshot, Result<Vec<u8>, Unusable>) {
        let (body, blobs) = pack(state);
        let snapshot = Snapshot { upto: 3, version: VERSION, body };
        let find = |hash| Ok(blobs.iter().find(|b| b.hash() == hash).map(|b| b.bytes().clone()));
        let state = unpack(&snapshot, &find).map(Cow::into_owned);
        (snapshot, state)
    }

    #[test]
    fn a_state_of_any_size_comes_back() {
        for size in [0, 1_000, APART, APART + 1, PART + 1] {
            let state: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            let (snapshot, back) = through(state.clone());
            assert!(back == Ok(state), "{size}");
            assert!(snapshot.body.len() <= APART + 100, "{size}");
        }
    }

    #[test]
    fn only_the_version_that_wrote_it_reads_it() {
        let (snapshot, _) = through(b"state".to_vec());
        let none = |_| Ok(None);
        let older = Snapshot { version: VERSION - 1, ..snapshot.clone() };
        assert_eq!(
            unpack(&older, &none),
            Err(format!("it has version {}, not {VERSION}", VERSION - 1))
        );
        let mut body = written(&Header { made_by: "0.0.1", apart: Vec::new() });
        body.extend(b"state");
        let other = Snapshot { body, ..snapshot };
        assert_eq!(unpack(&other, &none), Err("Consort 0.0.1 wrote it".to_owned()));
    }

    #[test]
    fn a_part_that_is_gone_makes_it_unusable() {
        let (body, blobs) = pack(vec![7; APART + 1]);
        let snapshot = Snapshot { upto: 3, version: VERSION, body };
        let expected = Err(format!("its part {} is missing", blobs[0].hash()));
        assert_eq!(unpack(&snapshot, &|_| Ok(None)), expected);
        let cut = Snapshot { body: vec![9], ..snapshot };
        assert!(unpack(&cut, &|_| Ok(None)).is_err());
    }
}
