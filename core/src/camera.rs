//! The pinhole camera.

use serde::{Deserialize, Serialize};

use crate::geometry::{Point3, Vector3};
use crate::{Error, Result};

/// Intrinsics of a pinhole camera without distortion.
///
/// Image coordinates are continuous: column `i`, row `j` covers `[i, i+1) x [j, j+1)` and its centre is at
/// `(i + 0.5, j + 0.5)`. ROS puts pixel centres at integers, so `K`'s principal point is smaller by 0.5:
/// see [`CameraIntrinsics::from_ros_k`] and [`CameraIntrinsics::to_ros_k`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CameraIntrinsics {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Focal length along x, pixels.
    pub fx: f64,
    /// Focal length along y, pixels.
    pub fy: f64,
    /// Principal point, pixels, pixel centres at +0.5.
    pub cx: f64,
    /// Principal point, pixels, pixel centres at +0.5.
    pub cy: f64,
}

/// Largest image side accepted anywhere; larger sizes come from damaged or hostile input.
pub const MAX_IMAGE_SIDE: u32 = 16_384;

impl CameraIntrinsics {
    /// A camera with square pixels, the principal point in the middle and the given horizontal field of view.
    pub fn from_horizontal_fov(width: u32, height: u32, fov_rad: f64) -> Self {
        let f = width as f64 * 0.5 / (fov_rad * 0.5).tan();
        CameraIntrinsics {
            width,
            height,
            fx: f,
            fy: f,
            cx: width as f64 * 0.5,
            cy: height as f64 * 0.5,
        }
    }

    /// From the row-major 3x3 matrix `K` of `sensor_msgs/CameraInfo`.
    ///
    /// # Errors
    /// [`Error::BadIntrinsics`] for a zero or absurd size, a focal length that is not positive, or skew.
    pub fn from_ros_k(width: u32, height: u32, k: &[f64; 9]) -> Result<Self> {
        if k[1] != 0.0 {
            return Err(Error::BadIntrinsics(format!(
                "K has skew {}; rectify the image first",
                k[1]
            )));
        }
        let camera = CameraIntrinsics {
            width,
            height,
            fx: k[0],
            fy: k[4],
            cx: k[2] + 0.5,
            cy: k[5] + 0.5,
        };
        camera.validate()?;
        Ok(camera)
    }

    /// The row-major 3x3 matrix `K` of `sensor_msgs/CameraInfo`.
    pub fn to_ros_k(&self) -> [f64; 9] {
        [
            self.fx,
            0.0,
            self.cx - 0.5,
            0.0,
            self.fy,
            self.cy - 0.5,
            0.0,
            0.0,
            1.0,
        ]
    }

    /// # Errors
    /// [`Error::BadIntrinsics`] for a zero or absurd size, or a focal length that is not positive and finite.
    pub fn validate(&self) -> Result<()> {
        if self.width == 0 || self.height == 0 || self.width > MAX_IMAGE_SIDE || self.height > MAX_IMAGE_SIDE
        {
            return Err(Error::BadIntrinsics(format!(
                "size {}x{} must be between 1 and {MAX_IMAGE_SIDE}",
                self.width, self.height
            )));
        }
        let positive = |f: f64| f.is_finite() && f > 0.0;
        if !positive(self.fx) || !positive(self.fy) || !self.cx.is_finite() || !self.cy.is_finite() {
            return Err(Error::BadIntrinsics(format!(
                "fx {} and fy {} must be positive, cx {} and cy {} finite",
                self.fx, self.fy, self.cx, self.cy
            )));
        }
        Ok(())
    }

    /// Image coordinates of a point in the optical frame, `None` at or behind the camera's plane.
    pub fn project(&self, p_camera: &Point3) -> Option<(f64, f64)> {
        (p_camera.z > 0.0).then(|| {
            (
                self.fx * p_camera.x / p_camera.z + self.cx,
                self.fy * p_camera.y / p_camera.z + self.cy,
            )
        })
    }

    /// The point in the optical frame seen at image coordinates `(u, v)` with the given depth along z.
    pub fn unproject(&self, u: f64, v: f64, depth_m: f64) -> Point3 {
        Point3::new(
            (u - self.cx) / self.fx * depth_m,
            (v - self.cy) / self.fy * depth_m,
            depth_m,
        )
    }

    /// The direction (z = 1, not normalised) through the centre of a pixel.
    pub fn pixel_ray(&self, column: u32, row: u32) -> Vector3 {
        Vector3::new(
            (column as f64 + 0.5 - self.cx) / self.fx,
            (row as f64 + 0.5 - self.cy) / self.fy,
            1.0,
        )
    }

    /// Whether image coordinates lie inside the image shrunk by `margin_px` on each side.
    pub fn contains(&self, u: f64, v: f64, margin_px: f64) -> bool {
        u >= margin_px
            && v >= margin_px
            && u < self.width as f64 - margin_px
            && v < self.height as f64 - margin_px
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projection_and_its_inverse_agree() {
        let c = CameraIntrinsics::from_horizontal_fov(320, 240, 1.2);
        let p = Point3::new(0.3, -0.2, 1.7);
        let (u, v) = c.project(&p).unwrap();
        assert!((c.unproject(u, v, 1.7) - p).norm() < 1e-12);
        assert_eq!(c.project(&Point3::new(0.0, 0.0, -1.0)), None);
    }

    #[test]
    fn the_ros_matrix_shifts_the_principal_point_by_half_a_pixel() {
        let k = [585.0, 0.0, 319.5, 0.0, 585.0, 239.5, 0.0, 0.0, 1.0];
        let c = CameraIntrinsics::from_ros_k(640, 480, &k).unwrap();
        assert_eq!((c.cx, c.cy), (320.0, 240.0));
        assert_eq!(c.to_ros_k(), k);
    }

    #[test]
    fn nonsense_is_refused() {
        let k = [585.0, 0.0, 319.5, 0.0, f64::NAN, 239.5, 0.0, 0.0, 1.0];
        assert!(matches!(
            CameraIntrinsics::from_ros_k(640, 480, &k),
            Err(Error::BadIntrinsics(_))
        ));
        let k = [585.0, 0.0, 319.5, 0.0, 585.0, 239.5, 0.0, 0.0, 1.0];
        assert!(matches!(
            CameraIntrinsics::from_ros_k(0, 480, &k),
            Err(Error::BadIntrinsics(_))
        ));
    }
}
