//! More Gaussians where they are missing, fewer where they are not.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::adam::{Moments, Rates};
use crate::map::{Gaussian, GaussianMap};
use crate::math::{logit, mul, normalized, rotation_matrix, sigmoid};
use crate::{Error, Result, Subset};

/// How the number of Gaussians is controlled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DensifyConfig {
    /// How to add.
    pub method: Densify,
    /// Iterations between two rounds; 0: never.
    pub every: u64,
    /// The last iteration with a round.
    pub until: u64,
    /// Gaussians under this opacity are deleted.
    pub min_opacity: f32,
    /// Gaussians with a standard deviation above this are deleted, metres.
    pub max_scale_m: f32,
}

/// How Gaussians are added.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Densify {
    /// Not at all.
    None,
    /// Where the gradient by the centre on the image is large, small ones are cloned and large ones split (Kerbl et al.
    /// 2023, section 5.2).
    Gradient {
        /// Mean length of the gradient by the centre, in units of half an image.
        threshold: f32,
        /// Sum absolute values over pixels (Ye et al. 2024, "AbsGS"), for which the threshold is about four times as
        /// large.
        absolute: bool,
        /// Standard deviation above which a Gaussian is split instead of cloned, metres.
        split_above_m: f32,
    },
    /// Relocation of dead ones and growth by sampling, and noise on the means (Kheradmand et al. 2024, "3D Gaussian
    /// Splatting as Markov Chain Monte Carlo").
    Mcmc {
        /// Growth per round.
        growth: f32,
        /// Factor on the noise.
        noise: f32,
    },
}

impl Default for DensifyConfig {
    fn default() -> Self {
        DensifyConfig {
            method: Densify::Gradient {
                threshold: 8e-4,
                absolute: true,
                split_above_m: 0.03,
            },
            every: 200,
            until: 15_000,
            min_opacity: 0.005,
            max_scale_m: 1.0,
        }
    }
}

impl DensifyConfig {
    /// # Errors
    /// [`Error::BadConfig`] for values out of range.
    pub fn validate(&self) -> Result<()> {
        let numbers = match self.method {
            Densify::None => [0.0; 2],
            Densify::Gradient {
                threshold,
                split_above_m,
                ..
            } => [threshold, split_above_m],
            Densify::Mcmc { growth, noise } => [growth, noise],
        };
        let all = [numbers[0], numbers[1], self.min_opacity, self.max_scale_m];
        if all.iter().any(|x| !x.is_finite() || *x < 0.0) || self.min_opacity >= 1.0 {
            return Err(Error::BadConfig(format!(
                "densification: {self:?} is out of range"
            )));
        }
        Ok(())
    }

    /// Whether absolute gradients are needed.
    pub(crate) fn absolute(&self) -> bool {
        matches!(self.method, Densify::Gradient { absolute: true, .. })
    }
}

/// What a round did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Densified {
    /// Gaussians added.
    pub added: usize,
    /// Gaussians deleted.
    pub deleted: usize,
}

