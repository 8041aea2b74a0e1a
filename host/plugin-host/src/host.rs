//! The *plugin host*: loads plugins and holds what they share, which is
//! engines, compiled code and the way to the network.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::compile::CodeCache;
use crate::egress::{EgressClient, EgressOptions};
use crate::error::{HostError, LoadError};
use crate::limits::Limits;
use crate::plugin::{Plugin, WeakPlugin};
use crate::runtime::Runtime;
use crate::source::Source;

/// How a host is set up.
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// Where compiled code is kept from one process to the next; nowhere when
    /// `None`. The directory is created for this user alone.
    pub cache_dir: Option<PathBuf>,
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
    defaults: Limits,
    ceiling: Limits,
    runtime: Arc<Runtime>,
    cache: Option<CodeCache>,
    client: Arc<EgressClient>,
    /// So that loading a plugin again costs nothing.
    loaded: Mutex<InUse>,
}

/// Plugins in use, by digest and by the name each would have without a manifest.
type InUse = HashMap<(Arc<str>, Arc<str>), WeakPlugin>;

impl PluginHost {
    /// Sets up the engines and starts the thread that ends epochs. Takes a few
    /// milliseconds.
    pub fn new(options: HostOptions) -> Result<Self, HostError> {
        let runtime = Arc::new(Runtime::new(options.pool)?);
        let cache = options.cache_dir.and_then(|directory| {
            CodeCache::open(&directory, runtime.compatibility())
                .inspect_err(|error| {
                    tracing::warn!(path = %directory.display(), %error, "not caching compiled code");
                })
                .ok()
        });
        Ok(Self(Arc::new(Inner {
            defaults: options.defaults,
            ceiling: options.ceiling,
            runtime,
            cache,
            client: Arc::new(EgressClient::new(options.egress)),
            loaded: Mutex::default(),
        })))
    }

    /// Loads a plugin: reads, checks, compiles (or finds it compiled) and links
    /// it. Runs nothing of it. The work happens on a blocking thread; a large
    /// component that was never compiled here takes seconds.
    pub async fn load(&self, source: &Source) -> Result<Plugin, LoadError> {
        let (host, source) = (self.clone(), source.clone());
        let label = source.label();
        match tokio::task::spawn_blocking(move || host.load_blocking(&source)).await {
            Ok(loaded) => loaded,
            Err(error) => Err(LoadError::Compile { plugin: label, reason: error.to_string() }),
        }
    }

    fn load_blocking(&self, source: &Source) -> Result<Plugin, LoadError> {
        let bytes = source.read()?;
        let digest = source.digest_of(&bytes)?;
        let key = (Arc::clone(&digest), Arc::from(source.fallback_name()));
        let known = self.lock().get(&key).and_then(WeakPlugin::upgrade);
        if let Some(plugin) = known {
            return Ok(plugin);
        }
        let Inner { runtime, cache, client, .. } = &*self.0;
        let plugin = Plugin::load(source, &bytes, digest, runtime, client, cache.as_ref())?;
        let mut loaded = self.lock();
        loaded.retain(|_, plugin| plugin.upgrade().is_some());
        loaded.insert(key, plugin.downgrade());
        Ok(plugin)
    }

    /// Limits of calls for which nobody says otherwise.
    pub fn defaults(&self) -> &Limits {
        &self.0.defaults
    }

    /// Limits nobody can go beyond.
    pub fn ceiling(&self) -> &Limits {
        &self.0.ceiling
    }

    fn lock(&self) -> MutexGuard<'_, InUse> {
        self.0.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for PluginHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginHost")
            .field("defaults", &self.0.defaults)
            .field("ceiling", &self.0.ceiling)
            .finish_non_exhaustive()
    }
}
