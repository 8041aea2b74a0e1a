//! Computing that does not end, or ends badly.

use std::hint::black_box;

use consort_plugin_sdk::{Failure, Invocation, Step};

type Answer = Result<Step, Failure>;

#[inline(never)]
pub(crate) fn endless_loop(_: &Invocation) -> Answer {
    let mut turns = 0u64;
    loop {
        turns = black_box(turns).wrapping_add(1);
    }
}

pub(crate) fn endless_recursion(_: &Invocation) -> Answer {
    fn deeper(depth: u64) -> u64 {
        let next: fn(u64) -> u64 = black_box(deeper);
        next(depth + 1).wrapping_mul(3)
    }
    Ok(Step::text(deeper(0).to_string()))
}

#[inline(never)]
pub(crate) fn unreachable(_: &Invocation) -> Answer {
    core::arch::wasm32::unreachable()
}

pub(crate) fn panic(_: &Invocation) -> Answer {
    panic!("this plugin meant to panic")
}

#[expect(unsafe_code, reason = "being out of bounds is the point")]
pub(crate) fn out_of_bounds(_: &Invocation) -> Answer {
    let nowhere = black_box(0xffff_fff0_usize) as *const u8;
    // SAFETY: there is none; the host has to stop it.
    let found = unsafe { nowhere.read_volatile() };
    Ok(Step::text(found.to_string()))
}

#[expect(unsafe_code, reason = "calling a function as what it is not is the point")]
pub(crate) fn wrong_function_pointer(_: &Invocation) -> Answer {
    fn takes_nothing() {}
    let pointer = black_box(takes_nothing as fn());
    // SAFETY: there is none; the host has to stop it.
    let wrong: fn(u64, u64) -> u64 = unsafe { std::mem::transmute(pointer) };
    Ok(Step::text(wrong(1, 2).to_string()))
}

pub(crate) fn exit_success(_: &Invocation) -> Answer {
    std::process::exit(0)
}

pub(crate) fn exit_failure(_: &Invocation) -> Answer {
    std::process::exit(1)
}
