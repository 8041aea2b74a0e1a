//! The built `consort`, command by command, as its users see it.

mod approvals;
mod examples;
mod graph;
mod help;
mod plugin_inspect;
mod plugin_list;
mod policy;
mod run;
mod store;
mod support;
mod validate;
