//! Scene graphs as the benchmark stores them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::{Domain, GroundAction, Obj, Scene, SceneBuilder, State};
use crate::virtualhome::plan::PlanStep;
use crate::{Error, Result};

/// A graph.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    /// Things, rooms and the character.
    pub nodes: Vec<Node>,
    /// Relations between them.
    pub edges: Vec<Edge>,
}

/// A thing, a room or the character.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its number.
    pub id: u32,
    /// What it is, `washing_machine`.
    pub class_name: String,
    /// What kind of thing; `Rooms` matters.
    pub category: Option<String>,
    /// What can be done with it, `GRABBABLE`.
    pub properties: Vec<String>,
    /// How it is, `OPEN`.
    pub states: Vec<String>,
}

/// A directed relation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Edge {
    /// From this node …
    pub from_id: u32,
    /// … `ON`, `INSIDE`, `CLOSE`, `FACING`, `HOLDS_RH`, `HOLDS_LH`, `BETWEEN` …
    pub relation_type: String,
    /// … to this one.
    pub to_id: u32,
}

/// A graph as a scene.
#[derive(Debug, Clone)]
pub struct Home {
    /// The scene; objects are named `class.id` and numbered by ascending id.
    pub scene: Arc<Scene>,
    /// Who acts: the character with the smallest id.
    pub character: Obj,
    by_id: BTreeMap<u32, Obj>,
    ids: Vec<u32>,
}

/// The predicate for a state; `ON` of a switch and `ON` of a table are different things.
pub(crate) fn state_predicate(state: &str) -> String {
    match state {
        "ON" => "turned_on".to_owned(),
        "OFF" => "turned_off".to_owned(),
        other => other.to_lowercase(),
    }
}

/// The predicate for a relation.
pub(crate) fn relation_predicate(relation: &str) -> String {
    match relation {
        "CLOSE" => "close_to".to_owned(),
        other => other.to_lowercase(),
    }
}

/// The states of the benchmark.
const STATES: [&str; 10] = [
    "CLEAN",
    "CLOSED",
    "DIRTY",
    "LYING",
    "OFF",
    "ON",
    "OPEN",
    "PLUGGED_IN",
    "PLUGGED_OUT",
    "SITTING",
];
/// Its relations.
const RELATIONS: [&str; 7] = [
    "BETWEEN", "CLOSE", "FACING", "HOLDS_LH", "HOLDS_RH", "INSIDE", "ON",
];

impl Graph {
    /// The graph as a scene of a domain with VirtualHome's names.
    ///
    /// # Errors
    /// [`Error::Scene`] without a character, for edges to nodes that there are not, and for what
    /// [`SceneBuilder`] refuses.
    pub fn home(&self, domain: &Arc<Domain>) -> Result<Home> {
        // Of nodes with the same id the last counts.
        let nodes: BTreeMap<u32, &Node> = self.nodes.iter().map(|node| (node.id, node)).collect();
        let mut builder = SceneBuilder::new(Arc::clone(domain));
        let mut by_id = BTreeMap::new();
        let mut character = None;
        for (id, node) in &nodes {
            let kind = match (&node.category, &node.class_name[..]) {
                (Some(category), _) if category == "Rooms" => "room",
                (_, "character") => "character",
                _ => "thing",
            };
            let object = builder.object(&format!("{}.{id}", node.class_name), kind)?;
            by_id.insert(*id, object);
            if kind == "character" {
                character.get_or_insert(object);
            }
            let properties = node.properties.iter().map(|name| name.to_lowercase());
            let states = node.states.iter().map(|name| state_predicate(name));
            for predicate in properties.chain(states) {
                builder.fact_of(&predicate, &[object])?;
            }
            let words = node.class_name.split('_').map(|word| format!("named_{word}"));
            for flag in words.chain([format!("is_{}", node.class_name)]) {
                if domain.predicate_named(&flag).is_some() {
                    builder.fact_of(&flag, &[object])?;
                }
            }
        }
        for edge in &self.edges {
            let (Some(from), Some(to)) = (by_id.get(&edge.from_id), by_id.get(&edge.to_id)) else {
                return Err(Error::Scene(format!(
                    "an edge {} leads from {} to {}, one of which is no node; add it or remove the edge",
                    edge.relation_type, edge.from_id, edge.to_id
                )));
            };
            builder.fact_of(&relation_predicate(&edge.relation_type), &[*from, *to])?;
        }
        let character = character.ok_or_else(|| {
            Error::Scene("nobody acts: the graph has no node of class `character`".to_owned())
        })?;
        Ok(Home {
            scene: builder.build(),
            character,
            ids: nodes.into_keys().collect(),
            by_id,
        })
    }

    /// States of every node, by id.
    pub fn node_states(&self) -> BTreeMap<u32, BTreeSet<String>> {
        let states = |node: &Node| node.states.iter().cloned().collect();
        self.nodes.iter().map(|node| (node.id, states(node))).collect()
    }

    /// All edges.
    pub fn edge_set(&self) -> BTreeSet<Edge> {
        self.edges.iter().cloned().collect()
    }
}

impl Home {
    /// The object of a node.
    pub fn object(&self, id: u32) -> Option<Obj> {
        self.by_id.get(&id).copied()
    }

    /// The node of an object.
    pub fn id(&self, object: Obj) -> u32 {
        self.ids[object.0 as usize]
    }

    /// A step of a plan as an action of the domain, done by the character.
    ///
    /// # Errors
    /// [`Error::UnknownName`] for actions and nodes that there are not.
    pub fn ground(&self, step: &PlanStep) -> Result<GroundAction> {
        let schema = self
            .scene
            .domain()
            .schema_named(&step.action.to_lowercase())
            .ok_or_else(|| Error::UnknownName {
                what: "action",
                name: step.action.clone(),
            })?;
        let mut objects = vec![self.character];
        for id in &step.ids {
            objects.push(self.object(*id).ok_or_else(|| Error::UnknownName {
                what: "node",
                name: id.to_string(),
            })?);
        }
        Ok(GroundAction::new(schema, &objects))
    }

    /// States of every node in a state, by id.
    pub fn node_states(&self, state: &State) -> BTreeMap<u32, BTreeSet<String>> {
        let mut all: BTreeMap<u32, BTreeSet<String>> =
            self.ids.iter().map(|id| (*id, BTreeSet::new())).collect();
        for name in STATES {
            let Some(predicate) = self.scene.domain().predicate_named(&state_predicate(name)) else {
                continue;
            };
            for object in state.members(predicate) {
                all.entry(self.id(object)).or_default().insert(name.to_owned());
            }
        }
        all
    }

    /// All edges in a state.
    pub fn edge_set(&self, state: &State) -> BTreeSet<Edge> {
        let mut all = BTreeSet::new();
        for name in RELATIONS {
            let Some(predicate) = self.scene.domain().predicate_named(&relation_predicate(name)) else {
                continue;
            };
            all.extend(state.facts(predicate).map(|fact| Edge {
                from_id: self.id(fact.object(0)),
                relation_type: name.to_owned(),
                to_id: self.id(fact.object(1)),
            }));
        }
        all
    }
}
