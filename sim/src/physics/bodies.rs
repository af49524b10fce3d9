//! From entities to rigid bodies, colliders and joints.

use rapier3d::prelude as rp;
use steward_core::geometry::{Pose3, Rotation3, Vector3};

use super::convert::{to_pose, to_vector};
use crate::model::{ColliderShape, Entity, EntityKind};

/// Walls and furniture.
pub(super) const FIXED: rp::Group = rp::Group::GROUP_1;
/// Doors, drawers, lids.
pub(super) const PART: rp::Group = rp::Group::GROUP_2;
/// Small things.
pub(super) const OBJECT: rp::Group = rp::Group::GROUP_3;
/// Links of the robot but for those of the gripper.
pub(super) const ROBOT: rp::Group = rp::Group::GROUP_4;
/// Wrist, palm and fingers.
pub(super) const GRIPPER: rp::Group = rp::Group::GROUP_5;

/// Set in a collider's `user_data` where it belongs to the robot; the rest is the index of link or entity.
pub(super) const ROBOT_FLAG: u128 = 1 << 64;

/// What kind of thing a body belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Fixed,
    Part,
    Object,
}

/// The body of an entity.
#[derive(Debug, Clone, Copy)]
pub(super) struct Body {
    pub(super) handle: rp::RigidBodyHandle,
    pub(super) owner: Owner,
}

/// The groups that colliders of an owner are in and touch.
pub(super) fn groups(owner: Owner, touches_gripper: bool) -> rp::InteractionGroups {
    let gripper = if touches_gripper { GRIPPER } else { rp::Group::NONE };
    let (own, others) = match owner {
        Owner::Fixed => (FIXED, OBJECT | gripper),
        Owner::Part => (PART, OBJECT | ROBOT | gripper),
        Owner::Object => (OBJECT, FIXED | PART | OBJECT | ROBOT | gripper),
    };
    rp::InteractionGroups::new(own, others, rp::InteractionTestMode::And)
}

/// Puts an entity into the world; `parent`: body and pose of the furniture of a part.
pub(super) fn insert(
    world: &mut rp::PhysicsWorld,
    index: usize,
    entity: &Entity,
    parent: Option<(rp::RigidBodyHandle, Pose3)>,
) -> Body {
    let (owner, pose) = match &entity.kind {
        EntityKind::Structure | EntityKind::Furniture => (Owner::Fixed, entity.pose),
        EntityKind::Part(joint) => (
            Owner::Part,
            entity.pose * joint.closed_from_position(joint.initial),
        ),
        EntityKind::Object { .. } => (Owner::Object, entity.pose),
    };
    let body = match owner {
        Owner::Fixed => rp::RigidBodyBuilder::fixed(),
        // Springs and friction hold doors and lids where they are left: weight does not move them.
        Owner::Part => rp::RigidBodyBuilder::dynamic()
            .gravity_scale(0.0)
            .angular_damping(0.5),
        // Nothing rolls for ever at home: carpets and dents stop it.
        Owner::Object => rp::RigidBodyBuilder::dynamic()
            .ccd_enabled(true)
            .linear_damping(0.05)
            .angular_damping(5.0),
    };
    let handle = world.insert_body(body.pose(to_pose(&pose)));
    let shapes: Vec<(rp::SharedShape, Pose3)> = entity
        .colliders
        .iter()
        .map(|c| shape(&c.shape, &c.pose))
        .collect();
    let volume: f32 = shapes.iter().map(|(s, _)| s.mass_properties(1.0).mass()).sum();
    let density = if volume > 0.0 {
        entity.mass_kg.max(0.005) as f32 / volume
    } else {
        1.0
    };
    for (shape, pose) in shapes {
        let collider = rp::ColliderBuilder::new(shape)
            .position(to_pose(&pose))
            .density(density)
            .friction(entity.friction as f32)
            .collision_groups(groups(owner, true))
            .user_data(index as u128);
        world.insert_collider(collider, Some(handle));
    }
    if let (EntityKind::Part(joint), Some((parent, world_from_parent))) = (&entity.kind, parent) {
        let part_from_frame = Pose3::from_parts(joint.anchor.into(), x_to(&joint.axis));
        let parent_from_frame = world_from_parent.inverse() * entity.pose * part_from_frame;
        let free = if joint.prismatic {
            rp::JointAxis::LinX
        } else {
            rp::JointAxis::AngX
        };
        let data = rp::GenericJointBuilder::new(rp::JointAxesMask::all() & !rp::JointAxesMask::from(free))
            .local_frame1(to_pose(&parent_from_frame))
            .local_frame2(to_pose(&part_from_frame))
            .contacts_enabled(false)
            .limits(free, [0.0, joint.upper as f32])
            .motor_velocity(free, 0.0, FRICTION_GAIN)
            .motor_max_force(free, joint.friction.max(MIN_FRICTION) as f32)
            .build();
        world.insert_impulse_joint(parent, handle, data);
    }
    Body { handle, owner }
}

/// How sharply joint friction stops a slow motion, 1/s.
const FRICTION_GAIN: f32 = 200.0;
/// No hinge is without friction, N or N m.
const MIN_FRICTION: f64 = 0.05;

/// The rotation that takes x to a direction.
fn x_to(axis: &Vector3) -> Rotation3 {
    Rotation3::rotation_between(&Vector3::x(), axis)
        .unwrap_or_else(|| Rotation3::from_axis_angle(&Vector3::z_axis(), std::f64::consts::PI))
}

/// A shape of ours as one of `rapier3d`, whose cylinders lie along y.
fn shape(shape: &ColliderShape, pose: &Pose3) -> (rp::SharedShape, Pose3) {
    match *shape {
        ColliderShape::Cuboid { half } => {
            let h = to_vector(&half);
            (rp::SharedShape::cuboid(h.x, h.y, h.z), *pose)
        }
        ColliderShape::Cylinder {
            half_height_m,
            radius_m,
        } => cylinder(radius_m, half_height_m, pose),
        ColliderShape::Ball { radius_m } => (rp::SharedShape::ball(radius_m as f32), *pose),
    }
}

/// A cylinder along the z axis of its pose.
pub(super) fn cylinder(radius_m: f64, half_height_m: f64, pose: &Pose3) -> (rp::SharedShape, Pose3) {
    let z_from_y = Rotation3::from_axis_angle(&Vector3::x_axis(), std::f64::consts::FRAC_PI_2);
    (
        rp::SharedShape::cylinder(half_height_m as f32, radius_m as f32),
        pose * z_from_y,
    )
}
