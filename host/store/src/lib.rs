//! The *store* keeps what must outlive the process: the journal of every run,
//! the payloads its entries speak of, and cached results, in one SQLite file.
//!
//! The journal is the one store of truth. It is a list of [`Entry`]s per run
//! that only grows; whoever keeps state gets it back by replaying them. The
//! store does not know what an entry means: a body is opaque bytes with a
//! version number. Large bytes are [`Blob`]s, stored once by the hash of their
//! content however many entries refer to them.
//!
//! One process writes ([`Store`]), through one thread that commits everything
//! queued at once, so that many entries share one wait for the disk. Any number
//! of processes read ([`Reader`]), also while one writes. What they want of a
//! run they put into its inbox ([`post()`]), which whoever carries the run out
//! empties.
//!
//! ```
//! use std::ops::ControlFlow;
//!
//! use consort_store::{Blob, Durability, Entry, NewRun, Options, Reader, Store};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # futures::executor::block_on(async {
//! # let folder = tempfile::tempdir()?;
//! # let file = folder.path().join("runs.db");
//! let store = Store::open(&file, Options::default())?;
//! let new = NewRun {
//!     id: "r1".into(),
//!     name: "nightly".into(),
//!     tasks: 1,
//!     submitted_at: 0,
//!     about: "{}".into(),
//! };
//! let entry = |body: &str| Entry { at: 0, version: 1, body: body.into(), blobs: Vec::new() };
//! let mut journal = store.create_run(new, entry("submitted")).await?;
//! let payload = Blob::new("a large result");
//! let done = Entry { blobs: vec![payload.clone()], ..entry(&payload.hash().to_string()) };
//! journal.append(done, Durability::Synced).await?;
//!
//! let reader = Reader::open(&file)?;
//! let mut seen = 0;
//! reader.entries("r1", 0, &mut |_, _| {
//!     seen += 1;
//!     ControlFlow::Continue(())
//! })?;
//! assert_eq!(seen, 2);
//! assert_eq!(reader.blob(payload.hash())?.as_deref(), Some("a large result".as_bytes()));
//! # Ok(()) })}
//! ```
//!
//! # Layout
//!
//! From the caller to the file: [`Store`] and [`RunJournal`] put commands into
//! the *queue*, the *writer* takes them in batches, the *tables* modules turn
//! each into rows, the *schema* says which rows there are. Posts alone go past
//! the writer: each is a short transaction of the process that makes it.
//!
//! **Invariant:** no API of rusqlite leaves this crate, nor does an SQL text.
//!
//! **Invariant:** the store opens the database file through SQLite alone: a
//! second descriptor that is closed would drop SQLite's own locks.

mod backup;
mod blob;
mod cached;
mod check;
mod command;
mod connection;
mod entry;
mod error;
pub mod failpoint;
mod gc;
mod hash;
mod inbox;
mod journal;
mod lock;
mod lookup;
mod options;
mod patience;
#[cfg(all(unix, feature = "failpoints"))]
pub mod power;
mod queue;
mod reader;
mod run;
mod schema;
mod store;
mod tables;
mod writer;

pub use blob::{Blob, CHUNK};
pub use cached::Cached;
pub use entry::{Durability, Entry, Snapshot};
pub use error::StoreError;
pub use gc::GcReport;
pub use hash::{Hash, InvalidHash};
pub use inbox::{MAX_INBOX, MAX_POST, MAX_POSTS, Post, post};
pub use journal::{Queued, RunJournal};
pub use options::{MAX_BLOB, MAX_BODY, Options};
pub use reader::{Reader, StoreSize};
pub use run::{InvalidStatus, NewRun, RunEnd, RunFilter, RunRow, RunStatus};
pub use store::Store;

#[cfg(test)]
mod testing;
