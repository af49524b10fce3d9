//! A home with the robot in it, as the robot's controller sees it from outside: commands in, sensor data out.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use steward_core::geometry::{Pose2, Pose3};
use steward_core::image::{RgbdFrame, Segmentation};
use steward_core::messages::{
    Bumper, GripperContacts, Header, JointCommand, JointStates, Odometry, StampedTransform, Transforms,
    VelocityCommand,
};
use steward_core::robot::{JointKind, JointPositions};
use steward_core::{Duration, Time, frames};

use crate::camera::CameraSensorConfig;
use crate::changes::{ResolvedChange, ResolvedKind};
use crate::model::{EntityId, Home, WorldState};
use crate::physics::{Physics, RobotConfig, STEP_NANOS};
use crate::render::Renderer;
use crate::robot;
use crate::truth::Truth;
use crate::{Error, Result};

mod cameras;
mod noise;
mod odometry;

pub use cameras::CameraConfig;
pub use odometry::OdometryConfig;

use cameras::Camera;
use noise::gaussian;
use odometry::WheelOdometry;

/// Longest time that one call of [`Simulation::step_to`] may pass.
const MAX_STEP: Duration = Duration::from_secs(600);
/// Rate of odometry, joint states, transforms and contacts.
const STATE_PERIOD: Duration = Duration::from_millis(40);
/// The bumper is sent on change and this often.
const BUMPER_PERIOD: Duration = Duration::from_millis(200);
/// Fixed transforms are sent this often.
const STATIC_PERIOD: Duration = Duration::from_millis(1000);

/// How well the sensors measure.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct SensorConfig {
    /// Wheel odometry.
    pub odometry: OdometryConfig,
    /// Standard deviation of measured joint positions, radians or metres.
    pub joint_noise: f64,
    /// Both cameras.
    pub camera: CameraSensorConfig,
}

impl Default for SensorConfig {
    fn default() -> Self {
        SensorConfig {
            odometry: OdometryConfig::default(),
            joint_noise: 2e-4,
            camera: CameraSensorConfig::default(),
        }
    }
}

impl SensorConfig {
    /// Sensors without any error.
    pub fn ideal() -> Self {
        SensorConfig {
            odometry: OdometryConfig::ideal(),
            joint_noise: 0.0,
            camera: CameraSensorConfig::ideal(),
        }
    }

    /// # Errors
    /// [`Error::BadConfig`].
    pub fn validate(&self) -> Result<()> {
        if !(0.0..=0.05).contains(&self.joint_noise) {
            return Err(Error::bad_config(
                "joint_noise",
                self.joint_noise,
                "use a number from 0 to 0.05",
            ));
        }
        self.camera.validate()?;
        self.odometry.validate()
    }
}

/// Everything about a simulation but the home and the seed.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct SimulationConfig {
    /// How the robot moves.
    pub robot: RobotConfig,
    /// The camera on the head.
    pub camera: CameraConfig,
    /// The camera on the wrist; off by default.
    pub wrist_camera: CameraConfig,
    /// How well everything measures.
    pub sensors: SensorConfig,
}

impl Default for SimulationConfig {
    fn default() -> Self {
        SimulationConfig {
            robot: RobotConfig::default(),
            camera: CameraConfig::default(),
            wrist_camera: CameraConfig::off(),
            sensors: SensorConfig::default(),
        }
    }
}

impl SimulationConfig {
    /// # Errors
    /// [`Error::BadConfig`].
    pub fn validate(&self) -> Result<()> {
        self.robot.validate()?;
        self.camera.validate()?;
        self.wrist_camera.validate()?;
        self.sensors.validate()
    }
}

/// Sensor data, as the messages of `steward-core`.
#[derive(Debug, Clone, PartialEq)]
pub enum SensorOutput {
    /// Frames of the robot.
    Transforms(Transforms),
    /// Joint states.
    JointStates(JointStates),
    /// Wheel odometry.
    Odometry(Odometry),
    /// Finger contacts.
    GripperContacts(GripperContacts),
    /// Base bumper.
    Bumper(Bumper),
    /// Head camera.
    Rgbd(RgbdFrame),
    /// What is seen in the head camera's image of the same stamp, which came before.
    Segmentation(Segmentation),
    /// Wrist camera.
    WristRgbd(RgbdFrame),
}

/// A simulation that steps, senses and takes commands. Same home, configuration, seed, commands and times: same
/// output, bit for bit.
pub struct Simulation {
    physics: Physics,
    config: SimulationConfig,
    /// Time of the last physics step.
    now: Time,
    /// Time that was last asked for.
    asked: Time,
    started: bool,
    odometry: WheelOdometry,
    joint_rng: ChaCha8Rng,
    bumper_sent: bool,
    renderer: Renderer,
    head_camera: Camera,
    wrist_camera: Camera,
    /// Changes to come, soonest last.
    changes: Vec<ResolvedChange>,
}

impl std::fmt::Debug for Simulation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulation")
            .field("now", &self.now)
            .field("physics", &self.physics)
            .finish_non_exhaustive()
    }
}

