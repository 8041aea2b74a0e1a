//! What Linux says about this process.

use std::fs;

/// Why there is no figure.
pub(crate) const NO_MEMORY: &str = "this system does not say how much memory a process has";

/// A line of it, in bytes.
pub(crate) fn status(line: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let value = text.lines().find_map(|text| text.strip_prefix(line))?;
    Some(value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Open files of this process.
pub(crate) fn open_files() -> Option<u64> {
    Some(fs::read_dir("/proc/self/fd").ok()?.count() as u64)
}
