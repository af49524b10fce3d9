//! Grasping: what the finger pads touch, when that is a grasp, and when a grasp slips.
//!
//! A grasp is two contacts with the same thing whose connecting line lies in both friction cones (Nguyen 1988:
//! "Constructing force-closure grasps", planar case of two contacts with friction). While it lasts, a joint with some compliance
//! holds the thing; the joint goes when the fingers open, or when weight or its moment exceed what the pads
//! carry by friction.

use rapier3d::parry::query;
use rapier3d::prelude as rp;
use steward_core::geometry::{Point3, Pose3, Vector3};

use super::Physics;
use super::bodies::{self, Owner, ROBOT_FLAG};
use super::convert::{from_vector, to_pose};
use super::mobile::PAD_FRICTION;
use crate::model::{EntityId, EntityKind, PartJoint};

/// Pads closer than this touch, metres.
pub(super) const TOUCH_M: f32 = 0.0006;
/// Pads deeper than this in a thing were forced onto it, which is no grasp, metres.
const FORCED_M: f64 = 0.004;
/// Force with which each pad presses, newtons.
const PAD_FORCE_N: f64 = 40.0;
/// Radius of the disc of equal torsional friction that a pad makes with a thing, metres.
const PAD_TORSION_RADIUS_M: f64 = 0.012;
/// Half of the pad's length, the lever that resists tipping, metres.
const PAD_LEVER_M: f64 = 0.025;
/// A held thing that is this far from where the gripper has it does not rest, metres.
const OBJECT_LAG_M: f64 = 0.004;
/// A thing that is this far from where the gripper has it slips out, metres.
const OBJECT_SLIP_M: f64 = 0.03;
/// The same for a handle.
const HANDLE_SLIP_M: f64 = 0.025;
/// Contacts within this distance of a handle's line are on the handle, metres.
const HANDLE_RADIUS_M: f64 = 0.03;
/// Contacts within this distance of the handle's middle along its bar are on the handle, metres.
const HANDLE_REACH_M: f64 = 0.3;
/// Stiffness of the hold, as the frequency at which what is held would swing, hertz: hanging in it gives 1 mm.
const HOLD_HZ: f32 = 15.0;

/// What the two pads touch: left, right.
#[derive(Debug, Default)]
pub(super) struct Pads {
    contacts: [Vec<PadContact>; 2],
    /// A handle is held, so the fingers do not close further.
    pub(super) holds_handle: bool,
}

/// One contact of a pad.
#[derive(Debug, Clone)]
struct PadContact {
    entity: EntityId,
    /// World frame.
    point: Vector3,
    /// From the finger into the thing, world frame.
    normal: Vector3,
    depth_m: f64,
}

impl Pads {
    /// Whether a pad touches something; 0 is left, 1 is right.
    pub(super) fn touches(&self, side: usize) -> bool {
        !self.contacts[side].is_empty()
    }

    /// How deep a pad is in what it touches, metres.
    pub(super) fn depth_m(&self, side: usize) -> f64 {
        self.contacts[side].iter().map(|c| c.depth_m).fold(0.0, f64::max)
    }

    /// Middle and mean normal of what a pad touches of an entity.
    fn mean(&self, side: usize, entity: EntityId) -> Option<(Vector3, Vector3)> {
        let of = || self.contacts[side].iter().filter(|c| c.entity == entity);
        let count = of().count() as f64;
        let point = of().map(|c| c.point).sum::<Vector3>() / count.max(1.0);
        let normal = of().map(|c| c.normal).sum::<Vector3>().try_normalize(1e-6)?;
        Some((point, normal))
    }
}

/// What is held.
#[derive(Debug, Clone)]
pub(super) struct Grip {
    pub(super) entity: EntityId,
    joint: rp::ImpulseJointHandle,
    /// The middle between the pads, in the palm's frame.
    palm_point: Point3,
    /// The same in the thing's frame.
    thing_point: Point3,
    /// Closing direction in the palm's frame.
    closing: Vector3,
    is_handle: bool,
}

/// Where a held object is and where the gripper wants it.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeldObject {
    /// World frame.
    point: Point3,
    palm_point: Point3,
}

