//! The robot among the rigid bodies: it moves as commanded, up to what stands in the way.

use nalgebra as na;
use rapier3d::parry::query;
use rapier3d::prelude as rp;
use serde::{Deserialize, Serialize};
use steward_core::geometry::{Pose2, Pose3, Rotation3, Vector3, wrap_angle_rad};
use steward_core::robot::{Geometry, JointKind, KinematicModel};

use super::STEP_S;
use super::bodies::{self, GRIPPER, OBJECT, PART, ROBOT, ROBOT_FLAG};
use super::convert::{from_vector, to_pose, to_vector};
use super::grip::{HeldObject, Pads};
use crate::robot::{self, DriveConfig, JointDrive};
use crate::{Error, Result};

/// How far a link may enter something fixed before its motion stops, metres.
const FIXED_TOLERANCE_M: f32 = 0.001;
/// The same for things that give way, beyond what one step of motion makes, metres.
const YIELDING_TOLERANCE_M: f32 = 0.0015;
/// Gap below which the bumper stays pressed after it was hit, metres.
const BUMPER_GAP_M: f32 = 0.005;
/// How far the fingers give way together, so that a thing off their middle is not pushed, metres.
const MAX_SHIFT_M: f64 = 0.015;
/// A held object may lag behind the gripper this much before the robot stops pressing, metres.
const MAX_PRESS_M: f64 = 0.008;
/// After this many steps of driving against a held object that does not follow, the base pulls with all its force.
const PATIENT_STEPS: u32 = 60;
/// Depth of both pads at which closing ends, metres.
const SQUEEZE_M: f64 = 0.0015;
/// Parts of a motion that are tried in turn when the whole is blocked.
const FRACTIONS: [f64; 3] = [1.0, 0.5, 0.2];

/// How the base follows its commands.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct BaseConfig {
    /// Largest forward or backward speed, metres per second.
    pub max_linear_m_s: f64,
    /// Largest turning speed, radians per second.
    pub max_angular_rad_s: f64,
    /// Largest change of speed, metres per second squared.
    pub linear_acceleration_m_s2: f64,
    /// Largest change of turning speed, radians per second squared.
    pub angular_acceleration_rad_s2: f64,
    /// Without a command for this long the base stops, seconds.
    pub command_timeout_s: f64,
}

impl Default for BaseConfig {
    fn default() -> Self {
        BaseConfig {
            max_linear_m_s: 0.8,
            max_angular_rad_s: 1.8,
            linear_acceleration_m_s2: 1.5,
            angular_acceleration_rad_s2: 4.0,
            command_timeout_s: 0.5,
        }
    }
}

/// How the robot moves.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(deny_unknown_fields, default)]
pub struct RobotConfig {
    /// The base.
    pub base: BaseConfig,
    /// The joints.
    pub joints: DriveConfig,
}

impl RobotConfig {
    /// # Errors
    /// [`Error::BadConfig`] for a limit that is not a positive number.
    pub fn validate(&self) -> Result<()> {
        let b = &self.base;
        for (field, value) in [
            ("max_linear_m_s", b.max_linear_m_s),
            ("max_angular_rad_s", b.max_angular_rad_s),
            ("linear_acceleration_m_s2", b.linear_acceleration_m_s2),
            ("angular_acceleration_rad_s2", b.angular_acceleration_rad_s2),
            ("command_timeout_s", b.command_timeout_s),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return Err(Error::bad_config(field, value, "use a positive number"));
            }
        }
        self.joints.validate()
    }
}

/// Where the base touches something that does not give way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BumperContact {
    /// Direction in the base frame, radians from straight ahead.
    pub direction_rad: f64,
    collider: rp::ColliderHandle,
}

/// What the robot may run into.
pub(super) struct Surroundings<'a> {
    pub(super) world: &'a rp::PhysicsWorld,
    pub(super) held: Option<HeldObject>,
    pub(super) pads: &'a Pads,
}

