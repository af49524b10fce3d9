//! Rigid bodies: what stands, falls, turns on hinges, is pushed and held. The robot in it, too.
//!
//! ```text
//!            structure, furniture      parts                objects             robot links
//!  body      fixed                     dynamic, on a joint  dynamic             kinematic
//!  touches   objects, finger pads      objects, robot       everything          objects, parts (finger pads: all)
//! ```
//!
//! Fixed things do not stop kinematic bodies in `rapier3d`, so the robot looks before it moves
//! (`mobile.rs`): a motion that would take a link deeper into something that does not give way is not made.
//! Grasping is in `grip.rs`.

use rapier3d::prelude as rp;
use steward_core::geometry::{Pose2, Pose3, Vector3};

use crate::Result;
use crate::model::{Entity, EntityId, EntityKind, Home, WorldState};

mod bodies;
mod convert;
mod grip;
mod mobile;

pub use mobile::{BaseConfig, BumperContact, Mobile, RobotConfig};

use bodies::{Body, Owner};
use convert::{from_pose, from_vector, to_pose};
use grip::Grip;
use mobile::Surroundings;

/// Length of one physics step, nanoseconds; a divisor of the sensors' usual periods (40 ms, 200 ms).
pub const STEP_NANOS: i64 = 8_000_000;
/// Length of one physics step, seconds.
pub const STEP_S: f64 = STEP_NANOS as f64 * 1e-9;

/// Time that things get to come to rest before the simulation starts, seconds.
const SETTLE_S: f64 = 1.0;
/// Typical size of things, metres: `rapier3d` derives its tolerances from it (1 mm slop, 4 mm look-ahead).
const LENGTH_UNIT_M: f32 = 0.2;

/// What the gripper feels and holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GripperState {
    /// The left pad touches something.
    pub left: bool,
    /// The right pad touches something.
    pub right: bool,
    /// Distance between the pads, metres.
    pub opening_m: f64,
    /// What is firmly held: an object, or a part by its handle.
    pub held: Option<EntityId>,
}

/// Coefficient of rolling resistance, as of wheels on a carpet.
const ROLLING_RESISTANCE: f32 = 0.03;
/// Cosine of the steepest slope that still is an upper side.
const UPPER_SIDE_COS: f32 = 0.7;
/// What moves up or down faster than this falls rather than rolls, metres per second.
const ROLLING_FALL_M_S: f32 = 0.1;

/// A home and a robot under gravity.
pub struct Physics {
    world: rp::PhysicsWorld,
    entities: Vec<Entity>,
    bodies: Vec<Option<Body>>,
    robot: Mobile,
    grip: Option<Grip>,
    /// Objects let go of that the fingers still overlap; they do not touch the gripper until they are clear.
    releasing: Vec<EntityId>,
    pads: grip::Pads,
    /// Something changed that the solver has to see even if all bodies sleep.
    dirty: bool,
    /// Steps since the robot last moved.
    still_steps: u32,
    /// What kept the robot from moving in the step before, by link.
    blocked_by: Option<(usize, rp::ColliderHandle)>,
}

impl std::fmt::Debug for Physics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Physics")
            .field("entities", &self.entities.len())
            .field("robot", &self.robot)
            .finish_non_exhaustive()
    }
}