impl HeldObject {
    /// How far the object lags behind a pose of the palm, metres.
    pub(super) fn lag_m(&self, world_from_palm: &Pose3) -> f64 {
        (world_from_palm * self.palm_point - self.point).norm()
    }
}

impl Physics {
    /// The object in the gripper, not a handle.
    pub(super) fn held_object(&self) -> Option<HeldObject> {
        let grip = self.grip.as_ref().filter(|g| !g.is_handle)?;
        Some(HeldObject {
            point: self.pose(grip.entity)? * grip.thing_point,
            palm_point: grip.palm_point,
        })
    }

    /// A held object that lags behind the gripper is kept from falling asleep: the hold pulls it along.
    pub(super) fn wake_lagging(&mut self) {
        let Some(grip) = self.grip.as_ref().filter(|g| !g.is_handle) else {
            return;
        };
        let lag_m = self
            .held_object()
            .map_or(0.0, |h| h.lag_m(self.robot.world_from_palm()));
        if lag_m > OBJECT_LAG_M
            && let Some(Some(body)) = self.bodies.get(grip.entity.0 as usize)
        {
            self.world.wake_up(body.handle, true);
            self.dirty = true;
        }
    }

    /// Reads the pads and takes, keeps or loses hold.
    pub(super) fn update_grip(&mut self) {
        self.read_pads();
        self.finish_releases();
        if self.grip.is_some() {
            if self.slips() {
                self.log_slip();
                self.let_go();
            }
        } else if self.robot.wants_to_close() {
            self.try_grip();
        }
        self.pads.holds_handle = self.grip.as_ref().is_some_and(|g| g.is_handle);
    }

    /// Tells developers where what slips out is and where the gripper wants it.
    fn log_slip(&self) {
        let Some((grip, pose)) = self.grip.as_ref().and_then(|g| Some((g, self.pose(g.entity)?))) else {
            return;
        };
        let name = &self.entities[grip.entity.0 as usize].name;
        let wanted = self.robot.world_from_palm() * grip.palm_point;
        log::debug!(
            "{name} at {:.3} slips out of the gripper at {wanted:.3}",
            pose * grip.thing_point
        );
    }

    fn read_pads(&mut self) {
        let closing = self.robot.world_from_palm().rotation * Vector3::y();
        for (side, inward) in [(0, -closing), (1, closing)] {
            let mut contacts = std::mem::take(&mut self.pads.contacts[side]);
            contacts.clear();
            for &finger in self.robot.finger_colliders(side) {
                for pair in self.world.narrow_phase.contact_pairs_with(finger) {
                    let finger_first = pair.collider1 == finger;
                    let other = if finger_first {
                        pair.collider2
                    } else {
                        pair.collider1
                    };
                    let (Some(a), Some(b)) = (
                        self.world.colliders.get(pair.collider1),
                        self.world.colliders.get(other),
                    ) else {
                        continue;
                    };
                    if b.user_data & ROBOT_FLAG != 0 {
                        continue;
                    }
                    for manifold in pair.manifolds() {
                        let normal =
                            from_vector(manifold.data.normal) * if finger_first { 1.0 } else { -1.0 };
                        if normal.dot(&inward) < 0.5 {
                            continue;
                        }
                        for p in manifold.points.iter().filter(|p| p.dist < TOUCH_M) {
                            contacts.push(PadContact {
                                entity: EntityId(b.user_data as u32),
                                point: from_vector(a.position().transform_point(p.local_p1)),
                                normal,
                                depth_m: f64::from(-p.dist),
                            });
                        }
                    }
                }
            }
            self.pads.contacts[side] = contacts;
        }
    }

