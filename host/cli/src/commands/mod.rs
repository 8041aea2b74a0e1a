//! The commands, one in each file.

pub(crate) mod graph;
