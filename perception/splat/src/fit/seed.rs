//! New Gaussians from RGB-D: where the map is transparent, or shows something behind what was measured.

use serde::{Deserialize, Serialize};

use super::keyframe::{Keyframe, normals_of};
use crate::map::{Gaussian, GaussianMap};
use crate::math::{logit, mul_transposed};
use crate::render::{Engine, RenderOptions, Scope};
use crate::{Error, Result};

/// How new Gaussians are made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SeedConfig {
    /// About this many seeds across the width of an image, at most one per pixel. What a seed is for is seen at its
    /// angle, so small images do not need fewer.
    pub across: u32,
    /// Standard deviation along the surface, in distances between seeds (which grow with depth).
    pub size: f32,
    /// Standard deviation across the surface, in the same unit.
    pub thickness: f32,
    /// Opacity.
    pub opacity: f32,
    /// A pixel is seeded where the map's opacity is under this.
    pub transparent: f32,
    /// A pixel is seeded where the map lies behind the measurement by more than this, in metres at one metre of
    /// depth, growing with its square as a structured-light sensor's error does.
    pub behind_m: f32,
    /// Depths beyond this are not used, metres.
    pub max_depth_m: f32,
}

impl Default for SeedConfig {
    fn default() -> Self {
        SeedConfig {
            across: 240,
            size: 0.7,
            thickness: 0.15,
            opacity: 0.7,
            transparent: 0.5,
            behind_m: 0.05,
            max_depth_m: 8.0,
        }
    }
}

impl SeedConfig {
    /// # Errors
    /// [`Error::BadConfig`] for values out of range.
    pub fn validate(&self) -> Result<()> {
        let positive = [self.size, self.thickness, self.behind_m, self.max_depth_m];
        if self.across == 0
            || positive.iter().any(|x| !x.is_finite() || *x <= 0.0)
            || !(0.01..=0.99).contains(&self.opacity)
            || !(0.0..=1.0).contains(&self.transparent)
        {
            return Err(Error::BadConfig(format!("seeding: {self:?} is out of range")));
        }
        Ok(())
    }

    /// Pixels from seed to seed in an image of this width.
    fn stride_px(&self, width: u32) -> u32 {
        ((f64::from(width) / f64::from(self.across)).round() as u32).max(1)
    }
}

/// Adds Gaussians for the parts of a keyframe that the map lacks, at most `room`, and gives how many. Where there is not
/// room for all, every n-th is taken.
pub(crate) fn seed(
    map: &mut GaussianMap,
    engine: &dyn Engine,
    keyframe: &Keyframe,
    options: &RenderOptions,
    config: &SeedConfig,
    room: usize,
) -> Result<usize> {
    let Some(depth) = &keyframe.depth else {
        return Ok(0);
    };
    // Rendered at about one pixel per seed.
    let stride = config.stride_px(keyframe.view.camera.width);
    let halvings = stride.ilog2();
    let small = keyframe.target(halvings, false).view;
    let rendering = engine.forward(map, &small, options, Scope::default())?;
    let camera = &keyframe.view.camera;
    let (width, height) = (camera.width as usize, camera.height as usize);
    let normals = normals_of(depth.data(), camera);
    let n = width * height;
    let stride = stride as usize;
    let mut wanted = Vec::new();
    for y in (stride / 2..height).step_by(stride) {
        for x in (stride / 2..width).step_by(stride) {
            let d = depth.data()[y * width + x];
            if !(d > 0.0 && d <= config.max_depth_m) {
                continue;
            }
            let at = (y >> halvings).min(rendering.height - 1) * rendering.width
                + (x >> halvings).min(rendering.width - 1);
            let transparent = rendering.alpha[at] < config.transparent;
            if transparent || rendering.depth[at] - d > config.behind_m * d * d.max(1.0) {
                wanted.push((x, y, d));
            }
        }
    }
    let every = wanted.len().div_ceil(room.max(1)).max(1);
    if room == 0 {
        return Ok(0);
    }
    let taken: Vec<_> = wanted.into_iter().step_by(every).collect();
    let spread = (every as f32).sqrt();
    let single = keyframe.view.single();
    map.reserve(taken.len());
    for &(x, y, d) in &taken {
        let ray = [
            (x as f32 + 0.5 - single.cx) / single.fx,
            (y as f32 + 0.5 - single.cy) / single.fy,
            1.0,
        ];
        let p = ray.map(|r| r * d);
        let mean = keyframe.view.world_from_camera
            * nalgebra::Point3::new(f64::from(p[0]), f64::from(p[1]), f64::from(p[2]));
        let normal: [f32; 3] = std::array::from_fn(|k| normals[k * n + y * width + x]);
        let distance = d / single.fx * stride as f32 * spread;
        let (rotation, tilt) = if normal[0].is_finite() {
            // Seeds on a slanted surface lie further apart, up to a limit.
            let length = crate::math::dot(ray, ray).sqrt();
            let cosine = (crate::math::dot(normal, ray) / length).abs().max(0.35);
            (
                facing(mul_transposed(&single.rotation, normal)),
                1.0 / cosine.sqrt(),
            )
        } else {
            ([1.0, 0.0, 0.0, 0.0], 1.0)
        };
        let along = (distance * config.size * tilt).ln();
        let across = if normal[0].is_finite() {
            (distance * config.thickness).ln()
        } else {
            along
        };
        let rgb = keyframe.color.data()[y * width + x].map(|c| f32::from(c) / 255.0);
        let gaussian = Gaussian {
            mean: [mean.x as f32, mean.y as f32, mean.z as f32],
            log_scale: [along, along, across],
            rotation,
            opacity_logit: logit(config.opacity),
            confidence: 0.5,
            first_seen: keyframe.stamp,
            last_seen: keyframe.stamp,
            feature: vec![0.0; map.feature_len()],
            ..Gaussian::default()
        };
        map.push(&gaussian.with_color(rgb))?;
    }
    Ok(taken.len())
}

