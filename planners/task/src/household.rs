//! The symbolic household: what the search knows of objects, containers and the robot, and what steps do.

use std::collections::{BTreeMap, BTreeSet};

use steward_core::geometry::Point3;
use steward_core::ids::ObjectId;
use steward_core::messages::RelationKind;

/// Everything the search knows that no step changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Household {
    /// Things by id.
    pub items: BTreeMap<ObjectId, Item>,
}

/// One thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Where it is, frame `map`, metres; distances between items are travel costs.
    pub position: Point3,
    /// The gripper can take it.
    pub movable: bool,
    /// Parts (doors, drawers, lids) of which one must be open to reach inside it; empty for things without.
    pub parts: Vec<ObjectId>,
}

/// What steps change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct State {
    /// The thing the base stands at.
    pub at: Option<ObjectId>,
    /// The thing in the gripper.
    pub held: Option<ObjectId>,
    /// Parts that are open.
    pub open: BTreeSet<ObjectId>,
    /// What relates to what; things in the gripper relate to nothing.
    pub relations: BTreeSet<(ObjectId, RelationKind, ObjectId)>,
}

/// A ground step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Drive to a thing.
    Navigate(ObjectId),
    /// Open a part.
    Open(ObjectId),
    /// Close a part.
    Close(ObjectId),
    /// Take a thing.
    Pick(ObjectId),
    /// Put a thing somewhere.
    Place(ObjectId, RelationKind, ObjectId),
}

/// What a manipulation costs, in metres of travel.
const MANIPULATION_COST_M: f64 = 4.0;

impl Household {
    /// Whether something keeps the robot from reaching inside: parts, and none of them open.
    fn is_shut(&self, container: ObjectId, state: &State) -> bool {
        let parts = self.items.get(&container).map_or(&[][..], |i| &i.parts[..]);
        !parts.is_empty() && !parts.iter().any(|p| state.open.contains(p))
    }

    /// Whether a thing is inside something shut.
    pub fn is_shut_in(&self, object: ObjectId, state: &State) -> bool {
        state
            .relations
            .iter()
            .any(|&(s, kind, o)| s == object && kind == RelationKind::In && self.is_shut(o, state))
    }

    /// What keeps a step from being possible in a state, `None` if nothing.
    pub fn obstacle(&self, step: Step, state: &State) -> Option<&'static str> {
        let unknown = |id: &ObjectId| !self.items.contains_key(id);
        match step {
            Step::Navigate(to) if unknown(&to) => Some("the place is unknown"),
            Step::Navigate(to) if state.at == Some(to) => Some("already there"),
            Step::Navigate(_) => None,
            Step::Open(part) | Step::Close(part) if state.at != Some(part) => Some("not at the part"),
            Step::Open(_) | Step::Close(_) if state.held.is_some() => Some("the hand is full"),
            Step::Open(part) if state.open.contains(&part) => Some("already open"),
            Step::Close(part) if !state.open.contains(&part) => Some("already closed"),
            Step::Open(_) | Step::Close(_) => None,
            Step::Pick(object) if !self.items.get(&object).is_some_and(|i| i.movable) => Some("not movable"),
            Step::Pick(object) if state.at != Some(object) => Some("not at the object"),
            Step::Pick(_) if state.held.is_some() => Some("the hand is full"),
            Step::Pick(object) if self.is_shut_in(object, state) => Some("it is inside something shut"),
            Step::Pick(_) => None,
            Step::Place(object, ..) if state.held != Some(object) => Some("not holding it"),
            Step::Place(_, _, target) if state.at != Some(target) => Some("not at the target"),
            Step::Place(_, RelationKind::In, target) if self.is_shut(target, state) => {
                Some("the target is shut")
            }
            Step::Place(..) => None,
        }
    }

    /// The state after a step whose preconditions hold.
    pub fn after(&self, step: Step, state: &State) -> State {
        let mut next = state.clone();
        match step {
            Step::Navigate(to) => next.at = Some(to),
            Step::Open(part) => {
                next.open.insert(part);
            }
            Step::Close(part) => {
                next.open.remove(&part);
            }
            Step::Pick(object) => {
                next.relations.retain(|&(s, _, o)| s != object && o != object);
                next.held = Some(object);
            }
            Step::Place(object, kind, target) => {
                next.relations.insert((object, kind, target));
                next.held = None;
            }
        }
        next
    }

    /// Cost of a step, metres of travel or their equivalent.
    pub fn cost(&self, step: Step, state: &State) -> f64 {
        match step {
            Step::Navigate(to) => {
                let from = state.at.and_then(|id| self.items.get(&id)).map(|i| i.position);
                let to = self.items.get(&to).map(|i| i.position);
                match (from, to) {
                    (Some(a), Some(b)) => 0.5 + (b - a).xy().norm(),
                    _ => 0.5,
                }
            }
            _ => MANIPULATION_COST_M,
        }
    }
}
