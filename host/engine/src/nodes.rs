//! A *node* is what the scheduler counts as a task: a task of the plan, one
//! item of a fan-out, or a task that was added to the run.

mod saved;

use std::collections::HashMap;
use std::sync::Arc;

use consort_core::graph::TaskIx;
use consort_core::plan::{Plan, Task};

use crate::draft::Draft;
use crate::job::{Fan, TaskRef};
use crate::journal::Place;
pub(crate) use saved::SavedNodes;

/// Tasks that items and additions may make of a run, beyond its plan.
pub(crate) const MAX_GROWTH: usize = 1_000_000;

/// All nodes of a run. Those of the plan come first and are not written down.
pub(crate) struct Nodes {
    planned: usize,
    more: Vec<Node>,
    fans: HashMap<TaskIx, FannedOut>,
    /// Every name but items'; made when first needed.
    names: Option<HashMap<Arc<str>, TaskIx>>,
}

/// A node that is not of the plan.
enum Node {
    Item { parent: TaskIx, index: u32 },
    Added(Box<Added>),
}

/// A task that was added to the run.
struct Added {
    draft: Arc<Draft>,
    /// Where it came in.
    place: Place,
}

/// A task that is done item by item.
pub(crate) struct FannedOut {
    first: TaskIx,
    count: u32,
    /// Items that are not finished.
    open: u32,
    fan: Arc<Fan>,
    /// Where that came in.
    place: Place,
}

impl FannedOut {
    /// The nodes of its items, in order.
    pub(crate) fn items(&self) -> impl ExactSizeIterator<Item = TaskIx> + use<> {
        (self.first.0..self.first.0 + self.count).map(TaskIx)
    }
}

