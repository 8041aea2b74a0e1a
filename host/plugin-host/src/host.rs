//! The *plugin host*: loads plugins and holds what they share, which is
//! engines, compiled code and the way to the network.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::compile::CodeCache;
use crate::egress::{EgressClient, EgressOptions};
use crate::error::{HostError, LoadError};
use crate::limits::Limits;
use crate::load_options::LoadOptions;
use crate::plugin::{Plugin, WeakPlugin};
use crate::runtime::Runtime;
use crate::source::Source;

/// How a host is set up.
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// Where compiled code is kept from one process to the next; nowhere when
    /// `None`. The directory is created for this user alone.
    pub cache_dir: Option<PathBuf>,
    /// What loading plugins may cost.
    pub load: LoadOptions,
    /// Limits of calls for which nobody says otherwise.
    pub defaults: Limits,
    /// Limits nobody can go beyond.
    pub ceiling: Limits,
    /// Instances for which room is reserved; beyond that they are made on
    /// demand, which is slower. Costs address space, no memory.
    pub pool: u32,
    /// The network.
    pub egress: EgressOptions,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self {
            cache_dir: None,
            load: LoadOptions::default(),
            defaults: Limits::DEFAULT,
            ceiling: Limits::CEILING,
            pool: 10_240,
            egress: EgressOptions::default(),
        }
    }
}

/// Loads plugins. A handle: clones share everything.
#[derive(Clone)]
pub struct PluginHost(Arc<Inner>);

struct Inner {
    load: LoadOptions,
    defaults: Limits,
    ceiling: Limits,
    runtime: Arc<Runtime>,
    cache: Option<CodeCache>,
    client: Arc<EgressClient>,
    /// So that loading a plugin again costs nothing.
    loaded: Mutex<HashMap<Key, WeakPlugin>>,
    /// Held while a plugin is loaded, so that none is compiled twice at once.
    loading: Mutex<HashMap<Key, Arc<Mutex<()>>>>,
}

/// A plugin's digest and the name it would have without a manifest.
type Key = (Arc<str>, Arc<str>);

impl PluginHost {
    /// Sets up the engines and starts the thread that ends epochs. Takes a few
    /// milliseconds.
    pub fn new(options: HostOptions) -> Result<Self, HostError> {
        let runtime = Arc::new(Runtime::new(options.pool)?);
        let cache = options.cache_dir.and_then(|directory| {
            CodeCache::open(&directory, runtime.compatibility(), options.load.cache_size)
                .inspect_err(|error| {
                    tracing::warn!(path = %directory.display(), %error, "not caching compiled code");
                })
                .ok()
        });
        Ok(Self(Arc::new(Inner {
            load: options.load,
            defaults: options.defaults,
            ceiling: options.ceiling,
            runtime,
            cache,
            client: Arc::new(EgressClient::new(options.egress)),
            loaded: Mutex::default(),
            loading: Mutex::default(),
        })))
    }

    /// Loads a plugin: reads, checks, compiles (or finds it compiled) and links
    /// it. Runs nothing of it. The work happens on a thread of its own; a large
    /// component that was never compiled here takes seconds.
    ///
    /// # Errors
    ///
    /// See [`LoadError`]. After [`LoadError::CompileTime`] the thread goes on: the
    /// compiler cannot be stopped. Whoever loads the same plugin meanwhile waits
    /// for it, within the same limit, rather than compile it again.
    pub async fn load(&self, source: &Source) -> Result<Plugin, LoadError> {
        let (host, source) = (self.clone(), source.clone());
        let label = source.label();
        let uncompiled =
            |reason: &str| LoadError::Compile { plugin: label.clone(), reason: reason.to_owned() };
        let (answer, loaded) = oneshot::channel();
        // Not one of the runtime's threads, which waits for those at its end.
        thread::Builder::new()
            .name("consort-load".to_owned())
            .spawn(move || {
                // Whoever asked may no longer wait.
                let _ = answer.send(host.load_blocking(&source));
            })
            .map_err(|error| uncompiled(&format!("could not start a thread: {error}")))?;
        let allowed = self.0.load.compile_time;
        match timeout(allowed, loaded).await {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(_)) => Err(uncompiled("the compiler panicked")),
            Err(_) => Err(LoadError::CompileTime { plugin: label, seconds: allowed.as_secs_f64() }),
        }
    }

    fn load_blocking(&self, source: &Source) -> Result<Plugin, LoadError> {
        let bytes = source.read(self.0.load.component_size)?;
        let digest = source.digest_of(&bytes)?;
        let key = (digest, Arc::from(source.fallback_name()));
        if let Some(plugin) = self.in_use(&key) {
            return Ok(plugin);
        }
        let turn = Arc::clone(lock(&self.0.loading).entry(key.clone()).or_default());
        let loaded = {
            let _turn = lock(&turn);
            match self.in_use(&key) {
                Some(plugin) => Ok(plugin),
                None => self.load_now(source, &bytes, &key),
            }
        };
        drop(turn);
        lock(&self.0.loading).retain(|_, turn| Arc::strong_count(turn) > 1);
        loaded
    }

    fn load_now(&self, source: &Source, bytes: &[u8], key: &Key) -> Result<Plugin, LoadError> {
        let Inner { runtime, cache, client, load, .. } = &*self.0;
        let digest = Arc::clone(&key.0);
        let plugin = Plugin::load(source, bytes, digest, runtime, client, cache.as_ref(), load)?;
        let mut loaded = lock(&self.0.loaded);
        loaded.retain(|_, plugin| plugin.upgrade().is_some());
        loaded.insert(key.clone(), plugin.downgrade());
        Ok(plugin)
    }

    fn in_use(&self, key: &Key) -> Option<Plugin> {
        lock(&self.0.loaded).get(key).and_then(WeakPlugin::upgrade)
    }

    /// The client of all plugins' requests, for the host's own.
    pub fn egress(&self) -> &Arc<EgressClient> {
        &self.0.client
    }

    /// Limits of calls for which nobody says otherwise.
    pub fn defaults(&self) -> &Limits {
        &self.0.defaults
    }

    /// Limits nobody can go beyond.
    pub fn ceiling(&self) -> &Limits {
        &self.0.ceiling
    }
}

/// Nothing behind these locks is ever left half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for PluginHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginHost")
            .field("defaults", &self.0.defaults)
            .field("ceiling", &self.0.ceiling)
            .finish_non_exhaustive()
    }
}
