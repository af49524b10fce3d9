//! What a rendering is compared by, and the gradients of that.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::keyframe::{Exposure, Target};
use super::ssim::ssim;
use crate::render::{ImageGradients, Rendering, TILE};
use crate::{Error, Result};

/// Weights of the terms of the loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossConfig {
    /// Weight of (1 - SSIM) against that of the mean absolute difference of colour; the two sum to one.
    pub ssim: f32,
    /// Weight of the mean absolute difference of depth, 1/m.
    pub depth: f32,
    /// Differences of depth beyond this pull no more, metres: they are edges or errors of the sensor.
    pub depth_limit_m: f32,
    /// Weight of transparency where the sensor measured a depth.
    pub alpha: f32,
    /// Weight of one minus the cosine between rendered normals and those of the sensor's depth.
    pub normal: f32,
    /// Weight of the standard deviations per Gaussian, 1/m (Kheradmand et al. 2024, equation 10).
    pub scale: f32,
    /// Weight of the opacity per Gaussian (same equation).
    pub opacity: f32,
}

impl Default for LossConfig {
    fn default() -> Self {
        LossConfig {
            ssim: 0.2,
            depth: 2.0,
            depth_limit_m: 0.3,
            alpha: 0.05,
            normal: 0.0,
            scale: 0.0,
            opacity: 0.0,
        }
    }
}

impl LossConfig {
    /// # Errors
    /// [`Error::BadConfig`] for a weight that is negative or not finite, or an `ssim` above one.
    pub fn validate(&self) -> Result<()> {
        let all = [
            self.ssim,
            self.depth,
            self.depth_limit_m,
            self.alpha,
            self.normal,
            self.scale,
            self.opacity,
        ];
        if all.iter().any(|w| !w.is_finite() || *w < 0.0) || self.ssim > 1.0 {
            return Err(Error::BadConfig(format!(
                "weights of the loss must not be negative: {self:?}"
            )));
        }
        Ok(())
    }
}

/// The terms of the loss of one image, before weights.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Loss {
    /// Weighted sum.
    pub total: f64,
    /// Mean absolute difference of colour.
    pub color_l1: f64,
    /// Structural similarity, over what was drawn.
    pub ssim: f64,
    /// Mean absolute difference of depth over pixels that have both, metres, limited.
    pub depth_l1_m: f64,
}

/// Gains that bring the mean of what the map shows to that of the image, as a start.
pub(crate) fn first_exposure(rendering: &Rendering, target: &Target) -> Exposure {
    const SOLID: f32 = 0.9;
    let n = rendering.alpha.len();
    let mut exposure = Exposure::default();
    for (c, gain) in exposure.gain.iter_mut().enumerate() {
        let (mut shown, mut seen) = (0.0f64, 0.0f64);
        for i in (0..n).filter(|&i| rendering.alpha[i] > SOLID) {
            shown += f64::from(rendering.color[c * n + i]);
            seen += f64::from(target.color[c * n + i]);
        }
        if shown > 0.01 * n as f64 {
            *gain = (seen / shown).clamp(0.5, 2.0) as f32;
        }
    }
    exposure
}

/// The part of the image around the tiles that were drawn, far enough for the windows of SSIM.
struct Crop {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

impl Crop {
    fn around(rendering: &Rendering) -> Self {
        const MARGIN: usize = 6;
        let [left, top, right, bottom] = rendering.drawn_box();
        let (left, top) = (left.saturating_sub(MARGIN), top.saturating_sub(MARGIN));
        Crop {
            left,
            top,
            width: (right + MARGIN).min(rendering.width) - left,
            height: (bottom + MARGIN).min(rendering.height) - top,
        }
    }

