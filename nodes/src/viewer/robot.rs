//! The robot from the primitives of its URDF, and the tree of frames.

use rerun::{Boxes3D, CoordinateFrame, Cylinders3D, Ellipsoids3D, FillMode, Quaternion, Transform3D};
use steward_core::geometry::{Pose3, Rotation3};
use steward_core::robot::{Geometry, KinematicModel, LinkShape};

use super::Log;
use crate::error::Result;

pub(super) fn quaternion(rotation: &Rotation3) -> Quaternion {
    Quaternion::from_xyzw([rotation.i, rotation.j, rotation.k, rotation.w].map(|x| x as f32))
}

pub(super) fn transform(pose: &Pose3) -> Transform3D {
    Transform3D::new()
        .with_translation(position(pose))
        .with_quaternion(quaternion(&pose.rotation))
}

fn position(pose: &Pose3) -> [f32; 3] {
    pose.translation.vector.map(|x| x as f32).into()
}

/// URDF colours are linear; rerun's are sRGB.
fn color(rgba: [f64; 4]) -> rerun::Color {
    let [r, g, b] = [0, 1, 2].map(|i| (255.0 * rgba[i].clamp(0.0, 1.0).powf(1.0 / 2.2)).round() as u8);
    rerun::Color::from_unmultiplied_rgba(r, g, b, (255.0 * rgba[3].clamp(0.0, 1.0)) as u8)
}

/// Logs the shapes of every link, each link in the frame of its name.
pub(super) fn log(log: &Log, robot: &KinematicModel) -> Result<()> {
    for link in robot.links().iter().filter(|l| !l.visuals.is_empty()) {
        let entity = format!("world/robot/{}", link.name);
        log.forever(&entity, &CoordinateFrame::new(link.name.as_str()))?;
        let of = |kind: fn(&Geometry) -> bool| -> Vec<&LinkShape> {
            link.visuals.iter().filter(|v| kind(&v.geometry)).collect()
        };
        let boxes = of(|g| matches!(g, Geometry::Box { .. }));
        if !boxes.is_empty() {
            let half = boxes.iter().filter_map(|v| match &v.geometry {
                Geometry::Box { half } => Some([half.x as f32, half.y as f32, half.z as f32]),
                _ => None,
            });
            let shapes = Boxes3D::from_half_sizes(half)
                .with_centers(boxes.iter().map(|v| position(&v.link_from_shape)))
                .with_quaternions(boxes.iter().map(|v| quaternion(&v.link_from_shape.rotation)))
                .with_colors(boxes.iter().map(|v| color(v.rgba)))
                .with_fill_mode(FillMode::Solid);
            log.forever(&entity, &shapes)?;
        }
        let cylinders = of(|g| matches!(g, Geometry::Cylinder { .. }));
        if !cylinders.is_empty() {
            let (lengths, radii): (Vec<f32>, Vec<f32>) = cylinders
                .iter()
                .filter_map(|v| match &v.geometry {
                    Geometry::Cylinder {
                        radius_m,
                        half_length_m,
                    } => Some((2.0 * *half_length_m as f32, *radius_m as f32)),
                    _ => None,
                })
                .unzip();
            let shapes = Cylinders3D::from_lengths_and_radii(lengths, radii)
                .with_centers(cylinders.iter().map(|v| position(&v.link_from_shape)))
                .with_quaternions(cylinders.iter().map(|v| quaternion(&v.link_from_shape.rotation)))
                .with_colors(cylinders.iter().map(|v| color(v.rgba)))
                .with_fill_mode(FillMode::Solid);
            log.forever(&entity, &shapes)?;
        }
        let balls = of(|g| matches!(g, Geometry::Sphere { .. }));
        if !balls.is_empty() {
            let half = balls.iter().filter_map(|v| match &v.geometry {
                Geometry::Sphere { radius_m } => Some([*radius_m as f32; 3]),
                _ => None,
            });
            let shapes = Ellipsoids3D::from_half_sizes(half)
                .with_centers(balls.iter().map(|v| position(&v.link_from_shape)))
                .with_colors(balls.iter().map(|v| color(v.rgba)))
                .with_fill_mode(FillMode::Solid);
            log.forever(&entity, &shapes)?;
        }
    }
    Ok(())
}
