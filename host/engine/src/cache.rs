//! The *cache* keeps results of tasks that allow it, for equal tasks of any run
//! of the same engine. It is in memory and of bounded size; what has not been
//! used for the longest time goes first.
//!
//! Of several equal tasks at once one does the work and *leads*; the others ask
//! again later, and lead themselves if it failed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use consort_plugin_host::Payload;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Bytes of results that are kept.
const MAX_BYTES: usize = 64 << 20;
/// Results that are kept.
const MAX_ENTRIES: usize = 65_536;

/// Results of tasks. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Cache(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    entries: HashMap<Key, Entry>,
    /// Keys by their last use, the oldest first.
    uses: BTreeMap<u64, Key>,
    next_use: u64,
    bytes: usize,
    /// Whose work is being done.
    led: HashSet<Key>,
}

struct Entry {
    output: Payload,
    stored: Instant,
    used: u64,
}

/// What there is for a task.
pub(crate) enum Claim {
    /// The result of an equal task.
    Hit(Payload),
    /// An equal task is at work.
    Busy,
    /// Nothing; whoever gets this does the work.
    Lead(Lease),
}

/// The duty to do the work. Ends when it is dropped, with a result or without.
pub(crate) struct Lease {
    cache: Cache,
    key: Key,
}

impl Cache {
    /// The result of a task of that key, no older than `ttl`.
    pub(crate) fn claim(&self, key: Key, ttl: Option<Duration>) -> Claim {
        let mut kept = self.lock();
        if let Some(output) = kept.find(key, ttl) {
            return Claim::Hit(output);
        }
        if kept.led.insert(key) {
            Claim::Lead(Lease { cache: self.clone(), key })
        } else {
            Claim::Busy
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.lock();
        f.debug_struct("Cache")
            .field("entries", &kept.entries.len())
            .field("bytes", &kept.bytes)
            .finish()
    }
}

impl Kept {
    fn find(&mut self, key: Key, ttl: Option<Duration>) -> Option<Payload> {
        let entry = self.entries.get_mut(&key)?;
        if ttl.is_some_and(|ttl| entry.stored.elapsed() > ttl) {
            return None;
        }
        self.uses.remove(&entry.used);
        entry.used = self.next_use;
        self.uses.insert(self.next_use, key);
        self.next_use += 1;
        Some(entry.output.clone())
    }

    fn store(&mut self, key: Key, output: Payload) {
        self.remove(key);
        let size = output.len();
        if size > MAX_BYTES {
            return;
        }
        while self.bytes + size > MAX_BYTES || self.entries.len() >= MAX_ENTRIES {
            let Some((_, oldest)) = self.uses.pop_first() else { break };
            self.remove(oldest);
        }
        let used = self.next_use;
        self.next_use += 1;
        self.bytes += size;
        self.uses.insert(used, key);
        self.entries.insert(key, Entry { output, stored: Instant::now(), used });
    }

    fn remove(&mut self, key: Key) {
        if let Some(entry) = self.entries.remove(&key) {
            self.uses.remove(&entry.used);
            self.bytes -= entry.output.len();
        }
    }
}

impl Lease {
    /// Keeps the result for others.
    pub(crate) fn fill(self, output: &Payload) {
        self.cache.lock().store(self.key, output.clone());
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.cache.lock().led.remove(&self.key);
    }
}

/// What makes tasks equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; 32]);

/// A key in the making: every part with its length, so that no two lists of
/// parts give the same key.
pub(crate) struct Parts(Sha256);

impl Parts {
    /// `kind` keeps keys apart that are made in different ways.
    pub(crate) fn new(kind: &str) -> Self {
        let mut parts = Self(Sha256::new());
        parts.text(kind);
        parts
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(crate) fn optional(&mut self, text: Option<&str>) {
        self.text(if text.is_some() { "some" } else { "none" });
        self.text(text.unwrap_or_default());
    }

    /// A JSON value, whatever the order of its fields.
    pub(crate) fn value(&mut self, mut value: Value) {
        value.sort_all_objects();
        self.text(&value.to_string());
    }

    pub(crate) fn payload(&mut self, payload: &Payload) {
        match payload {
            Payload::Json(text) => {
                self.text("json");
                match serde_json::from_str(text) {
                    Ok(value) => self.value(value),
                    Err(_) => self.text(text),
                }
            }
            Payload::Text(text) => {
                self.text("text");
                self.text(text);
            }
            Payload::Blob { media_type, data } => {
                self.text("blob");
                self.text(media_type);
                self.bytes(data);
            }
        }
    }

    pub(crate) fn key(self) -> Key {
        Key(self.0.finalize().into())
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(text: &str) -> Key {
        let mut parts = Parts::new("test");
        parts.text(text);
        parts.key()
    }

    fn lead(cache: &Cache, text: &str) -> Lease {
        match cache.claim(key(text), None) {
            Claim::Lead(lease) => lease,
            Claim::Hit(_) | Claim::Busy => panic!("nobody else is there"),
        }
    }

    fn hit(cache: &Cache, text: &str, ttl: Option<Duration>) -> bool {
        matches!(cache.claim(key(text), ttl), Claim::Hit(_))
    }

    #[test]
    fn one_leads_and_the_others_get_its_result() {
        let cache = Cache::default();
        let lease = lead(&cache, "a");
        assert!(matches!(cache.claim(key("a"), None), Claim::Busy));
        lease.fill(&Payload::Text("result".into()));
        assert!(hit(&cache, "a", None));
        assert!(!hit(&cache, "a", Some(Duration::ZERO)));
        assert!(!hit(&cache, "b", None));
    }

    #[test]
    fn when_the_leader_fails_another_leads() {
        let cache = Cache::default();
        drop(lead(&cache, "a"));
        drop(lead(&cache, "a"));
        assert!(cache.lock().led.is_empty());
    }

    #[test]
    fn what_has_not_been_used_for_long_makes_room() {
        let cache = Cache::default();
        let half: Arc<str> = "x".repeat(MAX_BYTES / 2).into();
        for name in ["a", "b"] {
            lead(&cache, name).fill(&Payload::Text(half.clone()));
        }
        assert!(hit(&cache, "a", None));
        lead(&cache, "c").fill(&Payload::Text(half.clone()));
        assert!(hit(&cache, "a", None) && hit(&cache, "c", None) && !hit(&cache, "b", None));
        let kept = cache.lock();
        assert_eq!((kept.bytes, kept.entries.len(), kept.uses.len()), (2 * half.len(), 2, 2));
    }

    #[test]
    fn keys_are_equal_only_for_equal_parts() {
        let made = |parts: &[&str]| {
            let mut made = Parts::new("test");
            parts.iter().for_each(|part| made.text(part));
            made.key()
        };
        assert_ne!(made(&["ab", "c"]), made(&["a", "bc"]));
        assert_ne!(made(&["a"]), made(&["a", ""]));
        let value = |text: &str| {
            let mut parts = Parts::new("test");
            parts.payload(&Payload::Json(text.into()));
            parts.key()
        };
        assert_eq!(value(r#"{"a": 1, "b": [2]}"#), value(r#"{"b":[2],"a":1}"#));
        assert_ne!(value(&json!([1, 2]).to_string()), value(&json!([2, 1]).to_string()));
    }
}
