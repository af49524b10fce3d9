//! Adam (Kingma and Ba 2015) on the arrays of a map, for the Gaussians that an image shows only.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use steward_core::time::Time;

use crate::map::{GaussianMap, retain};
use crate::render::{CHUNK, GradientChunk, Gradients};
use crate::{Error, Result};

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPSILON: f32 = 1e-15;
/// Steps after which the bias corrections are one to single precision.
const CORRECTED: usize = 16_384;

/// Learning rates per step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    /// Of the means at a Gaussian's first step, metres per metre of `extent_m`.
    pub mean: f32,
    /// Of the means after `decay_steps` steps of a Gaussian; in between it falls exponentially.
    pub mean_final: f32,
    /// Radius of the scene, metres.
    pub extent_m: f32,
    /// Steps of one Gaussian over which its rates fall.
    pub decay_steps: u32,
    /// What the other rates fall to over the same steps, as a factor.
    pub final_factor: f32,
    /// Of the constant coefficient of spherical harmonics.
    pub sh_constant: f32,
    /// Of the other coefficients.
    pub sh_rest: f32,
    /// Of the opacity logits.
    pub opacity: f32,
    /// Of the logarithms of the scales.
    pub scale: f32,
    /// Of the quaternions.
    pub rotation: f32,
}

impl Default for Rates {
    fn default() -> Self {
        Rates {
            mean: 1.6e-4,
            mean_final: 1.6e-6,
            extent_m: 3.0,
            decay_steps: 1000,
            final_factor: 0.1,
            sh_constant: 2.5e-3,
            sh_rest: 1.25e-4,
            opacity: 2.5e-2,
            scale: 5e-3,
            rotation: 1e-3,
        }
    }
}

impl Rates {
    /// # Errors
    /// [`Error::BadConfig`] for a rate that is negative or not finite.
    pub fn validate(&self) -> Result<()> {
        let all = [
            self.mean,
            self.mean_final,
            self.extent_m,
            self.final_factor,
            self.sh_constant,
            self.sh_rest,
            self.opacity,
            self.scale,
            self.rotation,
        ];
        if all.iter().any(|r| !r.is_finite() || *r < 0.0) || self.decay_steps == 0 {
            return Err(Error::BadConfig(format!(
                "learning rates must not be negative, decay_steps not 0: {self:?}"
            )));
        }
        Ok(())
    }
}

/// What a step depends on besides gradients.
#[derive(Clone, Copy)]
pub(crate) struct Step<'a> {
    pub(crate) corrections: &'a Corrections,
    pub(crate) rates: &'a Rates,
    /// Weights of the scales and the opacity of every visible Gaussian, added to their gradients.
    pub(crate) by_scale: f32,
    pub(crate) by_opacity: f32,
    /// Turns gradients by pixels into gradients by half an image.
    pub(crate) half_image: [f32; 2],
    /// When the image was taken.
    pub(crate) stamp: Time,
}

/// First and second moments, laid out like the map's arrays.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Moments {
    pub(crate) means: Vec<[[f32; 3]; 2]>,
    pub(crate) log_scales: Vec<[[f32; 3]; 2]>,
    pub(crate) rotations: Vec<[[f32; 4]; 2]>,
    pub(crate) opacity_logits: Vec<[f32; 2]>,
    /// First moments of a Gaussian, then its second moments.
    pub(crate) sh: Vec<f32>,
    /// Steps that each Gaussian has made.
    pub(crate) steps: Vec<u32>,
    /// Length of the gradient by the centre on the image, in units of half an image, summed and counted: what
    /// densification by gradient looks at.
    pub(crate) growth: Vec<[f32; 2]>,
}

impl Moments {
    pub(crate) fn new(map: &GaussianMap) -> Self {
        let mut moments = Moments {
            means: Vec::new(),
            log_scales: Vec::new(),
            rotations: Vec::new(),
            opacity_logits: Vec::new(),
            sh: Vec::new(),
            steps: Vec::new(),
            growth: Vec::new(),
        };
        moments.grow(map);
        moments
    }