/// The robot: a kinematic body per link.
#[derive(Debug)]
pub struct Mobile {
    model: KinematicModel,
    config: RobotConfig,
    /// Joints, parents before children.
    order: Vec<usize>,
    /// By joint; `None` for fixed joints and those that follow others.
    drives: Vec<Option<JointDrive>>,
    /// By joint: the links that move with it and that have a shape.
    moved_by: Vec<Vec<usize>>,
    links: Vec<LinkBody>,
    solid: Vec<usize>,
    base: Pose2,
    linear_m_s: f64,
    angular_rad_s: f64,
    command: (f64, f64),
    command_age_s: f64,
    bumper: Option<BumperContact>,
    /// The link and what it touches, while base or joints cannot move as they should.
    blocked: Option<(usize, rp::ColliderHandle)>,
    world_from_link: Vec<Pose3>,
    /// Steps in a row for which a held object kept the base from moving.
    pressed_steps: u32,
    /// Both fingers have moved this far to the left of the palm's middle, metres.
    shift_m: f64,
    fingers: Fingers,
}

#[derive(Debug)]
struct LinkBody {
    body: Option<rp::RigidBodyHandle>,
    colliders: Vec<rp::ColliderHandle>,
    shapes: Vec<(rp::SharedShape, rp::Pose)>,
    is_gripper: bool,
}

/// Indices of what grasps.
#[derive(Debug, Clone, Copy)]
struct Fingers {
    joints: [usize; 2],
    links: [usize; 2],
    palm: usize,
}

/// Something in the way.
struct Hit {
    link: usize,
    collider: rp::ColliderHandle,
    /// Towards it, world frame.
    direction: Vector3,
}

impl Mobile {
    pub(super) fn new(world: &mut rp::PhysicsWorld, start: Pose2, config: &RobotConfig) -> Result<Self> {
        let model = robot::model()?;
        let stowed = robot::stowed();
        let drives = model
            .joints()
            .iter()
            .map(|j| {
                let driven = j.kind != JointKind::Fixed && j.mimic.is_none();
                let q = stowed.get(&j.name).copied().unwrap_or(0.0);
                driven.then(|| JointDrive::new(q, j.lower, j.upper, j.max_velocity))
            })
            .collect();
        let index = |name: &str| {
            model.joint(name)?;
            Ok::<_, Error>(model.joints().iter().position(|j| j.name == name).unwrap_or(0))
        };
        let fingers = Fingers {
            joints: [index("gripper_joint")?, index("gripper_right_joint")?],
            links: [
                model.link_index("finger_left_link")?,
                model.link_index("finger_right_link")?,
            ],
            palm: model.link_index("gripper_link")?,
        };
        let gripper = [
            fingers.links[0],
            fingers.links[1],
            fingers.palm,
            model.link_index("wrist_pitch_link")?,
        ];
        let order = joint_order(&model);
        let moved_by = moved_links(&model, &order);
        let links: Vec<LinkBody> = model
            .links()
            .iter()
            .enumerate()
            .map(|(i, link)| insert_link(world, i, link, gripper.contains(&i), fingers.links.contains(&i)))
            .collect();
        let solid = (0..links.len())
            .filter(|&l| !links[l].shapes.is_empty())
            .collect();
        let mut robot = Mobile {
            moved_by: moved_by
                .into_iter()
                .map(|m| m.into_iter().filter(|&l| !links[l].shapes.is_empty()).collect())
                .collect(),
            world_from_link: Vec::new(),
            model,
            config: config.clone(),
            order,
            drives,
            links,
            solid,
            base: start,
            linear_m_s: 0.0,
            angular_rad_s: 0.0,
            command: (0.0, 0.0),
            command_age_s: f64::INFINITY,
            bumper: None,
            blocked: None,
            pressed_steps: 0,
            shift_m: 0.0,
            fingers,
        };
        robot.world_from_link = robot.forward(robot.base);
        for (link, pose) in robot.links.iter().zip(&robot.world_from_link) {
            if let Some(body) = link.body.and_then(|b| world.bodies.get_mut(b)) {
                body.set_position(to_pose(pose), true);
            }
        }
        Ok(robot)
    }

    /// The robot's description.
    pub fn model(&self) -> &KinematicModel {
        &self.model
    }

    /// `world_from_base` on the floor.
    pub fn base(&self) -> Pose2 {
        self.base
    }