/// One round over the free Gaussians; never more than `cap` in the end.
pub(crate) fn densify(
    map: &mut GaussianMap,
    moments: &mut Moments,
    free: &mut Option<Subset>,
    config: &DensifyConfig,
    cap: usize,
    rng: &mut impl Rng,
) -> Result<Densified> {
    let is_free = |free: &Option<Subset>, i: usize| free.as_ref().is_none_or(|f| f.contains(i));
    let dead = map.select(|i| {
        let opacity = sigmoid(map.opacity_logits[i]);
        let largest = map.log_scales[i].iter().fold(f32::MIN, |a, &b| a.max(b)).exp();
        let finite = map.means[i]
            .iter()
            .chain(&map.log_scales[i])
            .all(|x| x.is_finite());
        is_free(free, i) && !(finite && opacity >= config.min_opacity && largest <= config.max_scale_m)
    });
    let deleted = dead.count();
    if deleted > 0 {
        let keep = dead.complement();
        moments.retain(keep.mask(), map.sh_stride());
        if let Some(f) = free {
            let kept = f
                .mask()
                .iter()
                .zip(keep.mask())
                .filter_map(|(&f, &k)| k.then_some(f));
            *f = Subset::from_mask(kept.collect());
        }
        map.delete(&dead)?;
    }
    let before = map.len();
    let room = cap.saturating_sub(before);
    match config.method {
        Densify::None => {}
        Densify::Gradient {
            threshold,
            split_above_m,
            ..
        } => {
            let grown = |i: usize| moments.growth[i][0] / moments.growth[i][1].max(1.0);
            let mut wanted: Vec<usize> = (0..before)
                .filter(|&i| is_free(free, i) && grown(i) > threshold)
                .collect();
            // The neediest first where there is not room for all; equal ones by index.
            if wanted.len() > room {
                wanted.sort_by(|&a, &b| grown(b).total_cmp(&grown(a)).then(a.cmp(&b)));
                wanted.truncate(room);
                wanted.sort_unstable();
            }
            for i in wanted {
                let Some(mut child) = map.get(i) else { continue };
                let largest = child.log_scale.iter().fold(f32::MIN, |a, &b| a.max(b)).exp();
                if largest > split_above_m {
                    // Two of them, a factor of 1.6 smaller, drawn from the old one.
                    child.log_scale = child.log_scale.map(|s| s - 1.6f32.ln());
                    let mut other = child.clone();
                    let parent = map.log_scales[i];
                    child.mean = drawn(&child, parent, rng);
                    other.mean = drawn(&other, parent, rng);
                    map.log_scales[i] = other.log_scale;
                    map.means[i] = other.mean;
                }
                map.push(&child)?;
            }
        }
        Densify::Mcmc { growth, .. } => {
            let wanted = (deleted + (growth * before as f32) as usize).min(room);
            multiply(map, free.as_ref(), wanted, config.min_opacity, rng)?;
        }
    }
    moments.grow(map);
    moments.growth.iter_mut().for_each(|g| *g = [0.0; 2]);
    if let Some(f) = free {
        let mut mask = f.mask().to_vec();
        mask.resize(map.len(), true);
        *f = Subset::from_mask(mask);
    }
    Ok(Densified {
        added: map.len() - before,
        deleted,
    })
}

/// A point drawn from a Gaussian with the given scales.
fn drawn(g: &Gaussian, log_scale: [f32; 3], rng: &mut impl Rng) -> [f32; 3] {
    let local: [f32; 3] = std::array::from_fn(|k| normal(rng) * log_scale[k].exp());
    let offset = mul(&rotation_matrix(normalized(g.rotation).0), local);
    crate::math::add(g.mean, offset)
}

/// A standard normal number (Box and Muller 1958).
fn normal(rng: &mut impl Rng) -> f32 {
    let (a, b): (f32, f32) = (
        rng.random_range(f32::MIN_POSITIVE..1.0),
        rng.random_range(0.0..1.0),
    );
    (-2.0 * a.ln()).sqrt() * (std::f32::consts::TAU * b).cos()
}

/// Draws `count` Gaussians by their opacity and adds copies; those drawn n times become n + 1 with opacities and scales
/// that leave the image nearly as it was (Kheradmand et al. 2024, equation 9).
fn multiply(
    map: &mut GaussianMap,
    free: Option<&Subset>,
    count: usize,
    min_opacity: f32,
    rng: &mut impl Rng,
) -> Result<()> {
    let mut sums = Vec::with_capacity(map.len());
    let mut sum = 0.0f64;
    for (i, &l) in map.opacity_logits.iter().enumerate() {
        sum += if free.is_none_or(|f| f.contains(i)) {
            f64::from(sigmoid(l))
        } else {
            0.0
        };
        sums.push(sum);
    }
    if sum <= 0.0 {
        return Ok(());
    }
    let mut copies = vec![0u32; map.len()];
    for _ in 0..count {
        let at = rng.random_range(0.0..sum);
        copies[sums.partition_point(|&s| s <= at).min(map.len() - 1)] += 1;
    }
    for (i, &n) in copies.iter().enumerate().filter(|(_, n)| **n > 0) {
        let Some(mut g) = map.get(i) else { continue };
        let total = n.min(50) + 1;
        let old = sigmoid(g.opacity_logit).clamp(1e-4, 0.9999);
        let new = 1.0 - (1.0 - old).powf(1.0 / total as f32);
        let mut denominator = 0.0f64;
        for k in 1..=total {
            let mut binomial = 1.0f64;
            for j in 0..k {
                let power = f64::from(new).powi(j as i32 + 1) / f64::from(j + 1).sqrt();
                denominator += if j % 2 == 0 { 1.0 } else { -1.0 } * binomial * power;
                binomial *= f64::from(k - 1 - j) / f64::from(j + 1);
            }
        }
        let ratio = (f64::from(old) / denominator).max(1e-3) as f32;
        g.opacity_logit = logit(new.clamp(min_opacity * 1.01, 0.999));
        g.log_scale = g.log_scale.map(|s| s + ratio.ln());
        map.opacity_logits[i] = g.opacity_logit;
        map.log_scales[i] = g.log_scale;
        for _ in 0..n {
            map.push(&g)?;
        }
    }
    Ok(())
}

