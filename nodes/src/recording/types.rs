//! Encodings of the types of `steward-core` that are parts of messages, and of `steward_msgs`.

use std::sync::Arc;

use steward_core::Time;
use steward_core::geometry::{OrientedBox, Point3, Pose2, Pose3, Rotation3, Vector3};
use steward_core::ids::{ObjectId, StepId, TaskId};
use steward_core::image::Detection;
use steward_core::messages::{
    Answer, ArticulationState, Bumper, CancelSkill, CancelTask, ChangeKind, DriveGoal, DriveStatus,
    FailureReason, FloorArea, FloorPlan, Goal, GoalRelation, GripperContacts, Header, KnownMap, KnownScene,
    MapRequest, MapSnapshot, NavigationTarget, OccupancyGrid, Outcome, Plan, PlanStep, Presence, Provenance,
    Relation, RelationKind, Room, RuleMonitor, RuleMonitors, RuleVerdict, SceneChange, SceneGraph,
    SceneObject, SetRules, Skill, SkillCommand, SkillFailure, SkillRequest, SkillResult, SkillState,
    SkillStatus, StepState, SupportSurface, Task, TaskResult, TreeNode, Verdict, VerdictKind, WallPoint,
};

use super::cdr::{Cdr, CdrError, CdrReader, CdrWriter, cdr_enum, cdr_struct, unpacked};

cdr_struct! {
    Header { stamp, frame_id }
    Pose2 { x_m, y_m, yaw_rad }
    OrientedBox { center, yaw_rad, half }
    Detection { instance, class, score }
    GripperContacts { header, left, right, opening_m }
    Bumper { header, pressed, direction_rad }
    ArticulationState { owner, prismatic, pivot, axis, handle, position, open_at }
    SceneObject {
        id, class, shape, presence, provenance, confidence, first_seen, last_seen, articulation, surfaces
    }
    SupportSurface { center, yaw_rad, half_x_m, half_y_m, clearance_m }
    Relation { subject, kind, object }
    SceneGraph { header, objects, relations }
    SceneChange { header, object, class, kind, position }
    GoalRelation { kind, subject, object }
    Goal { relations }
    Task { header, id, goal, rules, deadline }
    CancelTask { header, id }
    FloorArea { middle, half_x_m, half_y_m }
    Room { name, kind, area }
    FloorPlan { header, rooms }
    SkillCommand { header, step, skill, keep_out }
    CancelSkill { header, step }
    SkillStatus { header, step, skill, state, detail }
    Verdict { header, step, kind, detail }
    PlanStep { step, skill, label, state }
    TreeNode { parent, label, votes, state }
    Plan { header, task, revision, steps, tree, reason }
    TaskResult { header, id, outcome, detail }
    SkillRequest { header, id, skill, rules, deadline }
    SkillResult { header, id, outcome, failure, detail }
    SetRules { header, request, rules }
    RuleMonitor { rule, verdict, owed }
    RuleMonitors { header, task, monitors }
    MapRequest { header, request }
    WallPoint { x_m, y_m, facing_x, facing_y, views }
    KnownMap { header, request, odometry_went_on, map }
    KnownScene { header, request, scene }
    Answer { header, request, refusal }
    DriveGoal { header, id, to }
    DriveStatus { header, id, state, detail }
}

cdr_enum! {
    Presence { Present = 0, Held = 1, Missing = 2 }
    Provenance { Observed = 0, Expected = 1 }
    RelationKind { On = 0, In = 1, Near = 2 }
    ChangeKind { Appeared = 0, Moved = 1, Vanished = 2, Opened = 3, Closed = 4 }
    VerdictKind { Confirmed = 0, Refuted = 1, Undecided = 2 }
    StepState { Pending = 0, Running = 1, Validating = 2, Confirmed = 3, Failed = 4, Abandoned = 5 }
    SkillFailure {
        UnknownObject = 0, NoPath = 1, Blocked = 2, OutOfReach = 3, GraspFailed = 4, Dropped = 5, NoSpace = 6,
        Stuck = 7, TimedOut = 8, Cancelled = 9, Precondition = 10, StaleData = 11,
    }
    FailureReason {
        ObjectNotFound = 0, TargetNotFound = 1, Unreachable = 2, GraspFailed = 3, PlaceFailed = 4,
        ContainerStuck = 5, NoPlan = 6, InvalidGoal = 7, TimedOut = 8, Cancelled = 9, SensorsLost = 10,
        Unconfirmed = 11, InvalidRule = 12, RuleConflict = 13, RuleViolated = 14, Busy = 15, SkillFailed = 16,
    }
    RuleVerdict { PermanentlySatisfied = 0, SatisfiedSoFar = 1, OpenObligation = 2, PermanentlyViolated = 3 }
}

