//! The executor: runs one skill at a time from what the robot knows, and moves base and joints.

use std::collections::BTreeMap;

use steward_core::geometry::Pose2;
use steward_core::ids::StepId;
use steward_core::messages::{
    Bumper, DriveGoal, DriveStatus, FloorArea, GripperContacts, Header, JointCommand, OccupancyGrid,
    SceneGraph, Skill, SkillCommand, SkillFailure, SkillState, SkillStatus, VelocityCommand,
};
use steward_core::robot::JointPositions;
use steward_core::transforms::TransformBuffer;
use steward_core::{Duration, Time, frames};
use steward_skills::machine::{Commands, Inputs, Navigation, Progress};
use steward_skills::voxels::Voxels;
use steward_skills::{Driver, SkillRunner, SkillsConfig};

use std::sync::Arc;

use crate::message::{Message, Topic};
use crate::node::{Counters, Node, Outbox, message};

/// Control period.
const PERIOD: Duration = Duration::from_millis(40);
/// How often the status of a running skill is sent.
const STATUS_PERIOD: Duration = Duration::from_millis(500);

/// Runs skills.
#[derive(Debug)]
pub struct Executor {
    runner: SkillRunner,
    stale_after: Duration,
    transforms: TransformBuffer,
    odometry: Option<(Time, f64, f64)>,
    joints: Option<(Time, JointPositions)>,
    localized: bool,
    contacts: Option<Arc<GripperContacts>>,
    bumper: Option<Arc<Bumper>>,
    grid: Option<Arc<OccupancyGrid>>,
    /// Floor that the base must not enter while the current skill runs.
    keep_out: Vec<FloorArea>,
    /// The map with that floor in the way, where there is such floor.
    masked: Option<Arc<OccupancyGrid>>,
    voxels: Option<Voxels>,
    driver: Driver,
    drive: Drive,
    graph: Option<Arc<SceneGraph>>,
    current: Option<(StepId, Skill)>,
    status_sent: Option<(Time, String)>,
    sent_joints: BTreeMap<&'static str, (f64, f64)>,
    base_moving: bool,
    last_now: Time,
    counters: Counters,
}

/// The newest order to the navigation stack.
#[derive(Debug, Default)]
struct Drive {
    id: u32,
    to: Option<Pose2>,
    /// What it said of that.
    status: Option<Arc<DriveStatus>>,
}

impl Executor {
    /// An executor for the robot described by a URDF.
    ///
    /// # Errors
    /// Where the configuration is invalid or the robot lacks joints that the skills use.
    pub fn new(config: SkillsConfig, urdf: &str) -> steward_skills::Result<Self> {
        let stale_after = Duration::from_secs_f64(config.stale_after_s);
        let driver = config.driver;
        Ok(Executor {
            runner: SkillRunner::new(config, urdf)?,
            stale_after,
            transforms: TransformBuffer::new(Duration::from_secs(2)),
            odometry: None,
            joints: None,
            localized: false,
            contacts: None,
            bumper: None,
            grid: None,
            keep_out: Vec::new(),
            masked: None,
            voxels: None,
            driver,
            drive: Drive::default(),
            graph: None,
            current: None,
            status_sent: None,
            sent_joints: BTreeMap::new(),
            base_moving: false,
            last_now: Time::ZERO,
            counters: Counters::default(),
        })
    }

    fn forget_if_time_jumped_back(&mut self, now: Time) {
        if now < self.last_now {
            self.counters.count("time_jumped_back");
            self.transforms.clear();
            self.localized = false;
            self.odometry = None;
            self.joints = None;
            self.contacts = None;
            self.bumper = None;
        }
        self.last_now = now;
    }

    fn status(&mut self, now: Time, state: SkillState, detail: String, out: &mut Outbox) {
        let Some((step, skill)) = &self.current else {
            return;
        };
        out.send(message(
            Message::SkillStatus,
            SkillStatus {
                header: Header::new(now, frames::MAP),
                step: *step,
                skill: skill.clone(),
                state,
                detail: detail.clone(),
            },
        ));
        self.status_sent = Some((now, detail));
        if state != SkillState::Running {
            self.current = None;
            self.status_sent = None;
        }
    }

    /// Tells the navigation stack where to drive, where that is news to it.
    fn drive_to(&mut self, now: Time, to: Option<Pose2>, out: &mut Outbox) {
        if self.drive.to == to {
            return;
        }
        let id = self.drive.id.wrapping_add(1);
        self.drive = Drive { id, to, status: None };
        let header = Header::new(now, frames::MAP);
        out.send(message(Message::DriveGoal, DriveGoal { header, id, to }));
    }