    /// Where its row starts in the whole image.
    fn start(&self, row: usize, width: usize) -> usize {
        (self.top + row) * width + self.left
    }
}

/// The loss, its gradients by the images, and by the exposure's gains and offsets. What was not drawn counts as equal.
pub(crate) fn loss(
    rendering: &Rendering,
    target: &Target,
    exposure: &Exposure,
    config: &LossConfig,
) -> (Loss, ImageGradients, [f64; 6]) {
    let (width, n) = (rendering.width, rendering.width * rendering.height);
    let crop = Crop::around(rendering);
    let (wide, pixels) = (crop.width, crop.width * crop.height);
    let mut color = vec![0.0f32; 3 * n];
    let mut loss = Loss::default();
    let mut by_exposure = [0.0; 6];
    if pixels == 0 {
        let gradients = ImageGradients {
            color,
            ..ImageGradients::default()
        };
        return (loss, gradients, by_exposure);
    }
    let l1_weight = (1.0 - config.ssim) / (3 * n) as f32;
    let share = pixels as f32 / n as f32;
    let (mut exposed, mut truth, mut gradient) =
        (vec![0.0f32; pixels], vec![0.0f32; pixels], vec![0.0f32; pixels]);
    for c in 0..3 {
        let (gain, offset) = (exposure.gain[c], exposure.offset[c]);
        let image = &rendering.color[c * n..(c + 1) * n];
        let all = &target.color[c * n..(c + 1) * n];
        let sums: Vec<f64> = exposed
            .par_chunks_mut(wide)
            .zip(truth.par_chunks_mut(wide))
            .zip(gradient.par_chunks_mut(wide))
            .enumerate()
            .map(|(row, ((exposed, truth), gradient))| {
                let at = crop.start(row, width);
                truth.copy_from_slice(&all[at..at + wide]);
                let tiles = rendering.drawn_row(crop.top + row);
                let mut sum = 0.0;
                for i in 0..wide {
                    let drawn = tiles.is_none_or(|t| t[(crop.left + i) / TILE]);
                    let x = if drawn {
                        image[at + i] * gain + offset
                    } else {
                        truth[i]
                    };
                    let d = x - truth[i];
                    exposed[i] = x;
                    gradient[i] = if d == 0.0 { 0.0 } else { l1_weight.copysign(d) };
                    sum += d.abs();
                }
                f64::from(sum)
            })
            .collect();
        loss.color_l1 += sums.iter().sum::<f64>() / (3 * n) as f64;
        if config.ssim > 0.0 {
            loss.ssim += ssim(&exposed, &truth, wide, -config.ssim * share / 3.0, &mut gradient) / 3.0;
        }
        let out = &mut color[c * n..(c + 1) * n];
        let sums: Vec<[f64; 2]> = out[crop.top * width..(crop.top + crop.height) * width]
            .par_chunks_mut(width)
            .zip(gradient.par_chunks(wide))
            .enumerate()
            .map(|(row, (out, gradient))| {
                let at = crop.start(row, width);
                let tiles = rendering.drawn_row(crop.top + row);
                let (mut by_gain, mut by_offset) = (0.0f32, 0.0f32);
                for (i, g) in gradient.iter().enumerate() {
                    let drawn = tiles.is_none_or(|t| t[(crop.left + i) / TILE]);
                    let g = if drawn { *g } else { 0.0 };
                    by_gain += g * image[at + i];
                    by_offset += g;
                    out[crop.left + i] = g * gain;
                }
                [f64::from(by_gain), f64::from(by_offset)]
            })
            .collect();
        for [by_gain, by_offset] in sums {
            by_exposure[c] += by_gain;
            by_exposure[3 + c] += by_offset;
        }
    }
    let mut gradients = ImageGradients {
        color,
        ..ImageGradients::default()
    };
    loss.total =
        f64::from(1.0 - config.ssim) * loss.color_l1 + f64::from(config.ssim * share) * (1.0 - loss.ssim);
    if let Some(truth) = target
        .depth
        .as_ref()
        .filter(|_| config.depth > 0.0 || config.alpha > 0.0)
    {
        let (depth_weight, alpha_weight) = (config.depth / n as f32, config.alpha / n as f32);
        let mut by_depth = vec![0.0f32; n];
        let mut by_alpha = vec![0.0f32; n];
        let sums: Vec<[f64; 3]> = by_depth
            .par_chunks_mut(width)
            .zip(by_alpha.par_chunks_mut(width))
            .enumerate()
            .map(|(row, (by_depth, by_alpha))| {
                let mut sums = [0.0; 3];
                let tiles = rendering.drawn_row(row);
                for i in 0..width {
                    let at = row * width + i;
                    if !truth[at].is_finite() || tiles.is_some_and(|t| !t[i / TILE]) {
                        continue;
                    }
                    by_alpha[i] = -alpha_weight;
                    sums[2] += f64::from(1.0 - rendering.alpha[at]);
                    let d = rendering.depth[at] - truth[at];
                    if d.is_finite() {
                        sums[0] += f64::from(d.abs().min(config.depth_limit_m));
                        sums[1] += 1.0;
                        if d.abs() < config.depth_limit_m && d != 0.0 {
                            by_depth[i] = depth_weight.copysign(d);
                        }
                    }
                }
                sums
            })
            .collect();
        let sum = |k: usize| sums.iter().map(|s| s[k]).sum::<f64>();
        loss.depth_l1_m = sum(0) / sum(1).max(1.0);
        loss.total += f64::from(depth_weight) * sum(0) + f64::from(alpha_weight) * sum(2);
        gradients.depth = (config.depth > 0.0).then_some(by_depth);
        gradients.alpha = (config.alpha > 0.0).then_some(by_alpha);
    }
    if let (true, Some(normals), Some(truth)) = (config.normal > 0.0, &rendering.normals, &target.normals) {
        let weight = config.normal / n as f32;
        let mut by_normals = vec![0.0f32; 3 * n];
        let mut sum = 0.0;
        let drawn = |i: &usize| rendering.is_drawn(i % width, i / width);
        for i in (0..n).filter(|&i| truth[i].is_finite()).filter(drawn) {
            let mut cosine = 0.0;
            for c in 0..3 {
                by_normals[c * n + i] = -weight * truth[c * n + i];
                cosine += normals[c * n + i] * truth[c * n + i];
            }
            sum += f64::from(1.0 - cosine);
        }
        loss.total += f64::from(weight) * sum;
        gradients.normals = Some(by_normals);
    }
    (loss, gradients, by_exposure)
}
