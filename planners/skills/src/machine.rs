//! What a running skill is given and what it answers, every control period.

use std::collections::BTreeMap;
use std::sync::Arc;

use steward_core::Time;
use steward_core::geometry::{Point3, Pose2, Pose3};
use steward_core::ids::ObjectId;
use steward_core::messages::{
    Bumper, DriveStatus, GripperContacts, OccupancyGrid, SceneGraph, SceneObject, SkillFailure,
};
use steward_core::robot::JointPositions;

use crate::collision::ArmShapes;
use crate::config::SkillsConfig;
use crate::ik::HandPose;
use crate::navmap::NavMap;
use crate::robot::{Posture, Robot};
use crate::voxels::Voxels;

/// The robot's view of the world at one instant. All geometry in `map`.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Time of this step.
    pub now: Time,
    /// `map_from_base`.
    pub base: Pose2,
    /// Forward speed and turning speed from odometry, m/s and rad/s.
    pub velocity: (f64, f64),
    /// Measured joints.
    pub joints: &'a JointPositions,
    /// What the gripper feels.
    pub contacts: Option<&'a GripperContacts>,
    /// The bumper.
    pub bumper: Option<&'a Bumper>,
    /// The floor.
    pub grid: Option<&'a OccupancyGrid>,
    /// Obstacles in three dimensions.
    pub voxels: Option<&'a Voxels>,
    /// Objects.
    pub graph: Option<&'a SceneGraph>,
    /// The navigation stack that drives the base to where a drive ends, where there is one for it.
    pub navigation: Option<Navigation<'a>>,
}

/// A navigation stack.
#[derive(Debug, Clone, Copy)]
pub struct Navigation<'a> {
    /// What it said last of where it was last told to drive.
    pub status: Option<&'a DriveStatus>,
}

impl<'a> Inputs<'a> {
    /// A remembered object, whatever its presence.
    pub fn object(&self, id: ObjectId) -> Option<&'a SceneObject> {
        let graph = self.graph?;
        let at = graph.objects.binary_search_by_key(&id, |o| o.id).ok()?;
        graph.objects.get(at)
    }

    /// Position of a joint, zero where it is not reported.
    pub fn joint(&self, name: &str) -> f64 {
        self.joints.get(name).copied().unwrap_or(0.0)
    }

    /// The measured arm posture.
    pub fn posture(&self) -> Posture {
        Posture::from_joints(self.joints)
    }

    /// `map_from_grasp_center`: the measured hand.
    pub fn hand(&self, robot: &Robot) -> Pose3 {
        self.base.to_pose3() * robot.grasp_center(&self.posture())
    }

    /// A point of the map in the base frame.
    pub fn in_base(&self, p: &Point3) -> Point3 {
        self.base.to_pose3().inverse_transform_point(p)
    }
}

/// What a skill wants done now. The base stands still unless told otherwise; joints not named keep their target.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Commands {
    /// Forward speed, m/s, and turning speed, rad/s.
    pub base: (f64, f64),
    /// Where the navigation stack is to drive, frame `map`; without, it is to let the base stand.
    pub drive_to: Option<Pose2>,
    /// Target and speed limit by joint.
    pub joints: BTreeMap<&'static str, (f64, f64)>,
}

impl Commands {
    /// Asks a joint to go somewhere.
    pub fn joint(&mut self, name: &'static str, position: f64, max_velocity: f64) {
        self.joints.insert(name, (position, max_velocity));
    }
}

/// How a skill stands after a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// Under way: what it does now.
    Running(String),
    /// Did all it had to do.
    Done(String),
    /// Ended without doing it, and why.
    Failed(SkillFailure, String),
}

/// What a part of a skill answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Not finished.
    Busy,
    /// Finished.
    Finished,
    /// Cannot be finished.
    Failed(SkillFailure, String),
}

/// What the robot holds, as far as the skills know.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Held {
    /// Which object.
    pub object: ObjectId,
    /// Half side lengths of its upright box before it was picked, metres.
    pub half: steward_core::geometry::Vector3,
    /// Pitch of the fingers when it was picked, radians, positive down.
    pub pitch_rad: f64,
    /// `grasp_center_from_object`: where the middle of that box is in the hand.
    pub hand_from_object: Pose3,
}

/// What outlives a single skill: the robot, the configuration, the map of the floor, and what is held.
#[derive(Debug)]
pub struct Context {
    /// Configuration.
    pub config: SkillsConfig,
    /// Kinematics.
    pub robot: Robot,
    /// Its arm's shapes.
    pub arm: ArmShapes,
    /// What is in the gripper.
    pub held: Option<Held>,
    map: Option<Arc<NavMap>>,
    /// The cells that it was made from.
    mapped: Option<Arc<Vec<i8>>>,
    /// Places where the bumper touched something that the map does not show, and when.
    bumps: Vec<(f64, f64, Time)>,
    bumps_changed: bool,
    /// Hands that something unseen stopped, how far they were open, and when.
    stopped: Vec<(HandPose, f64, Time)>,
    /// Where things were let go that did not stay there, and when.
    fell: Vec<(Point3, Time)>,
}