    fn try_grip(&mut self) {
        let mut touched: Vec<EntityId> = self.pads.contacts[0].iter().map(|c| c.entity).collect();
        touched.sort_unstable();
        touched.dedup();
        for entity in touched {
            let (Some(left), Some(right)) = (self.pads.mean(0, entity), self.pads.mean(1, entity)) else {
                continue;
            };
            let Some(is_handle) = self.is_grasp(entity, left, right) else {
                continue;
            };
            let point = Point3::from((left.0 + right.0) * 0.5);
            self.hold(entity, point.coords, is_handle);
            let description = &self.entities[entity.0 as usize];
            log::debug!("the gripper holds {}", description.name);
            if let EntityKind::Part(joint) = &description.kind {
                let closed = description.pose;
                log::debug!(
                    "its hinge is at {:.3}, it is taken at {:.3}, position {:.3?}",
                    closed * Point3::from(joint.anchor),
                    point,
                    self.part_position(entity)
                );
            }
            return;
        }
    }

    /// Whether the two contacts (point, normal) are a grasp, and if so, whether of a handle.
    fn is_grasp(
        &self,
        entity: EntityId,
        left: (Vector3, Vector3),
        right: (Vector3, Vector3),
    ) -> Option<bool> {
        if (0..2).any(|side| self.pads.depth_m(side) > FORCED_M) {
            return None;
        }
        let description = &self.entities[entity.0 as usize];
        let friction = (f64::from(PAD_FRICTION) + description.friction) * 0.5;
        let cone_cos = 1.0 / (1.0 + friction * friction).sqrt();
        let between = right.0 - left.0;
        // For a thing as thin as paper the line between the contacts says nothing.
        let line = if between.norm() > 0.004 {
            between.normalize()
        } else {
            left.1
        };
        if left.1.dot(&line) < cone_cos || -right.1.dot(&line) < cone_cos {
            return None;
        }
        match &description.kind {
            EntityKind::Object { graspable } => graspable.then_some(false),
            EntityKind::Part(joint) => {
                let world_from_part = self.pose(entity)?;
                let on_handle = |p: Vector3| {
                    let p = world_from_part.inverse_transform_point(&p.into());
                    is_on_handle(joint, &p)
                };
                (on_handle(left.0) && on_handle(right.0)).then_some(true)
            }
            EntityKind::Structure | EntityKind::Furniture => None,
        }
    }

    fn hold(&mut self, entity: EntityId, point: Vector3, is_handle: bool) {
        let (Some(palm), Some(thing_pose), Some(Some(body))) = (
            self.robot.palm_body(),
            self.pose(entity),
            self.bodies.get(entity.0 as usize),
        ) else {
            return;
        };
        let world_from_palm = *self.robot.world_from_palm();
        let palm_from_thing = world_from_palm.inverse() * thing_pose;
        let point = Point3::from(point);
        let thing_point = thing_pose.inverse() * point;
        let palm_point = world_from_palm.inverse() * point;
        // A bar can turn between the pads; anything else is held as it is.
        let locked = if is_handle {
            rp::JointAxesMask::LIN_AXES
        } else {
            rp::JointAxesMask::all()
        };
        let thing_frame = Pose3::translation(thing_point.x, thing_point.y, thing_point.z);
        let joint = rp::GenericJointBuilder::new(locked)
            .local_frame1(to_pose(&(palm_from_thing * thing_frame)))
            .local_frame2(to_pose(&thing_frame))
            .softness(rp::SpringCoefficients::new(HOLD_HZ, 1.0))
            .contacts_enabled(false)
            .build();
        let owner = body.owner;
        let joint = self.world.insert_impulse_joint(palm, body.handle, joint);
        self.releasing.retain(|r| *r != entity);
        self.set_touches_gripper(entity, owner, false);
        self.grip = Some(Grip {
            entity,
            joint,
            palm_point,
            thing_point,
            closing: Vector3::y(),
            is_handle,
        });
    }

