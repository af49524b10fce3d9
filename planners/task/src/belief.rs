//! From the scene graph to the symbolic household: which remembered things a goal can mean, and what holds.

use steward_core::ids::ObjectId;
use steward_core::messages::{GoalRelation, Presence, Relation, RelationKind, SceneGraph, SceneObject};

/// One relation that must hold at the end.
pub type Wanted = (ObjectId, RelationKind, ObjectId);

/// A step towards a goal.
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

/// Things wider than this are furniture: the gripper cannot carry them, and small things stand on them, metres.
const FURNITURE_SIDE_M: f64 = 0.30;
/// Things thinner than this hold nothing, metres.
const MIN_HOLDER_SIDE_M: f64 = 0.15;
/// Things lower than this hold nothing that the floor in front of them does not show, metres.
const MIN_HOLDER_HEIGHT_M: f64 = 0.15;
/// What hangs higher than this is out of reach, metres.
const MAX_HOLDER_HEIGHT_M: f64 = 1.2;

/// The scene graph with the questions that planning asks of it.
#[derive(Debug, Clone, Copy)]
pub struct Belief<'a> {
    /// What is remembered.
    pub graph: &'a SceneGraph,
}

impl<'a> Belief<'a> {
    /// A remembered thing.
    pub fn object(&self, id: ObjectId) -> Option<&'a SceneObject> {
        self.graph
            .objects
            .binary_search_by_key(&id, |o| o.id)
            .ok()
            .map(|i| &self.graph.objects[i])
    }

    /// Things of a class that are not known to be gone.
    pub fn of_class(&self, class: &str) -> impl Iterator<Item = &'a SceneObject> {
        let class = class.to_owned();
        self.graph
            .objects
            .iter()
            .filter(move |o| o.class == class && o.presence != Presence::Missing)
    }

    /// What the gripper holds.
    pub fn held(&self) -> Option<&'a SceneObject> {
        self.graph.objects.iter().find(|o| o.presence == Presence::Held)
    }

    /// Parts that open and belong to a thing: its doors, drawers and lid, or itself where it is one.
    pub fn parts_of(&self, id: ObjectId) -> Vec<&'a SceneObject> {
        self.graph
            .objects
            .iter()
            .filter(|o| o.articulation.is_some_and(|a| o.id == id || a.owner == Some(id)))
            .collect()
    }

    /// What is looked past to see into a thing: a part of it that opens, or itself where it has none.
    pub fn way_into(&self, id: ObjectId) -> ObjectId {
        self.parts_of(id).first().map_or(id, |part| part.id)
    }

    /// Whether a thing is furniture rather than something to carry.
    pub fn is_furniture(object: &SceneObject) -> bool {
        object.articulation.is_none() && object.shape.half.x.max(object.shape.half.y) * 2.0 > FURNITURE_SIDE_M
    }

    /// Whether small things can stand on or in a thing: furniture that is neither flat against a wall, like a
    /// picture, nor flat on the floor, like a rug, nor out of reach.
    pub fn can_hold_things(object: &SceneObject) -> bool {
        let half = object.shape.half;
        let thin = half.x.min(half.y) < MIN_HOLDER_SIDE_M * 0.5;
        let low = object.shape.top_m() < MIN_HOLDER_HEIGHT_M;
        let high = object.shape.bottom_m() > MAX_HOLDER_HEIGHT_M;
        Self::is_furniture(object) && !thin && !low && !high
    }

    /// What a thing must be put into to be in `target`: its drawers where it has any, otherwise itself.
    pub fn receptacles(&self, target: &'a SceneObject) -> Vec<&'a SceneObject> {
        let is_drawer = |o: &&SceneObject| o.articulation.is_some_and(|a| a.prismatic);
        let drawers: Vec<_> = self.parts_of(target.id).into_iter().filter(is_drawer).collect();
        if drawers.is_empty() { vec![target] } else { drawers }
    }

    /// Whether the graph says that a relation holds; what is in a drawer of a thing is in the thing.
    pub fn holds(&self, subject: ObjectId, kind: RelationKind, target: ObjectId) -> bool {
        self.graph.relations.iter().any(|r| {
            let same_target = r.object == target
                || kind == RelationKind::In
                    && self
                        .object(r.object)
                        .and_then(|o| o.articulation)
                        .is_some_and(|a| a.owner == Some(target));
            r.subject == subject && r.kind == kind && same_target
        })
    }

    /// What a thing is in; furniture rather than the drawer.
    pub fn container_of(&self, subject: ObjectId) -> Option<ObjectId> {
        let is_around = |r: &&Relation| r.subject == subject && r.kind == RelationKind::In;
        let around = self.graph.relations.iter().find(is_around)?.object;
        let owner = self.object(around).and_then(|o| o.articulation?.owner);
        Some(owner.unwrap_or(around))
    }

    /// A pair of things for which a wanted relation holds.
    pub fn witness(&self, relation: &GoalRelation) -> Option<(&'a SceneObject, &'a SceneObject)> {
        self.of_class(&relation.subject)
            .filter(|s| s.presence == Presence::Present)
            .find_map(|s| {
                self.of_class(&relation.object)
                    .find(|t| t.id != s.id && self.holds(s.id, relation.kind, t.id))
                    .map(|t| (s, t))
            })
    }
}
