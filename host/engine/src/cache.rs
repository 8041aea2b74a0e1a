//! The *cache* keeps results of tasks that allow it, for equal tasks of any run
//! of the same namespace: in memory, of bounded size, where what has not been
//! used for the longest time goes first; and for a run that is recorded in its
//! store as well, for runs to come.
//!
//! Of several equal tasks at once one does the work and *leads*; the others ask
//! again later, and lead themselves if it failed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use consort_plugin_host::Payload;
use consort_store::{Hash, Store};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::journal;

/// Bytes of results that are kept in memory.
const MAX_BYTES: usize = 64 << 20;
/// Results that are kept in memory.
const MAX_ENTRIES: usize = 65_536;

/// Results of tasks. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Cache {
    kept: Arc<Mutex<Kept>>,
    shelf: Option<Shelf>,
}

/// Where results outlive the process.
#[derive(Clone)]
struct Shelf {
    store: Store,
    namespace: Arc<str>,
}

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
    /// Milliseconds since the epoch.
    stored_at: i64,
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
    /// The same, with results that outlive the process, shared by all whose
    /// namespace is the same.
    pub(crate) fn on(&self, store: Store, namespace: Arc<str>) -> Self {
        Self { kept: self.kept.clone(), shelf: Some(Shelf { store, namespace }) }
    }

    /// The result of a task of that key, no older than `ttl`.
    pub(crate) async fn claim(&self, key: Key, ttl: Option<Duration>) -> Claim {
        let now = crate::now();
        let oldest = ttl.map_or(i64::MIN, |ttl| now.saturating_sub(millis(ttl)));
        {
            let mut kept = self.lock();
            if let Some(output) = kept.find(key, oldest) {
                return Claim::Hit(output);
            }
            if !kept.led.insert(key) {
                return Claim::Busy;
            }
        }
        let lease = Lease { cache: self.clone(), key };
        let Some(shelf) = &self.shelf else { return Claim::Lead(lease) };
        match shelf.find(key, now).await {
            Some((output, stored_at)) if stored_at >= oldest => {
                self.lock().store(key, output.clone(), stored_at);
                Claim::Hit(output)
            }
            _ => Claim::Lead(lease),
        }
    }

    /// The duty to do the work, whatever is kept; none if somebody has it.
    pub(crate) fn renew(&self, key: Key) -> Option<Lease> {
        let led = self.lock().led.insert(key);
        led.then(|| Lease { cache: self.clone(), key })
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
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

impl Shelf {
    /// A result and when it was stored. A store that has failed has none: what
    /// the run records next says so.
    async fn find(&self, key: Key, now: i64) -> Option<(Payload, i64)> {
        let found = self.store.cache_get(&self.namespace, key.hash(), now).await.ok()??;
        Some((journal::unpack(&found.body, &found.blobs)?, found.stored_at))
    }

    async fn store(&self, key: Key, output: &Payload, now: i64, ttl: Option<Duration>) {
        let (body, blobs) = journal::pack(output);
        let expires = ttl.map(|ttl| now.saturating_add(millis(ttl)));
        let put = self.store.cache_put(&self.namespace, key.hash(), body, blobs, now, expires);
        if let Err(error) = put.await {
            tracing::warn!(%error, "a result could not be kept for later runs");
        }
    }
}

impl Kept {
    /// A result that was stored at `oldest` or later.
    fn find(&mut self, key: Key, oldest: i64) -> Option<Payload> {
        let entry = self.entries.get_mut(&key)?;
        if entry.stored_at < oldest {
            return None;
        }
        self.uses.remove(&entry.used);
        entry.used = self.next_use;
        self.uses.insert(self.next_use, key);
        self.next_use += 1;
        Some(entry.output.clone())
    }

    fn store(&mut self, key: Key, output: Payload, stored_at: i64) {
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
        self.entries.insert(key, Entry { output, stored_at, used });
    }

    fn remove(&mut self, key: Key) {
        if let Some(entry) = self.entries.remove(&key) {
            self.uses.remove(&entry.used);
            self.bytes -= entry.output.len();
        }
    }
}

impl Lease {
    /// Keeps the result for others; on disk for no longer than `ttl`.
    pub(crate) async fn fill(self, output: &Payload, ttl: Option<Duration>) {
        let now = crate::now();
        self.cache.lock().store(self.key, output.clone(), now);
        if let Some(shelf) = &self.cache.shelf {
            shelf.store(self.key, output, now, ttl).await;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.cache.lock().led.remove(&self.key);
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// What makes tasks equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; 32]);

impl Key {
    fn hash(self) -> Hash {
        Hash::of(&self.0)
    }
}

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
    use consort_store::Options;
    use serde_json::json;

    use super::*;

    fn key(text: &str) -> Key {
        let mut parts = Parts::new("test");
        parts.text(text);
        parts.key()
    }

    fn claim(cache: &Cache, text: &str, ttl: Option<Duration>) -> Claim {
        futures::executor::block_on(cache.claim(key(text), ttl))
    }

    fn lead(cache: &Cache, text: &str) -> Lease {
        match claim(cache, text, None) {
            Claim::Lead(lease) => lease,
            Claim::Hit(_) | Claim::Busy => panic!("nobody else is there"),
        }
    }

    fn fill(lease: Lease, text: Arc<str>) {
        futures::executor::block_on(lease.fill(&Payload::Text(text), None));
    }

    fn hit(cache: &Cache, text: &str) -> bool {
        matches!(claim(cache, text, None), Claim::Hit(_))
    }

    #[test]
    fn one_leads_and_the_others_get_its_result() {
        let cache = Cache::default();
        let lease = lead(&cache, "a");
        assert!(matches!(claim(&cache, "a", None), Claim::Busy));
        fill(lease, "result".into());
        assert!(hit(&cache, "a") && !hit(&cache, "b"));
    }

    #[test]
    fn a_result_that_is_too_old_is_none() {
        let cache = Cache::default();
        fill(lead(&cache, "a"), "result".into());
        cache.lock().entries.get_mut(&key("a")).unwrap().stored_at -= 10_000;
        assert!(matches!(claim(&cache, "a", Some(Duration::from_secs(60))), Claim::Hit(_)));
        assert!(matches!(claim(&cache, "a", Some(Duration::from_secs(5))), Claim::Lead(_)));
    }

    #[test]
    fn when_the_leader_fails_another_leads() {
        let cache = Cache::default();
        drop(lead(&cache, "a"));
        drop(lead(&cache, "a"));
        assert!(cache.lock().led.is_empty());
    }

    #[test]
    fn results_outlive_the_process_in_their_namespace_until_they_expire() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("s.db"), Options::default()).unwrap();
        let cache = |namespace: &str| Cache::default().on(store.clone(), namespace.into());
        let large: Arc<str> = "x".repeat(1 << 20).into();
        for (name, text) in [("a", "result".into()), ("large", large.clone())] {
            fill(lead(&cache("one"), name), text);
        }
        let short = Payload::Text("short".into());
        let lease = lead(&cache("one"), "short");
        futures::executor::block_on(lease.fill(&short, Some(Duration::ZERO)));
        let found = |namespace: &str, name: &str| match claim(&cache(namespace), name, None) {
            Claim::Hit(output) => Some(output),
            Claim::Lead(_) | Claim::Busy => None,
        };
        assert_eq!(found("one", "a"), Some(Payload::Text("result".into())));
        assert_eq!(found("one", "large"), Some(Payload::Text(large)));
        assert_eq!(found("two", "a"), None);
        assert_eq!(found("one", "short"), None);
    }

    #[test]
    fn what_has_not_been_used_for_long_makes_room() {
        let cache = Cache::default();
        let half: Arc<str> = "x".repeat(MAX_BYTES / 2).into();
        for name in ["a", "b"] {
            fill(lead(&cache, name), half.clone());
        }
        assert!(hit(&cache, "a"));
        fill(lead(&cache, "c"), half.clone());
        assert!(hit(&cache, "a") && hit(&cache, "c") && !hit(&cache, "b"));
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
