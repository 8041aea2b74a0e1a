//! What the operator sets once for all egress of the process.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::seconds;

/// Settings of the one HTTP client that serves all plugins.
///
/// A guest may shorten the timeouts of its own request with
/// `wasi:http/types.request-options`; it can never lengthen them. No timeout is
/// meant to end slow agents: the call's own `time` limit does that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EgressOptions {
    /// From looking up the name to an established connection, TLS included.
    #[serde(with = "seconds")]
    pub connect_timeout: Duration,
    /// From the start of the request, connecting and sending its body included,
    /// to the response's header.
    #[serde(with = "seconds")]
    pub first_byte_timeout: Duration,
    /// Between two pieces of a response's body, while the guest waits for one.
    #[serde(with = "seconds")]
    pub idle_timeout: Duration,
    /// From the start of the request to the last byte of the response.
    #[serde(with = "seconds")]
    pub total_timeout: Duration,
    /// Private addresses that plugins may reach, given that a rule allows the
    /// request: the network agents run in, say. Also opens names that resolve
    /// to them.
    pub private: Vec<IpNet>,
    /// Names answered from here instead of from DNS, like `/etc/hosts`. The
    /// addresses are checked like those that DNS gives.
    pub hosts: BTreeMap<String, Vec<IpAddr>>,
    /// Files of PEM certificates to trust besides those of the system.
    pub extra_roots: Vec<PathBuf>,
    /// Idle connections kept open to each host.
    pub max_idle_per_host: usize,
}

impl Default for EgressOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(600),
            idle_timeout: Duration::from_secs(300),
            total_timeout: Duration::from_secs(24 * 3600),
            private: Vec::new(),
            hosts: BTreeMap::new(),
            extra_roots: Vec::new(),
            max_idle_per_host: 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_seconds_and_keeps_defaults() {
        let options: EgressOptions =
            serde_json::from_str(r#"{"idle_timeout": 1.5, "private": ["10.0.0.0/8"]}"#)
                .expect("valid options");
        assert_eq!(options.idle_timeout, Duration::from_millis(1500));
        assert_eq!(options.private.len(), 1);
        assert_eq!(options.first_byte_timeout, Duration::from_secs(600));
        for bad in ["0", "-1", "1e300"] {
            let text = format!(r#"{{"idle_timeout": {bad}}}"#);
            assert!(serde_json::from_str::<EgressOptions>(&text).is_err(), "{bad}");
        }
    }
}
