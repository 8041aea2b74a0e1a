//! The commands, one in each file.

pub(crate) mod graph;
pub(crate) mod plugin_inspect;
pub(crate) mod plugin_list;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod validate;
