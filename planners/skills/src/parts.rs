//! How doors, drawers and lids move.

use nalgebra as na;
use steward_core::geometry::{Pose3, Rotation3, Vector3};
use steward_core::messages::ArticulationState;

/// The motion of a part by an amount (radians or metres, positive opens) as a transform of points in `map`.
pub fn moved(a: &ArticulationState, amount: f64) -> Pose3 {
    let Some(axis) = na::Unit::try_new(a.axis, 1e-6) else {
        return Pose3::identity();
    };
    if a.prismatic {
        return Pose3::from_parts(
            na::Translation3::from(axis.into_inner() * amount),
            Rotation3::identity(),
        );
    }
    let turn = Rotation3::from_axis_angle(&axis, amount);
    let pivot: Vector3 = a.pivot.coords;
    Pose3::from_parts(na::Translation3::from(pivot - turn * pivot), turn)
}
