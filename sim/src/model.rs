//! What a home is made of. The generator writes it; physics, renderer, change scripts and exporters read it.

use std::sync::Arc;

use steward_core::geometry::{Aabb, Pose2, Pose3, Rotation3, Vector3};

use crate::mesh::Mesh;
use crate::texture::Texture;

/// Index of an entity in [`Home::entities`]. Entities that a change script adds get the next indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityId(pub u32);

/// A furnished home, with everything in its initial place. World frame: z up, floor at z = 0.
#[derive(Debug, Clone)]
pub struct Home {
    /// Name, for people.
    pub name: String,
    /// The rooms.
    pub rooms: Vec<Room>,
    /// Openings between rooms.
    pub doorways: Vec<Doorway>,
    /// Walls, floors, furniture, parts and objects; `entities[i].id == EntityId(i)`.
    pub entities: Vec<Entity>,
    /// Lamps and daylight.
    pub lights: Vec<Light>,
    /// Where the robot starts.
    pub robot_start: Pose2,
}

/// A room: an axis-aligned rectangle of floor.
#[derive(Debug, Clone)]
pub struct Room {
    /// Unique name, for example `bedroom` or `bedroom_2`.
    pub name: String,
    /// Kind: `kitchen`, `living_room`, `bedroom`, `bathroom`, `office`, `hallway`, `dining_room`, …
    pub kind: String,
    /// Inside of the walls, floor to ceiling, metres.
    pub bounds: Aabb,
}

/// An opening between two rooms that the robot fits through.
#[derive(Debug, Clone)]
pub struct Doorway {
    /// Indices into [`Home::rooms`].
    pub rooms: [usize; 2],
    /// Middle of the opening on the floor, heading from the first room into the second.
    pub pose: Pose2,
    /// Clear width, metres.
    pub width_m: f64,
}

/// One physical thing.
#[derive(Debug, Clone)]
pub struct Entity {
    /// Its index.
    pub id: EntityId,
    /// Unique name: `mug_1`, `fridge_1`, `fridge_1_door`, `kitchen_wall_2`.
    pub name: String,
    /// Class that a detector would report: `mug`, `fridge`, `fridge_door`, `wall`, `floor`.
    pub class: String,
    /// What it may do.
    pub kind: EntityKind,
    /// `world_from_entity`. For a part: its pose when its joint is at position 0 (closed).
    pub pose: Pose3,
    /// What it looks like.
    pub visuals: Vec<Visual>,
    /// What it collides with, convex each.
    pub colliders: Vec<Collider>,
    /// Bounding box of the visuals in the entity's frame.
    pub local_bounds: Aabb,
    /// Mass, kilograms.
    pub mass_kg: f64,
    /// Coefficient of friction.
    pub friction: f64,
    /// Places where small things can stand, in the entity's frame.
    pub surfaces: Vec<Surface>,
    /// Hollow spaces where small things can be, in the entity's frame.
    pub cavities: Vec<Cavity>,
}

/// What an entity may do.
#[derive(Debug, Clone, PartialEq)]
pub enum EntityKind {
    /// Walls, floors, ceilings, door frames: never moves.
    Structure,
    /// Furniture and appliances: do not move.
    Furniture,
    /// A door, drawer or lid that moves on a joint.
    Part(PartJoint),
    /// A small thing that can be moved, pushed and dropped.
    Object {
        /// The gripper can hold it: some width between opposite sides fits between the fingers.
        graspable: bool,
    },
}

/// The joint between a part and its furniture.
#[derive(Debug, Clone, PartialEq)]
pub struct PartJoint {
    /// The furniture.
    pub parent: EntityId,
    /// Slides instead of turning.
    pub prismatic: bool,
    /// A point of the axis in the part's frame.
    pub anchor: Vector3,
    /// Unit axis in the part's frame; positive motion opens.
    pub axis: Vector3,
    /// Largest position, radians or metres; the smallest is 0.
    pub upper: f64,
    /// Position at the start, radians or metres.
    pub initial: f64,
    /// Middle of the handle's bar in the part's frame. The bar has a free gap behind it for a finger.
    pub handle: Vector3,
    /// Direction of the handle's bar in the part's frame.
    pub handle_axis: Vector3,
    /// Friction of the joint: torque (N m) or force (N) needed to move it.
    pub friction: f64,
}

/// A mesh with a material.
#[derive(Debug, Clone)]
pub struct Visual {
    /// Triangles in the visual's frame.
    pub mesh: Arc<Mesh>,
    /// How it looks.
    pub material: Material,
    /// `entity_from_visual`.
    pub pose: Pose3,
    /// Class that a detector reports for these pixels, as an instance of its own (`handle`); `None`: the
    /// entity's class and instance.
    pub label: Option<String>,
}