    /// Whether what is held is lost by its weight, its moment, or by being torn away.
    fn slips(&self) -> bool {
        let Some(grip) = &self.grip else { return false };
        let Some(pose) = self.pose(grip.entity) else {
            return true;
        };
        let world_from_palm = self.robot.world_from_palm();
        let point = pose * grip.thing_point;
        let torn = (world_from_palm * grip.palm_point - point).norm();
        if torn
            > if grip.is_handle {
                HANDLE_SLIP_M
            } else {
                OBJECT_SLIP_M
            }
        {
            return true;
        }
        if grip.is_handle || self.is_supported(grip.entity) {
            return false;
        }
        let Some(Some(body)) = self.bodies.get(grip.entity.0 as usize) else {
            return true;
        };
        let Some(body) = self.world.bodies.get(body.handle) else {
            return true;
        };
        let friction = (f64::from(PAD_FRICTION) + self.entities[grip.entity.0 as usize].friction) * 0.5;
        let grip_force = 2.0 * friction * PAD_FORCE_N;
        let weight = Vector3::new(0.0, 0.0, -9.81 * f64::from(body.mass()));
        let moment = (from_vector(body.center_of_mass()) - point.coords).cross(&weight);
        let closing = world_from_palm.rotation * grip.closing;
        let about_closing = moment.dot(&closing).abs();
        let tipping = (moment - closing * moment.dot(&closing)).norm();
        weight.norm() > grip_force
            || about_closing > grip_force * PAD_TORSION_RADIUS_M
            || tipping > 2.0 * PAD_FORCE_N * PAD_LEVER_M
    }

    /// Whether something other than the robot carries or touches an object.
    pub(super) fn is_supported(&self, entity: EntityId) -> bool {
        let Some(Some(body)) = self.bodies.get(entity.0 as usize) else {
            return false;
        };
        let Some(body) = self.world.bodies.get(body.handle) else {
            return false;
        };
        body.colliders().iter().any(|&own| {
            self.world.narrow_phase.contact_pairs_with(own).any(|pair| {
                let other = if pair.collider1 == own {
                    pair.collider2
                } else {
                    pair.collider1
                };
                let is_robot = self
                    .world
                    .colliders
                    .get(other)
                    .is_none_or(|c| c.user_data & ROBOT_FLAG != 0);
                !is_robot
                    && pair
                        .manifolds()
                        .iter()
                        .any(|m| m.points.iter().any(|p| p.dist < TOUCH_M))
            })
        })
    }

    /// Lets go of what is held.
    pub(super) fn let_go(&mut self) {
        if let Some(grip) = self.grip.take() {
            self.world.remove_impulse_joint(grip.joint);
            self.releasing.push(grip.entity);
            self.pads.holds_handle = false;
            if let Some(Some(body)) = self.bodies.get(grip.entity.0 as usize) {
                self.world.wake_up(body.handle, true);
            }
            self.dirty = true;
        }
    }

    /// What was let go of touches the gripper again once they are clear of each other.
    fn finish_releases(&mut self) {
        let mut waiting = std::mem::take(&mut self.releasing);
        waiting.retain(|&entity| {
            let Some(Some(body)) = self.bodies.get(entity.0 as usize).copied() else {
                return false;
            };
            if self.overlaps_gripper(body.handle) {
                return true;
            }
            self.set_touches_gripper(entity, body.owner, true);
            false
        });
        self.releasing = waiting;
    }

    fn overlaps_gripper(&self, body: rp::RigidBodyHandle) -> bool {
        let Some(body) = self.world.bodies.get(body) else {
            return false;
        };
        body.colliders()
            .iter()
            .filter_map(|&c| self.world.colliders.get(c))
            .any(|c| {
                self.robot.gripper_shapes().any(|(shape, pose)| {
                    query::intersection_test(&pose, shape.as_ref(), c.position(), c.shape())
                        .is_ok_and(|i| i.intersecting)
                })
            })
    }

    fn set_touches_gripper(&mut self, entity: EntityId, owner: Owner, touches: bool) {
        let Some(Some(body)) = self.bodies.get(entity.0 as usize) else {
            return;
        };
        let Some(body) = self.world.bodies.get(body.handle) else {
            return;
        };
        for &handle in body.colliders() {
            if let Some(c) = self.world.colliders.get_mut(handle) {
                c.set_collision_groups(bodies::groups(owner, touches));
            }
        }
    }
}

fn is_on_handle(joint: &PartJoint, p: &Point3) -> bool {
    let offset = p.coords - joint.handle;
    let axis = joint.handle_axis.try_normalize(1e-6).unwrap_or_else(Vector3::z);
    let along = offset.dot(&axis);
    along.abs() < HANDLE_REACH_M && (offset - axis * along).norm() < HANDLE_RADIUS_M
}
