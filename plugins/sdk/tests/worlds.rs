//! The SDK puts the worlds with an optional export together itself, and has their
//! descriptions in files. With `BLESS=1` the files are written instead of compared.

use std::fs;
use std::path::Path;

use wit_component::{StringEncoding, metadata};
use wit_parser::Resolve;

#[test]
fn the_described_worlds_are_those_of_the_contracts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root.join("../../wit")).expect("the contracts resolve");
    for name in ["batching-adapter", "checked-transformer"] {
        let world = resolve.packages[package].worlds[name];
        let current = metadata::encode(&resolve, world, StringEncoding::UTF8, None);
        let current = current.expect("a world can be encoded");
        let file = root.join(format!("src/{name}.world"));
        if std::env::var_os("BLESS").is_some() {
            fs::write(&file, &current).expect("the file can be written");
        }
        let kept = fs::read(&file).unwrap_or_default();
        assert!(
            kept == current,
            "src/{name}.world is out of date: BLESS=1 cargo test -p consort-plugin-sdk --test worlds"
        );
    }
}
