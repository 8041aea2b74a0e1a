//! Version 0.1 of the contracts: how its calls look on the wire, and what they
//! mean in the plain types everything else uses.

mod bindings;
mod calls;
mod imports;
mod lift;
mod lower;

pub(crate) use calls::{
    cancel, check, resume, score, start, start_batch, transform, typecheck, typecheck_optional,
};
pub(crate) use imports::add_to_linker;