impl Physics {
    /// Builds all bodies and lets them come to rest. The robot stands at the home's `robot_start`, stowed.
    ///
    /// # Errors
    /// Where the robot's description or `config` cannot be used.
    pub fn new(home: &Home, config: &RobotConfig) -> Result<Self> {
        config.validate()?;
        let mut world = rp::PhysicsWorld::new();
        world.gravity = rp::Vector::new(0.0, 0.0, -9.81);
        let parameters = &mut world.integration_parameters;
        parameters.dt = STEP_S as f32;
        parameters.length_unit = LENGTH_UNIT_M;
        // One friction constraint per contact: the simplified model resists turning so much that a thing pushed at its
        // end slides without turning.
        parameters.friction_model = rp::FrictionModel::Coulomb;
        parameters.contact_recycling = false;
        let robot = Mobile::new(&mut world, home.robot_start, config)?;
        let mut physics = Physics {
            world,
            entities: Vec::new(),
            bodies: Vec::new(),
            robot,
            grip: None,
            releasing: Vec::new(),
            pads: grip::Pads::default(),
            dirty: true,
            still_steps: 0,
            blocked_by: None,
        };
        physics.entities = home.entities.clone();
        physics.bodies = vec![None; home.entities.len()];
        // Furniture before the parts that hang on it.
        let is_part = |e: &Entity| matches!(e.kind, EntityKind::Part(_));
        for parts in [false, true] {
            for (i, _) in home
                .entities
                .iter()
                .enumerate()
                .filter(|(_, e)| is_part(e) == parts)
            {
                physics.insert(i);
            }
        }
        for _ in 0..(SETTLE_S / STEP_S) as usize {
            physics.world.step();
        }
        Ok(physics)
    }

    /// Makes a further entity known, at its pose; its id is its place in the order of adding.
    pub fn add_entity(&mut self, entity: Entity) {
        self.entities.push(entity);
        self.bodies.push(None);
        self.insert(self.entities.len() - 1);
    }

    fn insert(&mut self, index: usize) {
        let parent = match &self.entities[index].kind {
            EntityKind::Part(joint) => {
                let parent = joint.parent.0 as usize;
                let body = self.bodies.get(parent).and_then(Option::as_ref);
                body.map(|b| (b.handle, self.entities[parent].pose))
            }
            _ => None,
        };
        let body = bodies::insert(&mut self.world, index, &self.entities[index], parent);
        self.bodies[index] = Some(body);
        self.dirty = true;
    }

    /// Takes an entity out of the world.
    pub fn remove_entity(&mut self, id: EntityId) {
        if self.grip.as_ref().is_some_and(|g| g.entity == id) {
            self.grip = None;
        }
        self.releasing.retain(|r| *r != id);
        if let Some(body) = self.bodies.get_mut(id.0 as usize).and_then(Option::take) {
            self.world.remove_body(body.handle);
            self.dirty = true;
        }
    }

    /// Puts an object somewhere else, at rest, taking it out of the gripper if it is there.
    pub fn move_entity(&mut self, id: EntityId, world_from_entity: &Pose3) {
        if self.grip.as_ref().is_some_and(|g| g.entity == id) {
            self.let_go();
        }
        self.place(id, world_from_entity);
    }

    /// Puts a part at a joint position, with what is inside it. Something held by its handle is let go.
    pub fn set_part(&mut self, id: EntityId, position: f64) {
        let Some(entity) = self.entities.get(id.0 as usize) else {
            return;
        };
        let EntityKind::Part(joint) = &entity.kind else {
            return;
        };
        let Some(old) = self.pose(id) else { return };
        let new = entity.pose * joint.closed_from_position(position.clamp(0.0, joint.upper));
        let cavities: Vec<_> = entity.cavities.iter().map(|c| c.bounds).collect();
        let inside: Vec<(EntityId, Pose3)> = self
            .entities
            .iter()
            .filter(|e| matches!(e.kind, EntityKind::Object { .. }))
            .filter_map(|e| Some((e.id, self.pose(e.id)?, e.local_bounds.center())))
            .filter(|(_, pose, center)| {
                let p = old.inverse() * pose * center;
                cavities.iter().any(|c| c.contains(&p))
            })
            .map(|(id, pose, _)| (id, new * old.inverse() * pose))
            .collect();
        if self.grip.as_ref().is_some_and(|g| g.entity == id) {
            self.let_go();
        }
        self.place(id, &new);
        for (object, pose) in inside {
            self.place(object, &pose);
        }
    }

