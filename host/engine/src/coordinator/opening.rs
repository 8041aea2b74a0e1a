//! What a coordinator is made of.

use consort_core::plan::compile;
use consort_core::problem::Problem;
use consort_core::spec::{Format, parse_open};
use consort_store::Store;

use crate::config::PolicyConfig;
use crate::run::{Origin, Run};
use crate::setup::Engine;

/// What a coordinator is made of; nothing of it is needed.
#[derive(Default)]
pub struct Opening {
    /// A workflow, which may do without `tasks`. Tasks may use its `agents`, those
    /// of the host's configuration, and the host's default agent; its
    /// `on_conflict`, `on_failure`, `budget` and `deadline` hold for the run.
    pub workflow: Option<Origin>,
    /// Who decides the order; as the host's configuration says, unless given.
    pub policy: Option<PolicyConfig>,
    /// Makes the run durable.
    pub store: Option<Store>,
}

impl Opening {
    /// The run that is to be begun.
    pub(super) async fn prepare(self, engine: &Engine) -> Result<Run, Vec<Problem>> {
        let origin = self.workflow.unwrap_or_else(|| Origin {
            text: "{}".into(),
            format: Format::Json,
            name: String::new(),
        });
        let plan = parse_open(&origin.text, origin.format)
            .and_then(|document| compile(document, engine.known(), crate::now()))?;
        let policy = self.policy.unwrap_or_else(|| engine.policy());
        let mut run = engine.prepare(plan, policy).await?;
        if let Some(store) = self.store {
            run.record(store, origin);
        }
        Ok(run)
    }
}
