//! How things really are, for scoring only: no node may read it.

use rapier3d::parry::query;
use rapier3d::prelude as rp;
use steward_core::geometry::{Point3, Pose2, Pose3, Vector3};
use steward_core::messages::RelationKind;

use crate::model::{Cavity, Collider, ColliderShape, Entity, EntityId, EntityKind};
use crate::physics::Physics;

/// Height between an object's bottom and a surface up to which it rests on it, metres.
const ON_HEIGHT_M: f64 = 0.03;
/// An object's middle may be this far outside a surface's rectangle, metres.
const ON_MARGIN_M: f64 = 0.02;
/// Slower than this is at rest, metres and radians per second.
const REST: (f64, f64) = (0.03, 0.5);

/// A snapshot of the truth.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    /// `world_from_base`.
    pub robot: Pose2,
    /// What the gripper holds: an object, or a part by its handle.
    pub held: Option<EntityId>,
    /// Furniture, parts and objects that are present, by ascending id.
    pub things: Vec<ThingTruth>,
    /// Relations of small objects at rest to other things, sorted. An object inside a drawer is also in the
    /// furniture that the drawer belongs to.
    pub relations: Vec<TrueRelation>,
}

/// One thing.
#[derive(Debug, Clone, PartialEq)]
pub struct ThingTruth {
    /// Which.
    pub id: EntityId,
    /// Name in the home.
    pub name: String,
    /// Class.
    pub class: String,
    /// `world_from_entity`.
    pub pose: Pose3,
    /// Middle of its bounding box, world frame.
    pub center: Point3,
    /// Position of the joint of a part, radians or metres.
    pub joint: Option<f64>,
    /// A small object rather than furniture or a part.
    pub is_object: bool,
}

/// `kind(subject, object)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrueRelation {
    /// A small object.
    pub subject: EntityId,
    /// How.
    pub kind: RelationKind,
    /// Furniture, a part, or another small object.
    pub object: EntityId,
}

impl Truth {
    /// Whether some object of the subject's class relates so to some thing of the object's class.
    pub fn holds(&self, kind: RelationKind, subject: &str, object: &str) -> bool {
        let class = |id: EntityId| self.thing(id).map_or("", |t| t.class.as_str());
        self.relations
            .iter()
            .any(|r| r.kind == kind && class(r.subject) == subject && class(r.object) == object)
    }

    /// A thing by id, `None` where it is not present.
    pub fn thing(&self, id: EntityId) -> Option<&ThingTruth> {
        self.things
            .binary_search_by_key(&id, |t| t.id)
            .ok()
            .map(|i| &self.things[i])
    }

    /// A thing by name.
    pub fn named(&self, name: &str) -> Option<&ThingTruth> {
        self.things.iter().find(|t| t.name == name)
    }

    /// Reads the truth off the physics.
    pub fn of(physics: &Physics) -> Self {
        let held = physics.gripper().held;
        let present: Vec<Present> = physics
            .entities()
            .iter()
            .filter(|e| e.kind != EntityKind::Structure)
            .filter_map(|entity| Some(Present::new(entity, physics.pose(entity.id)?)))
            .collect();
        let mut relations = Vec::new();
        for a in present.iter().filter(|p| p.is_object()) {
            let at_rest = physics
                .velocity(a.entity.id)
                .is_some_and(|(v, w)| v.norm() < REST.0 && w.norm() < REST.1);
            if held == Some(a.entity.id) || !at_rest {
                continue;
            }
            for b in present.iter().filter(|b| b.entity.id != a.entity.id) {
                if b.has_inside(a) {
                    relations.push(relation(a, RelationKind::In, b.entity.id));
                    if let EntityKind::Part(joint) = &b.entity.kind {
                        relations.push(relation(a, RelationKind::In, joint.parent));
                    }
                }
                // On a board of an open shelf is in it and on it. What bridges a gap of furniture has no board below its middle.
                let bridges =
                    || !b.is_object() && !b.is_behind_door(a) && physics.lies_on(a.entity.id, b.entity.id);
                if b.carries(a) || bridges() {
                    relations.push(relation(a, RelationKind::On, b.entity.id));
                }
            }
            for b in present.iter().filter(|b| b.entity.id != a.entity.id) {
                let related = relations
                    .iter()
                    .any(|r| r.subject == a.entity.id && r.object == b.entity.id);
                if !related && a.distance_m(b) <= RelationKind::NEAR_M {
                    relations.push(relation(a, RelationKind::Near, b.entity.id));
                }
            }
        }
        relations.sort_unstable();
        relations.dedup();
        let things = present
            .iter()
            .map(|p| ThingTruth {
                id: p.entity.id,
                name: p.entity.name.clone(),
                class: p.entity.class.clone(),
                pose: p.pose,
                center: p.center,
                joint: physics.part_position(p.entity.id),
                is_object: p.is_object(),
            })
            .collect();
        Truth {
            robot: physics.base(),
            held,
            things,
            relations,
        }
    }
}

