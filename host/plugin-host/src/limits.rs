//! A *limit* is a number a plugin call may not exceed.
//!
//! Limits come from four places, the most specific first: the task, its agent,
//! the plugin's manifest, the host's defaults. Each field is settled on its own,
//! and none ends above the operator's ceiling.

use serde::{Deserialize, Serialize};

/// Limits as somebody wrote them down: every field may be left to the next in
/// line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSpec {
    /// Work, in wasmtime fuel units: about one per executed instruction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// Bytes over all memories and tables of the instance (a table element
    /// counts as 16 bytes).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Milliseconds the guest may compute, waiting not included; enforced by
    /// epochs, to the precision of [`EPOCH_TICK`](crate::EPOCH_TICK).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_time: Option<u64>,
    /// Milliseconds from call to return, waiting included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<u64>,
    /// Bytes of log, progress and standard output of one call. A message or an
    /// update counts for one byte more than it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<u64>,
    /// Bytes of what the call returns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    /// Bytes of all headers of one HTTP request or response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<u64>,
    /// Bytes over the network in both directions, bodies and headers, over all
    /// requests of one call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<u64>,
    /// Bytes a second over the network, over all requests of one call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_rate: Option<u64>,
    /// HTTP requests of one call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
}

/// The limits of one call, all settled. Units as in [`LimitSpec`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Fuel units.
    pub fuel: u64,
    /// Bytes.
    pub memory: u64,
    /// Milliseconds of computing.
    pub cpu_time: u64,
    /// Milliseconds in all.
    pub time: u64,
    /// Bytes.
    pub log: u64,
    /// Bytes.
    pub output: u64,
    /// Bytes.
    pub headers: u64,
    /// Bytes.
    pub network: u64,
    /// Bytes a second.
    pub network_rate: u64,
    /// Requests.
    pub requests: u64,
}

const MIB: u64 = 1 << 20;

impl Limits {
    /// What a call gets when nobody says anything.
    pub const DEFAULT: Self = Self {
        fuel: 10_000_000_000,
        memory: 64 * MIB,
        cpu_time: 10_000,
        time: 600_000,
        log: 64 << 10,
        output: 8 * MIB,
        headers: 64 << 10,
        network: 64 * MIB,
        network_rate: 64 * MIB,
        requests: 64,
    };

    /// The highest values an operator allows unless configured otherwise.
    pub const CEILING: Self = Self {
        fuel: 1_000_000_000_000,
        memory: 1024 * MIB,
        cpu_time: 600_000,
        time: 24 * 3_600_000,
        log: 16 * MIB,
        output: 256 * MIB,
        headers: MIB,
        network: 16 * 1024 * MIB,
        network_rate: 1024 * MIB,
        requests: 100_000,
    };

    /// Settles each field: the first of `specs` that has it, else `defaults`,
    /// and never more than `ceiling`.
    pub fn settle(specs: &[&LimitSpec], defaults: &Self, ceiling: &Self) -> Self {
        macro_rules! settle {
            ($($field:ident),*) => {
                Self { $($field: specs
                    .iter()
                    .find_map(|spec| spec.$field)
                    .unwrap_or(defaults.$field)
                    .min(ceiling.$field)),* }
            };
        }
        settle!(fuel, memory, cpu_time, time, log, output, headers, network, network_rate, requests)
    }

    /// The limits of one call that is made for several: what each may use is
    /// added up, and never more than `ceiling`; how long it may take, and how
    /// large one header, is the most that one of them may.
    pub fn together(all: impl IntoIterator<Item = Self>, ceiling: &Self) -> Self {
        macro_rules! add {
            ($all:ident, $one:ident, $($field:ident),*) => {
                Self {
                    time: $all.time.max($one.time),
                    headers: $all.headers.max($one.headers),
                    $($field: $all.$field.saturating_add($one.$field).min(ceiling.$field)),*
                }
            };
        }
        let add = |all: Self, one: Self| {
            add!(all, one, fuel, memory, cpu_time, log, output, network, network_rate, requests)
        };
        all.into_iter().reduce(add).unwrap_or(*ceiling)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Names a limit in errors and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// [`Limits::fuel`].
    Fuel,
    /// [`Limits::memory`].
    Memory,
    /// [`Limits::cpu_time`].
    CpuTime,
    /// [`Limits::time`].
    Time,
    /// [`Limits::log`].
    Log,
    /// [`Limits::output`].
    Output,
    /// [`Limits::headers`].
    Headers,
    /// [`Limits::network`].
    Network,
    /// [`Limits::network_rate`]: never broken, only slowed down to.
    NetworkRate,
    /// [`Limits::requests`].
    Requests,
}

impl LimitKind {
    /// The field's name and unit, as configuration files spell them.
    pub fn name_and_unit(self) -> (&'static str, &'static str) {
        match self {
            Self::Fuel => ("fuel", "units"),
            Self::Memory => ("memory", "bytes"),
            Self::CpuTime => ("cpu_time", "ms"),
            Self::Time => ("time", "ms"),
            Self::Log => ("log", "bytes"),
            Self::Output => ("output", "bytes"),
            Self::Headers => ("headers", "bytes"),
            Self::Network => ("network", "bytes"),
            Self::NetworkRate => ("network_rate", "bytes/s"),
            Self::Requests => ("requests", "requests"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_specific_wins_and_ceiling_caps() {
        let task = LimitSpec { fuel: Some(5), ..Default::default() };
        let manifest = LimitSpec { fuel: Some(7), memory: Some(u64::MAX), ..Default::default() };
        let settled = Limits::settle(&[&task, &manifest], &Limits::DEFAULT, &Limits::CEILING);
        assert_eq!(settled.fuel, 5);
        assert_eq!(settled.memory, Limits::CEILING.memory);
        assert_eq!(settled.log, Limits::DEFAULT.log);
    }

    #[test]
    fn several_together_have_the_sum_up_to_the_ceiling() {
        let one = Limits { fuel: 400, memory: 10, time: 30, ..Limits::DEFAULT };
        let other = Limits { fuel: 700, memory: 20, time: 20, ..Limits::DEFAULT };
        let ceiling = Limits { fuel: 1_000, ..Limits::CEILING };
        let all = Limits::together([one, other], &ceiling);
        assert_eq!((all.fuel, all.memory, all.time), (1_000, 30, 30));
        assert_eq!(all.headers, Limits::DEFAULT.headers);
        assert_eq!(Limits::together([one], &ceiling), one);
    }
}
