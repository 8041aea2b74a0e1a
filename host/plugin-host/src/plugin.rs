//! A *plugin* is a component that was read, checked, compiled and linked: ready
//! to be instantiated, in whichever engine has room.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use wasmtime::Engine;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};

use crate::adapter::Adapter;
use crate::compile::{Code, CodeCache};
use crate::egress::{CallEgress, EgressClient, Grants, HttpCapability};
use crate::error::LoadError;
use crate::limits::Limits;
use crate::load_options::LoadOptions;
use crate::manifest::{Kind, Manifest};
use crate::prioritizer::Prioritizer;
use crate::room::Place;
use crate::runtime::{Runtime, Workshop};
use crate::scan::{Scan, export_name, scan};
use crate::source::Source;
use crate::store::State;
use crate::transformer::Transformer;
use crate::v0_1;

/// A loaded plugin. A handle: clones share everything.
#[derive(Clone)]
pub struct Plugin(Arc<Inner>);

/// A plugin that may be gone.
pub(crate) struct WeakPlugin(Weak<Inner>);

struct Inner {
    name: Arc<str>,
    digest: Arc<str>,
    label: String,
    export: String,
    /// The other export that plugins of its kind may have.
    optional_export: Option<String>,
    tables_grow: bool,
    manifest: Manifest,
    /// Those of the manifest, to be shared with every call.
    capabilities: Arc<[HttpCapability]>,
    runtime: Arc<Runtime>,
    client: Arc<EgressClient>,
    /// One for each tier of the runtime, loaded when first needed; at least one
    /// is there.
    loaded: Vec<OnceLock<Result<Loaded, String>>>,
}

/// A plugin in one engine.
pub(crate) struct Loaded {
    pub(crate) pre: InstancePre<State>,
    /// Linear memories of one instance.
    memories: u32,
    functions: Vec<ComponentExportIndex>,
    /// The one that plugins of its kind may have.
    optional: Option<ComponentExportIndex>,
}

/// A function that some contract exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Start,
    Resume,
    Cancel,
    /// Not of every adapter.
    StartBatch,
    Score,
    Transform,
    /// Not of every transformer.
    Check,
}

impl Function {
    /// The functions that a contract must have.
    pub(crate) fn all(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Adapter => &[Self::Start, Self::Resume, Self::Cancel],
            Kind::Prioritizer => &[Self::Score],
            Kind::Transformer => &[Self::Transform],
        }
    }

    /// The function that a plugin may have besides.
    fn optional(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Adapter => Some(Self::StartBatch),
            Kind::Transformer => Some(Self::Check),
            Kind::Prioritizer => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
            Self::StartBatch => "start-batch",
            Self::Score => "score",
            Self::Transform => "transform",
            Self::Check => "check",
        }
    }

    /// Its place in [`Function::all`], unless it may be missing.
    fn place(self) -> Option<usize> {
        match self {
            Self::Start | Self::Score | Self::Transform => Some(0),
            Self::Resume => Some(1),
            Self::Cancel => Some(2),
            Self::StartBatch | Self::Check => None,
        }
    }
}

impl Loaded {
    pub(crate) fn engine(&self) -> &Engine {
        self.pre.engine()
    }

    pub(crate) fn export(&self, function: Function) -> ComponentExportIndex {
        match function.place() {
            Some(place) => self.functions[place],
            None => self.optional.expect("only plugins that have it are asked for it"),
        }
    }
}

