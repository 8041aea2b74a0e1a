//! The *export* macros turn a type into a component: they export the world's
//! functions and embed the manifest as the custom section `consort:manifest`.
//!
//! On targets other than wasm they export nothing, check that the type
//! implements its trait, and add a unit test that the manifest is valid.

use std::marker::PhantomData;

use crate::adapter::{Adapter, BatchAdapter, Invocation, Step};
use crate::bindings::{
    adapter::exports::consort::agent_adapter::adapter::Guest as AdapterGuest,
    batching::exports::consort::agent_adapter::batch::Guest as BatchGuest,
    checked::exports::consort::result_transformer::check::Guest as CheckGuest,
    prioritizer::exports::consort::prioritizer::prioritizer::Guest as PrioritizerGuest,
    transformer::exports::consort::result_transformer::transformer::Guest as TransformerGuest,
};
use crate::failure::Failure;
use crate::payload::Payload;
use crate::prioritizer::{Candidate, Prioritizer, Snapshot};
use crate::transformer::{CheckedTransformer, Complaint, TransformContext, Transformer};

/// Gives a plugin's type the shape the generated exports want.
#[doc(hidden)]
pub struct Exported<T>(PhantomData<T>);

impl<T: Adapter> AdapterGuest for Exported<T> {
    fn start(call: Invocation) -> Result<Step, Failure> {
        T::start(call)
    }

    fn resume(
        call: Invocation,
        checkpoint: Vec<u8>,
        answer: Option<Payload>,
    ) -> Result<Step, Failure> {
        T::resume(call, checkpoint, answer)
    }

    fn cancel(call: Invocation, checkpoint: Vec<u8>) -> Result<(), Failure> {
        T::cancel(call, checkpoint)
    }
}

impl<T: BatchAdapter> BatchGuest for Exported<T> {
    fn start_batch(calls: Vec<Invocation>) -> Vec<Result<Step, Failure>> {
        T::start_batch(calls)
    }
}

impl<T: Prioritizer> PrioritizerGuest for Exported<T> {
    fn score(batch: Vec<Candidate>, now: Snapshot) -> Result<Vec<f64>, String> {
        T::score(&batch, &now)
    }
}

impl<T: Transformer> TransformerGuest for Exported<T> {
    fn transform(value: Payload, context: TransformContext) -> Result<Payload, Failure> {
        T::transform(value, context)
    }
}

impl<T: CheckedTransformer> CheckGuest for Exported<T> {
    fn check(config: String) -> Vec<Complaint> {
        T::check(&config)
    }
}

/// Exports a type that implements [`Adapter`]: `export_adapter!(MyAgent,
/// "plugin.json")`. The manifest's path is relative to the crate's `Cargo.toml`.
/// At most one export macro in a crate.
#[macro_export]
macro_rules! export_adapter {
    ($plugin:ty, $manifest:literal) => {
        $crate::__export!($plugin, $manifest, Adapter, "adapter", adapter, export_adapter_world);
    };
}

/// Exports a type that implements [`BatchAdapter`]; see
/// [`export_adapter!`](crate::export_adapter), which it takes the place of.
#[macro_export]
macro_rules! export_batching_adapter {
    ($plugin:ty, $manifest:literal) => {
        $crate::__export!(
            $plugin,
            $manifest,
            BatchAdapter,
            "adapter",
            batching,
            export_batching_world
        );
    };
}

/// Exports a type that implements [`Prioritizer`]; see
/// [`export_adapter!`](crate::export_adapter).
#[macro_export]
macro_rules! export_prioritizer {
    ($plugin:ty, $manifest:literal) => {
        $crate::__export!(
            $plugin,
            $manifest,
            Prioritizer,
            "prioritizer",
            prioritizer,
            export_prioritizer_world
        );
    };
}

/// Exports a type that implements [`Transformer`]; see
/// [`export_adapter!`](crate::export_adapter).
#[macro_export]
macro_rules! export_transformer {
    ($plugin:ty, $manifest:literal) => {
        $crate::__export!(
            $plugin,
            $manifest,
            Transformer,
            "transformer",
            transformer,
            export_transformer_world
        );
    };
}

/// Exports a type that implements [`CheckedTransformer`]; see
/// [`export_transformer!`](crate::export_transformer), which it takes the place of.
#[macro_export]
macro_rules! export_checked_transformer {
    ($plugin:ty, $manifest:literal) => {
        $crate::__export!(
            $plugin,
            $manifest,
            CheckedTransformer,
            "transformer",
            checked,
            export_checked_world
        );
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($plugin:ty, $manifest:literal, $trait:ident, $kind:literal, $world:ident, $export:ident) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Plugin = $crate::export::Exported<$plugin>;
    $crate::bindings::$world::$export!(Plugin with_types_in $crate::bindings::$world);

            const TEXT: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $manifest));

            #[expect(unsafe_code, reason = "a custom section has no safe spelling")]
            // Not `#[used]`, which would put it into the guest's memory, too.
            #[unsafe(link_section = "consort:manifest")]
            static MANIFEST: [u8; TEXT.len()] =
                *include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $manifest));
        };

        #[cfg(not(target_family = "wasm"))]
        const _: fn() = || {
            fn implements<T: $crate::$trait>() {}
            implements::<$plugin>();
        };

        #[cfg(all(test, not(target_family = "wasm")))]
        mod consort_manifest {
            #[test]
            fn is_valid() {
                $crate::manifest::assert_valid(
                    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $manifest)),
                    $kind,
                );
            }
        }
    };
}
