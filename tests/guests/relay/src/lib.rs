//! The *relay* adapter answers with its description, whatever it depends on, so
//! that a long chain of it passes on as much at its end as at its beginning.

use consort_plugin_sdk::{Adapter, Failure, Invocation, Step};

/// Answers with the question.
pub struct Relay;

impl Adapter for Relay {
    fn start(call: Invocation) -> Result<Step, Failure> {
        Ok(Step::text(call.description))
    }
}

consort_plugin_sdk::export_adapter!(Relay, "plugin.json");
