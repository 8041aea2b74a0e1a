//! *Load options* bound what a component may cost before any of it runs: its
//! size, the time its compilation takes, and the place its code takes on disk.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::seconds;

/// What loading plugins may cost.
///
/// The compiler's memory has no limit of its own. It grows with the largest
/// functions and with the component as a whole, which is why both are bounded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoadOptions {
    /// Bytes a component may have; 128 MiB unless given. An agent in Python has
    /// about 18 MB.
    pub component_size: u64,
    /// Bytes of code that one function of it may have; 1 MiB unless given.
    pub function_size: u64,
    /// How long compiling may take, written in seconds; 120 unless given. A
    /// component in Python takes about ten.
    #[serde(with = "seconds")]
    pub compile_time: Duration,
    /// Bytes of compiled code kept on disk; 2 GiB unless given. What was not
    /// used for longest goes first.
    pub cache_size: u64,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            component_size: 128 << 20,
            function_size: 1 << 20,
            compile_time: Duration::from_secs(120),
            cache_size: 2 << 30,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_keeps_its_default() {
        let options: LoadOptions =
            serde_json::from_str(r#"{"compile_time": 0.5, "cache_size": 0}"#).expect("valid");
        assert_eq!(options.compile_time, Duration::from_millis(500));
        assert_eq!(options.component_size, LoadOptions::default().component_size);
        assert!(serde_json::from_str::<LoadOptions>(r#"{"compile_tmie": 1}"#).is_err());
    }
}
