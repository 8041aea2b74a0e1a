//! The functions a filter can call: jq's, without those that reach outside the
//! value or make two runs differ.

use consort_plugin_sdk::host::{self, Level};
use jaq_core::data::JustLut;
use jaq_core::load::parse::Def;
use jaq_core::native::{Fun, run, v};
use jaq_core::{Cv, DataT, ValXs};
use jaq_json::Val;

/// Native functions left out.
const OUTSIDE: &[&str] =
    &["env", "now", "localtime", "strflocaltime", "halt", "debug_empty", "stderr_empty"];

/// Definitions that are written in terms of those.
const DEFINED_OUTSIDE: &[&str] = &["halt", "halt_error", "stderr"];

/// Functions written in jq.
pub(crate) fn definitions() -> impl Iterator<Item = Def<&'static str>> {
    jaq_core::defs()
        .chain(jaq_std::defs())
        .chain(jaq_json::defs())
        .filter(|definition| !DEFINED_OUTSIDE.contains(&definition.name))
}

/// Functions written in Rust.
pub(crate) fn natives() -> impl Iterator<Item = Fun<JustLut<Val>>> {
    jaq_core::funs()
        .chain(jaq_std::funs())
        .chain(jaq_json::funs())
        .filter(|(name, _, _)| !OUTSIDE.contains(name))
        .chain([logging()])
}

/// The native half of `debug`. Generic like jaq's own: with the value type
/// spelled out, rustc 1.95 does not take the function for a pointer to it.
fn logging<D: DataT>() -> Fun<D> {
    run(("debug_empty", v(0), debug))
}

/// Logs its input and yields nothing; `debug` is defined by it.
fn debug<'a, D: DataT>(cv: Cv<'a, D>) -> ValXs<'a, D::V<'a>> {
    host::log(Level::Debug, &cv.1.to_string());
    Box::new(std::iter::empty())
}
