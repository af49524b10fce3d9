use serde::{Deserialize, Serialize};

use super::Header;
use crate::geometry::{Pose2, Pose3};
use crate::time::Time;

/// Where the wheels say the base is (`nav_msgs/Odometry`). Frame: `odom`; child frame: `base_link`. Drifts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Odometry {
    /// Stamp; frame `odom`.
    pub header: Header,
    /// `odom_from_base`.
    pub pose: Pose2,
    /// Forward speed in the base frame, metres per second.
    pub linear_m_s: f64,
    /// Turning speed, radians per second, counter-clockwise.
    pub angular_rad_s: f64,
}

/// Measured joint states (`sensor_msgs/JointState`); the three lists have the same length and order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JointStates {
    /// Stamp; no frame.
    pub header: Header,
    /// Joint names of the URDF.
    pub names: Vec<String>,
    /// Radians or metres.
    pub positions: Vec<f64>,
    /// Radians or metres per second.
    pub velocities: Vec<f64>,
}

impl JointStates {
    /// Positions by joint name.
    pub fn by_name(&self) -> crate::robot::JointPositions {
        self.names
            .iter()
            .cloned()
            .zip(self.positions.iter().copied())
            .collect()
    }
}

/// One edge of the frame tree at one time (`geometry_msgs/TransformStamped`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StampedTransform {
    /// Time it held.
    pub stamp: Time,
    /// Parent frame.
    pub parent: String,
    /// Child frame.
    pub child: String,
    /// Pose of the child in the parent.
    pub parent_from_child: Pose3,
    /// Holds at every time (`/tf_static`).
    pub is_static: bool,
}

/// Several edges of the frame tree (`tf2_msgs/TFMessage`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transforms {
    /// The edges.
    pub transforms: Vec<StampedTransform>,
}

/// What the gripper feels (`steward_msgs/GripperContacts`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GripperContacts {
    /// Stamp; no frame.
    pub header: Header,
    /// The left finger's pad touches something.
    pub left: bool,
    /// The right finger's pad touches something.
    pub right: bool,
    /// Distance between the finger pads, metres.
    pub opening_m: f64,
}

/// The base bumper (`steward_msgs/Bumper`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bumper {
    /// Stamp; frame `base_link`.
    pub header: Header,
    /// Whether it is pressed.
    pub pressed: bool,
    /// Direction of the contact in the base frame, radians from straight ahead; meaningless when not pressed.
    pub direction_rad: f64,
}