    fn place(&mut self, id: EntityId, pose: &Pose3) {
        let Some(Some(body)) = self.bodies.get(id.0 as usize) else {
            return;
        };
        if let Some(body) = self.world.bodies.get_mut(body.handle) {
            body.set_position(to_pose(pose), true);
            body.set_linvel(rp::Vector::ZERO, true);
            body.set_angvel(rp::Vector::ZERO, true);
            self.dirty = true;
        }
    }

    /// One step of [`STEP_S`]: the robot moves as commanded and as far as it can, then everything else does.
    pub fn step(&mut self) {
        if self.grip.is_some() && self.robot.wants_to_open() {
            self.let_go();
        }
        self.wake_lagging();
        let surroundings = Surroundings {
            world: &self.world,
            held: self.held_object(),
            pads: &self.pads,
        };
        let moved = self.robot.advance(&surroundings);
        if moved {
            self.robot.write_poses(&mut self.world);
            self.still_steps = 0;
        } else {
            self.still_steps = self.still_steps.saturating_add(1);
        }
        self.log_blocked();
        // Nothing can happen while all things sleep and the robot has come to a stop.
        let at_rest = self.still_steps > 2 && !self.dirty && self.releasing.is_empty();
        if at_rest && !self.anything_awake() {
            return;
        }
        self.dirty = false;
        self.world.step();
        self.resist_rolling();
        self.update_grip();
    }

    /// Rolling resistance: carpets and dents stop what rolls, which no solver of hard contacts knows of.
    fn resist_rolling(&mut self) {
        for (body, entity) in self.bodies.iter().zip(&self.entities) {
            let Some(body) = body.filter(|b| b.owner == Owner::Object) else {
                continue;
            };
            let Some(body) = self.world.bodies.get_mut(body.handle) else {
                continue;
            };
            let spin = body.angvel();
            let speed = spin.length();
            // What falls turns too, but nothing resists it.
            if body.is_sleeping() || speed < 1e-4 || body.linvel().z.abs() > ROLLING_FALL_M_S {
                continue;
            }
            let bounds = &entity.local_bounds;
            let radius = (bounds.max - bounds.min).min() as f32 * 0.5;
            let mass = body.mass();
            let most = ROLLING_RESISTANCE * mass * 9.81 * radius * STEP_S as f32;
            let inertia = 1.5 * mass * radius * radius;
            body.apply_torque_impulse(spin * (-(most / speed).min(inertia)), false);
        }
    }

    /// Tells developers what keeps the robot from moving: nodes have to find out by themselves.
    fn log_blocked(&mut self) {
        let blocked = self.robot.blocked_by();
        if blocked == self.blocked_by {
            return;
        }
        self.blocked_by = blocked;
        let Some((link, collider)) = self.robot.blocked() else {
            return;
        };
        let owner = self.world.colliders.get(collider).map(|c| c.user_data as usize);
        let name = owner
            .and_then(|i| self.entities.get(i))
            .map_or("what is held", |e| &e.name);
        log::debug!("{name} keeps the robot's {link} from moving");
    }

    /// `world_from_entity` now; `None` for one that is not present.
    pub fn pose(&self, id: EntityId) -> Option<Pose3> {
        let body = self.bodies.get(id.0 as usize)?.as_ref()?;
        if body.owner == Owner::Fixed {
            // Exact where nothing moves: the renderer keeps what depends on it.
            return Some(self.entities[id.0 as usize].pose);
        }
        Some(from_pose(self.world.bodies.get(body.handle)?.position()))
    }

    /// Whether anything but the robot touches an object.
    pub fn touches_something(&self, id: EntityId) -> bool {
        self.is_supported(id)
    }

