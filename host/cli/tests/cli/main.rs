//! The built `consort`, command by command, as its users see it.

mod graph;
mod support;