    /// Forward and turning speed of the base, metres and radians per second.
    pub fn base_velocity(&self) -> (f64, f64) {
        (self.linear_m_s, self.angular_rad_s)
    }

    /// Where the bumper is pressed.
    pub fn bumper(&self) -> Option<BumperContact> {
        self.bumper
    }

    /// The link that kept base or joints from moving as they should in the last step, and what it touches: an
    /// invalid handle where a held thing pulls.
    pub(super) fn blocked(&self) -> Option<(&str, rp::ColliderHandle)> {
        let (link, collider) = self.blocked?;
        Some((&self.model.links()[link].name, collider))
    }

    /// As [`Mobile::blocked`], with the link's index.
    pub(super) fn blocked_by(&self) -> Option<(usize, rp::ColliderHandle)> {
        self.blocked
    }

    /// `world_from_link`, in the order of [`KinematicModel::links`].
    pub fn link_poses(&self) -> &[Pose3] {
        &self.world_from_link
    }

    /// Name, position and velocity of each joint that can be commanded, in the order of the description.
    pub fn joint_states(&self) -> impl Iterator<Item = (&str, f64, f64)> {
        let joints = self.model.joints().iter().zip(&self.drives);
        joints.filter_map(|(j, d)| d.as_ref().map(|d| (j.name.as_str(), d.position, d.velocity)))
    }

    /// Distance between the pads, metres.
    pub fn opening_m(&self) -> f64 {
        2.0 * self.gripper_position()
    }

    pub(super) fn world_from_palm(&self) -> &Pose3 {
        &self.world_from_link[self.fingers.palm]
    }

    pub(super) fn palm_body(&self) -> Option<rp::RigidBodyHandle> {
        self.links[self.fingers.palm].body
    }

    pub(super) fn finger_colliders(&self, side: usize) -> &[rp::ColliderHandle] {
        &self.links[self.fingers.links[side]].colliders
    }

    pub(super) fn gripper_shapes(&self) -> impl Iterator<Item = (&rp::SharedShape, rp::Pose)> {
        self.links
            .iter()
            .zip(&self.world_from_link)
            .filter(|(l, _)| l.is_gripper)
            .flat_map(|(l, p)| l.shapes.iter().map(move |(s, local)| (s, to_pose(p) * *local)))
    }

    fn gripper_position(&self) -> f64 {
        self.drives[self.fingers.joints[0]]
            .as_ref()
            .map_or(0.0, |d| d.position)
    }

    pub(super) fn wants_to_open(&self) -> bool {
        let drive = self.drives[self.fingers.joints[0]].as_ref();
        drive.is_some_and(|d| d.target() > d.position + 0.002)
    }

    pub(super) fn wants_to_close(&self) -> bool {
        let drive = self.drives[self.fingers.joints[0]].as_ref();
        drive.is_some_and(|d| d.target() < d.position - 0.0005)
    }

    /// Drives with this forward and turning speed (clamped to what the base can do) until a newer command or
    /// the time-out.
    ///
    /// # Errors
    /// [`Error::BadCommand`] for a number that is not finite.
    pub fn command_base(&mut self, linear_m_s: f64, angular_rad_s: f64) -> Result<()> {
        if !linear_m_s.is_finite() || !angular_rad_s.is_finite() {
            return Err(Error::BadCommand(format!(
                "base speeds {linear_m_s} m/s and {angular_rad_s} rad/s must be finite"
            )));
        }
        let b = &self.config.base;
        self.command = (
            linear_m_s.clamp(-b.max_linear_m_s, b.max_linear_m_s),
            angular_rad_s.clamp(-b.max_angular_rad_s, b.max_angular_rad_s),
        );
        self.command_age_s = 0.0;
        Ok(())
    }

