//! A *transformer* reshapes a result.

use crate::call::CallContext;
use crate::contract::{Complaint, Payload, TransformContext};
use crate::error::CallError;
use crate::plugin::{Function, Plugin};
use crate::session::Session;
use crate::v0_1;

/// A plugin that reshapes results. Every call gets an instance of its own, so
/// any number may run at once.
#[derive(Debug, Clone)]
pub struct Transformer {
    plugin: Plugin,
}

impl Transformer {
    pub(crate) fn new(plugin: Plugin) -> Self {
        Self { plugin }
    }

    /// Turns one value into another.
    pub async fn transform(
        &self,
        value: Payload,
        context: &TransformContext,
        cx: &CallContext,
    ) -> Result<Payload, CallError> {
        let session = Session::open(&self.plugin, Function::Transform, cx).await?;
        v0_1::transform(session, &value, context).await
    }

    /// Whether it looks at its configuration beforehand.
    pub fn checks(&self) -> bool {
        self.plugin.checks()
    }

    /// What it has against the configuration of `cx`; nothing if it can be used.
    ///
    /// # Panics
    ///
    /// If it does not [check](Self::checks).
    pub async fn check(&self, cx: &CallContext) -> Result<Vec<Complaint>, CallError> {
        assert!(self.checks(), "{} does not check its configuration", self.plugin.name());
        let session = Session::open(&self.plugin, Function::Check, cx).await?;
        v0_1::check(session, &cx.config).await
    }

    /// The plugin behind it.
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }
}
