//! The store as people meet it: the real command, and a file that is in use,
//! full, locked, damaged, old or new.
//!
//! * `place`: where the command is run.
//! * `in_use`: while another process writes.
//! * `disk`: when the disk does not do its part.
//! * `large`: results that are in the file and not in memory.
//! * `notify`: what webhooks have not been told when a process dies.
//! * `runs`: which run is meant, and what becomes of it.
//! * `open`: runs that a program keeps open.
//! * `fixture`: stores of earlier versions are read.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod disk;
mod fixture;
mod in_use;
mod large;
mod notify;
mod open;
mod place;
mod runs;
