//! What is *saved* of nodes: not the tasks that were added, nor the items of
//! fan-outs, but where they are in the journal.

use std::sync::Arc;

use consort_core::graph::TaskIx;
use consort_core::plan::Plan;
use serde::{Deserialize, Serialize};

use super::{Added, FannedOut, Node, Nodes};
use crate::journal::Place;
use crate::snapshot::{Contents, Unusable};

/// What is saved of nodes.
#[derive(Serialize, Deserialize)]
pub(crate) struct SavedNodes {
    more: Vec<SavedNode>,
    fans: Vec<SavedFan>,
}

#[derive(Serialize, Deserialize)]
enum SavedNode {
    Item {
        parent: TaskIx,
        index: u32,
    },
    Added {
        place: Place,
        id: Arc<str>,
        /// What it waits for, which may be less than it was to.
        waits_for: Box<[Arc<str>]>,
    },
}

#[derive(Serialize, Deserialize)]
struct SavedFan {
    parent: TaskIx,
    first: TaskIx,
    count: u32,
    open: u32,
    /// None if the items are not needed any more.
    place: Option<Place>,
}

impl Nodes {
    /// What is saved of them.
    pub(crate) fn save(&self) -> SavedNodes {
        let node = |node: &Node| match node {
            Node::Item { parent, index } => SavedNode::Item { parent: *parent, index: *index },
            Node::Added(added) => SavedNode::Added {
                place: added.place,
                id: added.draft.task.id.clone(),
                waits_for: added.draft.waits_for.clone(),
            },
        };
        let fan = |(parent, fanned): (&TaskIx, &FannedOut)| SavedFan {
            parent: *parent,
            first: fanned.first,
            count: fanned.count,
            open: fanned.open,
            place: (fanned.open > 0).then_some(fanned.place),
        };
        let mut fans: Vec<SavedFan> = self.fans.iter().map(fan).collect();
        fans.sort_unstable_by_key(|fan| fan.parent);
        SavedNodes { more: self.more.iter().map(node).collect(), fans }
    }

    /// Those that were saved.
    ///
    /// # Errors
    ///
    /// The journal does not have what they need of it.
    pub(crate) fn load(
        saved: SavedNodes,
        plan: &Plan,
        contents: &mut Contents<'_>,
    ) -> Result<Self, Unusable> {
        let mut nodes = Self::new(plan);
        for node in saved.more {
            let node = match node {
                SavedNode::Item { parent, index } => Node::Item { parent, index },
                SavedNode::Added { place, id, waits_for } => {
                    let draft = contents.draft(place, &id, |task| nodes.known_id(task, plan))?;
                    Node::Added(Box::new(Added {
                        draft: draft.waiting_for(|name| waits_for.contains(name)),
                        place,
                    }))
                }
            };
            nodes.more.push(node);
        }
        for SavedFan { parent, first, count, open, place } in saved.fans {
            let fan = place.map(|place| contents.fan(place, count)).transpose()?;
            let fan = fan.unwrap_or_default();
            let place = place.unwrap_or_default();
            nodes.fans.insert(parent, FannedOut { first, count, open, fan, place });
        }
        // Whoever looks for what an added task waits for expects that names have
        // been looked for before.
        if nodes.added().next().is_some() {
            nodes.names(plan);
        }
        Ok(nodes)
    }

    /// The id of a node, if there is one of that number.
    pub(crate) fn known_id(&self, node: TaskIx, plan: &Plan) -> Option<Arc<str>> {
        (node.index() < self.count()).then(|| self.id(node, plan))
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.planned + self.more.len()
    }
}
