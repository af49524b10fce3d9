//! Where a map is looked at from.

use nalgebra as na;
use serde::{Deserialize, Serialize};
use steward_core::camera::CameraIntrinsics;
use steward_core::geometry::{Point3, Pose3};

use crate::{Error, Result};

/// A pinhole camera with a pose: what an image was taken with, or what to render.
///
/// Pixel centres are at +0.5; the camera's frame is optical (x right, y down, z forward).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// Size and intrinsics.
    pub camera: CameraIntrinsics,
    /// Pose of the optical frame in the world.
    pub world_from_camera: Pose3,
}

impl View {
    /// A view from its parts.
    pub fn new(camera: CameraIntrinsics, world_from_camera: Pose3) -> Self {
        View {
            camera,
            world_from_camera,
        }
    }

    /// # Errors
    /// [`Error::Core`] for unusable intrinsics, [`Error::BadView`] for a pose that is not finite.
    pub fn validate(&self) -> Result<()> {
        self.camera.validate()?;
        let pose = &self.world_from_camera;
        let finite = pose.translation.vector.iter().all(|x| x.is_finite())
            && pose.rotation.coords.iter().all(|x| x.is_finite());
        if !finite {
            return Err(Error::BadView("its pose is not finite".into()));
        }
        Ok(())
    }

    /// The same view with an image `factor` times as large: 0.5 halves it.
    pub fn scaled(&self, factor: f64) -> Self {
        let c = &self.camera;
        let side = |n: u32| ((n as f64 * factor).round() as u32).max(1);
        let (width, height) = (side(c.width), side(c.height));
        let (sx, sy) = (width as f64 / c.width as f64, height as f64 / c.height as f64);
        View {
            camera: CameraIntrinsics {
                width,
                height,
                fx: c.fx * sx,
                fy: c.fy * sy,
                cx: c.cx * sx,
                cy: c.cy * sy,
            },
            world_from_camera: self.world_from_camera,
        }
    }

    /// Position of the camera in the world, metres.
    pub fn center(&self) -> Point3 {
        self.world_from_camera.translation.vector.into()
    }

    /// The view after a small motion of the scene in the camera's frame:
    /// `camera_from_world' = exp(twist) * camera_from_world`, `twist` = (translation, rotation).
    ///
    /// The pose gradients of this crate are derivatives with respect to this twist at zero.
    pub fn perturbed(&self, twist: &[f64; 6]) -> Self {
        let translation = na::Vector3::new(twist[0], twist[1], twist[2]);
        let rotation = na::Vector3::new(twist[3], twist[4], twist[5]);
        let motion = Pose3::from_parts(translation.into(), na::UnitQuaternion::from_scaled_axis(rotation));
        View {
            camera: self.camera,
            world_from_camera: self.world_from_camera * motion.inverse(),
        }
    }

    /// The single-precision form that rendering works with.
    pub(crate) fn single(&self) -> SingleView {
        let camera_from_world = self.world_from_camera.inverse();
        let r = camera_from_world.rotation.to_rotation_matrix();
        let t = camera_from_world.translation.vector;
        let c = self.world_from_camera.translation.vector;
        let k = &self.camera;
        SingleView {
            rotation: std::array::from_fn(|i| std::array::from_fn(|j| r[(i, j)] as f32)),
            translation: [t.x as f32, t.y as f32, t.z as f32],
            center: [c.x as f32, c.y as f32, c.z as f32],
            fx: k.fx as f32,
            fy: k.fy as f32,
            cx: k.cx as f32,
            cy: k.cy as f32,
            width: k.width,
            height: k.height,
        }
    }
}

/// A view in single precision.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SingleView {
    /// Rows of the rotation of `camera_from_world`.
    pub(crate) rotation: [[f32; 3]; 3],
    /// Translation of `camera_from_world`.
    pub(crate) translation: [f32; 3],
    /// Camera centre in the world.
    pub(crate) center: [f32; 3],
    pub(crate) fx: f32,
    pub(crate) fy: f32,
    pub(crate) cx: f32,
    pub(crate) cy: f32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}
