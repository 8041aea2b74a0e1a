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
use consort_store::{Blob, Hash, Reader, Snapshot};
use postcard::ser_flavors::Flavor;
use serde::de::{DeserializeOwned, Deserializer};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

pub(crate) use contents::Contents;
pub(crate) use state::State;

/// Raised with every change of what is saved, or of what it means. A test says
/// when.
pub(crate) const VERSION: u16 = 1;

/// Who reads what this version writes.
const MADE_BY: &str = env!("CARGO_PKG_VERSION");

/// Bytes of a part of a state. One that has more than one part is kept apart.
const PART: usize = 4 << 20;

/// Why there is nothing to be had from a snapshot, in words.
pub(crate) type Unusable = String;

/// What comes before a state.
#[derive(Serialize, Deserialize)]
struct Header<'a> {
    made_by: &'a str,
    size: u64,
    /// The parts of a state that is kept apart; none if it follows.
    apart: Vec<Hash>,
}

/// A state that is written down, in parts: it may be large, and is not copied to
/// make room for more of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    full: Vec<Bytes>,
    last: Vec<u8>,
}

impl Written {
    fn of(value: &impl Serialize) -> Self {
        postcard::serialize_with_flavor(value, Self::default())
            .expect("all lengths are known, and memory takes everything")
    }

    /// In one piece.
    #[cfg(test)]
    pub(crate) fn whole(&self) -> Vec<u8> {
        let mut whole = self.full.concat();
        whole.extend_from_slice(&self.last);
        whole
    }

    /// As the store keeps it.
    pub(crate) fn pack(self) -> (Vec<u8>, Vec<Blob>) {
        let Self { full, last } = self;
        let size = (full.len() * PART + last.len()) as u64;
        let mut blobs: Vec<Blob> = full.into_iter().map(Blob::new).collect();
        let here = if blobs.is_empty() {
            last
        } else {
            blobs.push(Blob::new(last));
            Vec::new()
        };
        let apart = blobs.iter().map(Blob::hash).collect();
        let header = Header { made_by: MADE_BY, size, apart };
        let mut body = postcard::to_allocvec(&header).expect("its length is known");
        body.extend(here);
        (body, blobs)
    }
}

impl Flavor for Written {
    type Output = Self;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    fn try_extend(&mut self, mut bytes: &[u8]) -> postcard::Result<()> {
        loop {
            let room = PART - self.last.len();
            if bytes.len() < room {
                self.last.extend_from_slice(bytes);
                return Ok(());
            }
            let (now, later) = bytes.split_at(room);
            self.last.extend_from_slice(now);
            self.full.push(std::mem::take(&mut self.last).into());
            bytes = later;
        }
    }

    fn finalize(self) -> postcard::Result<Self> {
        Ok(self)
    }
}

/// The state in a snapshot.
///
/// # Errors
///
/// Another version wrote it, or it is not there as a whole.
pub(crate) fn unpack<'a>(
    snapshot: &'a Snapshot,
    reader: &Reader,
) -> Result<Cow<'a, [u8]>, Unusable> {
    if snapshot.version != VERSION {
        return Err(format!("it has version {}, not {VERSION}", snapshot.version));
    }
    let (Header { made_by, size, apart }, here) =
        postcard::take_from_bytes(&snapshot.body).map_err(|error| error.to_string())?;
    if made_by != MADE_BY {
        return Err(format!("Consort {made_by} wrote it"));
    }
    if apart.is_empty() {
        return Ok(Cow::Borrowed(here));
    }
    let size = usize::try_from(size).ok().filter(|size| *size <= apart.len() * PART);
    let mut state = Vec::with_capacity(size.unwrap_or_default());
    for hash in apart {
        reader.write_blob(hash, &mut state).map_err(|error| error.to_string())?;
    }
    Ok(Cow::Owned(state))
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
    use std::path::Path;

    use consort_store::{Durability, Entry, NewRun, Options, Store};
    use futures::executor::block_on;
    use tempfile::TempDir;

    use super::*;

    fn bytes(size: usize) -> Vec<u8> {
        (0..size).map(|n| (n % 251) as u8).collect()
    }

    fn written(size: usize) -> Written {
        Written::of(&bytes(size))
    }

    /// A store with a run that has a snapshot.
    fn kept(folder: &TempDir, version: u16, body: Vec<u8>, blobs: Vec<Blob>) -> Reader {
        let file = folder.path().join("s.db");
        let file: &Path = &file;
        let store = Store::open(file, Options::default()).unwrap();
        let (id, name, about) = ("r".into(), "".into(), "{}".into());
        let new = NewRun { id, name, tasks: 0, submitted_at: 0, about };
        let first = Entry { at: 0, version: 1, body: Vec::new(), blobs: Vec::new() };
        let mut journal = block_on(store.create_run(new, first.clone())).unwrap();
        let queued = journal.snapshot(0, version, body, blobs);
        block_on(journal.append(first, Durability::Synced)).unwrap();
        block_on(queued).unwrap();
        store.reader().unwrap()
    }

    fn unpacked(reader: &Reader) -> Result<Vec<u8>, Unusable> {
        let snapshot = reader.snapshot("r").unwrap().unwrap();
        unpack(&snapshot, reader).map(Cow::into_owned)
    }

    #[test]
    fn a_state_of_any_size_comes_back() {
        for size in [0, 1_000, PART - 100, PART - 4, PART, 3 * PART + 1] {
            let folder = tempfile::tempdir().unwrap();
            let (body, blobs) = written(size).pack();
            assert!(body.len() <= PART + 100, "{size}");
            let reader = kept(&folder, VERSION, body, blobs);
            let expected = postcard::to_allocvec(&bytes(size)).unwrap();
            assert!(unpacked(&reader) == Ok(expected), "{size}");
        }
    }

    #[test]
    fn only_the_version_that_wrote_it_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let (body, blobs) = written(10).pack();
        let reader = kept(&folder, VERSION - 1, body, blobs);
        let expected = format!("it has version {}, not {VERSION}", VERSION - 1);
        assert_eq!(unpacked(&reader), Err(expected));
        let folder = tempfile::tempdir().unwrap();
        let header = Header { made_by: "0.0.1", size: 0, apart: Vec::new() };
        let reader = kept(&folder, VERSION, postcard::to_allocvec(&header).unwrap(), Vec::new());
        assert_eq!(unpacked(&reader), Err("Consort 0.0.1 wrote it".to_owned()));
    }

    #[test]
    fn what_is_not_there_as_a_whole_is_of_no_use() {
        let folder = tempfile::tempdir().unwrap();
        let (body, mut blobs) = written(PART).pack();
        let gone = blobs.remove(0);
        let reader = kept(&folder, VERSION, body, blobs);
        assert!(unpacked(&reader).unwrap_err().contains(&gone.hash().to_string()));
        let folder = tempfile::tempdir().unwrap();
        assert!(unpacked(&kept(&folder, VERSION, vec![9], Vec::new())).is_err());
    }
}
