//! The inner loops: one tile, all its splats, front to back.
//!
//! Lanes are neighbouring pixels of a row: 16, 8 or 1 of them, as the processor has. All three give the same
//! image up to rounding; on one machine it is always the same one.
#![allow(
    clippy::needless_range_loop,
    reason = "an index runs over several arrays of lanes"
)]

use pulp::{Simd, WithSimd};

use super::bands::{TILE, covered};
use super::project::{CHANNELS, MAX_ALPHA, MIN_ALPHA, Splat};

const PIXELS: usize = TILE * TILE;
/// A pixel is finished where the next splat would leave less transmittance than this.
const MIN_TRANSMITTANCE: f32 = 1e-4;
/// Splats between two looks at which rows are finished.
const CHECK_EVERY: usize = 8;

/// One value per pixel of a tile.
pub(crate) type Plane = [f32; PIXELS];

/// What blending a tile gives: `channels[c]` = sum of weight times channel, `transmittance` what is left.
#[derive(Clone)]
pub(crate) struct TileImage<const C: usize> {
    pub(crate) channels: [Plane; C],
    pub(crate) transmittance: Plane,
}

impl<const C: usize> TileImage<C> {
    pub(crate) fn empty() -> Self {
        TileImage {
            channels: [[0.0; PIXELS]; C],
            transmittance: [1.0; PIXELS],
        }
    }
}

/// `2^x` for `x` from about -100 to 100, relative error 2e-7 (Cephes `exp2f`).
#[inline(always)]
fn exp2<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
    let magic = simd.splat_f32s(12_582_912.0);
    let x = simd.max_f32s(x, simd.splat_f32s(-100.0));
    let shifted = simd.add_f32s(x, magic);
    let f = simd.sub_f32s(x, simd.sub_f32s(shifted, magic));
    let mut p = simd.splat_f32s(1.535_336_2e-4);
    for c in [
        1.339_887_4e-3,
        9.618_437e-3,
        5.550_332_5e-2,
        0.240_226_48,
        std::f32::consts::LN_2,
        1.0,
    ] {
        p = simd.mul_add_e_f32s(p, f, simd.splat_f32s(c));
    }
    let exponent = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(p), exponent))
}

/// Column offsets of the pixel centres of a row.
const COLUMNS: [f32; TILE] = {
    let mut c = [0.0; TILE];
    let mut i = 0;
    while i < TILE {
        c[i] = i as f32 + 0.5;
        i += 1;
    }
    c
};

/// A splat made ready for one tile: coefficients in the binary logarithm of the opacity.
struct Ready {
    dx: f32,
    dy: f32,
    a: f32,
    b: f32,
    c: f32,
    log2_opacity: f32,
    rows: std::ops::Range<usize>,
}

impl Ready {
    #[inline(always)]
    fn new(s: &Splat, x: f32, y: f32) -> Self {
        let log2_e = std::f32::consts::LOG2_E;
        Ready {
            dx: x - s.center[0],
            dy: y - s.center[1],
            a: -0.5 * log2_e * s.conic[0],
            b: -log2_e * s.conic[1],
            c: -0.5 * log2_e * s.conic[2],
            log2_opacity: s.log2_opacity,
            rows: covered(s.center[1] - y, s.half[1], TILE),
        }
    }
}

/// One vector of opacities: the capped value, zero where skipped, and the transmittance after it.
struct Step<S: Simd> {
    alpha: S::f32s,
    uncapped: S::f32s,
    after: S::f32s,
}

/// The blending rule, the same forwards and backwards. `None` where no lane is touched.
#[inline(always)]
fn step<S: Simd>(simd: S, exponent: S::f32s, t: S::f32s) -> Option<Step<S>> {
    let uncapped = exp2(simd, exponent);
    let touched = simd.greater_than_or_equal_f32s(uncapped, simd.splat_f32s(MIN_ALPHA));
    if simd.first_true_m32s(touched) >= S::F32_LANES {
        return None;
    }
    let alpha = simd.min_f32s(uncapped, simd.splat_f32s(MAX_ALPHA));
    let next = simd.sub_f32s(t, simd.mul_f32s(alpha, t));
    let live = simd.greater_than_or_equal_f32s(next, simd.splat_f32s(MIN_TRANSMITTANCE));
    // A finished pixel keeps its transmittance with the sign turned.
    let finished = simd.neg_f32s(simd.abs_f32s(t));
    let after = simd.select_f32s(touched, simd.select_f32s(live, next, finished), t);
    let zero = simd.splat_f32s(0.0);
    let blended = simd.and_m32s(touched, live);
    Some(Step {
        alpha: simd.select_f32s(blended, alpha, zero),
        uncapped,
        after,
    })
}