fn relation(a: &Present, kind: RelationKind, object: EntityId) -> TrueRelation {
    TrueRelation {
        subject: a.entity.id,
        kind,
        object,
    }
}

/// A present entity.
struct Present<'a> {
    entity: &'a Entity,
    pose: Pose3,
    center: Point3,
    /// Lowest point, metres.
    bottom_m: f64,
}

impl<'a> Present<'a> {
    fn new(entity: &'a Entity, pose: Pose3) -> Self {
        // Of what lies askew, the box around it reaches below what it lies on.
        let lowest = |collider: &Collider| {
            let pose = pose * collider.pose;
            let down = pose.rotation.inverse() * -Vector3::z();
            pose.translation.z - collider.shape.reach_m(&down)
        };
        Present {
            bottom_m: entity.colliders.iter().map(lowest).fold(f64::INFINITY, f64::min),
            entity,
            pose,
            center: pose * entity.local_bounds.center(),
        }
    }

    fn is_object(&self) -> bool {
        matches!(self.entity.kind, EntityKind::Object { .. })
    }

    /// The lowest point of it, below its middle.
    fn foot(&self) -> Point3 {
        Point3::new(self.center.x, self.center.y, self.bottom_m)
    }

    fn is_behind_door(&self, other: &Present) -> bool {
        let inside = self.pose.inverse() * other.foot() + Vector3::new(0.0, 0.0, ON_HEIGHT_M);
        let behind_door = |c: &Cavity| c.door.is_some() && c.bounds.contains(&inside);
        self.entity.cavities.iter().any(behind_door)
    }

    fn has_inside(&self, other: &Present) -> bool {
        let p = self.pose.inverse() * other.center;
        self.entity.cavities.iter().any(|c| c.bounds.contains(&p))
    }

    /// Whether another thing rests on it, and not behind a door: on one of its surfaces, or on any other board of it,
    /// such as an armrest or the part of a counter that a microwave stands on.
    fn carries(&self, other: &Present) -> bool {
        if self.is_behind_door(other) {
            return false;
        }
        let foot = other.foot();
        let surfaces = self.entity.surfaces.iter().map(|s| (s.pose, s.half));
        let boards = self.entity.colliders.iter().filter_map(top_of);
        surfaces.chain(boards).any(|(top, half)| {
            let p = (self.pose * top).inverse() * foot;
            p.z.abs() <= ON_HEIGHT_M
                && p.x.abs() <= half[0] + ON_MARGIN_M
                && p.y.abs() <= half[1] + ON_MARGIN_M
        })
    }

    /// Distance between the bounding boxes, metres.
    fn distance_m(&self, other: &Present) -> f64 {
        let radius = |p: &Present| p.entity.local_bounds.half().norm();
        let apart = (self.center - other.center).norm() - radius(self) - radius(other);
        if apart > RelationKind::NEAR_M {
            return apart;
        }
        let cuboid = |p: &Present| {
            let h = p.entity.local_bounds.half();
            rp::Cuboid::new(rp::Vector::new(h.x as f32, h.y as f32, h.z as f32))
        };
        let pose = |p: &Present| {
            let center = p.entity.local_bounds.center();
            crate::physics::to_rapier(&(p.pose * Pose3::translation(center.x, center.y, center.z)))
        };
        query::distance(&pose(self), &cuboid(self), &pose(other), &cuboid(other))
            .map_or(f64::INFINITY, |d| f64::from(d.distance))
    }
}

/// The upper side of a board: its middle in the entity's frame, and its half side lengths.
fn top_of(collider: &Collider) -> Option<(Pose3, [f64; 2])> {
    match collider.shape {
        ColliderShape::Cuboid { half } => {
            let top = collider.pose * Pose3::translation(0.0, 0.0, half.z);
            Some((top, [half.x, half.y]))
        }
        _ => None,
    }
}
