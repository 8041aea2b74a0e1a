//! A *guest* is a component built from `tests/guests`, carried inside this crate.

use consort_plugin_host::Source;

/// Name, digest and component of each.
static GUESTS: &[(&str, &str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/components.rs"));

/// The component and its digest.
///
/// # Panics
///
/// When there is no guest of this name.
pub fn component(name: &str) -> (&'static [u8], &'static str) {
    let (_, digest, bytes) = GUESTS
        .iter()
        .find(|(guest, ..)| *guest == name)
        .unwrap_or_else(|| panic!("no guest named '{name}' is built by tests/build.rs"));
    (bytes, digest)
}

/// The component as something to load.
///
/// # Panics
///
/// As [`component`].
pub fn source(name: &str) -> Source {
    Source::Bytes { name: name.to_owned(), bytes: component(name).0.to_vec() }
}
