//! What a document *needs* of the host's plugins: the agents and transformers it
//! names and what it tells them, each with the place where it stands.
//!
//! The compiler cannot say whether a plugin takes its configuration. It hands
//! these on to whoever can, also where a document has problems of its own, so
//! that all are reported together. What the compiler has reported is not among
//! them.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use super::{Agent, AgentIx, TransformerUse};
use crate::spec::{Unread, brief};

/// What a document asks of plugins.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// Its agents, those in use first: an [`AgentIx`] is an index into this.
    pub agents: Vec<AgentNeed>,
    /// Its transformers with the paths of their uses; of uses that are equal, the
    /// first.
    pub transformers: Vec<(String, TransformerUse)>,
    /// The URLs of tasks; of equal ones for equal agents, the first.
    pub urls: Vec<UrlNeed>,
    /// JSON Schemas that answers must satisfy, with their paths.
    pub schemas: Vec<(String, Value)>,
}

/// An agent that a document defines, or that one of its tasks names.
#[derive(Debug, Clone)]
pub struct AgentNeed {
    /// What is known of it.
    pub agent: Agent,
    /// Whether an agent of this name is defined, in the document or in the host's
    /// configuration; if not, it is an adapter by its own name.
    pub defined: bool,
    /// Whether its adapter is one that the host may have.
    pub known: bool,
    /// Where the first task names it, if one does.
    pub used: Option<String>,
    /// Where the first task names it that has no URL of its own, if one does.
    pub used_without_url: Option<String>,
    /// What of its definition could not be read.
    pub unread: Unread,
}

/// A URL that a task gives its agents.
#[derive(Debug, Clone)]
pub struct UrlNeed {
    /// Where it stands.
    pub path: String,
    /// As it is written.
    pub url: Arc<str>,
    /// Who gets it.
    pub agents: Arc<[AgentIx]>,
}

impl AgentNeed {
    /// Where it is defined, or else first named.
    pub fn path(&self) -> String {
        match &self.used {
            Some(used) if !self.defined => used.clone(),
            _ => format!("agents.{}", brief(&self.agent.name)),
        }
    }
}

/// Collects the needs of the tasks.
#[derive(Default)]
pub(super) struct Gathered {
    transformers: Vec<(String, TransformerUse)>,
    known: HashSet<TransformerUse>,
    urls: Vec<UrlNeed>,
    known_urls: HashSet<(Arc<str>, Arc<[AgentIx]>)>,
    schemas: Vec<(String, Value)>,
}

impl Gathered {
    pub(super) fn transformer(&mut self, used: &TransformerUse, path: impl FnOnce() -> String) {
        if !self.known.contains(used) {
            self.known.insert(used.clone());
            self.transformers.push((path(), used.clone()));
        }
    }

    pub(super) fn url(
        &mut self,
        url: &Arc<str>,
        agents: &Arc<[AgentIx]>,
        path: impl FnOnce() -> String,
    ) {
        if self.known_urls.insert((url.clone(), agents.clone())) {
            self.urls.push(UrlNeed { path: path(), url: url.clone(), agents: agents.clone() });
        }
    }

    pub(super) fn schema(&mut self, schema: &Value, path: String) {
        self.schemas.push((path, schema.clone()));
    }

    pub(super) fn finish(self, agents: Vec<AgentNeed>) -> Needs {
        let Self { transformers, urls, schemas, .. } = self;
        Needs { agents, transformers, urls, schemas }
    }
}