impl Nodes {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self { planned: plan.tasks.len(), more: Vec::new(), fans: HashMap::new(), names: None }
    }

    /// How many there may be in addition to those there are.
    pub(crate) fn room(&self) -> usize {
        MAX_GROWTH.saturating_sub(self.more.len())
    }

    fn node(&self, node: TaskIx) -> Option<&Node> {
        node.index().checked_sub(self.planned).map(|place| &self.more[place])
    }

    /// The task of a node; an item's is its parent's.
    pub(crate) fn task(&self, node: TaskIx) -> TaskRef {
        match self.node(node) {
            None => TaskRef::Planned(node),
            Some(Node::Added(added)) => TaskRef::Added(added.draft.clone()),
            Some(Node::Item { parent, .. }) => self.task(*parent),
        }
    }

    /// The same, when it is only looked at.
    pub(crate) fn look<'a>(&'a self, node: TaskIx, plan: &'a Plan) -> &'a Task {
        match self.node(node) {
            None => plan.task(node),
            Some(Node::Added(added)) => &added.draft.task,
            Some(Node::Item { parent, .. }) => self.look(*parent, plan),
        }
    }

    /// A node's id: the task's, or `task[n]` for an item.
    pub(crate) fn id(&self, node: TaskIx, plan: &Plan) -> Arc<str> {
        match self.node(node) {
            Some(Node::Item { parent, index }) => {
                format!("{}[{index}]", self.look(*parent, plan).id).into()
            }
            _ => self.look(node, plan).id.clone(),
        }
    }

    /// The fan-out an item belongs to, and its place there.
    pub(crate) fn item(&self, node: TaskIx) -> Option<(TaskIx, Arc<Fan>, u32)> {
        let Some(Node::Item { parent, index }) = self.node(node) else { return None };
        let fan = self.fans.get(parent).map(|fanned| fanned.fan.clone()).unwrap_or_default();
        Some((*parent, fan, *index))
    }

    /// The task that an item is one of.
    pub(crate) fn parent(&self, node: TaskIx) -> Option<TaskIx> {
        match self.node(node) {
            Some(Node::Item { parent, .. }) => Some(*parent),
            _ => None,
        }
    }

    /// What a task waits for, as far as it is there; nothing for an item.
    pub(crate) fn each_dependency(&self, node: TaskIx, plan: &Plan, mut each: impl FnMut(TaskIx)) {
        match self.node(node) {
            None => plan.task(node).dependencies.iter().for_each(|edge| each(edge.task)),
            Some(Node::Item { .. }) => {}
            Some(Node::Added(added)) => {
                // Names have been looked for when it was added.
                added.draft.waits_for.iter().filter_map(|name| self.named(name)).for_each(each);
            }
        }
    }

    /// What came of a task's fan-out.
    pub(crate) fn fanned_out(&self, node: TaskIx) -> Option<&FannedOut> {
        self.fans.get(&node)
    }

    /// Notes what a task is done for. Its items follow with
    /// [`Nodes::add_items`], unless there are none.
    pub(crate) fn fan_out(&mut self, parent: TaskIx, fan: Arc<Fan>, place: Place) {
        let fanned = FannedOut { first: TaskIx(0), count: 0, open: 0, fan, place };
        self.fans.insert(parent, fanned);
    }

    /// Adds the items of a task; the first of them is `first`.
    pub(crate) fn add_items(&mut self, parent: TaskIx, first: TaskIx, count: u32) {
        debug_assert_eq!(first.index(), self.planned + self.more.len(), "nodes are dense");
        self.more.extend((0..count).map(|index| Node::Item { parent, index }));
        if let Some(fanned) = self.fans.get_mut(&parent) {
            (fanned.first, fanned.count, fanned.open) = (first, count, count);
            if count == 0 {
                fanned.fan = Arc::default();
            }
        }
    }

    /// Notes that an item is finished; with the last one the items' values go.
    pub(crate) fn finish_item(&mut self, parent: TaskIx) {
        if let Some(fanned) = self.fans.get_mut(&parent) {
            fanned.open = fanned.open.saturating_sub(1);
            if fanned.open == 0 {
                fanned.fan = Arc::default();
            }
        }
    }

    /// Adds a task to the run.
    pub(crate) fn add(&mut self, node: TaskIx, draft: Arc<Draft>, place: Place) {
        debug_assert_eq!(node.index(), self.planned + self.more.len(), "nodes are dense");
        if let Some(names) = &mut self.names {
            names.insert(draft.task.id.clone(), node);
        }
        self.more.push(Node::Added(Box::new(Added { draft, place })));
    }

    /// Those that were added to the run, in order.
    pub(crate) fn added(&self) -> impl Iterator<Item = TaskIx> + '_ {
        let nodes = self.more.iter().enumerate();
        let added = nodes.filter(|(_, node)| matches!(node, Node::Added(_)));
        added.map(|(place, _)| TaskIx((self.planned + place) as u32))
    }

    /// The node of that id, `task[n]` for an item.
    pub(crate) fn find(&mut self, id: &str, plan: &Plan) -> Option<TaskIx> {
        if let Some(node) = self.names(plan).get(id) {
            return Some(*node);
        }
        let (task, index) = id.strip_suffix(']')?.rsplit_once('[')?;
        let (index, parent) = (index.parse::<usize>().ok()?, *self.names(plan).get(task)?);
        self.fans.get(&parent)?.items().nth(index)
    }

    /// The node of that name, once [`Nodes::find`] has looked for any.
    pub(crate) fn named(&self, name: &str) -> Option<TaskIx> {
        self.names.as_ref()?.get(name).copied()
    }

    /// Whether an item of a task may have that id one day.
    pub(crate) fn is_item_id(&mut self, id: &str, plan: &Plan) -> bool {
        let parts = id.strip_suffix(']').and_then(|id| id.rsplit_once('['));
        parts.is_some_and(|(task, index)| {
            let number = !index.is_empty() && index.bytes().all(|c| c.is_ascii_digit());
            number && self.names(plan).contains_key(task)
        })
    }

    /// All names, for those who look for one that is near.
    pub(crate) fn all_names(&mut self, plan: &Plan) -> impl Iterator<Item = &str> {
        self.names(plan).keys().map(|name| &**name)
    }

    fn names(&mut self, plan: &Plan) -> &HashMap<Arc<str>, TaskIx> {
        self.names.get_or_insert_with(|| {
            let planned = plan.tasks.iter().enumerate();
            let added = self.more.iter().enumerate().filter_map(|(place, node)| match node {
                Node::Added(added) => Some((place + self.planned, &added.draft.task)),
                Node::Item { .. } => None,
            });
            let named = planned.chain(added);
            named.map(|(place, task)| (task.id.clone(), TaskIx(place as u32))).collect()
        })
    }
}