macro_rules! cdr_ids {
    ($($id:ident),*) => {
        $(impl Cdr for $id {
            fn write(&self, w: &mut CdrWriter) {
                self.0.write(w);
            }
            fn read(r: &mut CdrReader<'_>) -> Result<Self, CdrError> {
                r.get().map($id)
            }
        })*
    };
}
cdr_ids!(ObjectId, TaskId, StepId);

impl Cdr for Vector3 {
    fn write(&self, w: &mut CdrWriter) {
        w.put(&self.x).put(&self.y).put(&self.z);
    }
    fn read(r: &mut CdrReader<'_>) -> Result<Self, CdrError> {
        Ok(Vector3::new(r.get()?, r.get()?, r.get()?))
    }
}

impl Cdr for Point3 {
    fn write(&self, w: &mut CdrWriter) {
        self.coords.write(w);
    }
    fn read(r: &mut CdrReader<'_>) -> Result<Self, CdrError> {
        r.get::<Vector3>().map(Point3::from)
    }
}

/// `geometry_msgs/Quaternion`, which has the real part last. Taken as it is, not normalised again, so that it
/// comes back bit for bit.
impl Cdr for Rotation3 {
    fn write(&self, w: &mut CdrWriter) {
        w.put(&self.i).put(&self.j).put(&self.k).put(&self.w);
    }
    fn read(r: &mut CdrReader<'_>) -> Result<Self, CdrError> {
        let (i, j, k, w): (f64, f64, f64, f64) = (r.get()?, r.get()?, r.get()?, r.get()?);
        Ok(Rotation3::new_unchecked(nalgebra::Quaternion::new(w, i, j, k)))
    }
}

/// `geometry_msgs/Pose` and `geometry_msgs/Transform`.
impl Cdr for Pose3 {
    fn write(&self, w: &mut CdrWriter) {
        w.put(&self.translation.vector).put(&self.rotation);
    }
    fn read(r: &mut CdrReader<'_>) -> Result<Self, CdrError> {
        let translation: Vector3 = r.get()?;
        Ok(Pose3::from_parts(translation.into(), r.get()?))
    }
}

/// All fields of `steward_msgs/Skill`; which of them mean something depends on the kind.
#[derive(Default)]
struct FlatSkill {
    kind: u8,
    pose: Pose2,
    points: Vec<Point3>,
    object: u32,
    relation: u8,
    target: u32,
}
cdr_struct!(FlatSkill {
    kind,
    pose,
    points,
    object,
    relation,
    target
});

impl Cdr for Skill {
    fn write(&self, w: &mut CdrWriter) {
        let none = FlatSkill::default;
        let flat = match self {
            Skill::Navigate {
                to: NavigationTarget::Pose(pose),
            } => FlatSkill {
                kind: 0,
                pose: *pose,
                ..none()
            },
            Skill::Navigate {
                to: NavigationTarget::Object(o),
            } => FlatSkill {
                kind: 1,
                object: o.0,
                ..none()
            },
            Skill::Look { at } => FlatSkill {
                kind: 2,
                points: at.clone(),
                ..none()
            },
            Skill::Open { part } => FlatSkill {
                kind: 3,
                object: part.0,
                ..none()
            },
            Skill::Close { part } => FlatSkill {
                kind: 4,
                object: part.0,
                ..none()
            },
            Skill::Pick { object } => FlatSkill {
                kind: 5,
                object: object.0,
                ..none()
            },
            Skill::Place {
                object,
                relation,
                target,
            } => {
                let relation = match relation {
                    RelationKind::On => 0,
                    RelationKind::In => 1,
                    RelationKind::Near => 2,
                };
                FlatSkill {
                    kind: 6,
                    object: object.0,
                    relation,
                    target: target.0,
                    ..none()
                }
            }
        };
        flat.write(w);
    }
    fn read(r: &mut CdrReader<'_>) -> Result<Self, CdrError> {
        let flat: FlatSkill = r.get()?;
        let object = ObjectId(flat.object);
        Ok(match flat.kind {
            0 => Skill::Navigate {
                to: NavigationTarget::Pose(flat.pose),
            },
            1 => Skill::Navigate {
                to: NavigationTarget::Object(object),
            },
            2 => Skill::Look { at: flat.points },
            3 => Skill::Open { part: object },
            4 => Skill::Close { part: object },
            5 => Skill::Pick { object },
            6 => {
                let relation = match flat.relation {
                    0 => RelationKind::On,
                    1 => RelationKind::In,
                    2 => RelationKind::Near,
                    other => return Err(r.invalid(format!("{other} is no RelationKind"))),
                };
                Skill::Place {
                    object,
                    relation,
                    target: ObjectId(flat.target),
                }
            }
            other => return Err(r.invalid(format!("{other} is no kind of skill"))),
        })
    }
}

