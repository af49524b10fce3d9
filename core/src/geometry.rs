//! Poses, points and boxes: short names over `nalgebra`, and the few helpers that everybody needs.

use nalgebra as na;
use serde::{Deserialize, Serialize};

/// A point in three dimensions, metres.
pub type Point3 = na::Point3<f64>;
/// A vector in three dimensions.
pub type Vector3 = na::Vector3<f64>;
/// A rotation.
pub type Rotation3 = na::UnitQuaternion<f64>;
/// A rigid transform; variables of this type are named `target_from_source`.
pub type Pose3 = na::Isometry3<f64>;

/// A pose on the floor.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Pose2 {
    /// Metres.
    pub x_m: f64,
    /// Metres.
    pub y_m: f64,
    /// Radians, counter-clockwise from +x.
    pub yaw_rad: f64,
}

impl Pose2 {
    /// A pose from its parts.
    pub fn new(x_m: f64, y_m: f64, yaw_rad: f64) -> Self {
        Pose2 { x_m, y_m, yaw_rad }
    }

    /// The pose on the floor below `pose`, heading along its x axis.
    pub fn from_pose3(pose: &Pose3) -> Self {
        let t = pose.translation.vector;
        Pose2 {
            x_m: t.x,
            y_m: t.y,
            yaw_rad: yaw_rad(&pose.rotation),
        }
    }

    /// The same pose at height zero in three dimensions.
    pub fn to_pose3(self) -> Pose3 {
        Pose3::from_parts(
            na::Translation3::new(self.x_m, self.y_m, 0.0),
            Rotation3::from_axis_angle(&Vector3::z_axis(), self.yaw_rad),
        )
    }

    /// Distance between the two positions, metres.
    pub fn distance_m(&self, other: &Pose2) -> f64 {
        (self.x_m - other.x_m).hypot(self.y_m - other.y_m)
    }
}

/// The heading of a rotation: the angle of its x axis in the horizontal plane.
pub fn yaw_rad(rotation: &Rotation3) -> f64 {
    let x = rotation * Vector3::x();
    x.y.atan2(x.x)
}

/// `angle` brought into `(-pi, pi]`.
pub fn wrap_angle_rad(angle: f64) -> f64 {
    use std::f64::consts::{PI, TAU};
    let a = (angle + PI).rem_euclid(TAU) - PI;
    if a <= -PI { PI } else { a }
}

/// A box with axes along those of its frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Aabb {
    /// Smallest corner, metres.
    pub min: Point3,
    /// Largest corner, metres.
    pub max: Point3,
}

impl Aabb {
    /// A box from its centre and half side lengths.
    pub fn from_center_half(center: Point3, half: Vector3) -> Self {
        Aabb {
            min: center - half,
            max: center + half,
        }
    }

    /// The smallest box around one of these half side lengths that stands in `pose`.
    pub fn around(pose: &Pose3, half: &Vector3) -> Self {
        let extent = pose.rotation.to_rotation_matrix().matrix().abs() * half;
        Aabb::from_center_half(Point3::from(pose.translation.vector), extent)
    }

