//! Memory that grows.

use std::hint::black_box;

use consort_plugin_sdk::{Failure, Invocation, Step};

type Answer = Result<Step, Failure>;

/// Says how much there was, should the host ever just refuse.
fn refused_at(pages: usize) -> Answer {
    Ok(Step::text(format!("refused at {pages} pages")))
}

pub(crate) fn grow_memory(_: &Invocation) -> Answer {
    loop {
        let before = core::arch::wasm32::memory_grow(0, 16);
        if before == usize::MAX {
            return refused_at(core::arch::wasm32::memory_size(0));
        }
    }
}

pub(crate) fn hoard_small_pieces(_: &Invocation) -> Answer {
    let mut pieces: Vec<Box<[u8; 1000]>> = Vec::new();
    loop {
        pieces.push(black_box(Box::new([7; 1000])));
    }
}

pub(crate) fn allocate_one_gib(_: &Invocation) -> Answer {
    let zeros: Vec<u8> = black_box(vec![0; 1 << 30]);
    Ok(Step::text(zeros.len().to_string()))
}
