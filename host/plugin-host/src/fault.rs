//! From what wasmtime says to a [`Fault`]: which rule was broken.

use std::fmt::Write as _;
use std::sync::Arc;

use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi_http::FieldMapError;

use crate::egress::{Denial, EgressReport, Overrun};
use crate::error::{CallError, Fault, FaultKind};
use crate::limits::{LimitKind, Limits};

/// A limit was exceeded. Travels through the guest as the reason of a trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("limit '{}' exceeded: {used} of {allowed}", .limit.name_and_unit().0)]
pub(crate) struct Exceeded {
    pub(crate) limit: LimitKind,
    pub(crate) allowed: u64,
    pub(crate) used: u64,
}

impl From<Exceeded> for FaultKind {
    fn from(exceeded: Exceeded) -> Self {
        let Exceeded { limit, allowed, used } = exceeded;
        Self::Limit { limit, allowed, used }
    }
}

impl From<Overrun> for FaultKind {
    fn from(overrun: Overrun) -> Self {
        let Overrun { limit, allowed, used } = overrun;
        Self::Limit { limit, allowed, used }
    }
}

impl From<Denial> for FaultKind {
    fn from(Denial { attempted, reason, .. }: Denial) -> Self {
        Self::Denied { attempted, reason }
    }
}

/// Where a call was when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Making the instance, start functions included.
    Instantiate,
    /// Inside the called function, or lifting what it returned.
    Call,
}

/// What is known about the call besides wasmtime's error.
pub(crate) struct Circumstances<'a> {
    pub(crate) plugin: &'a Arc<str>,
    pub(crate) digest: &'a Arc<str>,
    pub(crate) function: &'static str,
    pub(crate) phase: Phase,
    pub(crate) limits: &'a Limits,
    /// The line of standard error that explains most.
    pub(crate) stderr: Option<String>,
    /// What became of its requests.
    pub(crate) egress: EgressReport,
}

impl Circumstances<'_> {
    pub(crate) fn fault(self, kind: FaultKind, backtrace: String) -> CallError {
        CallError::Fault(Box::new(Fault {
            plugin: Arc::clone(self.plugin),
            digest: Arc::clone(self.digest),
            function: self.function,
            kind,
            backtrace,
        }))
    }

    /// Judges an error that wasmtime returned.
    pub(crate) fn judge(mut self, error: &wasmtime::Error) -> CallError {
        let backtrace = error.downcast_ref::<WasmBacktrace>();
        let kind = self.kind(error, backtrace.is_some());
        let kind = match kind {
            // Guests that are refused something tend to give up in a panic.
            FaultKind::Trap { .. } | FaultKind::Exit { .. } => self.refusal().unwrap_or(kind),
            kind => kind,
        };
        self.fault(kind, backtrace.map(render).unwrap_or_default())
    }

    /// What the network refused the guest, the last thing first to be blamed.
    pub(crate) fn refusal(&mut self) -> Option<FaultKind> {
        let overrun = self.egress.overrun.map(FaultKind::from);
        overrun.or_else(|| self.egress.denials.pop().map(FaultKind::from))
    }

    fn kind(&mut self, error: &wasmtime::Error, inside_guest: bool) -> FaultKind {
        if let Some(exceeded) = error.downcast_ref::<Exceeded>() {
            (*exceeded).into()
        } else if let Some(I32Exit(status)) = error.downcast_ref::<I32Exit>() {
            FaultKind::Exit { success: *status == 0 }
        } else if let Some(trap) = error.downcast_ref::<Trap>() {
            match trap {
                // The account is empty: everything that was allowed was used.
                Trap::OutOfFuel => FaultKind::Limit {
                    limit: LimitKind::Fuel,
                    allowed: self.limits.fuel,
                    used: self.limits.fuel,
                },
                trap => FaultKind::Trap {
                    reason: trap.to_string().trim_start_matches("wasm trap: ").to_owned(),
                    stderr: self.stderr.take(),
                },
            }
        } else if error.is::<PoolConcurrencyLimitError>() {
            FaultKind::Host(root_cause(error))
        } else if is_lifting_budget(error) {
            lifting_budget(self.limits, inside_guest)
        } else if let Some(FieldMapError::TotalSizeTooBig) = error.downcast_ref() {
            // Stopped at the header that did not fit; its size is not said.
            let allowed = self.limits.headers;
            let used = allowed.saturating_add(1);
            FaultKind::Limit { limit: LimitKind::Headers, allowed, used }
        } else if inside_guest {
            // A function of the host refused what the guest handed it.
            FaultKind::Trap { reason: root_cause(error), stderr: self.stderr.take() }
        } else if self.phase == Phase::Instantiate {
            FaultKind::Host(root_cause(error))
        } else {
            // No frame of the guest was left: it had returned, and what it
            // returned could not be read.
            FaultKind::Contract(root_cause(error))
        }
    }
}

/// Bytes that values in flight between guest and host may take on the host: as
/// much as the guest may hold plus as much as it may return. More is possible
/// only by returning the same bytes many times over.
pub(crate) fn lifting_allowance(limits: &Limits) -> usize {
    usize::try_from(limits.memory.saturating_add(limits.output)).unwrap_or(usize::MAX)
}

/// wasmtime keeps this error's type to itself.
fn is_lifting_budget(error: &wasmtime::Error) -> bool {
    root_cause(error).contains("fuel allocated for hostcalls has been exhausted")
}

fn lifting_budget(limits: &Limits, inside_guest: bool) -> FaultKind {
    let used = lifting_allowance(limits) as u64;
    let (limit, allowed) = if inside_guest {
        (LimitKind::Memory, limits.memory)
    } else {
        (LimitKind::Output, limits.output)
    };
    FaultKind::Limit { limit, allowed, used }
}

fn root_cause(error: &wasmtime::Error) -> String {
    error.root_cause().to_string()
}

/// One frame a line: `module!function at offset`, Rust names readable.
fn render(backtrace: &WasmBacktrace) -> String {
    let mut text = String::new();
    for frame in backtrace.frames() {
        let module = frame.module().name().unwrap_or("module");
        match frame.func_name() {
            Some(name) => {
                let _ = write!(text, "{module}!{:#}", rustc_demangle::demangle(name));
            }
            None => {
                let _ = write!(text, "{module}!function {}", frame.func_index());
            }
        }
        if let Some(offset) = frame.module_offset() {
            let _ = write!(text, " at {offset:#x}");
        }
        text.push('\n');
    }
    text
}