impl Cdr for SkillState {
    fn write(&self, w: &mut CdrWriter) {
        match self {
            SkillState::Running => w.put(&[0u8, 0]),
            SkillState::Done => w.put(&[1u8, 0]),
            SkillState::Failed(failure) => w.put(&2u8).put(failure),
        };
    }
    fn read(r: &mut CdrReader<'_>) -> Result<Self, CdrError> {
        let (state, failure): (u8, SkillFailure) = (r.get()?, r.get()?);
        match state {
            0 => Ok(SkillState::Running),
            1 => Ok(SkillState::Done),
            2 => Ok(SkillState::Failed(failure)),
            other => Err(r.invalid(format!("{other} is no state of a skill"))),
        }
    }
}

impl Cdr for Outcome {
    fn write(&self, w: &mut CdrWriter) {
        match self {
            Outcome::Succeeded => w.put(&[0u8, 0]),
            Outcome::Failed(reason) => w.put(&1u8).put(reason),
        };
    }
    fn read(r: &mut CdrReader<'_>) -> Result<Self, CdrError> {
        let (outcome, reason): (u8, FailureReason) = (r.get()?, r.get()?);
        match outcome {
            0 => Ok(Outcome::Succeeded),
            1 => Ok(Outcome::Failed(reason)),
            other => Err(r.invalid(format!("{other} is no outcome"))),
        }
    }
}

/// The floor lies flat in it: `nav_msgs/OccupancyGrid` has the resolution in single precision.
impl Cdr for MapSnapshot {
    fn write(&self, w: &mut CdrWriter) {
        let OccupancyGrid {
            header,
            resolution_m,
            width,
            height,
            origin,
            cells,
        } = &self.floor;
        w.put(header).put(&self.request);
        w.put(resolution_m).put(width).put(height).put(origin);
        w.packed(cells, i8::to_le_bytes);
        w.put(&self.map_from_odom).put(&self.walls);
    }
    fn read(r: &mut CdrReader<'_>) -> Result<Self, CdrError> {
        let (header, request) = (r.get()?, r.get()?);
        let floor = OccupancyGrid {
            header,
            resolution_m: r.get()?,
            width: r.get()?,
            height: r.get()?,
            origin: r.get()?,
            cells: Arc::new(unpacked(r.byte_sequence()?, i8::from_le_bytes)),
        };
        let (cells, whole) = (
            floor.cells.len() as u64,
            u64::from(floor.width) * u64::from(floor.height),
        );
        if cells != whole {
            let (width, height) = (floor.width, floor.height);
            return Err(r.invalid(format!("{cells} cells do not make a grid of {width}x{height}")));
        }
        Ok(MapSnapshot {
            request,
            floor,
            map_from_odom: r.get()?,
            walls: r.get()?,
        })
    }
}

/// `steward_msgs/PlanarOdometry`.
pub(super) struct PlanarOdometry {
    pub(super) header: Header,
    pub(super) pose: Pose2,
    pub(super) linear_m_s: f64,
    pub(super) angular_rad_s: f64,
}

/// `steward_msgs/MapGeometry`.
pub(super) struct MapGeometry {
    pub(super) header: Header,
    pub(super) resolution_m: f64,
    pub(super) origin: Pose2,
}

/// `steward_msgs/ObstacleVoxels`.
pub(super) struct ObstacleVoxels {
    pub(super) header: Header,
    pub(super) voxel_m: f64,
}

/// `geometry_msgs/TransformStamped`.
pub(super) struct TransformStamped {
    pub(super) header: Header,
    pub(super) child_frame_id: String,
    pub(super) transform: Pose3,
}

/// `sensor_msgs/PointField`.
pub(super) struct PointField {
    pub(super) name: String,
    pub(super) offset: u32,
    pub(super) datatype: u8,
    pub(super) count: u32,
}

/// `trajectory_msgs/JointTrajectoryPoint`.
pub(super) struct JointTrajectoryPoint {
    pub(super) positions: Vec<f64>,
    pub(super) velocities: Vec<f64>,
    pub(super) accelerations: Vec<f64>,
    pub(super) effort: Vec<f64>,
    /// `builtin_interfaces/Duration` has the layout of a time.
    pub(super) time_from_start: Time,
}

/// `diagnostic_msgs/KeyValue`.
pub(super) struct KeyValue {
    pub(super) key: String,
    pub(super) value: String,
}

cdr_struct! {
    PlanarOdometry { header, pose, linear_m_s, angular_rad_s }
    MapGeometry { header, resolution_m, origin }
    ObstacleVoxels { header, voxel_m }
    TransformStamped { header, child_frame_id, transform }
    PointField { name, offset, datatype, count }
    JointTrajectoryPoint { positions, velocities, accelerations, effort, time_from_start }
    KeyValue { key, value }
}