/// How long a hand that was stopped is not tried again, seconds.
const STOP_MEMORY_S: f64 = 120.0;
/// How alike hands are that the same thing stops: cosine between their fingers, and metres between them.
const SAME_HAND: (f64, f64) = (0.93, 0.08);

/// How long a place where something fell is avoided, seconds, and how far around it, metres.
const FALL_MEMORY_S: f64 = 300.0;
const FALL_NEAR_M: f64 = 0.12;
/// The middle of a thing is at most this far above its support, metres.
const FALL_ABOVE_M: f64 = 0.3;

/// How much less open a hand is that may pass where another one was stopped, metres.
const LESS_OPEN_M: f64 = 0.015;

/// How long a place where the bumper hit is avoided, seconds.
const BUMP_MEMORY_S: f64 = 45.0;

impl Context {
    /// A context without map and with an empty hand.
    pub fn new(config: SkillsConfig, robot: Robot) -> Self {
        Context {
            config,
            arm: ArmShapes::new(&robot),
            robot,
            held: None,
            map: None,
            mapped: None,
            bumps: Vec::new(),
            bumps_changed: false,
            stopped: Vec::new(),
            fell: Vec::new(),
        }
    }

    /// The floor as far as it is known, `None` before the first occupancy grid.
    pub fn map(&mut self, inputs: &Inputs) -> Option<Arc<NavMap>> {
        let grid = inputs.grid?;
        let before = self.bumps.len();
        self.bumps
            .retain(|b| (inputs.now - b.2).secs_f64() < BUMP_MEMORY_S);
        let changed = self.bumps_changed || before != self.bumps.len();
        if let Some(map) = &self.map
            && !changed
            && map.stamp() == grid.header.stamp
            && self
                .mapped
                .as_ref()
                .is_some_and(|cells| Arc::ptr_eq(cells, &grid.cells))
        {
            return Some(map.clone());
        }
        self.bumps_changed = false;
        let map = if self.bumps.is_empty() {
            NavMap::new(grid, &self.config)
        } else {
            let mut cells = (*grid.cells).clone();
            for (x, y, _) in &self.bumps {
                if let Some((column, row)) = grid.cell_of(*x, *y) {
                    cells[row as usize * grid.width as usize + column as usize] = 100;
                }
            }
            NavMap::new(
                &OccupancyGrid {
                    cells: Arc::new(cells),
                    ..grid.clone()
                },
                &self.config,
            )
        };
        let map = Arc::new(map);
        self.map = Some(map.clone());
        self.mapped = Some(Arc::clone(&grid.cells));
        Some(map)
    }

    /// Remembers that the bumper touched something there.
    pub fn bumped_at(&mut self, x_m: f64, y_m: f64, now: Time) {
        self.bumps.push((x_m, y_m, now));
        self.bumps_changed = true;
    }

    /// Remembers that a thing was let go with its middle at a point and did not stay there.
    pub fn fell_at(&mut self, point: &Point3, now: Time) {
        self.fell.retain(|(_, at)| (now - *at).secs_f64() < FALL_MEMORY_S);
        self.fell.push((*point, now));
    }

    /// Whether a thing that was let go at a point of a support fell not long ago.
    pub fn is_where_things_fell(&self, support: &Point3, now: Time) -> bool {
        self.fell.iter().any(|(p, at)| {
            (now - *at).secs_f64() < FALL_MEMORY_S
                && (p.x - support.x).hypot(p.y - support.y) < FALL_NEAR_M
                && (0.0..FALL_ABOVE_M).contains(&(p.z - support.z))
        })
    }

    /// Remembers that something unseen stopped a hand, open by so much, on its way to a pose.
    pub fn stopped_at(&mut self, hand: &HandPose, opening_m: f64, now: Time) {
        self.stopped
            .retain(|(.., at)| (now - *at).secs_f64() < STOP_MEMORY_S);
        self.stopped.push((*hand, opening_m, now));
    }

    /// Whether a hand much like this one was stopped not long ago. One that is clearly less open may pass.
    pub fn was_stopped(&self, hand: &HandPose, opening_m: f64, now: Time) -> bool {
        let lately = |at: Time| (now - at).secs_f64() < STOP_MEMORY_S;
        self.stopped.iter().filter(|s| lately(s.2)).any(|(h, open_m, _)| {
            h.fingers.dot(&hand.fingers) > SAME_HAND.0
                && (h.position - hand.position).norm() < SAME_HAND.1
                && opening_m > open_m - LESS_OPEN_M
        })
    }
}