    /// The smallest box around the points, `None` for no points.
    pub fn from_points<'a>(points: impl IntoIterator<Item = &'a Point3>) -> Option<Self> {
        let mut points = points.into_iter();
        let first = *points.next()?;
        Some(points.fold(
            Aabb {
                min: first,
                max: first,
            },
            |b, p| b.grown_to(p),
        ))
    }

    /// The smallest box that holds `self` and `p`.
    pub fn grown_to(&self, p: &Point3) -> Self {
        Aabb {
            min: self.min.inf(p),
            max: self.max.sup(p),
        }
    }

    /// The smallest box that holds both.
    pub fn union(&self, other: &Aabb) -> Self {
        Aabb {
            min: self.min.inf(&other.min),
            max: self.max.sup(&other.max),
        }
    }

    /// The box grown by `margin_m` on every side.
    pub fn inflated(&self, margin_m: f64) -> Self {
        let m = Vector3::repeat(margin_m);
        Aabb {
            min: self.min - m,
            max: self.max + m,
        }
    }

    /// Centre.
    pub fn center(&self) -> Point3 {
        na::center(&self.min, &self.max)
    }

    /// Half side lengths, metres.
    pub fn half(&self) -> Vector3 {
        (self.max - self.min) * 0.5
    }

    /// Side lengths, metres.
    pub fn size(&self) -> Vector3 {
        self.max - self.min
    }

    /// Whether the point lies inside or on the border.
    pub fn contains(&self, p: &Point3) -> bool {
        (0..3).all(|i| self.min[i] <= p[i] && p[i] <= self.max[i])
    }

    /// Whether the two boxes share a point.
    pub fn intersects(&self, other: &Aabb) -> bool {
        (0..3).all(|i| self.min[i] <= other.max[i] && other.min[i] <= self.max[i])
    }

    /// Distance between the two boxes, metres; zero where they touch.
    pub fn distance_m(&self, other: &Aabb) -> f64 {
        Vector3::from_fn(|i, _| {
            (self.min[i] - other.max[i])
                .max(other.min[i] - self.max[i])
                .max(0.0)
        })
        .norm()
    }
}

/// A box that stands upright but may be turned about the vertical.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OrientedBox {
    /// Centre, metres.
    pub center: Point3,
    /// Heading of the box's x axis, radians.
    pub yaw_rad: f64,
    /// Half side lengths along the box's own axes, metres.
    pub half: Vector3,
}

impl OrientedBox {
    /// Pose of the box's centre in the frame its fields are given in.
    pub fn pose(&self) -> Pose3 {
        Pose3::from_parts(
            na::Translation3::from(self.center),
            Rotation3::from_axis_angle(&Vector3::z_axis(), self.yaw_rad),
        )
    }

    /// The smallest axis-aligned box around it.
    pub fn aabb(&self) -> Aabb {
        let (s, c) = (self.yaw_rad.sin().abs(), self.yaw_rad.cos().abs());
        let half = Vector3::new(
            c * self.half.x + s * self.half.y,
            s * self.half.x + c * self.half.y,
            self.half.z,
        );
        Aabb::from_center_half(self.center, half)
    }

    /// Height of the top face, metres.
    pub fn top_m(&self) -> f64 {
        self.center.z + self.half.z
    }

    /// Middle of the top face.
    pub fn top(&self) -> Point3 {
        Point3::new(self.center.x, self.center.y, self.top_m())
    }

    /// Height of the bottom face, metres.
    pub fn bottom_m(&self) -> f64 {
        self.center.z - self.half.z
    }

    /// Whether the point lies inside the box grown by `margin_m`.
    pub fn contains(&self, p: &Point3, margin_m: f64) -> bool {
        let local = self.pose().inverse_transform_point(p);
        (0..3).all(|i| local[i].abs() <= self.half[i] + margin_m)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_wrap_into_the_half_open_turn() {
        use std::f64::consts::PI;
        assert!((wrap_angle_rad(3.0 * PI) - PI).abs() < 1e-12);
        assert!((wrap_angle_rad(-PI) - PI).abs() < 1e-12);
        assert!((wrap_angle_rad(0.5) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_turned_box_has_the_expected_bounds() {
        let b = OrientedBox {
            center: Point3::new(1.0, 2.0, 3.0),
            yaw_rad: std::f64::consts::FRAC_PI_2,
            half: Vector3::new(2.0, 1.0, 0.5),
        };
        let a = b.aabb();
        assert!((a.half() - Vector3::new(1.0, 2.0, 0.5)).norm() < 1e-12);
        assert!(b.contains(&Point3::new(1.0, 3.9, 3.0), 0.0));
        assert!(!b.contains(&Point3::new(2.5, 2.0, 3.0), 0.0));
    }
}