    /// Whether a thing lies on another: it touches its upper side.
    pub fn lies_on(&self, id: EntityId, other: EntityId) -> bool {
        let Some(Some(body)) = self.bodies.get(id.0 as usize) else {
            return false;
        };
        let Some(body) = self.world.bodies.get(body.handle) else {
            return false;
        };
        let collider = |handle| self.world.colliders.get(handle);
        body.colliders().iter().any(|&own| {
            self.world.narrow_phase.contact_pairs_with(own).any(|pair| {
                let (Some(first), Some(second)) = (collider(pair.collider1), collider(pair.collider2)) else {
                    return false;
                };
                let own_is_first = pair.collider1 == own;
                let below = if own_is_first { second } else { first };
                below.user_data == u128::from(other.0)
                    && pair.manifolds().iter().any(|m| {
                        // From the first to the second.
                        let up = (first.rotation() * m.local_n1).z * if own_is_first { -1.0 } else { 1.0 };
                        up > UPPER_SIDE_COS && m.points.iter().any(|p| p.dist < grip::TOUCH_M)
                    })
            })
        })
    }

    /// Linear and angular velocity of an entity; `None` for one that is not present.
    pub fn velocity(&self, id: EntityId) -> Option<(Vector3, Vector3)> {
        let body = self.bodies.get(id.0 as usize)?.as_ref()?;
        let body = self.world.bodies.get(body.handle)?;
        Some((from_vector(body.linvel()), from_vector(body.angvel())))
    }

    /// Position of a part's joint, radians or metres; `None` for what is no part or not present.
    pub fn part_position(&self, id: EntityId) -> Option<f64> {
        let entity = self.entities.get(id.0 as usize)?;
        let EntityKind::Part(joint) = &entity.kind else {
            return None;
        };
        let closed_from_now = entity.pose.inverse() * self.pose(id)?;
        Some(if joint.prismatic {
            closed_from_now.translation.vector.dot(&joint.axis)
        } else {
            let r = closed_from_now.rotation;
            2.0 * r.vector().dot(&joint.axis).atan2(r.w)
        })
    }

    /// All entities ever known, as they were described.
    pub fn entities(&self) -> &[Entity] {
        &self.entities
    }

    /// Poses of all entities for the renderer.
    pub fn world_state(&self) -> WorldState {
        let poses: Vec<Option<Pose3>> = self.entities.iter().map(|e| self.pose(e.id)).collect();
        WorldState {
            present: poses.iter().map(Option::is_some).collect(),
            poses: poses
                .into_iter()
                .zip(&self.entities)
                .map(|(pose, e)| pose.unwrap_or(e.pose))
                .collect(),
        }
    }

    /// The robot.
    pub fn robot(&self) -> &Mobile {
        &self.robot
    }

    /// The robot, to command it.
    pub fn robot_mut(&mut self) -> &mut Mobile {
        &mut self.robot
    }

    /// Where the base is.
    pub fn base(&self) -> Pose2 {
        self.robot.base()
    }

    /// What the gripper feels and holds.
    pub fn gripper(&self) -> GripperState {
        let held = self.grip.as_ref().map(|g| g.entity);
        GripperState {
            left: held.is_some() || self.pads.touches(0),
            right: held.is_some() || self.pads.touches(1),
            opening_m: self.robot.opening_m(),
            held,
        }
    }

    fn anything_awake(&self) -> bool {
        let is_dynamic = |handle| {
            self.world
                .bodies
                .get(handle)
                .is_some_and(rp::RigidBody::is_dynamic)
        };
        self.world.islands.active_bodies().any(is_dynamic)
    }

    /// Names of the things that are awake, for measurements.
    pub fn awake(&self) -> Vec<String> {
        let name = |handle| {
            let of = |b: &Option<Body>| b.is_some_and(|b| b.handle == handle);
            let entity = self.bodies.iter().position(of)?;
            Some(self.entities[entity].name.clone())
        };
        self.world.islands.active_bodies().filter_map(name).collect()
    }
}

/// A pose for `rapier3d`.
pub(crate) fn to_rapier(pose: &Pose3) -> rp::Pose {
    to_pose(pose)
}