    /// Sends joints to positions, with speed limits; both are clamped to the joints' own limits. Either all
    /// joints are sent or none.
    ///
    /// # Errors
    /// [`Error::BadCommand`] for lists of different lengths, a joint that does not exist or cannot be
    /// commanded, a position that is not finite, or a speed limit that is not positive.
    pub fn command_joints(&mut self, names: &[String], positions: &[f64], speeds: &[f64]) -> Result<()> {
        if names.len() != positions.len() || names.len() != speeds.len() {
            return Err(Error::BadCommand(format!(
                "{} names, {} positions and {} speed limits; the lists must have the same length",
                names.len(),
                positions.len(),
                speeds.len()
            )));
        }
        let mut joints = Vec::with_capacity(names.len());
        for ((name, &position), &speed) in names.iter().zip(positions).zip(speeds) {
            let found = self.model.joints().iter().position(|j| j.name == *name);
            let Some(joint) = found.filter(|&j| self.drives[j].is_some()) else {
                let known: Vec<&str> = self.joint_states().map(|s| s.0).collect();
                return Err(Error::BadCommand(format!(
                    "no joint `{name}` can be commanded; use {}",
                    known.join(", ")
                )));
            };
            if !position.is_finite() || speed.is_nan() || speed <= 0.0 {
                return Err(Error::BadCommand(format!(
                    "`{name}` to {position} at {speed} per second: the position must be finite, the speed positive"
                )));
            }
            joints.push((joint, position, speed));
        }
        for (joint, position, speed) in joints {
            if let Some(drive) = &mut self.drives[joint] {
                drive.command(position, speed);
            }
        }
        Ok(())
    }

    /// Moves base and joints for one step as far as the surroundings allow. Whether anything moved.
    pub(super) fn advance(&mut self, around: &Surroundings) -> bool {
        self.blocked = None;
        let mut moved = self.advance_base(around);
        for joint in 0..self.drives.len() {
            moved |= if joint == self.fingers.joints[0] {
                self.advance_fingers(around)
            } else {
                self.advance_joint(joint, around)
            };
        }
        moved
    }

    pub(super) fn write_poses(&self, world: &mut rp::PhysicsWorld) {
        for (link, pose) in self.links.iter().zip(&self.world_from_link) {
            if let Some(body) = link.body.and_then(|b| world.bodies.get_mut(b)) {
                let mut next = to_pose(pose);
                // Of the two quaternions of a rotation the one near the last: the velocity is taken from their difference, and
                // from one to the other it is a whole turn in a step.
                if next.rotation.dot(body.position().rotation) < 0.0 {
                    next.rotation = -next.rotation;
                }
                if *body.position() != next {
                    body.set_next_kinematic_position(next);
                }
            }
        }
    }

    fn advance_base(&mut self, around: &Surroundings) -> bool {
        let b = &self.config.base;
        self.command_age_s += STEP_S;
        let (linear, angular) = if self.command_age_s > b.command_timeout_s {
            (0.0, 0.0)
        } else {
            self.command
        };
        let approach =
            |now: f64, wanted: f64, limit: f64| now + (wanted - now).clamp(-limit * STEP_S, limit * STEP_S);
        self.linear_m_s = approach(self.linear_m_s, linear, b.linear_acceleration_m_s2);
        self.angular_rad_s = approach(self.angular_rad_s, angular, b.angular_acceleration_rad_s2);
        self.release_bumper(around);
        if self.linear_m_s == 0.0 && self.angular_rad_s == 0.0 {
            return false;
        }
        let whole = (self.linear_m_s * STEP_S, self.angular_rad_s * STEP_S);
        let straight = FRACTIONS.map(|f| (whole.0 * f, whole.1 * f));
        let turn = FRACTIONS.map(|f| (0.0, whole.1 * f));
        let drive = FRACTIONS.map(|f| (whole.0 * f, 0.0));
        let mut first_hit: Option<Hit> = None;
        for (ds, dyaw) in straight.into_iter().chain(turn).chain(drive) {
            if ds == 0.0 && dyaw == 0.0 {
                continue;
            }
            let base = moved_base(self.base, ds, dyaw);
            let candidate = self.forward(base);
            match self.obstacle(&self.solid, &candidate, around) {
                None => {
                    self.base = base;
                    self.world_from_link = candidate;
                    self.linear_m_s = ds / STEP_S;
                    self.angular_rad_s = dyaw / STEP_S;
                    if first_hit.is_none() {
                        self.pressed_steps = 0;
                    }
                    self.blocked = first_hit.as_ref().map(|h| (h.link, h.collider));
                    self.press_bumper(first_hit.as_ref());
                    return true;
                }
                Some(hit) => {
                    first_hit.get_or_insert(hit);
                }
            }
        }
        self.linear_m_s = 0.0;
        self.angular_rad_s = 0.0;
        let by_held = |h: &Hit| h.collider == rp::ColliderHandle::invalid();
        if first_hit.as_ref().is_some_and(by_held) {
            self.pressed_steps += 1;
        }
        self.blocked = first_hit.as_ref().map(|h| (h.link, h.collider));
        self.press_bumper(first_hit.as_ref());
        false
    }