/// A bit per row that is not finished.
#[inline(always)]
fn live_rows(transmittance: &Plane) -> u32 {
    let mut live = 0;
    for (row, t) in transmittance.chunks_exact(TILE).enumerate() {
        let any = t.iter().fold(false, |any, &t| any | (t > 0.0));
        live |= (any as u32) << row;
    }
    live
}

/// Blends the items of a tile whose first pixel has its corner at (x, y).
pub(crate) struct Forward<'a, const C: usize> {
    pub(crate) splats: &'a [Splat],
    pub(crate) items: &'a [u32],
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) image: &'a mut TileImage<C>,
}

impl<const C: usize> WithSimd for Forward<'_, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let image = self.image;
        image.transmittance.fill(1.0);
        image.channels.as_flattened_mut().fill(0.0);
        let (columns, _) = S::as_simd_f32s(&COLUMNS);
        let per_row = TILE / S::F32_LANES;
        let mut live = u32::MAX;
        for (k, &item) in self.items.iter().enumerate() {
            if k % CHECK_EVERY == 0 {
                live = live_rows(&image.transmittance);
                if live == 0 {
                    break;
                }
            }
            let splat = &self.splats[item as usize];
            let r = Ready::new(splat, self.x, self.y);
            let channels: [S::f32s; C] = std::array::from_fn(|c| simd.splat_f32s(splat.channels[c]));
            for v in 0..per_row {
                let dx = simd.add_f32s(columns[v], simd.splat_f32s(r.dx));
                let base = simd.mul_add_e_f32s(
                    simd.mul_f32s(simd.splat_f32s(r.a), dx),
                    dx,
                    simd.splat_f32s(r.log2_opacity),
                );
                let slope = simd.mul_f32s(simd.splat_f32s(r.b), dx);
                for row in r.rows.clone() {
                    if live >> row & 1 == 0 {
                        continue;
                    }
                    let dy = simd.splat_f32s(row as f32 + 0.5 + r.dy);
                    let exponent =
                        simd.mul_add_e_f32s(simd.mul_add_e_f32s(simd.splat_f32s(r.c), dy, slope), dy, base);
                    let at = row * per_row + v;
                    let (transmittance, _) = S::as_mut_simd_f32s(&mut image.transmittance);
                    let t = transmittance[at];
                    let Some(step) = step(simd, exponent, t) else {
                        continue;
                    };
                    transmittance[at] = step.after;
                    let weight = simd.mul_f32s(step.alpha, t);
                    for c in 0..C {
                        let (plane, _) = S::as_mut_simd_f32s(&mut image.channels[c]);
                        plane[at] = simd.mul_add_e_f32s(weight, channels[c], plane[at]);
                    }
                }
            }
        }
        for t in &mut image.transmittance {
            *t = t.abs();
        }
    }
}

/// Sums over the pixels of a tile for one splat, see [`Slot::finish`].
#[derive(Debug, Clone, Copy, Default)]
#[repr(C, align(64))]
pub(crate) struct Slot {
    /// s, s dx, s dy, s dx^2, s dx dy, s dy^2 with s the gradient by the natural logarithm of the opacity at a pixel.
    moments: [f32; 6],
    /// Sums of absolute gradients by the centre.
    pub(crate) center_abs: [f32; 2],
    pub(crate) channels: [f32; CHANNELS],
}

impl Slot {
    pub(crate) fn add(&mut self, other: &Slot) {
        for (a, b) in self.moments.iter_mut().zip(other.moments) {
            *a += b;
        }
        for (a, b) in self.center_abs.iter_mut().zip(other.center_abs) {
            *a += b;
        }
        for (a, b) in self.channels.iter_mut().zip(other.channels) {
            *a += b;
        }
    }

    /// From sums to the gradient by the splat.
    pub(crate) fn finish(&self, conic: [f32; 3]) -> super::project::SplatGradient {
        let [s, sx, sy, sxx, sxy, syy] = self.moments;
        let [a, b, c] = conic;
        super::project::SplatGradient {
            center: [a * sx + b * sy, b * sx + c * sy],
            conic: [-0.5 * sxx, -sxy, -0.5 * syy],
            log_opacity: s,
            channels: self.channels,
        }
    }
}

