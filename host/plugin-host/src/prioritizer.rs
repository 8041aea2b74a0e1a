//! A *prioritizer* decides which ready task runs first.

use std::fmt;

use crate::call::CallContext;
use crate::contract::{Candidate, Snapshot};
use crate::error::CallError;
use crate::plugin::{Function, Plugin};
use crate::session::Session;
use crate::v0_1;

/// A plugin that scores tasks, with an instance that stays from one call to the
/// next. After a fault the next call gets a new one.
pub struct Prioritizer {
    plugin: Plugin,
    warm: Option<Session>,
}

impl Prioritizer {
    pub(crate) fn new(plugin: Plugin) -> Self {
        Self { plugin, warm: None }
    }

    /// Scores every candidate; the larger score runs earlier. The list is as
    /// long as `batch`, in its order, and has no NaN: anything else is a fault.
    pub async fn score(
        &mut self,
        batch: &[Candidate],
        now: &Snapshot,
        cx: &CallContext,
    ) -> Result<Vec<f64>, CallError> {
        // Taken out, so that it is gone if this future is dropped half-way.
        let mut session = match self.warm.take() {
            Some(mut session) => {
                session.renew(Function::Score, cx);
                session
            }
            None => Session::open(&self.plugin, Function::Score, cx).await?,
        };
        let scored = v0_1::score(&mut session, batch, now).await;
        if !matches!(scored, Err(CallError::Fault(_))) {
            self.warm = Some(session);
        }
        scored
    }

    /// The plugin behind it.
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }
}

impl fmt::Debug for Prioritizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prioritizer")
            .field("plugin", &self.plugin)
            .field("warm", &self.warm.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests;
