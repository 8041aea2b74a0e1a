//! A *call context* is what the engine gives a plugin call besides its
//! arguments: limits, configuration, grants and somebody to listen.

use std::fmt;
use std::sync::Arc;

use crate::egress::Grants;
use crate::limits::Limits;
use crate::observer::Observer;

/// Everything about a call that is not its arguments. Cheap to clone.
#[derive(Clone)]
pub struct CallContext {
    /// Already settled; see [`Limits::settle`].
    pub limits: Limits,
    /// What `consort:host/config.get` answers: a JSON object.
    pub config: Arc<str>,
    /// What the call may reach.
    pub grants: Arc<Grants>,
    /// Hears logs, progress and metrics; without one they are counted only.
    pub observer: Option<Arc<dyn Observer>>,
}

impl CallContext {
    /// A call with these limits, configuration `{}`, no network and no observer.
    pub fn new(limits: Limits) -> Self {
        Self { limits, config: "{}".into(), grants: Arc::default(), observer: None }
    }
}

impl fmt::Debug for CallContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallContext")
            .field("limits", &self.limits)
            .field("config", &self.config)
            .field("grants", &self.grants)
            .finish_non_exhaustive()
    }
}