    fn halt(&mut self, now: Time, out: &mut Outbox) {
        self.drive_to(now, None, out);
        self.send_velocity(now, (0.0, 0.0), out);
        self.base_moving = false;
        // Joints stop where they are: without this they would go on to their last target.
        if let Some((_, joints)) = &self.joints {
            let hold: Vec<(String, f64)> = self
                .sent_joints
                .iter()
                // The fingers keep their target, so that what they hold stays held.
                .filter(|(name, _)| **name != steward_skills::robot::GRIPPER)
                .filter_map(|(name, (_, _))| Some(((*name).to_owned(), *joints.get(*name)?)))
                .collect();
            self.sent_joints
                .retain(|name, _| *name == steward_skills::robot::GRIPPER);
            if !hold.is_empty() {
                let (names, positions): (Vec<String>, Vec<f64>) = hold.into_iter().unzip();
                out.send(message(
                    Message::JointCommand,
                    JointCommand {
                        header: Header::new(now, ""),
                        max_velocities: vec![0.2; names.len()],
                        names,
                        positions,
                    },
                ));
            }
        }
    }

    fn send_velocity(&self, now: Time, (linear_m_s, angular_rad_s): (f64, f64), out: &mut Outbox) {
        out.send(message(
            Message::VelocityCommand,
            VelocityCommand {
                header: Header::new(now, frames::BASE_LINK),
                linear_m_s,
                angular_rad_s,
            },
        ));
    }

    fn begin(&mut self, now: Time, command: &SkillCommand, out: &mut Outbox) {
        if self.current.is_some() {
            let text = format!("a newer command took over: {}", command.skill);
            self.status(now, SkillState::Failed(SkillFailure::Cancelled), text, out);
            self.halt(now, out);
        }
        self.current = Some((command.step, command.skill.clone()));
        self.keep_out.clone_from(&command.keep_out);
        self.mask();
        self.runner.start(&command.skill, now);
        self.status(
            now,
            SkillState::Running,
            format!("starting {}", command.skill),
            out,
        );
    }

    fn mask(&mut self) {
        let grid = self.grid.as_ref().filter(|_| !self.keep_out.is_empty());
        self.masked = grid.map(|grid| Arc::new(grid.without(&self.keep_out)));
    }

    /// Where the robot is, if that is known from fresh data.
    fn base(&self, now: Time) -> Option<(Pose2, (f64, f64))> {
        let (stamp, linear, angular) = self.odometry?;
        let fresh = now - stamp <= self.stale_after;
        if !fresh || !self.localized {
            return None;
        }
        let pose = self.transforms.latest(frames::MAP, frames::BASE_LINK).ok()?;
        Some((Pose2::from_pose3(&pose), (linear, angular)))
    }

    fn send(&mut self, now: Time, commands: Commands, out: &mut Outbox) {
        self.drive_to(now, commands.drive_to, out);
        let moving = commands.base != (0.0, 0.0);
        if moving || self.base_moving {
            self.send_velocity(now, commands.base, out);
        }
        self.base_moving = moving;
        let mut command = JointCommand {
            header: Header::new(now, ""),
            names: Vec::new(),
            positions: Vec::new(),
            max_velocities: Vec::new(),
        };
        for (name, target) in commands.joints {
            let same = self
                .sent_joints
                .get(name)
                .is_some_and(|sent| (sent.0 - target.0).abs() < 1e-4 && (sent.1 - target.1).abs() < 1e-3);
            if same {
                continue;
            }
            self.sent_joints.insert(name, target);
            command.names.push(name.to_owned());
            command.positions.push(target.0);
            command.max_velocities.push(target.1);
        }
        if !command.names.is_empty() {
            out.send(message(Message::JointCommand, command));
        }
    }
}

