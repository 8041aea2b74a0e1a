//! Consort's pure core: what a workflow means and what happens next.
//!
//! No I/O, no clock, no async: time comes in with events, decisions go out as
//! actions, and the same inputs always give the same outputs. Data moves in
//! this order:
//!
//! * [`spec`]: the workflow format as people write it.
//! * [`plan`]: a workflow checked, with names resolved and steps flattened.
//! * [`graph`]: which task waits for which.
//! * [`scheduler`]: the state machine that decides what happens next.
//! * [`retry`]: how long to wait before another attempt.
//! * [`rate`]: how often attempts may start.
//! * [`template`]: instructions with gaps that a run fills in.
//! * [`problem`]: what is wrong with a workflow, for its author.
//! * [`source`]: where in a text that is.
//! * [`report`]: how that is shown.

pub mod graph;
pub mod plan;
pub mod problem;
pub mod rate;
pub mod report;
pub mod retry;
pub mod scheduler;
pub mod source;
pub mod spec;
pub mod template;

#[cfg(test)]
mod test_support;