/// How a surface looks.
#[derive(Debug, Clone)]
pub struct Material {
    /// Repeats over texture coordinates; multiplied by `tint`. `None`: the tint alone.
    pub texture: Option<Arc<Texture>>,
    /// Linear RGB.
    pub tint: [f32; 3],
    /// 1 is opaque. Below 1 is glass: colour blends with what is behind, depth cameras see through or nothing.
    pub opacity: f32,
}

/// A convex shape that takes part in collisions.
#[derive(Debug, Clone)]
pub struct Collider {
    /// The shape.
    pub shape: ColliderShape,
    /// `entity_from_shape`.
    pub pose: Pose3,
}

/// Convex shapes.
#[derive(Debug, Clone, PartialEq)]
pub enum ColliderShape {
    /// A box.
    Cuboid {
        /// Half side lengths, metres.
        half: Vector3,
    },
    /// A cylinder along z.
    Cylinder {
        /// Half of its height, metres.
        half_height_m: f64,
        /// Radius, metres.
        radius_m: f64,
    },
    /// A ball.
    Ball {
        /// Radius, metres.
        radius_m: f64,
    },
}

impl ColliderShape {
    /// Half side lengths of the box around it, metres.
    pub fn half(&self) -> Vector3 {
        match *self {
            ColliderShape::Cuboid { half } => half,
            ColliderShape::Cylinder {
                half_height_m,
                radius_m,
            } => Vector3::new(radius_m, radius_m, half_height_m),
            ColliderShape::Ball { radius_m } => Vector3::repeat(radius_m),
        }
    }

    /// How far it reaches from its middle along a direction of unit length in its own frame, metres.
    pub fn reach_m(&self, direction: &Vector3) -> f64 {
        match *self {
            ColliderShape::Cuboid { half } => half.dot(&direction.abs()),
            ColliderShape::Cylinder {
                half_height_m,
                radius_m,
            } => half_height_m * direction.z.abs() + radius_m * direction.xy().norm(),
            ColliderShape::Ball { radius_m } => radius_m,
        }
    }
}

/// A horizontal rectangle on which things can stand.
#[derive(Debug, Clone, PartialEq)]
pub struct Surface {
    /// Unique within the entity: `top`, `shelf_2`.
    pub name: String,
    /// Middle of the rectangle, z on the surface, in the entity's frame; only turned about z.
    pub pose: Pose3,
    /// Half side lengths, metres.
    pub half: [f64; 2],
    /// Free height above it, metres.
    pub clearance_m: f64,
}

/// A hollow space.
#[derive(Debug, Clone, PartialEq)]
pub struct Cavity {
    /// The hollow, in the entity's frame (for a drawer, in the drawer's).
    pub bounds: Aabb,
    /// The part that must be open to reach in, `None` for an open shelf.
    pub door: Option<EntityId>,
}

/// A light.
#[derive(Debug, Clone, PartialEq)]
pub struct Light {
    /// Position, metres.
    pub position: Vector3,
    /// Linear RGB intensity at one metre.
    pub intensity: [f32; 3],
    /// Light falls off smoothly to nothing at this distance, metres.
    pub range_m: f64,
    /// Whether things cast shadows in it.
    pub shadows: bool,
}

/// Where everything is at one instant.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WorldState {
    /// `world_from_entity`, by [`EntityId`].
    pub poses: Vec<Pose3>,
    /// Whether the entity is in the home at all, by [`EntityId`].
    pub present: Vec<bool>,
}

impl WorldState {
    /// Everything as the home has it at the start, parts at their initial position.
    pub fn initial(home: &Home) -> Self {
        let pose = |e: &Entity| match &e.kind {
            EntityKind::Part(joint) => e.pose * joint.closed_from_position(joint.initial),
            _ => e.pose,
        };
        WorldState {
            poses: home.entities.iter().map(pose).collect(),
            present: vec![true; home.entities.len()],
        }
    }
}

impl PartJoint {
    /// The part's pose at a position of the joint, in its own frame at position 0.
    pub fn closed_from_position(&self, position: f64) -> Pose3 {
        if self.prismatic {
            return Pose3::from_parts((self.axis * position).into(), Rotation3::identity());
        }
        let turn = Rotation3::from_scaled_axis(self.axis * position);
        Pose3::from_parts((self.anchor - turn * self.anchor).into(), turn)
    }
}
