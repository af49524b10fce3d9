use serde::{Deserialize, Serialize};

use super::{Header, SkillState};
use crate::geometry::Pose2;

/// What the base is asked to do (`geometry_msgs/TwistStamped`). Frame: `base_link`.
///
/// The base stops by itself when no command came for half a second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VelocityCommand {
    /// Time of the decision; frame `base_link`.
    pub header: Header,
    /// Forward speed, metres per second.
    pub linear_m_s: f64,
    /// Turning speed, radians per second, counter-clockwise.
    pub angular_rad_s: f64,
}

/// Where joints are asked to go (`trajectory_msgs/JointTrajectory` with one point).
///
/// Joints move at no more than `max_velocities` (and their URDF limit) until they arrive or a newer command
/// names them. The lists have the same length and order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JointCommand {
    /// Time of the decision; no frame.
    pub header: Header,
    /// Joint names of the URDF.
    pub names: Vec<String>,
    /// Targets, radians or metres.
    pub positions: Vec<f64>,
    /// Speed limits, radians or metres per second.
    pub max_velocities: Vec<f64>,
}

/// Where a navigation stack beside the loop is to drive the base (`steward_msgs/DriveGoal`). Frame: `map`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DriveGoal {
    /// Time of the decision; frame `map`.
    pub header: Header,
    /// Names it. A newer goal takes the place of the one before.
    pub id: u32,
    /// Where to; `None`: nowhere, the base is to stand.
    pub to: Option<Pose2>,
}

/// How a [`DriveGoal`] goes (`steward_msgs/DriveStatus`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DriveStatus {
    /// Stamp.
    pub header: Header,
    /// Which goal.
    pub id: u32,
    /// Done: the base stands there.
    pub state: SkillState,
    /// One short sentence for people.
    pub detail: String,
}
