//! Between our types (`nalgebra`, double) and those of `rapier3d` (`glam`, single).

use nalgebra as na;
use rapier3d::prelude as rp;
use steward_core::geometry::{Pose3, Rotation3, Vector3};

pub(super) fn to_vector(v: &Vector3) -> rp::Vector {
    rp::Vector::new(v.x as f32, v.y as f32, v.z as f32)
}

pub(super) fn from_vector(v: rp::Vector) -> Vector3 {
    Vector3::new(f64::from(v.x), f64::from(v.y), f64::from(v.z))
}

pub(super) fn to_pose(p: &Pose3) -> rp::Pose {
    let r = p.rotation;
    let r = rp::Rotation::from_xyzw(r.i as f32, r.j as f32, r.k as f32, r.w as f32);
    rp::Pose::from_parts(to_vector(&p.translation.vector), r.normalize())
}

pub(super) fn from_pose(p: &rp::Pose) -> Pose3 {
    let r = p.rotation;
    let r = na::Quaternion::new(f64::from(r.w), f64::from(r.x), f64::from(r.y), f64::from(r.z));
    Pose3::from_parts(from_vector(p.translation).into(), Rotation3::new_normalize(r))
}
