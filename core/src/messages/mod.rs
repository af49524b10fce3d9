//! The messages that nodes exchange. Each crosses a seam, so each can be recorded and replayed.
//!
//! | message | from | to |
//! |---|---|---|
//! | [`RgbdFrame`](crate::image::RgbdFrame), [`Segmentation`](crate::image::Segmentation) | world | mapper, grapher, validator |
//! | [`Odometry`], [`JointStates`], [`Transforms`], [`GripperContacts`], [`Bumper`] | world | everybody |
//! | [`OccupancyGrid`], [`ObstacleCloud`], [`Transforms`] (map to odom) | mapper | executor, planner |
//! | [`SceneGraph`], [`SceneChange`] | grapher | planner, executor, validator |
//! | [`Task`], [`SkillRequest`], [`CancelTask`], [`SetRules`], [`FloorPlan`] | operator | planner |
//! | [`MapRequest`], [`KnownMap`] / [`KnownScene`] | operator | mapper / grapher |
//! | [`Plan`], [`SkillCommand`], [`CancelSkill`] | planner | executor, operator |
//! | [`TaskResult`], [`SkillResult`], [`RuleMonitors`] | planner | operator |
//! | [`MapSnapshot`] | mapper | operator |
//! | [`Answer`] | mapper, grapher, planner | operator |
//! | [`SkillStatus`] | executor | planner, validator |
//! | [`VelocityCommand`], [`JointCommand`] | executor | world |
//! | [`DriveGoal`] / [`DriveStatus`] | executor / navigation stack | navigation stack / executor |
//! | [`Verdict`] | validator | planner |
//! | [`Diagnostics`] | every node | operator |

use serde::{Deserialize, Serialize};

use crate::time::Time;

mod control;
mod diagnostics;
mod floor;
mod known;
mod map;
mod rules;
mod scene;
mod sensors;
mod skill;
mod task;

pub use control::{DriveGoal, DriveStatus, JointCommand, VelocityCommand};
pub use diagnostics::Diagnostics;
pub use floor::{FloorArea, FloorPlan, Room};
pub use known::{Answer, KnownMap, KnownScene, MapRequest, MapSnapshot, WallPoint};
pub use map::{CellState, ObstacleCloud, OccupancyGrid};
pub use rules::{RuleMonitor, RuleMonitors, RuleVerdict, SetRules};
pub use scene::{
    ArticulationState, ChangeKind, Presence, Provenance, Relation, RelationKind, SceneChange, SceneGraph,
    SceneObject, SupportSurface,
};
pub use sensors::{Bumper, GripperContacts, JointStates, Odometry, StampedTransform, Transforms};
pub use skill::{
    CancelSkill, NavigationTarget, Skill, SkillCommand, SkillFailure, SkillRequest, SkillResult, SkillState,
    SkillStatus, Verdict, VerdictKind,
};
pub use task::{
    CancelTask, FailureReason, Goal, GoalError, GoalRelation, MAX_RELATIONS, Outcome, Plan, PlanStep,
    StepState, Task, TaskResult, TreeNode,
};

/// When a message is about, and in which frame its geometry is expressed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Header {
    /// Time of the measurement, not of sending.
    pub stamp: Time,
    /// Frame name; empty where the message has no geometry.
    pub frame_id: String,
}

impl Header {
    /// A header from its parts.
    pub fn new(stamp: Time, frame_id: impl Into<String>) -> Self {
        Header {
            stamp,
            frame_id: frame_id.into(),
        }
    }
}