    fn press_bumper(&mut self, hit: Option<&Hit>) {
        if let Some(hit) = hit.filter(|h| h.link == 0) {
            let direction = hit.direction.y.atan2(hit.direction.x);
            self.bumper = Some(BumperContact {
                direction_rad: wrap_angle_rad(direction - self.base.yaw_rad),
                collider: hit.collider,
            });
        }
    }

    fn release_bumper(&mut self, around: &Surroundings) {
        let Some(bumper) = self.bumper else { return };
        let touches = around.world.colliders.get(bumper.collider).is_some_and(|c| {
            self.links[0].shapes.iter().any(|(shape, local)| {
                let pose = to_pose(&self.world_from_link[0]) * *local;
                query::distance(&pose, shape.as_ref(), c.position(), c.shape())
                    .is_ok_and(|d| d.distance < BUMPER_GAP_M)
            })
        });
        if !touches {
            self.bumper = None;
        }
    }

    fn advance_joint(&mut self, joint: usize, around: &Surroundings) -> bool {
        let Some(drive) = &mut self.drives[joint] else {
            return false;
        };
        if drive.is_settled() {
            return false;
        }
        let start = drive.clone();
        let (position, velocity) = drive.proposal(STEP_S, &self.config.joints);
        let lagged = drive.clone();
        for fraction in FRACTIONS {
            let mut next = lagged.clone();
            let q = start.position + (position - start.position) * fraction;
            next.accept((q, velocity * fraction));
            self.drives[joint] = Some(next);
            let candidate = self.forward(self.base);
            match self.obstacle(&self.moved_by[joint], &candidate, around) {
                None => {
                    self.world_from_link = candidate;
                    return true;
                }
                Some(hit) => self.blocked = Some((hit.link, hit.collider)),
            }
        }
        let mut stopped = start;
        stopped.stop();
        self.drives[joint] = Some(stopped);
        false
    }

    /// Closing, a finger that touches something waits for the other as far as [`MAX_SHIFT_M`] goes.
    fn advance_fingers(&mut self, around: &Surroundings) -> bool {
        let joint = self.fingers.joints[0];
        let Some(drive) = &mut self.drives[joint] else {
            return false;
        };
        if drive.is_settled() {
            return false;
        }
        let start = drive.clone();
        let (position, velocity) = drive.proposal(STEP_S, &self.config.joints);
        let lagged = drive.clone();
        let travel = position - start.position;
        let shift = self.shift_m;
        let mut candidates = Vec::with_capacity(4);
        if travel < 0.0 {
            let holds = around.held.is_some() || around.pads.holds_handle;
            let squeezed = (0..2).all(|side| around.pads.depth_m(side) > SQUEEZE_M);
            if !holds && !squeezed {
                let toward_left = (position, (shift - travel).min(MAX_SHIFT_M));
                let toward_right = (position, (shift + travel).max(-MAX_SHIFT_M));
                match (around.pads.touches(0), around.pads.touches(1)) {
                    (true, false) => candidates.push(toward_left),
                    (false, true) => candidates.push(toward_right),
                    _ => candidates.extend([(position, shift), toward_left, toward_right]),
                }
            }
        } else {
            let back = shift.clamp(-travel.abs(), travel.abs());
            candidates.extend([(position, shift - back), (position, shift)]);
        }
        for (q, shift_m) in candidates {
            let mut next = lagged.clone();
            next.accept((q, velocity));
            self.drives[joint] = Some(next);
            self.shift_m = shift_m;
            let candidate = self.forward(self.base);
            if self.obstacle(&self.fingers.links, &candidate, around).is_none() {
                self.world_from_link = candidate;
                return true;
            }
        }
        self.shift_m = shift;
        let mut stopped = start;
        stopped.stop();
        self.drives[joint] = Some(stopped);
        false
    }