    /// Starts afresh for Gaussians that the map has gained at its end.
    pub(crate) fn grow(&mut self, map: &GaussianMap) {
        let n = map.len();
        self.means.resize(n, [[0.0; 3]; 2]);
        self.log_scales.resize(n, [[0.0; 3]; 2]);
        self.rotations.resize(n, [[0.0; 4]; 2]);
        self.opacity_logits.resize(n, [0.0; 2]);
        self.sh.resize(n * 2 * map.sh_stride(), 0.0);
        self.steps.resize(n, 0);
        self.growth.resize(n, [0.0; 2]);
    }

    /// Follows a deletion.
    pub(crate) fn retain(&mut self, keep: &[bool], sh_stride: usize) {
        retain(&mut self.means, keep, 1);
        retain(&mut self.log_scales, keep, 1);
        retain(&mut self.rotations, keep, 1);
        retain(&mut self.opacity_logits, keep, 1);
        retain(&mut self.sh, keep, 2 * sh_stride);
        retain(&mut self.steps, keep, 1);
        retain(&mut self.growth, keep, 1);
    }

    /// Bytes per Gaussian.
    pub(crate) fn bytes_per_gaussian(sh_stride: usize) -> usize {
        4 * (2 * (3 + 3 + 4 + 1 + sh_stride) + 3)
    }
}

/// Bias corrections by number of steps.
pub(crate) struct Corrections(Vec<[f32; 2]>);

impl Corrections {
    pub(crate) fn new() -> Self {
        let (mut b1, mut b2) = (1.0f64, 1.0f64);
        let row = |_| {
            b1 *= f64::from(BETA1);
            b2 *= f64::from(BETA2);
            [(1.0 / (1.0 - b1)) as f32, (1.0 / (1.0 - b2)) as f32]
        };
        Corrections((0..CORRECTED).map(row).collect())
    }

    fn at(&self, steps: u32) -> [f32; 2] {
        self.0[(steps.max(1) as usize - 1).min(CORRECTED - 1)]
    }
}

#[inline(always)]
fn moved(x: &mut f32, g: f32, m: &mut f32, v: &mut f32, rate: f32, [c1, c2]: [f32; 2]) {
    *m = BETA1 * *m + (1.0 - BETA1) * g;
    *v = BETA2 * *v + (1.0 - BETA2) * g * g;
    *x -= rate * (*m * c1) / ((*v * c2).sqrt() + EPSILON);
}

#[inline(always)]
fn moved_all<const N: usize>(x: &mut [f32; N], g: &[f32; N], mv: &mut [[f32; N]; 2], rate: f32, c: [f32; 2]) {
    let [m, v] = mv;
    for k in 0..N {
        moved(&mut x[k], g[k], &mut m[k], &mut v[k], rate, c);
    }
}

/// The arrays of one chunk of Gaussians.
struct Part<'a> {
    means: &'a mut [[f32; 3]],
    log_scales: &'a mut [[f32; 3]],
    rotations: &'a mut [[f32; 4]],
    opacity_logits: &'a mut [f32],
    sh: &'a mut [f32],
    confidences: &'a mut [f32],
    last_seen: &'a mut [Time],
    m_means: &'a mut [[[f32; 3]; 2]],
    m_log_scales: &'a mut [[[f32; 3]; 2]],
    m_rotations: &'a mut [[[f32; 4]; 2]],
    m_opacity_logits: &'a mut [[f32; 2]],
    m_sh: &'a mut [f32],
    steps: &'a mut [u32],
    growth: &'a mut [[f32; 2]],
    gradients: &'a GradientChunk,
}

