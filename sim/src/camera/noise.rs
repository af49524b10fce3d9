//! Random numbers that are cheap enough for every pixel.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

const TABLE_BITS: u32 = 12;

/// Quantiles of the normal distribution at equally likely places.
#[derive(Debug, Clone)]
pub(super) struct NoiseTable {
    quantiles: Vec<f32>,
}

impl NoiseTable {
    pub(super) fn new() -> Self {
        let n = 1 << TABLE_BITS;
        let quantiles = (0..n).map(|i| normal_quantile((i as f64 + 0.5) / n as f64) as f32);
        NoiseTable {
            quantiles: quantiles.collect(),
        }
    }

    /// A standard normal number from random bits; uses the highest 12.
    #[inline(always)]
    pub(super) fn normal(&self, bits: u32) -> f32 {
        self.quantiles[(bits >> (32 - TABLE_BITS)) as usize]
    }
}

/// A fast generator for the pixels of one image (SplitMix64; Steele, Lea and Flood, 2014).
#[derive(Debug, Clone)]
pub(super) struct PixelRng {
    state: u64,
}

impl PixelRng {
    pub(super) fn new(rng: &mut ChaCha8Rng) -> Self {
        PixelRng {
            state: rng.next_u64(),
        }
    }

    #[inline(always)]
    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// The number of 2^32 below which random bits fall with a probability.
pub(super) fn threshold(probability: f64) -> u64 {
    (probability.clamp(0.0, 1.0) * 4_294_967_296.0) as u64
}

/// A number from 0 up to 1.
pub(super) fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// Inverse of the standard normal distribution function (Acklam's rational approximation, relative error below
/// 1.2e-9).
pub(super) fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969683028665376e1,
        2.209460984245205e2,
        -2.759285104469687e2,
        1.38357751867269e2,
        -3.066479806614716e1,
        2.506628277459239,
    ];
    const B: [f64; 5] = [
        -5.447609879822406e1,
        1.615858368580409e2,
        -1.556989798598866e2,
        6.680131188771972e1,
        -1.328068155288572e1,
    ];
    const C: [f64; 6] = [
        -7.784894002430293e-3,
        -3.223964580411365e-1,
        -2.400758277161838,
        -2.549732539343734,
        4.374664141464968,
        2.938163982698783,
    ];
    const D: [f64; 4] = [
        7.784695709041462e-3,
        3.224671290700398e-1,
        2.445134137142996,
        3.754408661907416,
    ];
    let polynomial = |c: &[f64], x: f64| c.iter().fold(0.0, |sum, c| sum * x + c);
    let tail = |p: f64| {
        let q = (-2.0 * p.ln()).sqrt();
        polynomial(&C, q) / (polynomial(&D, q) * q + 1.0)
    };
    if p < 0.02425 {
        tail(p)
    } else if p > 1.0 - 0.02425 {
        -tail(1.0 - p)
    } else {
        let q = p - 0.5;
        let r = q * q;
        polynomial(&A, r) * q / (polynomial(&B, r) * r + 1.0)
    }
}
