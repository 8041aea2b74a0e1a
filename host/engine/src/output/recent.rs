//! *Recent* payloads are those of the store that were recorded or needed last: one
//! is often needed again at once, by the next task of a chain. They are few, and
//! the process has them together, since a payload is the same wherever it is
//! stored.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use consort_plugin_host::Payload;
use consort_store::Hash;

use super::Form;

/// Bytes of them.
const MAX_BYTES: usize = 64 << 20;

static RECENT: LazyLock<Mutex<Recent>> = LazyLock::new(Mutex::default);

/// Payloads, of which the one that has not been used for the longest time goes
/// first.
#[derive(Default)]
pub(super) struct Recent {
    entries: HashMap<Key, Entry>,
    /// Keys by their last use, the oldest first.
    uses: BTreeMap<u64, Key>,
    next_use: u64,
    bytes: usize,
}

type Key = (Hash, Form);

struct Entry {
    payload: Arc<Payload>,
    used: u64,
}

/// All there are.
pub(super) fn all() -> MutexGuard<'static, Recent> {
    RECENT.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recent {
    /// The payload of that hash and form.
    pub(super) fn find(&mut self, hash: Hash, form: &Form) -> Option<Arc<Payload>> {
        let key = (hash, form.clone());
        let entry = self.entries.get_mut(&key)?;
        self.uses.remove(&entry.used);
        entry.used = self.next_use;
        self.uses.insert(self.next_use, key);
        self.next_use += 1;
        Some(entry.payload.clone())
    }

    /// Adds one, unless it is too large.
    pub(super) fn add(&mut self, hash: Hash, payload: Arc<Payload>) {
        let key = (hash, Form::of(&payload));
        self.remove(&key);
        let size = payload.len();
        if size > MAX_BYTES {
            return;
        }
        while self.bytes + size > MAX_BYTES {
            let Some((_, oldest)) = self.uses.pop_first() else { break };
            self.remove(&oldest);
        }
        let used = self.next_use;
        self.next_use += 1;
        self.bytes += size;
        self.uses.insert(used, key.clone());
        self.entries.insert(key, Entry { payload, used });
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.uses.remove(&entry.used);
            self.bytes -= entry.payload.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_take_a_bounded_number_of_bytes_whatever_comes() {
        let mut recent = Recent::default();
        let hash = |n: u8| Hash::of(&[n]);
        let payload = |bytes: usize| Arc::new(Payload::Text("x".repeat(bytes).into()));
        for n in 0..10 {
            recent.add(hash(n), payload(MAX_BYTES / 4));
            assert!(recent.bytes <= MAX_BYTES);
            // Used all the time, so it stays.
            assert!(recent.find(hash(0), &Form::Text).is_some());
        }
        let there = |recent: &mut Recent| -> Vec<u8> {
            (0..10).filter(|n| recent.find(hash(*n), &Form::Text).is_some()).collect()
        };
        assert_eq!(there(&mut recent), [0, 7, 8, 9]);
        assert_eq!(recent.find(hash(0), &Form::Json), None);
        recent.add(hash(0), payload(MAX_BYTES / 4));
        assert_eq!(recent.bytes, MAX_BYTES);
        recent.add(hash(20), payload(MAX_BYTES + 1));
        assert_eq!(there(&mut recent), [0, 7, 8, 9]);
        assert_eq!((recent.entries.len(), recent.uses.len()), (4, 4));
    }
}
