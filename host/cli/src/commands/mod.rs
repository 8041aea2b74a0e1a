//! The commands, one in each file.

pub(crate) mod answer;
pub(crate) mod backup;
pub(crate) mod cancel;
pub(crate) mod check;
pub(crate) mod complete;
pub(crate) mod gc;
pub(crate) mod graph;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod plugin_inspect;
pub(crate) mod plugin_list;
pub(crate) mod result;
pub(crate) mod resume;
pub(crate) mod retry;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod status;
pub(crate) mod validate;