impl Plugin {
    pub(crate) fn load(
        source: &Source,
        bytes: &[u8],
        digest: Arc<str>,
        runtime: &Arc<Runtime>,
        client: &Arc<EgressClient>,
        cache: Option<&CodeCache>,
        options: &LoadOptions,
    ) -> Result<Self, LoadError> {
        let label = source.label();
        let Scan { manifest, export, optional_export, tables_grow, largest_function } =
            scan(&label, &source.fallback_name(), bytes)?;
        if largest_function > options.function_size {
            return Err(LoadError::TooLarge {
                plugin: label,
                part: "a function",
                size: largest_function,
                most: options.function_size,
                limit: "function_size",
            });
        }
        let loaded = (0..runtime.tiers()).map(|_| OnceLock::new()).collect();
        let plugin = Inner {
            name: manifest.name.as_str().into(),
            digest,
            label,
            export,
            optional_export,
            tables_grow,
            capabilities: manifest.capabilities.http.as_slice().into(),
            manifest,
            runtime: Arc::clone(runtime),
            client: Arc::clone(client),
            loaded,
        };
        if let Some(code) = cache.and_then(|cache| cache.get(&plugin.digest)) {
            match plugin.link_somewhere(&code) {
                // The checksum was right, and yet no engine takes it.
                Err(LoadError::Compile { reason, .. }) => {
                    tracing::warn!(plugin = plugin.label, reason, "compiling again");
                }
                Err(error) => return Err(error),
                Ok(()) => return Ok(Self(Arc::new(plugin))),
            }
        }
        let compiler = runtime.compiler().map_err(|error| plugin.uncompiled(error.to_string()))?;
        let code = Code::compile(compiler, bytes)
            .map_err(|error| plugin.uncompiled(format!("{error:#}")))?;
        if let Some(cache) = cache {
            cache.put(&plugin.digest, &code);
        }
        plugin.link_somewhere(&code)?;
        Ok(Self(Arc::new(plugin)))
    }

    /// Its name, as its manifest says it.
    pub fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    /// `sha256:` and 64 hexadecimal digits: its identity.
    pub fn digest(&self) -> &Arc<str> {
        &self.0.digest
    }

    /// Which contract it exports.
    pub fn kind(&self) -> Kind {
        self.0.manifest.kind
    }

    /// What it says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    /// Whether it is an adapter that takes several tasks in one call.
    pub fn batches(&self) -> bool {
        self.kind() == Kind::Adapter && self.0.optional_export.is_some()
    }

    /// Whether it is a transformer that looks at its configuration beforehand.
    pub fn checks(&self) -> bool {
        self.kind() == Kind::Transformer && self.0.optional_export.is_some()
    }

    /// The plugin as an adapter.
    pub fn adapter(&self) -> Result<Adapter, LoadError> {
        self.expect(Kind::Adapter).map(Adapter::new)
    }

    /// The plugin as a prioritizer, with an instance of its own.
    pub fn prioritizer(&self) -> Result<Prioritizer, LoadError> {
        self.expect(Kind::Prioritizer).map(Prioritizer::new)
    }

    /// The plugin as a transformer.
    pub fn transformer(&self) -> Result<Transformer, LoadError> {
        self.expect(Kind::Transformer).map(Transformer::new)
    }

    fn expect(&self, kind: Kind) -> Result<Self, LoadError> {
        if self.kind() == kind {
            return Ok(self.clone());
        }
        Err(LoadError::WrongWorld {
            plugin: self.name().to_string(),
            expected: format!("'{}'", export_name(kind)),
            found: format!("it exports '{}' and is of the kind '{}'", self.0.export, self.kind()),
        })
    }

    /// The way to the network for one call.
    pub(crate) fn egress(&self, grants: &Arc<Grants>, limits: &Limits) -> CallEgress {
        let Inner { name, capabilities, client, .. } = &*self.0;
        CallEgress::new(client, grants, capabilities, limits, name)
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.0.runtime
    }

    pub(crate) fn tiers(&self) -> usize {
        self.0.loaded.len()
    }

    /// The plugin in one tier's engine; an error says why it cannot be there.
    pub(crate) fn loaded(&self, tier: usize) -> Result<&Loaded, &str> {
        let loaded = self.0.loaded[tier].get_or_init(|| self.0.link_like_others(tier));
        loaded.as_ref().map_err(String::as_str)
    }

    /// Waits until there is room for one more instance.
    pub(crate) async fn place(&self) -> Place {
        let (tier, loaded) = self
            .0
            .loaded
            .iter()
            .enumerate()
            .find_map(|(tier, slot)| Some((tier, slot.get()?.as_ref().ok()?)))
            .expect("a plugin is in one tier from the start");
        let pooled = self.runtime().is_pool(tier);
        self.runtime().room().take(loaded.memories, pooled).await
    }

    pub(crate) fn downgrade(&self) -> WeakPlugin {
        WeakPlugin(Arc::downgrade(&self.0))
    }
}

impl WeakPlugin {
    pub(crate) fn upgrade(&self) -> Option<Plugin> {
        self.0.upgrade().map(Plugin)
    }
}

