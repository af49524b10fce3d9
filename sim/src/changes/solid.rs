//! Boxes around colliders, and whether two of them overlap.

use nalgebra as na;
use steward_core::geometry::{Pose3, Vector3};

use crate::model::Collider;

/// A box anywhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Solid {
    pub pose: Pose3,
    pub half: Vector3,
}

impl Solid {
    /// The box around a collider of an entity.
    pub(super) fn around(collider: &Collider, world_from_entity: &Pose3) -> Self {
        Solid {
            pose: world_from_entity * collider.pose,
            half: collider.shape.half(),
        }
    }

    /// Whether two boxes overlap by more than nothing (separating axes; Gottschalk, Lin and Manocha, 1996).
    pub(super) fn overlaps(&self, other: &Solid) -> bool {
        let between = other.pose.translation.vector - self.pose.translation.vector;
        let reach = self.half.norm() + other.half.norm();
        if between.norm_squared() >= reach * reach {
            return false;
        }
        let a: na::Matrix3<f64> = self.pose.rotation.to_rotation_matrix().into_inner();
        let b: na::Matrix3<f64> = other.pose.rotation.to_rotation_matrix().into_inner();
        let extent = |m: &na::Matrix3<f64>, half: &Vector3, axis: &Vector3| {
            (0..3).map(|i| half[i] * m.column(i).dot(axis).abs()).sum::<f64>()
        };
        let separates = |axis: Vector3| {
            axis.norm_squared() > 1e-9
                && between.dot(&axis).abs() >= extent(&a, &self.half, &axis) + extent(&b, &other.half, &axis)
        };
        let faces = (0..3).any(|i| separates(a.column(i).into()) || separates(b.column(i).into()));
        !faces && !(0..9).any(|i| separates(a.column(i / 3).cross(&b.column(i % 3))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_that_pass_each_other_do_not_overlap() {
        let cube = |x: f64, y: f64, yaw: f64| Solid {
            pose: Pose3::new(Vector3::new(x, y, 0.0), Vector3::z() * yaw),
            half: Vector3::repeat(1.0),
        };
        let quarter = std::f64::consts::FRAC_PI_4;
        let fixed = cube(0.0, 0.0, 0.0);
        assert!(fixed.overlaps(&cube(1.9, 0.0, 0.0)));
        assert!(!fixed.overlaps(&cube(2.1, 0.0, 0.0)));
        // The corner of a turned cube reaches sqrt(2), its edge along the diagonal only 1.
        assert!(fixed.overlaps(&cube(2.3, 0.0, quarter)));
        assert!(!fixed.overlaps(&cube(2.45, 0.0, quarter)));
        assert!(!fixed.overlaps(&cube(1.8, 1.8, quarter)));
    }
}
