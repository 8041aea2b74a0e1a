//! What `bindgen!` makes of the contracts at version 0.1; nothing else.
//!
//! One world that exports all contracts, so that the shared types exist once. A
//! plugin exports one of them, or two, and only those are looked up.

wasmtime::component::bindgen!({
    inline: "
        package consort:plugin-host;

        world plugin {
            import consort:host/logging@0.1.0;
            import consort:host/progress@0.1.0;
            import consort:host/metrics@0.1.0;
            import consort:host/config@0.1.0;
            export consort:agent-adapter/adapter@0.1.0;
            export consort:agent-adapter/batch@0.1.0;
            export consort:prioritizer/prioritizer@0.1.0;
            export consort:result-transformer/transformer@0.1.0;
            export consort:result-transformer/check@0.1.0;
        }
    ",
    path: "../../wit",
    world: "consort:plugin-host/plugin",
    imports: { default: trappable },
    exports: { default: async },
    ownership: Borrowing { duplicate_if_necessary: true },
});
