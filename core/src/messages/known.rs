use serde::{Deserialize, Serialize};

use super::{Header, OccupancyGrid, SceneGraph};
use crate::geometry::Pose2;

/// Asks the mapper for a [`MapSnapshot`] (`steward_msgs/MapRequest`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MapRequest {
    /// Time of the request.
    pub header: Header,
    /// Names it in the snapshot.
    pub request: u32,
}

/// Everything that a mapper has to know to go on from here (`steward_msgs/MapSnapshot`). Frame: `map`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MapSnapshot {
    /// The request that it answers.
    pub request: u32,
    /// The floor.
    pub floor: OccupancyGrid,
    /// The correction of the odometry.
    pub map_from_odom: Pose2,
    /// What the pose is found by.
    pub walls: Vec<WallPoint>,
}

/// A point of upright structure. Frame: `map`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WallPoint {
    /// Where, metres.
    pub x_m: f32,
    /// Where, metres.
    pub y_m: f32,
    /// Mean of the unit vectors to where it was seen from.
    pub facing_x: f32,
    /// Mean of the unit vectors to where it was seen from.
    pub facing_y: f32,
    /// Images that it was seen in.
    pub views: u16,
}

/// A map of before, for the mapper to go on with in place of what it has (`steward_msgs/KnownMap`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KnownMap {
    /// Time of the order.
    pub header: Header,
    /// Names the request in its [`Answer`].
    pub request: u32,
    /// The odometry went on since the snapshot, so its correction holds. Otherwise the robot stands where the map was
    /// begun, and faces as it did then.
    pub odometry_went_on: bool,
    /// The map.
    pub map: MapSnapshot,
}

/// Things of before, for the grapher to remember in place of what it has (`steward_msgs/KnownScene`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KnownScene {
    /// Time of the order.
    pub header: Header,
    /// Names the request in its [`Answer`].
    pub request: u32,
    /// The things. Relations are found anew; what was held is where the hand was.
    pub scene: SceneGraph,
}

/// What a node says to a request that it takes or refuses (`steward_msgs/Answer`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// When.
    pub header: Header,
    /// Which request.
    pub request: u32,
    /// One sentence: why it was refused, with what to try; empty where it was taken.
    pub refusal: String,
}