impl Node for Executor {
    fn name(&self) -> &'static str {
        "executor"
    }

    fn subscriptions(&self) -> &'static [Topic] {
        &[
            Topic::Transforms,
            Topic::Localization,
            Topic::Odometry,
            Topic::JointStates,
            Topic::GripperContacts,
            Topic::Bumper,
            Topic::OccupancyGrid,
            Topic::ObstacleCloud,
            Topic::SceneGraph,
            Topic::SkillCommand,
            Topic::CancelSkill,
            Topic::DriveStatus,
        ]
    }

    fn period(&self) -> Option<Duration> {
        Some(PERIOD)
    }

    fn on_message(&mut self, now: Time, message: &Message, out: &mut Outbox) {
        self.forget_if_time_jumped_back(now);
        match message {
            Message::Transforms(m) | Message::Localization(m) => {
                for transform in &m.transforms {
                    if self.transforms.insert(transform).is_err() {
                        self.counters.count("transforms_refused");
                    } else if transform.parent == frames::MAP {
                        self.localized = true;
                    }
                }
            }
            Message::Odometry(m) => {
                let finite = m.linear_m_s.is_finite() && m.angular_rad_s.is_finite();
                if !finite {
                    self.counters.count("odometry_refused");
                } else if self.odometry.is_none_or(|(t, _, _)| m.header.stamp >= t) {
                    self.odometry = Some((m.header.stamp, m.linear_m_s, m.angular_rad_s));
                }
            }
            Message::JointStates(m) => {
                let same = m.names.len() == m.positions.len();
                if !same || m.positions.iter().any(|p| !p.is_finite()) {
                    self.counters.count("joint_states_refused");
                } else {
                    self.joints = Some((m.header.stamp, m.by_name()));
                }
            }
            Message::GripperContacts(m) => self.contacts = Some(m.clone()),
            Message::Bumper(m) => self.bumper = Some(m.clone()),
            Message::OccupancyGrid(m) => {
                let cells = m.width as usize * m.height as usize;
                if m.cells.len() != cells || !(m.resolution_m.is_finite() && m.resolution_m > 0.0) {
                    self.counters.count("maps_refused");
                } else {
                    self.grid = Some(m.clone());
                    self.mask();
                }
            }
            Message::ObstacleCloud(m) => self.voxels = Some(Voxels::new(&m.points, m.voxel_m)),
            Message::SceneGraph(m) => self.graph = Some(m.clone()),
            Message::DriveStatus(m) if m.id == self.drive.id => self.drive.status = Some(Arc::clone(m)),
            Message::DriveStatus(_) => self.counters.count("drives_of_before"),
            Message::SkillCommand(m) => self.begin(now, m, out),
            Message::CancelSkill(m) => {
                if self.current.as_ref().is_some_and(|(step, _)| *step == m.step) {
                    self.runner.cancel();
                    self.halt(now, out);
                    let state = SkillState::Failed(SkillFailure::Cancelled);
                    self.status(now, state, "stopped on request".into(), out);
                } else {
                    self.counters.count("cancels_for_nothing");
                }
            }
            _ => self.counters.count("messages_unexpected"),
        }
    }

    fn on_tick(&mut self, now: Time, out: &mut Outbox) {
        self.forget_if_time_jumped_back(now);
        if !self.runner.is_running() {
            if self.base_moving {
                self.send_velocity(now, (0.0, 0.0), out);
                self.base_moving = false;
            }
            return;
        }
        let base = self.base(now);
        let joints = self
            .joints
            .as_ref()
            .filter(|(stamp, _)| now - *stamp <= self.stale_after);
        let inputs = match (base, joints) {
            (Some((base, velocity)), Some((_, joints))) => Some(Inputs {
                now,
                base,
                velocity,
                joints,
                contacts: self.contacts.as_deref(),
                bumper: self
                    .bumper
                    .as_deref()
                    .filter(|b| now - b.header.stamp <= self.stale_after),
                grid: self.masked.as_deref().or(self.grid.as_deref()),
                voxels: self.voxels.as_ref(),
                graph: self.graph.as_deref(),
                navigation: (self.driver == Driver::Navigation && self.keep_out.is_empty()).then_some(
                    Navigation {
                        status: self.drive.status.as_deref(),
                    },
                ),
            }),
            _ => None,
        };
        let stale = inputs.is_none();
        let (commands, progress) = self.runner.step(now, inputs.as_ref());
        if stale {
            self.counters.count("ticks_without_fresh_data");
        }
        self.send(now, commands, out);
        match progress {
            Progress::Running(detail) => {
                let due = match &self.status_sent {
                    None => true,
                    // What it does is told at once when it changes in kind, not with every centimetre.
                    Some((sent, before)) => {
                        now - *sent >= STATUS_PERIOD || first_word(before) != first_word(&detail)
                    }
                };
                if due {
                    self.status(now, SkillState::Running, detail, out);
                }
            }
            Progress::Done(detail) => self.status(now, SkillState::Done, detail, out),
            Progress::Failed(why, detail) => {
                self.halt(now, out);
                self.status(now, SkillState::Failed(why), detail, out);
            }
        }
    }

    fn counters(&self) -> BTreeMap<String, u64> {
        self.counters.snapshot()
    }
}

fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}
