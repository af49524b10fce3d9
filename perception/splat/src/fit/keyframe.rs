//! The images a map is fitted to.

use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use steward_core::camera::CameraIntrinsics;
use steward_core::geometry::Pose3;
use steward_core::image::{ColorImage, DepthImage, RgbdFrame};
use steward_core::time::Time;

use crate::{Error, Result, View};

/// A posed image, with depth where there is one.
#[derive(Debug, Clone)]
pub struct Keyframe {
    /// When it was taken.
    pub stamp: Time,
    /// Camera and pose.
    pub view: View,
    /// Colour, of the camera's size.
    pub color: Arc<ColorImage>,
    /// Depth along the optical axis, metres, registered to the colour, NaN where there is none.
    pub depth: Option<Arc<DepthImage>>,
}

impl Keyframe {
    /// From a frame and its pose.
    pub fn from_rgbd(frame: &RgbdFrame, world_from_camera: Pose3) -> Self {
        Keyframe {
            stamp: frame.header.stamp,
            view: View::new(frame.camera, world_from_camera),
            color: frame.color.clone(),
            depth: Some(frame.depth.clone()),
        }
    }

    /// # Errors
    /// [`Error::BadImage`] where sizes differ; what [`View::validate`] gives.
    pub fn validate(&self) -> Result<()> {
        self.view.validate()?;
        let size = (self.view.camera.width, self.view.camera.height);
        let depth = self.depth.as_ref().map_or(size, |d| (d.width(), d.height()));
        if (self.color.width(), self.color.height()) != size || depth != size {
            return Err(Error::BadImage(format!(
                "colour and depth must have the camera's size {}x{}",
                size.0, size.1
            )));
        }
        Ok(())
    }

    /// What to compare with at half (`halvings` = 1), a quarter (2), ... of the resolution.
    pub(crate) fn target(&self, halvings: u32, normals: bool) -> Target {
        let full = &self.view.camera;
        let step = 1usize << halvings.min(full.width.min(full.height).max(1).ilog2());
        let (width, height) = (
            (full.width as usize / step).max(1),
            (full.height as usize / step).max(1),
        );
        let n = width * height;
        let k = 1.0 / step as f64;
        let camera = CameraIntrinsics {
            width: width as u32,
            height: height as u32,
            fx: full.fx * k,
            fy: full.fy * k,
            cx: full.cx * k,
            cy: full.cy * k,
        };
        let mut color = vec![0.0f32; 3 * n];
        let pixels = self.color.data();
        let scale = 1.0 / (255.0 * (step * step) as f32);
        let (red, rest) = color.split_at_mut(n);
        let (green, blue) = rest.split_at_mut(n);
        let rows = red
            .par_chunks_mut(width)
            .zip(green.par_chunks_mut(width))
            .zip(blue.par_chunks_mut(width));
        rows.enumerate().for_each(|(row, ((red, green), blue))| {
            for column in 0..width {
                let mut sum = [0u32; 3];
                for y in 0..step {
                    for x in 0..step {
                        let p = pixels[(row * step + y) * full.width as usize + column * step + x];
                        sum.iter_mut().zip(p).for_each(|(s, p)| *s += u32::from(p));
                    }
                }
                red[column] = sum[0] as f32 * scale;
                green[column] = sum[1] as f32 * scale;
                blue[column] = sum[2] as f32 * scale;
            }
        });
        let depth = self.depth.as_ref().map(|depth| {
            let mut out = vec![f32::NAN; n];
            out.par_chunks_mut(width).enumerate().for_each(|(row, out)| {
                for (column, out) in out.iter_mut().enumerate() {
                    // The measurement nearest to the middle of the block: means would lie between surfaces.
                    let (x, y) = (column * step + step / 2, row * step + step / 2);
                    let d = depth.data()[y * full.width as usize + x];
                    *out = if d > 0.0 { d } else { f32::NAN };
                }
            });
            out
        });
        let normals = depth.as_ref().filter(|_| normals).map(|d| normals_of(d, &camera));
        Target {
            view: View::new(camera, self.view.world_from_camera),
            color,
            depth,
            normals,
        }
    }
}

/// A keyframe at some resolution, in planes.
pub(crate) struct Target {
    pub(crate) view: View,
    pub(crate) color: Vec<f32>,
    pub(crate) depth: Option<Vec<f32>>,
    pub(crate) normals: Option<Vec<f32>>,
}

/// Largest relative step of depth within one surface.
const MAX_RELATIVE_STEP: f32 = 0.05;

/// Normals in the camera's frame, towards the camera, from differences of depth to the neighbours: three planes, NaN
/// where a neighbour is missing or on another surface.
pub(crate) fn normals_of(depth: &[f32], camera: &CameraIntrinsics) -> Vec<f32> {
    let (width, height) = (camera.width as usize, camera.height as usize);
    let n = width * height;
    let mut out = vec![f32::NAN; 3 * n];
    let point = |x: usize, y: usize, d: f32| {
        let u = (x as f32 + 0.5 - camera.cx as f32) / camera.fx as f32;
        let v = (y as f32 + 0.5 - camera.cy as f32) / camera.fy as f32;
        [u * d, v * d, d]
    };
    // Over two pixels either way, against noise.
    let reach = 2;
    for y in reach..height.saturating_sub(reach) {
        for x in reach..width.saturating_sub(reach) {
            let at = |dx: i64, dy: i64| {
                let (x, y) = ((x as i64 + dx) as usize, (y as i64 + dy) as usize);
                (x, y, depth[y * width + x])
            };
            let here = depth[y * width + x];
            let r = reach as i64;
            let around = [at(r, 0), at(-r, 0), at(0, r), at(0, -r)];
            let same = |d: f32| (d - here).abs() <= MAX_RELATIVE_STEP * here;
            if !around.iter().all(|a| same(a.2)) {
                continue;
            }
            let [a, b, c, d] = around.map(|(x, y, d)| point(x, y, d));
            let normal = crate::math::cross(crate::math::sub(a, b), crate::math::sub(c, d));
            let length = crate::math::dot(normal, normal).sqrt();
            if length > 0.0 {
                let towards = if crate::math::dot(normal, point(x, y, here)) > 0.0 {
                    -1.0
                } else {
                    1.0
                };
                for k in 0..3 {
                    out[k * n + y * width + x] = towards * normal[k] / length;
                }
            }
        }
    }
    out
}

/// How an image's colours differ from the map's: `image = gain * map + offset`, channel by channel.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Exposure {
    /// Factor per channel.
    pub gain: [f32; 3],
    /// Offset per channel, 1 = white.
    pub offset: [f32; 3],
}

impl Default for Exposure {
    fn default() -> Self {
        Exposure {
            gain: [1.0; 3],
            offset: [0.0; 3],
        }
    }
}

impl Exposure {
    /// Applies it to planar colours.
    pub fn apply(&self, color: &mut [f32]) {
        let n = color.len() / 3;
        for (c, plane) in color.chunks_exact_mut(n.max(1)).enumerate() {
            plane
                .iter_mut()
                .for_each(|x| *x = *x * self.gain[c] + self.offset[c]);
        }
    }
}