/// Gradients by the images of a tile.
pub(crate) struct TileGradient<const C: usize> {
    /// By each channel's sum.
    pub(crate) channels: [Plane; C],
    /// By the alpha.
    pub(crate) alpha: Plane,
}

impl<const C: usize> TileGradient<C> {
    pub(crate) fn empty() -> Self {
        TileGradient {
            channels: [[0.0; PIXELS]; C],
            alpha: [0.0; PIXELS],
        }
    }
}

/// Adds the gradients of a tile to the slots of its splats. Front to back, from
/// `dL/d alpha_i = T_i h_i - (sum over j > i of w_j h_j) / (1 - alpha_i)` with `h_i` = gradient by the weight `w_i`;
/// the sum over all j is known from the image.
pub(crate) struct Backward<'a, const C: usize, const ABS: bool> {
    pub(crate) splats: &'a [Splat],
    pub(crate) items: &'a [u32],
    /// Which splats need gradients; all where `None`.
    pub(crate) free: Option<&'a [bool]>,
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) gradient: &'a TileGradient<C>,
    /// Sum over splats of weight times `h`.
    pub(crate) remaining: &'a mut Plane,
    pub(crate) slots: &'a mut [Slot],
}

impl<const C: usize, const ABS: bool> WithSimd for Backward<'_, C, ABS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut transmittance: Plane = [1.0; PIXELS];
        let (columns, _) = S::as_simd_f32s(&COLUMNS);
        let per_row = TILE / S::F32_LANES;
        let zero = simd.splat_f32s(0.0);
        let one = simd.splat_f32s(1.0);
        let mut live = u32::MAX;
        for (k, &item) in self.items.iter().enumerate() {
            if k % CHECK_EVERY == 0 {
                live = live_rows(&transmittance);
                if live == 0 {
                    break;
                }
            }
            let splat = &self.splats[item as usize];
            let free = self.free.is_none_or(|f| f[item as usize]);
            let r = Ready::new(splat, self.x, self.y);
            let channels: [S::f32s; C] = std::array::from_fn(|c| simd.splat_f32s(splat.channels[c]));
            let [ca, cb, cc] = splat.conic.map(|x| simd.splat_f32s(x));
            // Sums over rows; the factors that depend on the column alone wait until the end.
            let mut v_channels = [zero; C];
            let mut moments = [zero; 6];
            let mut absolute = [zero; 2];
            for v in 0..per_row {
                let dx = simd.add_f32s(columns[v], simd.splat_f32s(r.dx));
                let base = simd.mul_add_e_f32s(
                    simd.mul_f32s(simd.splat_f32s(r.a), dx),
                    dx,
                    simd.splat_f32s(r.log2_opacity),
                );
                let slope = simd.mul_f32s(simd.splat_f32s(r.b), dx);
                let (mut s0, mut s1, mut s2) = (zero, zero, zero);
                for row in r.rows.clone() {
                    if live >> row & 1 == 0 {
                        continue;
                    }
                    let dy = simd.splat_f32s(row as f32 + 0.5 + r.dy);
                    let exponent =
                        simd.mul_add_e_f32s(simd.mul_add_e_f32s(simd.splat_f32s(r.c), dy, slope), dy, base);
                    let at = row * per_row + v;
                    let (all, _) = S::as_mut_simd_f32s(&mut transmittance);
                    let t = all[at];
                    let Some(step) = step(simd, exponent, t) else {
                        continue;
                    };
                    all[at] = step.after;
                    let weight = simd.mul_f32s(step.alpha, t);
                    let mut h = S::as_simd_f32s(&self.gradient.alpha).0[at];
                    let mut g = [zero; C];
                    for c in 0..C {
                        g[c] = S::as_simd_f32s(&self.gradient.channels[c]).0[at];
                        h = simd.mul_add_e_f32s(channels[c], g[c], h);
                    }
                    let (remaining, _) = S::as_mut_simd_f32s(self.remaining);
                    let rest = simd.negate_mul_add_e_f32s(weight, h, remaining[at]);
                    remaining[at] = rest;
                    if !free {
                        continue;
                    }
                    for c in 0..C {
                        v_channels[c] = simd.mul_add_e_f32s(weight, g[c], v_channels[c]);
                    }
                    let behind = simd.div_f32s(rest, simd.sub_f32s(one, step.alpha));
                    let v_alpha = simd.sub_f32s(simd.mul_f32s(t, h), behind);
                    let capped = simd.greater_than_f32s(step.uncapped, simd.splat_f32s(MAX_ALPHA));
                    let s = simd.select_f32s(capped, zero, simd.mul_f32s(step.alpha, v_alpha));
                    s0 = simd.add_f32s(s0, s);
                    let s_dy = simd.mul_f32s(s, dy);
                    s1 = simd.add_f32s(s1, s_dy);
                    s2 = simd.mul_add_e_f32s(s_dy, dy, s2);
                    if ABS {
                        let size = simd.abs_f32s(s);
                        let gx = simd.mul_add_e_f32s(ca, dx, simd.mul_f32s(cb, dy));
                        let gy = simd.mul_add_e_f32s(cb, dx, simd.mul_f32s(cc, dy));
                        absolute[0] = simd.mul_add_e_f32s(size, simd.abs_f32s(gx), absolute[0]);
                        absolute[1] = simd.mul_add_e_f32s(size, simd.abs_f32s(gy), absolute[1]);
                    }
                }
                let s0_dx = simd.mul_f32s(s0, dx);
                moments[0] = simd.add_f32s(moments[0], s0);
                moments[1] = simd.add_f32s(moments[1], s0_dx);
                moments[2] = simd.add_f32s(moments[2], s1);
                moments[3] = simd.mul_add_e_f32s(s0_dx, dx, moments[3]);
                moments[4] = simd.mul_add_e_f32s(s1, dx, moments[4]);
                moments[5] = simd.add_f32s(moments[5], s2);
            }
            if !free {
                continue;
            }
            let slot = &mut self.slots[item as usize];
            for k in 0..6 {
                slot.moments[k] += simd.reduce_sum_f32s(moments[k]);
            }
            if ABS {
                for k in 0..2 {
                    slot.center_abs[k] += simd.reduce_sum_f32s(absolute[k]);
                }
            }
            for c in 0..C {
                slot.channels[c] += simd.reduce_sum_f32s(v_channels[c]);
            }
        }
    }
}

