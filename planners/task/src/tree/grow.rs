//! The tree itself.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::domain::{GroundAction, RefusalKind, Scene};

/// A node, by number; 0 is the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u32);

/// How a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not tried.
    Open,
    /// Its step was done.
    Done,
    /// Its step was not needed: what it does was so already.
    Skipped,
    /// Its step can never be done here, or leads to nothing that can.
    Pruned(RefusalKind),
    /// Its step was tried or prepared in vain.
    Failed(RefusalKind),
    /// All below it is used up.
    Exhausted,
}

impl Status {
    /// Whether the walk may still go there.
    pub fn is_live(self) -> bool {
        self == Status::Open
    }
}

/// A step that plans agree on, given the same steps before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The step; [`None`] at the root.
    pub action: Option<GroundAction>,
    /// The node before it; the root is its own.
    pub parent: NodeId,
    /// The nodes after it, in the order in which plans brought them.
    pub children: Vec<NodeId>,
    /// Plans that go through it.
    pub votes: u32,
    /// Plans that end with it.
    pub ends: u32,
    /// How it stands.
    pub status: Status,
}

/// Plans merged on equal grounded prefixes.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionTree {
    nodes: Vec<Node>,
}

/// A node as it is stored: the step as text, so that it can be read in another scene with the same names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeRecord {
    /// The step, `(grab mug)`; empty at the root.
    pub action: String,
    /// The node before it.
    pub parent: NodeId,
    /// Plans that go through it.
    pub votes: u32,
    /// Plans that end with it.
    pub ends: u32,
    /// How it stands.
    pub status: Status,
}

impl Default for ActionTree {
    fn default() -> Self {
        ActionTree::new()
    }
}

impl ActionTree {
    /// The root of a tree.
    pub const ROOT: NodeId = NodeId(0);

    /// A tree without plans.
    pub fn new() -> ActionTree {
        ActionTree {
            nodes: vec![Node {
                action: None,
                parent: Self::ROOT,
                children: Vec::new(),
                votes: 0,
                ends: 0,
                status: Status::Done,
            }],
        }
    }

    /// Merges a plan in; the node that it ends with.
    pub fn insert(&mut self, plan: &[GroundAction]) -> NodeId {
        let end = self.insert_below(Self::ROOT, plan);
        self.nodes[end.0 as usize].ends += 1;
        end
    }

    /// Merges the beginning of a plan in whose rest is of no use; the walk will not end there.
    pub fn insert_fragment(&mut self, steps: &[GroundAction]) -> NodeId {
        self.insert_below(Self::ROOT, steps)
    }

    fn insert_below(&mut self, from: NodeId, steps: &[GroundAction]) -> NodeId {
        let mut at = from;
        self.nodes[at.0 as usize].votes += 1;
        for step in steps {
            let children = &self.nodes[at.0 as usize].children;
            let known = children
                .iter()
                .copied()
                .find(|child| self.node(*child).action == Some(*step));
            let child = known.unwrap_or_else(|| {
                let child = NodeId(self.nodes.len() as u32);
                self.nodes.push(Node {
                    action: Some(*step),
                    parent: at,
                    children: Vec::new(),
                    votes: 0,
                    ends: 0,
                    status: Status::Open,
                });
                self.nodes[at.0 as usize].children.push(child);
                child
            });
            self.nodes[child.0 as usize].votes += 1;
            at = child;
        }
        at
    }

    /// The node with that number.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// All nodes, parents first.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Whether it has no plan.
    pub fn is_empty(&self) -> bool {
        self.nodes.len() == 1
    }

    pub(crate) fn set(&mut self, id: NodeId, status: Status) {
        self.nodes[id.0 as usize].status = status;
    }

    pub(crate) fn no_longer_ends(&mut self, id: NodeId) {
        self.nodes[id.0 as usize].ends = 0;
    }

    /// Children that the walk may still go to, those with the most votes first, then in order of arrival.
    pub fn live_children(&self, id: NodeId) -> Vec<NodeId> {
        let mut all: Vec<NodeId> = self.node(id).children.clone();
        all.retain(|child| self.node(*child).status.is_live());
        all.sort_by_key(|child| (std::cmp::Reverse(self.node(*child).votes), *child));
        all
    }

    /// The tree as indented text: votes, step, `■` and the number of plans that end there, state.
    pub fn text(&self, scene: &Scene) -> String {
        let mut text = String::new();
        // Depth-first without recursion: plans may be long.
        let mut open: Vec<(NodeId, String)> = Vec::new();
        let push = |open: &mut Vec<(NodeId, String)>, id: NodeId, indent: &str| {
            for child in self.node(id).children.iter().rev() {
                open.push((*child, indent.to_owned()));
            }
        };
        push(&mut open, Self::ROOT, "");
        while let Some((id, indent)) = open.pop() {
            let node = self.node(id);
            let last = self.node(node.parent).children.last() == Some(&id);
            let action = node
                .action
                .map_or_else(String::new, |action| scene.action_text(&action));
            let branch = if last { "└─" } else { "├─" };
            let _ = write!(text, "{indent}{branch} {}× {action}", node.votes);
            if node.ends > 0 {
                let _ = write!(text, " ■{}", node.ends);
            }
            match node.status {
                Status::Open => {}
                Status::Done => text.push_str(" done"),
                Status::Skipped => text.push_str(" not needed"),
                Status::Pruned(kind) => {
                    let _ = write!(text, " pruned: {}", kind.name());
                }
                Status::Failed(kind) => {
                    let _ = write!(text, " failed: {}", kind.name());
                }
                Status::Exhausted => text.push_str(" used up"),
            }
            text.push('\n');
            push(
                &mut open,
                id,
                &format!("{indent}{}", if last { "   " } else { "│  " }),
            );
        }
        text
    }

    /// The tree as records, parents first.
    pub fn records(&self, scene: &Scene) -> Vec<NodeRecord> {
        let record = |node: &Node| NodeRecord {
            action: node
                .action
                .map_or_else(String::new, |action| scene.action_text(&action)),
            parent: node.parent,
            votes: node.votes,
            ends: node.ends,
            status: node.status,
        };
        self.nodes.iter().map(record).collect()
    }

    /// The tree from records.
    ///
    /// # Errors
    /// [`Error::Scene`](crate::Error::Scene) where a parent does not come before its children, and what
    /// [`Scene::action`] says of unknown names.
    pub fn from_records(records: &[NodeRecord], scene: &Scene) -> Result<ActionTree> {
        let mut tree = ActionTree::new();
        let wrong =
            || crate::Error::Scene("the records are no tree; parents come before their children".to_owned());
        let (root, rest) = records.split_first().ok_or_else(wrong)?;
        (tree.nodes[0].votes, tree.nodes[0].ends) = (root.votes, root.ends);
        for record in rest {
            let id = NodeId(tree.nodes.len() as u32);
            if record.parent >= id {
                return Err(wrong());
            }
            tree.nodes.push(Node {
                action: Some(scene.action(&record.action)?),
                parent: record.parent,
                children: Vec::new(),
                votes: record.votes,
                ends: record.ends,
                status: record.status,
            });
            tree.nodes[record.parent.0 as usize].children.push(id);
        }
        Ok(tree)
    }
}
