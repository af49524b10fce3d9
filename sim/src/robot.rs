//! The robot: its description, its postures and what it looks like.

use std::sync::Arc;

use steward_core::robot::{Geometry, JointPositions, KinematicModel};

use crate::Result;
use crate::mesh::Mesh;
use crate::model::{Material, Visual};
use crate::render::RobotVisual;

mod drive;

pub use drive::{DriveConfig, JointDrive};

/// Sides of the polygon that stands for a circle.
const ROUND_SEGMENTS: u32 = 24;

/// Description of the robot: kinematics, shapes, masses, limits.
pub const URDF: &str = include_str!("../assets/steward.urdf");

/// Radius of the disc on the floor that the base covers, metres.
pub const FOOTPRINT_RADIUS_M: f64 = 0.22;

/// Names and positions (radians or metres) of the joints when the arm is stowed for driving: nothing reaches
/// further than 0.23 m from the middle of the base, fingers point down and are closed, head level.
pub const STOWED: &[(&str, f64)] = &[
    ("lift_joint", 0.45),
    ("arm_extend_joint", 0.0),
    ("wrist_yaw_joint", 0.0),
    ("wrist_pitch_joint", std::f64::consts::FRAC_PI_2),
    ("wrist_roll_joint", 0.0),
    ("gripper_joint", 0.0),
    ("head_pan_joint", 0.0),
    ("head_tilt_joint", 0.3),
];

/// The stowed posture by joint name.
pub fn stowed() -> JointPositions {
    STOWED.iter().map(|&(name, q)| (name.to_owned(), q)).collect()
}

/// The kinematic model read from [`URDF`].
///
/// # Errors
/// [`Error::Core`](crate::Error::Core) where the description is damaged.
pub fn model() -> Result<KinematicModel> {
    Ok(KinematicModel::from_urdf(URDF)?)
}

/// What the robot looks like: the visuals of the URDF as meshes, by link of [`KinematicModel::links`].
pub fn visuals(model: &KinematicModel) -> Vec<RobotVisual> {
    let mut all = Vec::new();
    for (link, description) in model.links().iter().enumerate() {
        for shape in &description.visuals {
            let mesh = match shape.geometry {
                Geometry::Box { half } => Mesh::cuboid(half),
                Geometry::Cylinder {
                    radius_m,
                    half_length_m,
                } => Mesh::cylinder(radius_m, 2.0 * half_length_m, ROUND_SEGMENTS).translated(
                    0.0,
                    0.0,
                    -half_length_m,
                ),
                Geometry::Sphere { radius_m } => Mesh::sphere(radius_m, ROUND_SEGMENTS),
            };
            let [r, g, b, a] = shape.rgba.map(|c| c as f32);
            all.push(RobotVisual {
                link,
                visual: Visual {
                    mesh: Arc::new(mesh),
                    material: Material {
                        texture: None,
                        tint: [r, g, b],
                        opacity: a,
                    },
                    pose: shape.link_from_shape,
                    label: None,
                },
            });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::f64::consts::FRAC_PI_2;

    use steward_core::geometry::Vector3;

    use super::*;

    fn at(q: &[(&str, f64)], link: &str) -> Vector3 {
        let q: JointPositions = q.iter().map(|&(n, p)| (n.to_owned(), p)).collect();
        let m = model().unwrap();
        for name in q.keys() {
            m.joint(name).unwrap();
        }
        m.link_pose(link, &q).unwrap().translation.vector
    }

    /// Distances measured on the drawing: wrist pitch axis 0.05 m ahead of the yaw axis, grasp centre 0.39 m further.
    #[test]
    fn the_gripper_reaches_floor_shelf_and_ahead() {
        let floor = at(
            &[
                ("lift_joint", 0.21),
                ("arm_extend_joint", 0.3),
                ("wrist_pitch_joint", FRAC_PI_2),
            ],
            "grasp_center",
        );
        assert!((floor - Vector3::new(0.49, 0.0, 0.03)).norm() < 0.01, "{floor}");
        let high = at(&[("lift_joint", 1.3)], "grasp_center");
        assert!((high.z - 1.51).abs() < 1e-9, "{high}");
        let far = at(&[("arm_extend_joint", 0.76)], "wrist_pitch_link");
        assert!((far.x - 0.95).abs() < 1e-9, "{far}");
        let opened = at(&[("gripper_joint", 0.065)], "finger_left_link")
            - at(&[("gripper_joint", 0.065)], "finger_right_link");
        assert!((opened.norm() - 0.13).abs() < 1e-9, "{opened}");
    }

    #[test]
    fn the_head_camera_is_where_the_design_says() {
        let camera = at(&[], "head_camera_optical_frame");
        assert!((camera.z - 1.35).abs() < 0.01, "{camera}");
        let m = model().unwrap();
        let pose = m
            .link_pose("head_camera_optical_frame", &JointPositions::new())
            .unwrap();
        assert!((pose.rotation * Vector3::z() - Vector3::x()).norm() < 1e-6);
    }

    #[test]
    fn stowed_stays_near_the_footprint() {
        let m = model().unwrap();
        let poses = m.forward(&stowed());
        for (link, pose) in m.links().iter().zip(&poses) {
            for shape in &link.collisions {
                let reach = shape.geometry.half();
                for i in 0..8 {
                    let sign = |bit: u32| if i >> bit & 1 == 0 { -1.0 } else { 1.0 };
                    let corner = reach.component_mul(&Vector3::new(sign(0), sign(1), sign(2)));
                    let p = pose * shape.link_from_shape * steward_core::geometry::Point3::from(corner);
                    assert!(
                        link.name == "base_link" || p.x.hypot(p.y) < 0.245,
                        "{} {p}",
                        link.name
                    );
                }
            }
        }
    }
}
