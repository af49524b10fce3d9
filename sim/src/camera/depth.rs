//! What a depth camera measures.

use rand_chacha::ChaCha8Rng;
use steward_core::camera::CameraIntrinsics;
use steward_core::image::DepthImage;

use super::CameraSensorConfig;
use super::noise::{NoiseTable, PixelRng, threshold};
use crate::render::Rendered;

/// Neighbours whose depths differ by more than this share of depth, plus this many metres, have an edge between.
const EDGE_SHARE: f32 = 0.03;
const EDGE_M: f32 = 0.02;

pub(super) fn measure(
    config: &CameraSensorConfig,
    table: &NoiseTable,
    rng: &mut ChaCha8Rng,
    rendered: &Rendered,
    camera: &CameraIntrinsics,
) -> DepthImage {
    let mut image = rendered.depth.clone();
    let truth = rendered.depth.data();
    let glass = rendered.glass.data();
    let (width, height) = (image.width() as usize, image.height() as usize);
    let mut random = PixelRng::new(rng);
    let missing = threshold(config.random_missing);
    let at_glass = threshold(config.glass_missing);
    let at_edge = threshold(config.edge_missing);
    let (least, most) = (config.min_depth_m as f32, config.max_depth_m as f32);
    let (near, far) = (config.depth_noise_m as f32, config.depth_noise_at_1m_m as f32);
    let step = config.depth_step_m as f32;
    let steps_per_m = 1.0 / step;
    let flattest = config.grazing_rad.sin() as f32;
    let (fx, fy) = (camera.fx as f32, camera.fy as f32);
    let xs: Vec<f32> = (0..width)
        .map(|column| (column as f32 + 0.5 - camera.cx as f32) / fx)
        .collect();
    let out = image.data_mut();
    for row in 0..height {
        let y = (row as f32 + 0.5 - camera.cy as f32) / fy;
        for (column, x) in xs.iter().enumerate() {
            let at = row * width + column;
            let is_glass = glass[at].is_finite();
            let z = if is_glass && config.sees_glass {
                glass[at]
            } else {
                truth[at]
            };
            let bits = random.next();
            let (low, high) = (bits & 0xffff_ffff, bits >> 32);
            out[at] = f32::NAN;
            if z.is_nan() {
                continue;
            }
            if z < least || z > most || low < missing || (is_glass && high < at_glass) {
                continue;
            }
            let left = truth[at - (column > 0) as usize];
            let right = truth[at + (column + 1 < width) as usize];
            let above = truth[at - if row > 0 { width } else { 0 }];
            let below = truth[at + if row + 1 < height { width } else { 0 }];
            let jump = EDGE_SHARE * z + EDGE_M;
            let edge = |n: f32| n.is_nan() || (n - z).abs() > jump;
            if at_edge > 0 && (edge(left) || edge(right) || edge(above) || edge(below)) {
                if high < at_edge {
                    continue;
                }
            } else if flattest > 0.0 {
                // The surface through the neighbours; with relative slopes zx, zy per unit of the image plane
                // its normal is (-zx, -zy, 1 + x zx + y zy).
                let per_depth = 1.0 / z;
                let slope = |a: f32, b: f32, has_both: bool, f: f32| {
                    (b - a) * if has_both { 0.5 * f } else { f } * per_depth
                };
                let zx = slope(left, right, column > 0 && column + 1 < width, fx);
                let zy = slope(above, below, row > 0 && row + 1 < height, fy);
                let nz = 1.0 + x * zx + y * zy;
                // Ray (x, y, 1) times normal is 1 before both are made unit.
                let length2 = (zx * zx + zy * zy + nz * nz) * (x * x + y * y + 1.0);
                if 1.0 < flattest * flattest * length2 {
                    continue;
                }
            }
            let noise = table.normal((bits >> 16) as u32) * (near + far * z * z);
            let measured = z + noise;
            // Rounds to whole steps; `f32::round` is a call on processors without an instruction for it.
            out[at] = if step > 0.0 {
                (measured * steps_per_m + 0.5) as i32 as f32 * step
            } else {
                measured
            };
        }
    }
    image
}
