//! The default plugins as components, in a real host.

mod langgraph;
mod network;
mod offline;
mod support;
mod work;