impl Inner {
    /// Links the plugin in the first tier that takes it.
    fn link_somewhere(&self, code: &Code) -> Result<(), LoadError> {
        let mut reason = String::new();
        for (tier, slot) in self.loaded.iter().enumerate() {
            if self.tables_grow && self.runtime.is_pool(tier) {
                let _ = slot.set(Err("its tables may grow beyond those of a pool".to_owned()));
                continue;
            }
            let workshop = match self.runtime.workshop(tier) {
                Ok(workshop) => workshop,
                Err(why) => {
                    why.clone_into(&mut reason);
                    continue;
                }
            };
            match code.load(&workshop.engine) {
                Ok(component) => {
                    let linked = self.link(workshop, &component)?;
                    // The plugin is not shared yet, so nobody was faster.
                    let _ = slot.set(Ok(linked));
                    return Ok(());
                }
                // A pool refuses components that it has no room for.
                Err(error) => reason = format!("{error:#}"),
            }
            let _ = slot.set(Err(reason.clone()));
        }
        Err(self.uncompiled(reason))
    }

    /// Links the plugin in another tier, with the code of one that has it.
    fn link_like_others(&self, tier: usize) -> Result<Loaded, String> {
        let workshop = self.runtime.workshop(tier).map_err(str::to_owned)?;
        let other = self
            .loaded
            .iter()
            .find_map(|slot| slot.get()?.as_ref().ok())
            .expect("a plugin is in one tier from the start");
        let code = Code::of(other.pre.component()).map_err(|e| format!("{e:#}"))?;
        let component = code.load(&workshop.engine).map_err(|e| format!("{e:#}"))?;
        self.link(workshop, &component).map_err(|e| e.to_string())
    }

    fn link(&self, workshop: &Workshop, component: &Component) -> Result<Loaded, LoadError> {
        let pre = workshop
            .linker
            .instantiate_pre(component)
            .map_err(|error| missing_import(&self.label, &error))?;
        let wrong = |found| LoadError::WrongWorld {
            plugin: self.label.clone(),
            expected: format!("'{}'", export_name(self.manifest.kind)),
            found,
        };
        let contract = component.get_export_index(None, self.export.as_str());
        let functions = Function::all(self.manifest.kind)
            .iter()
            .map(|function| {
                let name = function.name();
                component
                    .get_export_index(contract.as_ref(), name)
                    .ok_or_else(|| wrong(format!("its export has no function '{name}'")))
            })
            .collect::<Result<_, _>>()?;
        v0_1::typecheck(&pre, &self.export, self.manifest.kind).map_err(wrong)?;
        let kind = self.manifest.kind;
        let optional = match (&self.optional_export, Function::optional(kind)) {
            (Some(export), Some(function)) => {
                v0_1::typecheck_optional(&pre, export, kind).map_err(wrong)?;
                let contract = component.get_export_index(None, export.as_str());
                component.get_export_index(contract.as_ref(), function.name())
            }
            _ => None,
        };
        // Unknown only for components that take modules as arguments.
        let memories = component.resources_required().map_or(1, |needed| needed.num_memories);
        Ok(Loaded { pre, memories, functions, optional })
    }

    fn uncompiled(&self, reason: String) -> LoadError {
        LoadError::Compile { plugin: self.label.clone(), reason }
    }
}

/// wasmtime says `component imports instance \`a:b/c@1.0.0\`, but a matching
/// implementation was not found in the linker`, and in the causes what exactly
/// was not matched.
fn missing_import(plugin: &str, error: &wasmtime::Error) -> LoadError {
    let message = error.to_string();
    let import = message.split('`').nth(1).unwrap_or(&message).to_owned();
    let package = import.split(['/', '@']).next().unwrap_or_default();
    let hint = match package {
        "wasi:http" | "wasi:io" | "wasi:clocks" | "wasi:random" | "wasi:cli"
        | "wasi:filesystem" | "wasi:sockets" => {
            format!("it provides {package} 0.2; build for wasm32-wasip2 ({:#})", error.root_cause())
        }
        "consort:host" | "consort:types" => format!(
            "it provides {package} 0.1; build against the contracts of this version ({})",
            error.root_cause()
        ),
        _ => "plugins may import consort:host and WASI 0.2 (cli, clocks, http, io, random)"
            .to_owned(),
    };
    LoadError::MissingImport { plugin: plugin.to_owned(), import, hint }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("name", self.name())
            .field("digest", &self.digest())
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}