    /// `world_from_link` of all links with the base at a pose and the joints where they are.
    fn forward(&self, base: Pose2) -> Vec<Pose3> {
        let mut poses = vec![base.to_pose3(); self.links.len()];
        for &j in &self.order {
            let joint = &self.model.joints()[j];
            let own = |j: usize| self.drives[j].as_ref().map_or(0.0, |d| d.position);
            let mut q = match &joint.mimic {
                Some(m) => m.multiplier * own(m.joint) + m.offset,
                None => own(j),
            };
            if j == self.fingers.joints[0] {
                q += self.shift_m;
            } else if j == self.fingers.joints[1] {
                q -= self.shift_m;
            }
            let motion = match joint.kind {
                JointKind::Fixed => Pose3::identity(),
                JointKind::Revolute => Pose3::from_parts(
                    na::Translation3::identity(),
                    Rotation3::from_axis_angle(&joint.axis, q),
                ),
                JointKind::Prismatic => {
                    Pose3::from_parts((joint.axis.into_inner() * q).into(), Rotation3::identity())
                }
            };
            poses[joint.child] = poses[joint.parent] * joint.parent_from_joint * motion;
        }
        poses
    }

    /// What keeps links from going from where they are to a candidate.
    fn obstacle(&self, links: &[usize], candidate: &[Pose3], around: &Surroundings) -> Option<Hit> {
        if let Some(held) = &around.held {
            let palm = self.fingers.palm;
            let press = |poses: &[Pose3]| held.lag_m(&poses[palm]);
            let (before, after) = (press(&self.world_from_link), press(candidate));
            let patient = self.pressed_steps < PATIENT_STEPS;
            if patient && after > MAX_PRESS_M && after > before + 1e-6 {
                let direction =
                    candidate[palm].translation.vector - self.world_from_link[palm].translation.vector;
                return Some(Hit {
                    link: palm,
                    collider: rp::ColliderHandle::invalid(),
                    direction,
                });
            }
        }
        let mut bounds: Option<rp::Aabb> = None;
        let mut shapes = Vec::with_capacity(24);
        for &link in links {
            let (old, new) = (to_pose(&self.world_from_link[link]), to_pose(&candidate[link]));
            for (shape, local) in &self.links[link].shapes {
                let (old, new) = (old * *local, new * *local);
                let aabb = shape.compute_aabb(&new);
                match &mut bounds {
                    Some(b) => *b = rp::BoundingVolume::merged(b, &aabb),
                    None => bounds = Some(aabb),
                }
                shapes.push((link, shape, old, new, aabb));
            }
        }
        let filter = rp::QueryFilter::exclude_kinematic();
        let world = around.world;
        let query = world.broad_phase.as_query_pipeline(
            world.narrow_phase.query_dispatcher(),
            &world.bodies,
            &world.colliders,
            filter,
        );
        for (handle, collider) in query.intersect_aabb_conservative(bounds?) {
            let other = collider.compute_aabb();
            let yields = collider.collision_groups().memberships.intersects(OBJECT | PART);
            let held = !collider.collision_groups().filter.intersects(GRIPPER);
            for (link, shape, old, new, aabb) in &shapes {
                if !rp::BoundingVolume::intersects(aabb, &other) || (held && self.links[*link].is_gripper) {
                    continue;
                }
                let contact = |pose: &rp::Pose| {
                    query::contact(pose, shape.as_ref(), collider.position(), collider.shape(), 0.0)
                        .ok()
                        .flatten()
                };
                let Some(after) = contact(new) else { continue };
                if after.dist > -FIXED_TOLERANCE_M {
                    continue;
                }
                let before = contact(old).map_or(0.0, |c| c.dist);
                let step_m = (new.translation - old.translation).length();
                // What gives way is pushed; it stops the robot once it no longer gets out of the way.
                let deep = if yields {
                    before < -YIELDING_TOLERANCE_M - step_m
                } else {
                    true
                };
                if deep && after.dist < before - 1e-5 {
                    return Some(Hit {
                        link: *link,
                        collider: handle,
                        direction: from_vector(after.normal1),
                    });
                }
            }
        }
        None
    }
}

