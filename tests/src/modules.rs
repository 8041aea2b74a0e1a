//! A hostile *module* is what no compiler would write: it is kept in the text
//! format, one file each in `tests/guests/hostile/modules`.
//!
//! A file that begins with `(module` implements the adapter world and is turned
//! into a component as any other toolchain would. One that begins with
//! `(component` is a component as it stands. A comment such as `(;realloc;)`
//! stands for what every adapter needs (see `PARTS`).

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

include!(concat!(env!("OUT_DIR"), "/modules.rs"));

/// Parts that a module leaves to [`component`], by the comment that stands for
/// them.
const PARTS: &[(&str, &str)] = &[
    (
        "(;realloc;)",
        r#"(global $next (mut i32) (i32.const 16384))
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            (local $at i32)
            (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
            (global.set $next (i32.add (local.get $at) (local.get 3)))
            (local.get $at))"#,
    ),
    (
        "(;start;)",
        r#"(func (export "consort:agent-adapter/adapter@0.1.0#start") (param i32) (result i32) unreachable)"#,
    ),
    (
        "(;resume;)",
        r#"(func (export "consort:agent-adapter/adapter@0.1.0#resume") (param i32) (result i32) unreachable)"#,
    ),
    (
        "(;cancel;)",
        r#"(func (export "consort:agent-adapter/adapter@0.1.0#cancel") (param i32) (result i32) unreachable)"#,
    ),
];

/// The component made from the module of this name.
///
/// # Panics
///
/// When there is none, or the text is not what it should be.
pub fn component(name: &str) -> Vec<u8> {
    let (_, text) = MODULES
        .iter()
        .find(|(module, _)| *module == name)
        .unwrap_or_else(|| panic!("no module named '{name}' in tests/guests/hostile/modules"));
    component_of(text)
}

/// The component made from this text, with the parts it leaves out.
///
/// # Panics
///
/// When the text is not what it should be.
pub fn component_of(text: &str) -> Vec<u8> {
    let text =
        PARTS.iter().fold(text.to_owned(), |text, (comment, part)| text.replace(comment, part));
    let bytes = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"));
    let is_component = bytes.get(4..8) == Some(b"\x0d\0\x01\0");
    if is_component { bytes } else { adapter(&bytes) }
}

/// A core module that has the adapter world's exports, as a component. What it
/// contains is not validated: that is the host's business.
///
/// # Panics
///
/// When it lacks an export.
pub fn adapter(module: &[u8]) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let (package, _) = resolve.push_dir(&folder).expect("the contracts resolve");
    let world =
        resolve.select_world(&[package], Some("adapter")).expect("there is one for adapters");
    let mut module = module.to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("a module takes a custom section");
    ComponentEncoder::default()
        .validate(false)
        .module(&module)
        .and_then(|encoder| encoder.encode())
        .expect("the module has what the world needs")
}