/// Steps the visible Gaussians.
pub(crate) fn step(map: &mut GaussianMap, moments: &mut Moments, gradients: &Gradients, step: &Step<'_>) {
    let stride = map.sh_stride();
    let arrays = map
        .means
        .chunks_mut(CHUNK)
        .zip(map.log_scales.chunks_mut(CHUNK))
        .zip(map.rotations.chunks_mut(CHUNK))
        .zip(map.opacity_logits.chunks_mut(CHUNK))
        .zip(map.sh.chunks_mut(CHUNK * stride))
        .zip(map.confidences.chunks_mut(CHUNK))
        .zip(map.last_seen.chunks_mut(CHUNK));
    let state = moments
        .means
        .chunks_mut(CHUNK)
        .zip(moments.log_scales.chunks_mut(CHUNK))
        .zip(moments.rotations.chunks_mut(CHUNK))
        .zip(moments.opacity_logits.chunks_mut(CHUNK))
        .zip(moments.sh.chunks_mut(CHUNK * 2 * stride))
        .zip(moments.steps.chunks_mut(CHUNK))
        .zip(moments.growth.chunks_mut(CHUNK));
    let parts: Vec<Part<'_>> = arrays
        .zip(state)
        .zip(&gradients.chunks)
        .map(
            |(
                (
                    ((((((means, log_scales), rotations), opacity_logits), sh), confidences), last_seen),
                    ((((((m_means, m_log_scales), m_rotations), m_opacity_logits), m_sh), steps), growth),
                ),
                gradients,
            )| Part {
                means,
                log_scales,
                rotations,
                opacity_logits,
                sh,
                confidences,
                last_seen,
                m_means,
                m_log_scales,
                m_rotations,
                m_opacity_logits,
                m_sh,
                steps,
                growth,
                gradients,
            },
        )
        .collect();
    parts.into_par_iter().enumerate().for_each(|(chunk, part)| {
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || step_part(part, chunk * CHUNK, stride, step),
        );
    });
}

#[inline(always)]
fn step_part(part: Part<'_>, start: usize, stride: usize, step: &Step<'_>) {
    let Step {
        corrections,
        rates,
        half_image,
        ..
    } = *step;
    let g = part.gradients;
    let (mean, mean_final) = (rates.mean.max(1e-12), rates.mean_final.max(1e-12));
    let mean_slope = (mean_final / mean).ln();
    let other_slope = rates.final_factor.max(1e-6).ln();
    for (k, &index) in g.indices.iter().enumerate() {
        let i = index as usize - start;
        part.steps[i] = part.steps[i].saturating_add(1);
        // Each look removes a twentieth of the doubt.
        part.confidences[i] += 0.05 * (1.0 - part.confidences[i]);
        part.last_seen[i] = part.last_seen[i].max(step.stamp);
        let c = corrections.at(part.steps[i]);
        let age = (part.steps[i] as f32 / rates.decay_steps as f32).min(1.0);
        let mean_rate = mean * (mean_slope * age).exp() * rates.extent_m;
        let fall = (other_slope * age).exp();

        moved_all(
            &mut part.means[i],
            &g.means[k],
            &mut part.m_means[i],
            mean_rate,
            c,
        );
        let mut by_scale = g.log_scales[k];
        if step.by_scale > 0.0 {
            for (by, log) in by_scale.iter_mut().zip(part.log_scales[i]) {
                *by += step.by_scale * log.exp();
            }
        }
        let log_scale = &mut part.log_scales[i];
        moved_all(
            log_scale,
            &by_scale,
            &mut part.m_log_scales[i],
            rates.scale * fall,
            c,
        );
        // Within what single precision projects well.
        log_scale.iter_mut().for_each(|s| *s = s.clamp(-16.0, 6.0));
        moved_all(
            &mut part.rotations[i],
            &g.rotations[k],
            &mut part.m_rotations[i],
            rates.rotation * fall,
            c,
        );
        let opacity = crate::math::sigmoid(part.opacity_logits[i]);
        let by_opacity = g.opacity_logits[k] + step.by_opacity * opacity * (1.0 - opacity);
        let [m, v] = &mut part.m_opacity_logits[i];
        moved(
            &mut part.opacity_logits[i],
            by_opacity,
            m,
            v,
            rates.opacity * fall,
            c,
        );

        let x = &mut part.sh[i * stride..(i + 1) * stride];
        let by = &g.sh[k * stride..(k + 1) * stride];
        let (m, v) = part.m_sh[i * 2 * stride..(i + 1) * 2 * stride].split_at_mut(stride);
        for j in 0..3 {
            moved(
                &mut x[j],
                by[j],
                &mut m[j],
                &mut v[j],
                rates.sh_constant * fall,
                c,
            );
        }
        let rest = rates.sh_rest * fall;
        for (((x, g), m), v) in x[3..].iter_mut().zip(&by[3..]).zip(&mut m[3..]).zip(&mut v[3..]) {
            moved(x, *g, m, v, rest, c);
        }

        let center = g.center_abs.get(k).unwrap_or(&g.centers[k]);
        let (dx, dy) = (center[0] * half_image[0], center[1] * half_image[1]);
        part.growth[i][0] += (dx * dx + dy * dy).sqrt();
        part.growth[i][1] += 1.0;
    }
}
