//! The messages that nodes exchange. Each crosses a seam, so each can be recorded and replayed.
//!
//! | message | from | to |
//! |---|---|---|
//! | [`RgbdFrame`](crate::image::RgbdFrame), [`Segmentation`](crate::image::Segmentation) | world | mapper, grapher, validator |
//! | [`Odometry`], [`JointStates`], [`Transforms`], [`GripperContacts`], [`Bumper`] | world | everybody |
//! | [`OccupancyGrid`], [`ObstacleCloud`], [`Transforms`] (map to odom) | mapper | executor, planner |
//! | [`SceneGraph`], [`SceneChange`] | grapher | planner, executor, validator |
//! | [`Task`], [`CancelTask`], [`FloorPlan`] | operator | planner |
//! | [`Plan`], [`SkillCommand`], [`CancelSkill`], [`TaskResult`] | planner | executor, operator |
//! | [`SkillStatus`] | executor | planner, validator |
//! | [`VelocityCommand`], [`JointCommand`] | executor | world |
//! | [`Verdict`] | validator | planner |
//! | [`Diagnostics`] | every node | operator |

use serde::{Deserialize, Serialize};

use crate::time::Time;

mod control;
mod diagnostics;
mod floor;
mod map;
mod scene;
mod sensors;
mod skill;
mod task;

pub use control::{JointCommand, VelocityCommand};
pub use diagnostics::Diagnostics;
pub use floor::{FloorArea, FloorPlan, Room};
pub use map::{CellState, ObstacleCloud, OccupancyGrid};
pub use scene::{
    ArticulationState, ChangeKind, Presence, Provenance, Relation, RelationKind, SceneChange, SceneGraph,
    SceneObject, SupportSurface,
};
pub use sensors::{Bumper, GripperContacts, JointStates, Odometry, StampedTransform, Transforms};
pub use skill::{
    CancelSkill, NavigationTarget, Skill, SkillCommand, SkillFailure, SkillState, SkillStatus, Verdict,
    VerdictKind,
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