/// The noise of the Markov chain: faint Gaussians wander within their own extent (Kheradmand et al. 2024, equation 7).
pub(crate) fn wander(
    map: &mut GaussianMap,
    indices: impl Iterator<Item = usize>,
    rates: &Rates,
    strength: f32,
    rng: &mut impl Rng,
) {
    for i in indices {
        let opacity = sigmoid(map.opacity_logits[i]);
        let faint = sigmoid(-100.0 * (opacity - 0.005));
        if faint < 1e-3 {
            continue;
        }
        let r = rotation_matrix(normalized(map.rotations[i]).0);
        let white: [f32; 3] =
            std::array::from_fn(|_| normal(rng) * faint * strength * rates.mean * rates.extent_m);
        let local = crate::math::mul_transposed(&r, white);
        let scaled: [f32; 3] = std::array::from_fn(|k| local[k] * (2.0 * map.log_scales[i][k]).exp());
        map.means[i] = crate::math::add(map.means[i], mul(&r, scaled));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn map_of(opacities: &[f32]) -> GaussianMap {
        let mut map = GaussianMap::new(0, 0).unwrap();
        for &o in opacities {
            map.push(&Gaussian {
                opacity_logit: logit(o),
                log_scale: [-3.0; 3],
                ..Gaussian::default()
            })
            .unwrap();
        }
        map
    }

    #[test]
    fn the_cap_holds_and_the_neediest_grow_first() {
        let mut map = map_of(&[0.5, 0.001, 0.5, 0.5]);
        let mut moments = Moments::new(&map);
        moments
            .growth
            .copy_from_slice(&[[0.1, 1.0], [9.0, 1.0], [0.3, 1.0], [0.2, 1.0]]);
        let config = DensifyConfig::default();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let did = densify(&mut map, &mut moments, &mut None, &config, 4, &mut rng).unwrap();
        assert_eq!(did, Densified { added: 1, deleted: 1 });
        assert_eq!(map.len(), 4);
        // The one with the largest gradient was split: its scale fell by 1.6.
        assert!((map.log_scales()[1][0] - (-3.0 - 1.6f32.ln())).abs() < 1e-6);
        assert_eq!(moments.steps.len(), 4);
    }

    #[test]
    fn frozen_gaussians_are_left_alone() {
        let mut map = map_of(&[0.001, 0.5, 0.001]);
        let mut moments = Moments::new(&map);
        moments.growth.fill([1.0, 1.0]);
        let mut free = Some(Subset::from_mask(vec![false, false, true]));
        let config = DensifyConfig::default();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let did = densify(&mut map, &mut moments, &mut free, &config, 100, &mut rng).unwrap();
        assert_eq!(did, Densified { added: 0, deleted: 1 });
        assert_eq!(free.unwrap().mask(), [false, false]);
    }

    #[test]
    fn copies_together_are_as_opaque_as_the_original() {
        let mut map = map_of(&[0.8]);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        multiply(&mut map, None, 2, 0.005, &mut rng).unwrap();
        assert_eq!(map.len(), 3);
        let left: f32 = map.opacity_logits().iter().map(|&l| 1.0 - sigmoid(l)).product();
        assert!((left - 0.2).abs() < 1e-4);
    }
}
