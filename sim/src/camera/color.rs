//! Exposure, blur and noise of colour images.

use rand_chacha::ChaCha8Rng;
use steward_core::camera::CameraIntrinsics;
use steward_core::image::ColorImage;

use super::noise::{NoiseTable, PixelRng, normal_quantile, uniform};
use super::{CameraMotion, CameraSensorConfig};
use crate::render::Rendered;

/// Mean brightness that automatic gain aims at, sRGB 0 to 1.
const TARGET: f64 = 0.45;
/// Share of the way to the target that is gone with each image.
const GAIN_RATE: f64 = 0.3;
const GAIN_LIMITS: (f64, f64) = (0.4, 4.0);
/// Share of the exposure error that stays from image to image.
const DRIFT_MEMORY: f64 = 0.95;
/// Shorter blur does not show, pixels.
const LEAST_BLUR_PX: f64 = 0.75;
const MAX_BLUR_SAMPLES: usize = 8;

/// State of the exposure control.
#[derive(Debug, Clone)]
pub(super) struct Exposure {
    gain: f64,
    drift_stops: f64,
    started: bool,
}

impl Exposure {
    pub(super) fn new() -> Self {
        Exposure {
            gain: 1.0,
            drift_stops: 0.0,
            started: false,
        }
    }

    pub(super) fn expose(
        &mut self,
        config: &CameraSensorConfig,
        table: &NoiseTable,
        rng: &mut ChaCha8Rng,
        rendered: &Rendered,
        motion: Option<&CameraMotion>,
        camera: &CameraIntrinsics,
    ) -> ColorImage {
        let mut image = match motion {
            Some(motion) if config.exposure_time_s > 0.0 => {
                blurred(rendered, motion, camera, config.exposure_time_s)
            }
            _ => rendered.color.clone(),
        };
        let step = normal_quantile(uniform(rng).clamp(1e-9, 1.0 - 1e-9));
        let spread = config.exposure_drift_stops * (1.0 - DRIFT_MEMORY * DRIFT_MEMORY).sqrt();
        self.drift_stops = DRIFT_MEMORY * self.drift_stops + spread * step;
        if config.auto_gain {
            let sum: u64 = image.data().iter().map(|p| p[1] as u64).sum();
            let mean = (sum as f64 / (image.data().len() as f64 * 255.0)).max(1e-3);
            let wanted = (TARGET / mean).powf(2.2).clamp(GAIN_LIMITS.0, GAIN_LIMITS.1);
            let rate = if self.started { GAIN_RATE } else { 1.0 };
            self.gain *= (wanted / self.gain).powf(rate);
            self.started = true;
        }
        let gain = self.gain * self.drift_stops.exp2();
        let has_noise = config.read_noise_levels > 0.0 || config.shot_noise_levels > 0.0;
        if gain == 1.0 && !has_noise {
            return image;
        }
        // By brightness before the gain: brightness after it and standard deviation of the noise.
        let response: Vec<(f32, f32)> = (0..256)
            .map(|level| {
                let linear = to_linear(level as f64 / 255.0) * gain;
                let bright = to_srgb(linear.min(1.0));
                let shot = config.shot_noise_levels * bright.sqrt();
                let deviation = (config.read_noise_levels.powi(2) + shot * shot).sqrt();
                ((bright * 255.0) as f32, deviation as f32)
            })
            .collect();
        let mut random = PixelRng::new(rng);
        for pixel in image.data_mut() {
            let bits = random.next();
            for (channel, value) in pixel.iter_mut().enumerate() {
                let (bright, deviation) = response[*value as usize];
                let noise = table.normal(((bits >> (21 * channel)) << 11) as u32) * deviation;
                *value = (bright + noise + 0.5).clamp(0.0, 255.0) as u8;
            }
        }
        image
    }
}

/// The image averaged along the way that each pixel's surface moves across it during the exposure (the motion
/// field of a rigid scene; Longuet-Higgins and Prazdny, 1980).
fn blurred(rendered: &Rendered, motion: &CameraMotion, camera: &CameraIntrinsics, time_s: f64) -> ColorImage {
    let mut image = rendered.color.clone();
    let (v, w) = (motion.linear_m_s, motion.angular_rad_s);
    let (width, height) = (image.width(), image.height());
    let sharp = rendered.color.data();
    let depths = rendered.depth.data();
    for row in 0..height {
        for column in 0..width {
            let at = (row * width + column) as usize;
            let ray = camera.pixel_ray(column, row);
            let (x, y) = (ray.x, ray.y);
            // Without depth it is far away and only turning moves it.
            let near = if depths[at].is_finite() {
                1.0 / depths[at] as f64
            } else {
                0.0
            };
            let du = camera.fx * ((x * v.z - v.x) * near + x * y * w.x - (1.0 + x * x) * w.y + y * w.z);
            let dv = camera.fy * ((y * v.z - v.y) * near + (1.0 + y * y) * w.x - x * y * w.y - x * w.z);
            let (du, dv) = (du * time_s, dv * time_s);
            let length = du.abs().max(dv.abs());
            if length.is_nan() || length < LEAST_BLUR_PX {
                continue;
            }
            let samples = (length.ceil() as usize + 1).min(MAX_BLUR_SAMPLES);
            let mut sum = [0u32; 3];
            for i in 0..samples {
                let s = i as f64 / (samples - 1) as f64 - 0.5;
                let c = (column as f64 + 0.5 + s * du).clamp(0.0, width as f64 - 1.0) as u32;
                let r = (row as f64 + 0.5 + s * dv).clamp(0.0, height as f64 - 1.0) as u32;
                for (sum, value) in sum.iter_mut().zip(sharp[(r * width + c) as usize]) {
                    *sum += value as u32;
                }
            }
            let half = samples as u32 / 2;
            image.data_mut()[at] = sum.map(|s| ((s + half) / samples as u32) as u8);
        }
    }
    image
}

fn to_linear(s: f64) -> f64 {
    if s <= 0.040_45 {
        s / 12.92
    } else {
        ((s + 0.055) / 1.055).powf(2.4)
    }
}

fn to_srgb(c: f64) -> f64 {
    if c <= 0.003_130_8 {
        12.92 * c
    } else {
        1.055 * c.powf(1.0 / 2.4) - 0.055
    }
}
