//! Scheduler tests in the test language: a graph, and a script of what happens
//! and what must come of it.
//!
//! ```text
//! check("b <- a : skip", "
//!     submit => start a1
//!     done a => a succeeded: done; start b1
//! ");
//! ```
//!
//! Left of the arrow stand events, those of one step joined by `&`; right of it
//! the actions, joined by `;`. [`Script`] lists the words.

mod additions;
mod attempts;
mod batches;
mod decisions;
mod deliveries;
mod limits;
mod open;
mod properties;
mod queue;
mod rates;
mod recovery;
mod script;
mod stopping;

use script::check;