impl Simulation {
    /// Places the robot in the home, stowed, and lets everything come to rest. Time is zero.
    ///
    /// # Errors
    /// [`Error::BadConfig`].
    pub fn new(home: Home, config: &SimulationConfig, seed: u64) -> Result<Self> {
        config.validate()?;
        let stream = |n: u64| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(n);
            rng
        };
        let physics = Physics::new(&home, &config.robot)?;
        let mut renderer = Renderer::new(&home);
        renderer.set_robot(robot::visuals(physics.robot().model()));
        let camera = |settings, frame, n| {
            Camera::new(
                settings,
                &config.sensors.camera,
                frame,
                &physics,
                stream(n).next_u64(),
            )
        };
        Ok(Simulation {
            head_camera: camera(&config.camera, frames::HEAD_CAMERA_OPTICAL, 3)?,
            wrist_camera: camera(&config.wrist_camera, frames::WRIST_CAMERA_OPTICAL, 4)?,
            renderer,
            changes: Vec::new(),
            odometry: WheelOdometry::new(&config.sensors.odometry, physics.base(), stream(1)),
            joint_rng: stream(2),
            physics,
            config: config.clone(),
            now: Time::ZERO,
            asked: Time::ZERO,
            started: false,
            bumper_sent: false,
        })
    }

    /// Time of the last physics step.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Drives the base until a newer command or half a second has passed.
    ///
    /// # Errors
    /// [`Error::BadCommand`] for a speed that is not finite; the base goes on as before.
    pub fn set_velocity(&mut self, command: &VelocityCommand) -> Result<()> {
        self.physics
            .robot_mut()
            .command_base(command.linear_m_s, command.angular_rad_s)
    }

    /// Sends joints to positions. Positions and speeds are clamped to the limits of the description.
    ///
    /// # Errors
    /// [`Error::BadCommand`] for an unknown joint, lists of different lengths, a position that is not finite or
    /// a speed limit that is not positive; no joint of the command moves.
    pub fn set_joints(&mut self, command: &JointCommand) -> Result<()> {
        self.physics
            .robot_mut()
            .command_joints(&command.names, &command.positions, &command.max_velocities)
    }

    /// Steps up to a time and returns what the sensors sent meanwhile, in the order of sending. The first call
    /// also returns what they send at time zero.
    ///
    /// # Errors
    /// [`Error::BadTime`] for a time before that of an earlier call, or more than ten minutes ahead.
    pub fn step_to(&mut self, time: Time) -> Result<Vec<SensorOutput>> {
        let refuse = |problem| {
            Err(Error::BadTime {
                asked: time,
                now: self.asked,
                problem,
            })
        };
        if time < self.asked {
            return refuse("time does not go back; start a new simulation");
        }
        if time - self.asked > MAX_STEP {
            return refuse("that is too far ahead; step by less than ten minutes");
        }
        self.asked = time;
        let mut out = Vec::new();
        if !self.started {
            self.started = true;
            self.sense(None, &mut out);
        }
        loop {
            let next = self.now + Duration::from_nanos(STEP_NANOS);
            if next > time {
                return Ok(out);
            }
            let last = self.now;
            self.now = next;
            while let Some(change) = self.changes.pop_if(|c| c.at <= next) {
                self.apply_change(change.kind);
            }
            self.physics.step();
            self.sense(Some(last), &mut out);
        }
    }

    /// Lets changes happen when their time comes; those in the past happen in the next step.
    ///
    /// # Errors
    /// [`Error::BadCommand`] for a change of an entity that neither exists nor is added by these or earlier
    /// changes; none of the changes will happen.
    pub fn schedule(&mut self, mut changes: Vec<ResolvedChange>) -> Result<()> {
        let adds = |c: &ResolvedChange| matches!(c.kind, ResolvedKind::Add { .. });
        let pending = self.changes.iter().chain(&changes).filter(|c| adds(c)).count();
        let known = self.physics.entities().len() + pending;
        for change in &changes {
            let subject = match &change.kind {
                ResolvedKind::Add { .. } => continue,
                ResolvedKind::Remove { entity } | ResolvedKind::Move { entity, .. } => entity,
                ResolvedKind::SetPart { part, .. } => part,
            };
            if subject.0 as usize >= known {
                return Err(Error::BadCommand(format!(
                    "the change at {} is of entity {}, but there are only {known}; was it made for this home?",
                    change.at, subject.0
                )));
            }
        }
        self.changes.reverse();
        self.changes.append(&mut changes);
        self.changes.sort_by_key(|c| c.at);
        self.changes.reverse();
        Ok(())
    }

    /// Makes a change now. Changes of what does not exist are ignored.
    pub fn apply_change(&mut self, change: ResolvedKind) {
        match change {
            ResolvedKind::Add { mut entity } => {
                entity.id = EntityId(self.physics.entities().len() as u32);
                self.renderer.add_entity(&entity);
                self.physics.add_entity(*entity);
            }
            ResolvedKind::Remove { entity } => self.physics.remove_entity(entity),
            ResolvedKind::Move { entity, pose } => self.physics.move_entity(entity, &pose),
            ResolvedKind::SetPart { part, position } => self.physics.set_part(part, position),
        }
    }

    /// Images that the cameras took and that never arrived: head, wrist.
    pub fn lost_frames(&self) -> [u64; 2] {
        [self.head_camera.lost(), self.wrist_camera.lost()]
    }

    /// How things really are, for scoring.
    pub fn truth(&self) -> Truth {
        Truth::of(&self.physics)
    }

    /// Where everything is, for the renderer.
    pub fn state(&self) -> WorldState {
        self.physics.world_state()
    }

    /// The bodies.
    pub fn physics(&self) -> &Physics {
        &self.physics
    }

    /// Collects what became due after `last`; everything at the start.
    fn sense(&mut self, last: Option<Time>, out: &mut Vec<SensorOutput>) {
        let now = self.now;
        let due = |period: Duration| is_due(last, now, period);
        if due(STATE_PERIOD) {
            self.sense_state(due(STATIC_PERIOD), out);
        }
        let bumper = self.physics.robot().bumper();
        if due(BUMPER_PERIOD) || bumper.is_some() != self.bumper_sent {
            self.bumper_sent = bumper.is_some();
            out.push(SensorOutput::Bumper(Bumper {
                header: Header::new(now, frames::BASE_LINK),
                pressed: bumper.is_some(),
                direction_rad: bumper.map_or(0.0, |b| b.direction_rad),
            }));
        }
        let camera_due = |camera: &Camera| camera.config().period().is_some_and(due);
        let head_due = camera_due(&self.head_camera);
        for capture in self
            .head_camera
            .step(now, head_due, &self.physics, &mut self.renderer)
        {
            out.push(SensorOutput::Rgbd(capture.frame));
            out.push(SensorOutput::Segmentation(capture.segmentation));
        }
        let wrist_due = camera_due(&self.wrist_camera);
        for capture in self
            .wrist_camera
            .step(now, wrist_due, &self.physics, &mut self.renderer)
        {
            out.push(SensorOutput::WristRgbd(capture.frame));
        }
    }

    fn sense_state(&mut self, with_static: bool, out: &mut Vec<SensorOutput>) {
        let robot = self.physics.robot();
        let mut joints = JointStates {
            header: Header::new(self.now, ""),
            names: Vec::new(),
            positions: Vec::new(),
            velocities: Vec::new(),
        };
        let deviation = self.config.sensors.joint_noise;
        for (name, position, velocity) in robot.joint_states() {
            let noise = if deviation > 0.0 {
                deviation * gaussian(&mut self.joint_rng)
            } else {
                0.0
            };
            joints.names.push(name.to_owned());
            joints.positions.push(position + noise);
            joints.velocities.push(velocity);
        }
        let (linear_m_s, angular_rad_s) = robot.base_velocity();
        let odometry = Odometry {
            header: Header::new(self.now, frames::ODOM),
            pose: self.odometry.measure(robot.base()),
            linear_m_s,
            angular_rad_s,
        };
        let contacts = self.physics.gripper();
        out.push(SensorOutput::Transforms(self.transforms(
            odometry.pose,
            &joints.by_name(),
            with_static,
        )));
        out.push(SensorOutput::JointStates(joints));
        out.push(SensorOutput::Odometry(odometry));
        out.push(SensorOutput::GripperContacts(GripperContacts {
            header: Header::new(self.now, ""),
            left: contacts.left,
            right: contacts.right,
            opening_m: contacts.opening_m,
        }));
    }

    /// The tree from `odom` to every link, as measured.
    fn transforms(&self, odom_from_base: Pose2, joints: &JointPositions, with_static: bool) -> Transforms {
        let model = self.physics.robot().model();
        let edge = |parent: &str, child: &str, parent_from_child: Pose3, is_static: bool| StampedTransform {
            stamp: self.now,
            parent: parent.to_owned(),
            child: child.to_owned(),
            parent_from_child,
            is_static,
        };
        let base = edge(frames::ODOM, frames::BASE_LINK, odom_from_base.to_pose3(), false);
        let links = model
            .joints()
            .iter()
            .filter(|j| with_static || j.kind != JointKind::Fixed)
            .map(|j| {
                edge(
                    &model.links()[j.parent].name,
                    &model.links()[j.child].name,
                    model.parent_from_child(j, joints),
                    j.kind == JointKind::Fixed,
                )
            });
        Transforms {
            transforms: std::iter::once(base).chain(links).collect(),
        }
    }
}

/// Whether something with a period is due at `now`, having been asked before at `last`.
fn is_due(last: Option<Time>, now: Time, period: Duration) -> bool {
    let beat = |t: Time| t.nanos().div_euclid(period.nanos());
    last.is_none_or(|last| beat(now) > beat(last))
}

#[cfg(test)]
mod tests;
