//! The SDK puts the world of batching adapters together itself, and has its
//! description in a file. With `BLESS=1` the file is written instead of compared.

use std::fs;
use std::path::Path;

use wit_component::{StringEncoding, metadata};
use wit_parser::Resolve;

#[test]
fn the_described_world_is_that_of_the_contracts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root.join("../../wit")).expect("the contracts resolve");
    let world = resolve.packages[package].worlds["batching-adapter"];
    let current = metadata::encode(&resolve, world, StringEncoding::UTF8, None);
    let current = current.expect("a world can be encoded");
    let file = root.join("src/batching-adapter.world");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, &current).expect("the file can be written");
    }
    let kept = fs::read(&file).unwrap_or_default();
    assert!(
        kept == current,
        "src/batching-adapter.world is out of date: BLESS=1 cargo test -p consort-plugin-sdk --test batching_world"
    );
}
