//! Hostile plugins, and what the host makes of each: a typed error that names
//! the plugin, its digest, the function and the limit with the value used.
//!
//! Every behaviour of the guests in `tests/guests/hostile` has a test of its
//! name here; one without does not compile.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

/// Checks that there is a function for each name.
macro_rules! assert_tests_exist {
    ($($name:ident)*) => {
        #[expect(unused_imports, reason = "only their existence matters")]
        const _: () = { $(use self::$name as _;)* };
    };
}

mod answers;
mod batches;
mod compilation;
mod compute;
mod files;
mod host_calls;
mod memory;
mod modules;
mod network;
mod prioritizers;
mod surroundings;
mod threads;
mod transformers;
