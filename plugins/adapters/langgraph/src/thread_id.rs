//! A *thread id* is the name of the thread on the server that a task's run is
//! on. It follows from the task, so that whoever starts the task again finds the
//! thread.

use sha2::{Digest as _, Sha256};

/// Keeps these names apart from anything else that is named by a hash.
const NAMESPACE: &str = "consort:langgraph:thread";

/// The name of a task's thread for an assistant. A task has more than one when
/// runs failed: each begins on a thread of its own, numbered from 1, because
/// what a failed run left in the state of its thread would be the next one's
/// input.
///
/// A UUID of version 8, made from SHA-256 as RFC 9562, appendix B.2 shows.
pub(crate) fn thread_id(idempotency_key: &str, assistant: &str, number: u32) -> String {
    let mut hash = Sha256::new();
    for part in [NAMESPACE, idempotency_key, assistant] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update(number.to_be_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&hash.finalize()[..16]);
    id[6] = id[6] & 0x0f | 0x80;
    id[8] = id[8] & 0x3f | 0x80;
    let hex = id.map(|byte| format!("{byte:02x}")).concat();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Another value here would make every run of an older version unfindable.
    #[test]
    fn the_name_of_a_thread_never_changes() {
        assert_eq!(thread_id("run/task", "agent", 1), "19a2ad48-956d-87d9-962a-4acbf5953d06");
    }

    #[test]
    fn names_differ_in_every_part() {
        let names = [
            thread_id("run/task", "agent", 1),
            thread_id("run/task", "agent", 2),
            thread_id("run/task", "agents", 1),
            thread_id("run/taska", "gent", 1),
        ];
        for (i, name) in names.iter().enumerate() {
            assert!(!names[..i].contains(name), "{name}");
            assert_eq!((name.len(), &name[14..15]), (36, "8"), "{name}");
        }
    }
}
