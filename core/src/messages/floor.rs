use serde::{Deserialize, Serialize};

use super::Header;
use crate::geometry::Pose2;

/// A rectangle of floor. Frame: `map`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FloorArea {
    /// Middle, and heading of the rectangle's x axis.
    pub middle: Pose2,
    /// Half side length along the rectangle's x axis, metres.
    pub half_x_m: f64,
    /// Half side length along the rectangle's y axis, metres.
    pub half_y_m: f64,
}

impl FloorArea {
    /// Whether a point lies in the rectangle grown by `margin_m` on every side.
    pub fn contains(&self, x_m: f64, y_m: f64, margin_m: f64) -> bool {
        let (s, c) = self.middle.yaw_rad.sin_cos();
        let (dx, dy) = (x_m - self.middle.x_m, y_m - self.middle.y_m);
        (c * dx + s * dy).abs() <= self.half_x_m + margin_m
            && (c * dy - s * dx).abs() <= self.half_y_m + margin_m
    }
}

/// A room of a [`FloorPlan`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Room {
    /// Unique name: `bedroom_2`.
    pub name: String,
    /// Kind, by which a rule may mean every room of the kind: `bedroom`.
    pub kind: String,
    /// Its floor, walls left out.
    pub area: FloorArea,
}

/// Which rooms there are and what people call them (`steward_msgs/FloorPlan`). Given to the robot beforehand, as
/// when it is set up in a home; nothing in the loop estimates it. Frame: `map`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct FloorPlan {
    /// When it was given; frame `map`.
    pub header: Header,
    /// The rooms.
    pub rooms: Vec<Room>,
}

impl FloorPlan {
    /// The room that a point lies in; in a doorway it lies in none.
    pub fn room_at(&self, x_m: f64, y_m: f64) -> Option<usize> {
        self.rooms.iter().position(|r| r.area.contains(x_m, y_m, 0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_turn_with_their_heading() {
        let area = FloorArea {
            middle: Pose2::new(1.0, 2.0, std::f64::consts::FRAC_PI_2),
            half_x_m: 2.0,
            half_y_m: 0.5,
        };
        assert!(area.contains(1.0, 3.9, 0.0) && !area.contains(2.9, 2.0, 0.0));
        assert!(!area.contains(1.6, 2.0, 0.0) && area.contains(1.6, 2.0, 0.2));
    }
}