/// A differential base after a short arc.
fn moved_base(base: Pose2, ds_m: f64, dyaw_rad: f64) -> Pose2 {
    let middle = base.yaw_rad + dyaw_rad * 0.5;
    Pose2 {
        x_m: base.x_m + ds_m * middle.cos(),
        y_m: base.y_m + ds_m * middle.sin(),
        yaw_rad: wrap_angle_rad(base.yaw_rad + dyaw_rad),
    }
}

fn joint_order(model: &KinematicModel) -> Vec<usize> {
    let joints = model.joints();
    let mut placed = vec![false; model.links().len()];
    let children: Vec<usize> = joints.iter().map(|j| j.child).collect();
    for (link, placed) in placed.iter_mut().enumerate() {
        *placed = !children.contains(&link);
    }
    let mut order = Vec::with_capacity(joints.len());
    while order.len() < joints.len() {
        let ready: Vec<usize> = (0..joints.len())
            .filter(|&j| placed[joints[j].parent] && !placed[joints[j].child])
            .collect();
        if ready.is_empty() {
            break;
        }
        for j in ready {
            placed[joints[j].child] = true;
            order.push(j);
        }
    }
    order
}

/// By joint: the links that move when it or a joint that follows it moves.
fn moved_links(model: &KinematicModel, order: &[usize]) -> Vec<Vec<usize>> {
    let joints = model.joints();
    let follows =
        |j: usize, leader: usize| j == leader || joints[j].mimic.as_ref().is_some_and(|m| m.joint == leader);
    (0..joints.len())
        .map(|leader| {
            let mut moves = vec![false; model.links().len()];
            for &j in order {
                moves[joints[j].child] = moves[joints[j].parent] || follows(j, leader);
            }
            (0..moves.len()).filter(|&l| moves[l]).collect()
        })
        .collect()
}

fn insert_link(
    world: &mut rp::PhysicsWorld,
    index: usize,
    link: &steward_core::robot::Link,
    is_gripper: bool,
    is_finger: bool,
) -> LinkBody {
    let shapes: Vec<(rp::SharedShape, rp::Pose)> = link
        .collisions
        .iter()
        .map(|c| {
            let (shape, pose) = match c.geometry {
                Geometry::Box { half } => {
                    let h = to_vector(&half);
                    (rp::SharedShape::cuboid(h.x, h.y, h.z), c.link_from_shape)
                }
                Geometry::Cylinder {
                    radius_m,
                    half_length_m,
                } => bodies::cylinder(radius_m, half_length_m, &c.link_from_shape),
                Geometry::Sphere { radius_m } => (rp::SharedShape::ball(radius_m as f32), c.link_from_shape),
            };
            (shape, to_pose(&pose))
        })
        .collect();
    if shapes.is_empty() {
        return LinkBody {
            body: None,
            colliders: Vec::new(),
            shapes,
            is_gripper,
        };
    }
    let own = if is_gripper { GRIPPER } else { ROBOT };
    let mut others = OBJECT | PART;
    let mut types = rp::ActiveCollisionTypes::default();
    if is_finger {
        // The pads feel walls and table tops, too.
        others |= bodies::FIXED;
        types |= rp::ActiveCollisionTypes::KINEMATIC_FIXED;
    }
    let body = world.insert_body(rp::RigidBodyBuilder::kinematic_position_based());
    let colliders = shapes
        .iter()
        .map(|(shape, local)| {
            let collider = rp::ColliderBuilder::new(shape.clone())
                .position(*local)
                .friction(PAD_FRICTION)
                .active_collision_types(types)
                .collision_groups(rp::InteractionGroups::new(
                    own,
                    others,
                    rp::InteractionTestMode::And,
                ))
                .user_data(ROBOT_FLAG | index as u128);
            world.insert_collider(collider, Some(body))
        })
        .collect();
    LinkBody {
        body: Some(body),
        colliders,
        shapes,
        is_gripper,
    }
}

/// Coefficient of friction of the robot's surfaces, rubber at the pads.
pub(super) const PAD_FRICTION: f32 = 1.0;