/// Per pixel of a tile, what only single splats can tell.
pub(crate) struct TileExtras {
    /// Depth of the splat at which half of the light is gone, NaN where that never happens.
    pub(crate) median_depth: Plane,
    /// The object with most of the weight by a majority vote (Boyer and Moore 1991, weighted), 0 for none;
    /// otherwise one more than its number.
    pub(crate) object: [u64; PIXELS],
}

/// Median depth and dominant object of a tile. `key` gives the object of an item, as in [`TileExtras::object`].
pub(crate) fn extras(
    splats: &[Splat],
    items: &[u32],
    x: f32,
    y: f32,
    key: impl Fn(u32) -> u64,
) -> TileExtras {
    let mut out = TileExtras {
        median_depth: [f32::NAN; PIXELS],
        object: [0; PIXELS],
    };
    let mut transmittance = [1.0f32; PIXELS];
    let mut lead = [0.0f32; PIXELS];
    for &item in items {
        let s = &splats[item as usize];
        let object = key(item);
        let columns = covered(s.center[0] - x, s.half[0], TILE);
        for row in covered(s.center[1] - y, s.half[1], TILE) {
            for column in columns.clone() {
                let at = row * TILE + column;
                let t = transmittance[at];
                let dx = x + column as f32 + 0.5 - s.center[0];
                let dy = y + row as f32 + 0.5 - s.center[1];
                let q = s.conic[0] * dx * dx + 2.0 * s.conic[1] * dx * dy + s.conic[2] * dy * dy;
                let alpha = (s.log2_opacity - 0.5 * std::f32::consts::LOG2_E * q).exp2();
                if alpha < MIN_ALPHA || t <= 0.0 {
                    continue;
                }
                let alpha = alpha.min(MAX_ALPHA);
                let next = t - alpha * t;
                if next < MIN_TRANSMITTANCE {
                    transmittance[at] = -t;
                    continue;
                }
                transmittance[at] = next;
                if t > 0.5 && next <= 0.5 {
                    out.median_depth[at] = s.channels[3];
                }
                let weight = alpha * t;
                if out.object[at] == object {
                    lead[at] += weight;
                } else if lead[at] >= weight {
                    lead[at] -= weight;
                } else {
                    out.object[at] = object;
                    lead[at] = weight - lead[at];
                }
            }
        }
    }
    out
}
