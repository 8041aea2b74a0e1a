//! *Bindings* are the contracts of `wit/` as Rust types and functions, made by
//! wit-bindgen. The worlds share one set of types.
//!
//! On targets other than wasm the types work as usual and every imported
//! function panics; [`host`](crate::host) and [`http`](crate::http) therefore
//! call them on wasm only.

/// The parts of WASI that adapters use.
pub mod wasi {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package consort:sdk;
            world wasi {
                import wasi:http/outgoing-handler@0.2.12;
            }
        ",
        world: "consort:sdk/wasi",
        generate_all,
    });
    pub use self::wasi::{clocks, http, io};
}

/// The adapter world, and the types and imports all worlds share.
pub mod adapter {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "consort:plugin/adapter",
        with: {
            "wasi:io/error@0.2.12": super::wasi::io::error,
            "wasi:io/poll@0.2.12": super::wasi::io::poll,
            "wasi:io/streams@0.2.12": super::wasi::io::streams,
            "wasi:clocks/monotonic-clock@0.2.12": super::wasi::clocks::monotonic_clock,
            "wasi:http/types@0.2.12": super::wasi::http::types,
            "wasi:http/outgoing-handler@0.2.12": super::wasi::http::outgoing_handler,
        },
        generate_all,
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_adapter_world",
        default_bindings_module: "consort_plugin_sdk::bindings::adapter",
    });
}

/// The world of adapters that take several tasks at once: what the adapter world
/// exports, and one more interface, which has the same types.
///
/// wit-bindgen makes the types of an exported interface anew for every world. So
/// only the interface is made by it, and the world is put together here, with its
/// description out of a file, which a test keeps equal to `wit/`.
pub mod batching {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package consort:sdk;
            world batching {
                export consort:agent-adapter/batch@0.1.0;
            }
        ",
        world: "consort:sdk/batching",
        with: {
            "consort:types/values@0.1.0": super::adapter::consort::types::values,
            "consort:agent-adapter/adapter@0.1.0":
                super::adapter::exports::consort::agent_adapter::adapter,
        },
        generate_all,
        disable_custom_section_link_helpers: true,
        pub_export_macro: true,
        export_macro_name: "export_batch_interface",
    });

    /// The world `batching-adapter`, as wit-component encodes it.
    #[doc(hidden)]
    pub const WORLD: &[u8] = include_bytes!("batching-adapter.world");

    #[doc(hidden)]
    #[macro_export]
    macro_rules! __export_batching_world {
        ($plugin:ident with_types_in $bindings:path) => {
            $crate::bindings::adapter::exports::consort::agent_adapter::adapter::__export_consort_agent_adapter_adapter_0_1_0_cabi!(
                $plugin with_types_in $crate::bindings::adapter::exports::consort::agent_adapter::adapter
            );
            $crate::bindings::batching::exports::consort::agent_adapter::batch::__export_consort_agent_adapter_batch_0_1_0_cabi!(
                $plugin with_types_in $crate::bindings::batching::exports::consort::agent_adapter::batch
            );

            #[expect(unsafe_code, reason = "a custom section has no safe spelling")]
            #[unsafe(link_section = "component-type:consort:batching-adapter")]
            static WORLD: [u8; $crate::bindings::batching::WORLD.len()] =
                match $crate::bindings::batching::WORLD.first_chunk() {
                    Some(world) => *world,
                    None => panic!("an array is as long as itself"),
                };
        };
    }
    pub use __export_batching_world as export_batching_world;
}

/// The prioritizer world.
pub mod prioritizer {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "consort:plugin/prioritizer",
        with: {
            "consort:host/logging@0.1.0": super::adapter::consort::host::logging,
            "consort:host/metrics@0.1.0": super::adapter::consort::host::metrics,
            "consort:host/config@0.1.0": super::adapter::consort::host::config,
            "consort:types/values@0.1.0": super::adapter::consort::types::values,
        },
        additional_derives: [PartialEq],
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_prioritizer_world",
        default_bindings_module: "consort_plugin_sdk::bindings::prioritizer",
    });
}

/// The transformer world.
pub mod transformer {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "consort:plugin/transformer",
        with: {
            "consort:host/logging@0.1.0": super::adapter::consort::host::logging,
            "consort:host/metrics@0.1.0": super::adapter::consort::host::metrics,
            "consort:host/config@0.1.0": super::adapter::consort::host::config,
            "consort:types/values@0.1.0": super::adapter::consort::types::values,
        },
        additional_derives: [PartialEq],
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_transformer_world",
        default_bindings_module: "consort_plugin_sdk::bindings::transformer",
    });
}

/// The world of transformers that look at their configuration, put together as
/// [`batching`] is.
pub mod checked {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package consort:sdk;
            world checked {
                export consort:result-transformer/check@0.1.0;
            }
        ",
        world: "consort:sdk/checked",
        generate_all,
        additional_derives: [PartialEq],
        disable_custom_section_link_helpers: true,
        pub_export_macro: true,
        export_macro_name: "export_check_interface",
    });

    /// The world `checked-transformer`, as wit-component encodes it.
    #[doc(hidden)]
    pub const WORLD: &[u8] = include_bytes!("checked-transformer.world");

    #[doc(hidden)]
    #[macro_export]
    macro_rules! __export_checked_world {
        ($plugin:ident with_types_in $bindings:path) => {
            $crate::bindings::transformer::exports::consort::result_transformer::transformer::__export_consort_result_transformer_transformer_0_1_0_cabi!(
                $plugin with_types_in $crate::bindings::transformer::exports::consort::result_transformer::transformer
            );
            $crate::bindings::checked::exports::consort::result_transformer::check::__export_consort_result_transformer_check_0_1_0_cabi!(
                $plugin with_types_in $crate::bindings::checked::exports::consort::result_transformer::check
            );

            #[expect(unsafe_code, reason = "a custom section has no safe spelling")]
            #[unsafe(link_section = "component-type:consort:checked-transformer")]
            static WORLD: [u8; $crate::bindings::checked::WORLD.len()] =
                match $crate::bindings::checked::WORLD.first_chunk() {
                    Some(world) => *world,
                    None => panic!("an array is as long as itself"),
                };
        };
    }
    pub use __export_checked_world as export_checked_world;
}