/// Opacity of the map under which a pixel that never had a depth is filled.
const HOLE: f32 = 0.3;

/// Adds Gaussians for pixels that the sensor has no depth for and the map does not show, such as dark or shiny surfaces
/// and the border of the colour image: at a depth interpolated from around them. `alpha` is what the map shows from the
/// keyframe at its resolution. Gives how many were added, at most `room`.
pub(crate) fn fill(
    map: &mut GaussianMap,
    keyframe: &Keyframe,
    alpha: &[f32],
    config: &SeedConfig,
    room: usize,
) -> Result<usize> {
    let Some(depth) = &keyframe.depth else {
        return Ok(0);
    };
    let camera = &keyframe.view.camera;
    let (width, height) = (camera.width as usize, camera.height as usize);
    // What fills a hole is blurred anyway.
    let stride = 2 * config.stride_px(keyframe.view.camera.width) as usize;
    let (columns, rows) = (width.div_ceil(stride), height.div_ceil(stride));
    let pixel = |i: usize| {
        let (x, y) = (
            i % columns * stride + stride / 2,
            i / columns * stride + stride / 2,
        );
        (x.min(width - 1), y.min(height - 1))
    };
    let measured = |i: usize| {
        let (x, y) = pixel(i);
        let d = depth.data()[y * width + x];
        if d > 0.0 && d <= config.max_depth_m {
            d
        } else {
            f32::NAN
        }
    };
    let sparse: Vec<f32> = (0..columns * rows).map(measured).collect();
    let dense = interpolated(&sparse, columns);
    let single = keyframe.view.single();
    let mut added = 0;
    for (i, &d) in dense.iter().enumerate() {
        let (x, y) = pixel(i);
        if !sparse[i].is_nan() || d.is_nan() || alpha[y * width + x] >= HOLE || added >= room {
            continue;
        }
        let p = camera.unproject(x as f64 + 0.5, y as f64 + 0.5, f64::from(d));
        let mean = keyframe.view.world_from_camera * p;
        let rgb = keyframe.color.data()[y * width + x].map(|c| f32::from(c) / 255.0);
        let gaussian = Gaussian {
            mean: [mean.x as f32, mean.y as f32, mean.z as f32],
            log_scale: [(d / single.fx * stride as f32 * config.size).ln(); 3],
            opacity_logit: logit(config.opacity),
            confidence: 0.1,
            first_seen: keyframe.stamp,
            last_seen: keyframe.stamp,
            feature: vec![0.0; map.feature_len()],
            ..Gaussian::default()
        };
        map.push(&gaussian.with_color(rgb))?;
        added += 1;
    }
    Ok(added)
}

/// Fills NaN from coarser and coarser means ("pull-push", Gortler et al. 1996). Means favour the far side, which is where
/// holes at the edges of objects lie.
fn interpolated(values: &[f32], columns: usize) -> Vec<f32> {
    let rows = values.len() / columns.max(1);
    if values.iter().all(|v| !v.is_nan()) || (columns <= 1 && rows <= 1) {
        return values.to_vec();
    }
    let (half_columns, half_rows) = (columns.div_ceil(2), rows.div_ceil(2));
    let mut sums = vec![[0.0f32; 2]; half_columns * half_rows];
    for (i, &v) in values.iter().enumerate().filter(|(_, v)| !v.is_nan()) {
        let sum = &mut sums[i / columns / 2 * half_columns + i % columns / 2];
        let weight = v * v;
        *sum = [sum[0] + v * weight, sum[1] + weight];
    }
    let coarse: Vec<f32> = sums.iter().map(|[s, w]| s / w).collect();
    let coarse = interpolated(&coarse, half_columns);
    let value = |(i, v): (usize, &f32)| {
        if v.is_nan() {
            coarse[i / columns / 2 * half_columns + i % columns / 2]
        } else {
            *v
        }
    };
    values.iter().enumerate().map(value).collect()
}

/// A rotation that takes the z axis to a unit vector.
fn facing(n: [f32; 3]) -> [f32; 4] {
    // Half way between z and n; turned the other way round where that is ill-defined.
    if n[2] < -0.999 {
        return [0.0, 1.0, 0.0, 0.0];
    }
    let q = [1.0 + n[2], -n[1], n[0], 0.0];
    crate::math::normalized(q).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_filled_from_around_and_the_rest_is_kept() {
        let nan = f32::NAN;
        let filled = interpolated(&[1.0, nan, nan, nan, 3.0, nan], 3);
        assert_eq!((filled[0], filled[4]), (1.0, 3.0));
        assert!(filled.iter().all(|v| (1.0..=3.0).contains(v)));
        assert!(interpolated(&[nan; 6], 2).iter().all(|v| v.is_nan()));
    }

    #[test]
    fn the_thin_axis_faces_the_normal() {
        for n in [
            [0.0, 0.0, 1.0],
            [0.6, 0.0, 0.8],
            [0.0, -0.8, -0.6],
            [0.48, 0.6, -0.64],
            [0.0, 0.0, -1.0],
        ] {
            let m = crate::math::rotation_matrix(facing(n));
            let z = crate::math::column(&m, 2);
            assert!(z.iter().zip(n).all(|(a, b)| (a - b).abs() < 1e-6), "{z:?} {n:?}");
        }
    }
}
