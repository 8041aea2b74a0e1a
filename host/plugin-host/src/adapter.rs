//! An *adapter* speaks to one kind of agent.

use bytes::Bytes;

use crate::call::CallContext;
use crate::contract::{Invocation, Payload, Step};
use crate::error::CallError;
use crate::plugin::{Function, Plugin};
use crate::session::Session;
use crate::v0_1;

/// The longest a `cancel` may take, in milliseconds.
const CANCEL_TIME: u64 = 10_000;

/// A plugin that speaks to agents. Every call gets an instance of its own, so
/// any number may run at once.
#[derive(Debug, Clone)]
pub struct Adapter {
    plugin: Plugin,
}

impl Adapter {
    pub(crate) fn new(plugin: Plugin) -> Self {
        Self { plugin }
    }

    /// Begins the work.
    pub async fn start(&self, call: &Invocation, cx: &CallContext) -> Result<Step, CallError> {
        let session = Session::open(&self.plugin, Function::Start, cx).await?;
        v0_1::start(session, call).await
    }

    /// Whether it takes several tasks in one call.
    pub fn batches(&self) -> bool {
        self.plugin.batches()
    }

    /// Begins the work of several tasks in one call, whose limits are those of
    /// `cx` for all of them together. There is one answer for each of `calls`, in
    /// their order; an error is that of all of them.
    ///
    /// # Panics
    ///
    /// If it does not [batch](Self::batches).
    pub async fn start_batch(
        &self,
        calls: &[Invocation],
        cx: &CallContext,
    ) -> Result<Vec<Result<Step, CallError>>, CallError> {
        assert!(self.batches(), "{} takes one task at a time", self.plugin.name());
        let session = Session::open(&self.plugin, Function::StartBatch, cx).await?;
        v0_1::start_batch(session, calls).await
    }

    /// Goes on with work that was left pending, or that asked the question which
    /// `answer` answers.
    pub async fn resume(
        &self,
        call: &Invocation,
        checkpoint: Bytes,
        answer: Option<Payload>,
        cx: &CallContext,
    ) -> Result<Step, CallError> {
        let session = Session::open(&self.plugin, Function::Resume, cx).await?;
        v0_1::resume(session, call, &checkpoint, answer.as_ref()).await
    }

    /// Stops work that was left pending or waits for an answer. Takes ten
    /// seconds at most.
    pub async fn cancel(
        &self,
        call: &Invocation,
        checkpoint: Bytes,
        cx: &CallContext,
    ) -> Result<(), CallError> {
        let mut cx = cx.clone();
        cx.limits.time = cx.limits.time.min(CANCEL_TIME);
        let session = Session::open(&self.plugin, Function::Cancel, &cx).await?;
        v0_1::cancel(session, call, &checkpoint).await
    }

    /// The plugin behind it.
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }
}
