//! Small guests for this crate's own tests, written in WebAssembly's text
//! format.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::{
    CallContext, CallError, FaultKind, HostOptions, Limits, Payload, Plugin, PluginHost, Source,
    TransformContext,
};

/// A transformer's `transform` that answers with the text `done`.
pub(crate) const ANSWER: &str = "(i32.const 8)";
/// One that never answers.
pub(crate) const SPIN: &str = "(loop $forever (br $forever)) (unreachable)";
/// One that traps.
pub(crate) const TRAP: &str = "(unreachable)";

/// A transformer whose `transform` has this body; `parts` is anything else its
/// core module should have.
pub(crate) fn transformer(body: &str, parts: &str) -> Vec<u8> {
    let parameters = "i32 ".repeat(16);
    module(
        "transformer",
        &format!(
            r#"(module
                (memory (export "memory") 1)
                (global $next (mut i32) (i32.const 4096))
                ;; result::ok (at 8) of payload::text (at 16) of 4 bytes at 32
                (data (i32.const 8) "\00\00\00\00\00\00\00\00\01\00\00\00\20\00\00\00\04\00\00\00")
                (data (i32.const 32) "done")
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                    (local $at i32)
                    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
                    (global.set $next (i32.add (local.get $at) (local.get 3)))
                    (local.get $at))
                {parts}
                (func (export "consort:result-transformer/transformer@0.1.0#transform")
                    (param {parameters}) (result i32) {body}))"#
        ),
    )
}

/// A prioritizer whose `score` has this body. Its parameters are the batch
/// (pointer, length), now, the names (pointer, length), and three numbers; at 64
/// it may leave a result.
pub(crate) fn prioritizer(body: &str) -> Vec<u8> {
    module(
        "prioritizer",
        &format!(
            r#"(module
                (memory (export "memory") 1)
                (global $next (mut i32) (i32.const 4096))
                (global $calls (mut i32) (i32.const 0))
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                    (local $at i32)
                    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
                    (global.set $next (i32.add (local.get $at) (local.get 3)))
                    (local.get $at))
                (func (export "consort:prioritizer/prioritizer@0.1.0#score")
                    (param $batch i32) (param $length i32) (param i64 i32 i32 i32 i32 i32)
                    (result i32) {body}))"#
        ),
    )
}

fn module(world: &str, text: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let contracts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let (package, _) = resolve.push_dir(&contracts).expect("the contracts resolve");
    let world = resolve.select_world(&[package], Some(world)).expect("a world of ours");
    let mut module = wat::parse_str(text).expect("a valid module");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("a module takes a custom section");
    ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.encode())
        .expect("the module has what its world needs")
}

/// A host with a pool of this size and no cache.
pub(crate) fn host(pool: u32) -> PluginHost {
    PluginHost::new(HostOptions { pool, ..HostOptions::default() }).expect("a host")
}

/// Loads a component from memory.
pub(crate) async fn load(host: &PluginHost, bytes: Vec<u8>) -> Plugin {
    let source = Source::Bytes { name: "guest".to_owned(), bytes };
    host.load(&source).await.expect("a valid plugin")
}

/// Calls a transformer.
pub(crate) async fn transform(plugin: &Plugin, limits: Limits) -> Result<Payload, CallError> {
    let context = TransformContext {
        run_id: "run".into(),
        task_id: "task".into(),
        for_task: None,
        metadata: "{}".into(),
        config: "{}".into(),
    };
    let transformer = plugin.transformer().expect("a transformer");
    let value = Payload::Text("value".into());
    transformer.transform(value, &context, &CallContext::new(limits)).await
}

/// The rule that a call broke.
pub(crate) fn broken<T: std::fmt::Debug>(called: Result<T, CallError>) -> FaultKind {
    match called {
        Err(CallError::Fault(fault)) => fault.kind,
        other => panic!("expected a fault, not {other:?}"),
    }
}
