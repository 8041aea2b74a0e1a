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

/// What adapters that take several tasks at once export besides. Its types are
/// those of the adapter world: the union of the two is `batching-adapter`.
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
        pub_export_macro: true,
        export_macro_name: "export_batching_world",
        default_bindings_module: "consort_plugin_sdk::bindings::batching",
    });
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
