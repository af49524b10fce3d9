//! One Gaussian onto the image plane, and back: EWA splatting (Zwicker et al. 2001, equations 22 to 31, as
//! simplified by Kerbl et al. 2023, equation 5).
#![allow(clippy::needless_range_loop, reason = "indices are those of the formulas")]

use crate::camera::SingleView;
use crate::map::GaussianMap;
use crate::math::*;

/// Added to the variances on the image, square pixels: no Gaussian is thinner than about a pixel.
pub(crate) const BLUR: f32 = 0.3;
/// Contributions under this opacity are skipped.
pub(crate) const MIN_ALPHA: f32 = 1.0 / 255.0;
/// Opacity of one Gaussian at one pixel is capped here.
pub(crate) const MAX_ALPHA: f32 = 0.99;
/// Margin, in multiples of the half image size, outside which the projection is not linearised any further.
const CLAMP_MARGIN: f32 = 0.3;
/// Largest extent in standard deviations.
const MAX_EXTENT: f32 = 3.33;

/// What is blended: rgb, depth, normal.
pub(crate) const CHANNELS: usize = 7;

/// A Gaussian on the image, in one cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Splat {
    /// Centre, pixels.
    pub(crate) center: [f32; 2],
    /// Inverse covariance (xx, xy, yy), 1/px^2.
    pub(crate) conic: [f32; 3],
    /// Binary logarithm of the opacity.
    pub(crate) log2_opacity: f32,
    /// Half sides of the box outside which its opacity is under [`MIN_ALPHA`], pixels.
    pub(crate) half: [f32; 2],
    /// Squared Mahalanobis radius of the same.
    pub(crate) reach: f32,
    /// Colour, depth along z, normal in the camera's frame.
    pub(crate) channels: [f32; CHANNELS],
}

/// Everything that projecting one Gaussian computes on the way.
pub(crate) struct Projection {
    /// In the camera's frame.
    p: V3,
    scales: V3,
    unit: [f32; 4],
    factor: f32,
    /// Columns: the Gaussian's axes in the camera's frame.
    axes: M3,
    /// `axes` times scales.
    m: M3,
    /// The projection's Jacobian: xx, xz, yy, yz.
    j: [f32; 4],
    /// Whether x/z and y/z lie within the margin.
    within: [bool; 2],
    /// Clamped x/z and y/z.
    slope: [f32; 2],
    u: [V3; 2],
    /// Covariance without the blur.
    cov: [f32; 3],
    conic: [f32; 3],
    det: f32,
    opacity: f32,
    compensation: f32,
}

/// What projecting depends on besides the Gaussian.
pub(crate) struct Projector<'a> {
    pub(crate) map: &'a GaussianMap,
    pub(crate) view: SingleView,
    pub(crate) near_m: f32,
    pub(crate) antialias: bool,
    limits: [[f32; 2]; 2],
    /// Slopes beyond which nothing is looked at.
    bounds: [[f32; 2]; 2],
    /// Longest a unit of the Jacobian's columns gets within the limits.
    stretch: f32,
}

impl<'a> Projector<'a> {
    pub(crate) fn new(map: &'a GaussianMap, view: SingleView, near_m: f32, antialias: bool) -> Self {
        let limit = |size: u32, f: f32, c: f32| {
            let margin = CLAMP_MARGIN * 0.5 * size as f32 / f;
            [-(c / f + margin), (size as f32 - c) / f + margin]
        };
        let limits = [
            limit(view.width, view.fx, view.cx),
            limit(view.height, view.fy, view.cy),
        ];
        let widest = limits.as_flattened().iter().fold(0.0f32, |w, l| w.max(l.abs()));
        Projector {
            map,
            view,
            near_m,
            antialias,
            limits,
            bounds: limits,
            stretch: (1.0 + widest * widest).sqrt(),
        }
    }

    /// Leaves out what cannot reach a box of pixels (left, top, right, bottom).
    pub(crate) fn restrict(&mut self, pixels: [usize; 4]) {
        let v = &self.view;
        let [left, top, right, bottom] = pixels.map(|p| p as f32);
        // The blur reaches this far beyond the Gaussian itself.
        let blur = MAX_EXTENT * BLUR.sqrt() + 1.0;
        let slopes = |from: f32, to: f32, f: f32, c: f32| [(from - blur - c) / f, (to + blur - c) / f];
        self.bounds = [slopes(left, right, v.fx, v.cx), slopes(top, bottom, v.fy, v.cy)];
    }

    /// Projects the geometry; `None` where it is behind the near plane, too faint or degenerate.
    #[inline(always)]
    pub(crate) fn geometry(&self, i: usize) -> Option<Projection> {
        let v = &self.view;
        let p = add(mul(&v.rotation, self.map.means[i]), v.translation);
        if p[2] < self.near_m || !p[2].is_finite() {
            return None;
        }
        let inv_z = 1.0 / p[2];
        let scales = self.map.log_scales[i].map(f32::exp);
        let (xz, yz) = (p[0] * inv_z, p[1] * inv_z);
        // Far outside: a sphere of the largest radius does not reach the image.
        let reach = MAX_EXTENT * scales[0].max(scales[1]).max(scales[2]) * inv_z * self.stretch;
        let [bx, by] = self.bounds;
        let far = xz + reach < bx[0] || xz - reach > bx[1] || yz + reach < by[0] || yz - reach > by[1];
        if far {
            return None;
        }
        let [lx, ly] = self.limits;
        let slope = [xz.clamp(lx[0], lx[1]), yz.clamp(ly[0], ly[1])];
        let within = [slope[0] == xz, slope[1] == yz];
        let (unit, factor) = normalized(self.map.rotations[i]);
        let axes = matmul(&v.rotation, &rotation_matrix(unit));
        let m = axes.map(|row| [row[0] * scales[0], row[1] * scales[1], row[2] * scales[2]]);
        let j = [
            v.fx * inv_z,
            -v.fx * slope[0] * inv_z,
            v.fy * inv_z,
            -v.fy * slope[1] * inv_z,
        ];
        let u = [
            add(scale(m[0], j[0]), scale(m[2], j[1])),
            add(scale(m[1], j[2]), scale(m[2], j[3])),
        ];
        let cov = [dot(u[0], u[0]), dot(u[0], u[1]), dot(u[1], u[1])];
        let (xx, yy) = (cov[0] + BLUR, cov[2] + BLUR);
        let det0 = determinant(u);
        let det = det0 + BLUR * (cov[0] + cov[2] + BLUR);
        if det <= 0.0 || !det.is_finite() {
            return None;
        }
        let inv_det = 1.0 / det;
        let compensation = if self.antialias {
            (det0 * inv_det).sqrt()
        } else {
            1.0
        };
        let opacity = sigmoid(self.map.opacity_logits[i]);
        if opacity.is_nan() || opacity * compensation < MIN_ALPHA {
            return None;
        }
        Some(Projection {
            p,
            scales,
            unit,
            factor,
            axes,
            m,
            j,
            within,
            slope,
            u,
            cov,
            conic: [yy * inv_det, -cov[1] * inv_det, xx * inv_det],
            det,
            opacity,
            compensation,
        })
    }

    /// The splat of a projection, still without colour; `None` where it does not touch the image.
    #[inline(always)]
    pub(crate) fn splat(&self, g: &Projection, normals: bool) -> Option<Splat> {
        let v = &self.view;
        let inv_z = 1.0 / g.p[2];
        let center = [v.fx * g.p[0] * inv_z + v.cx, v.fy * g.p[1] * inv_z + v.cy];
        let opacity = g.opacity * g.compensation;
        let reach = (2.0 * (opacity / MIN_ALPHA).ln()).clamp(0.0, MAX_EXTENT * MAX_EXTENT);
        let half = [
            (reach * (g.cov[0] + BLUR)).sqrt(),
            (reach * (g.cov[2] + BLUR)).sqrt(),
        ];
        let outside = center[0] + half[0] < 0.5
            || center[0] - half[0] > v.width as f32 - 0.5
            || center[1] + half[1] < 0.5
            || center[1] - half[1] > v.height as f32 - 0.5;
        if outside || !half[0].is_finite() || !half[1].is_finite() {
            return None;
        }
        let n = if normals { g.normal().0 } else { [0.0; 3] };
        Some(Splat {
            center,
            conic: g.conic,
            log2_opacity: opacity.log2(),
            half,
            reach,
            channels: [0.0, 0.0, 0.0, g.p[2], n[0], n[1], n[2]],
        })
    }

    /// Direction from the camera to the Gaussian and its inverse distance.
    #[inline(always)]
    fn direction(&self, i: usize) -> (V3, f32) {
        let e = sub(self.map.means[i], self.view.center);
        let inv = 1.0 / dot(e, e).sqrt().max(1e-12);
        (scale(e, inv), inv)
    }

    /// Colour towards the camera, before clamping at zero.
    #[inline(always)]
    fn raw_color(&self, i: usize, basis: &[f32; 16]) -> V3 {
        let stride = self.map.sh_stride();
        let sh = &self.map.sh[i * stride..(i + 1) * stride];
        let mut color = [0.5; 3];
        for (c, b) in sh.chunks_exact(3).zip(basis) {
            color = add(color, scale([c[0], c[1], c[2]], *b));
        }
        color
    }

    /// Colour towards the camera.
    #[inline(always)]
    pub(crate) fn color(&self, i: usize) -> V3 {
        let (d, _) = self.direction(i);
        self.raw_color(i, &sh_basis(d, self.map.sh_degree()))
            .map(|c| c.max(0.0))
    }

    /// Gradients by the parameters of Gaussian `i` from those by its splat.
    #[inline(always)]
    pub(crate) fn backward(&self, i: usize, g: &Projection, v: &SplatGradient, sh: &mut [f32]) -> Backward {
        let view = &self.view;
        let inv_z = 1.0 / g.p[2];

        // Opacity and its compensation.
        let v_opacity_times = v.log_opacity / (g.opacity * g.compensation).max(1e-30);
        let v_opacity = v_opacity_times * g.compensation;
        let opacity_logit = v_opacity * g.opacity * (1.0 - g.opacity);

        // Covariance: the inverse's differential is -Q dS Q.
        let [a, b, c] = g.conic;
        let [va, vb, vc] = v.conic;
        let h = 0.5 * vb;
        let (t00, t01) = (va * a + h * b, va * b + h * c);
        let (t10, t11) = (h * a + vc * b, h * b + vc * c);
        let mut v_cov = [
            -(a * t00 + b * t10),
            -(a * t01 + b * t11) - (b * t00 + c * t10),
            -(b * t01 + c * t11),
        ];
        if self.antialias && g.compensation > 0.0 {
            // compensation^2 = r = det0 / det
            let v_r = v_opacity_times * g.opacity * 0.5 / g.compensation;
            let (v_det0, v_det) = (v_r / g.det, -v_r * g.compensation * g.compensation / g.det);
            v_cov[0] += v_det0 * g.cov[2] + v_det * (g.cov[2] + BLUR);
            v_cov[1] += -2.0 * g.cov[1] * (v_det0 + v_det);
            v_cov[2] += v_det0 * g.cov[0] + v_det * (g.cov[0] + BLUR);
        }
        let v_u = [
            add(scale(g.u[0], 2.0 * v_cov[0]), scale(g.u[1], v_cov[1])),
            add(scale(g.u[0], v_cov[1]), scale(g.u[1], 2.0 * v_cov[2])),
        ];
        let v_j = [
            dot(v_u[0], g.m[0]),
            dot(v_u[0], g.m[2]),
            dot(v_u[1], g.m[1]),
            dot(v_u[1], g.m[2]),
        ];
        let v_m = [
            scale(v_u[0], g.j[0]),
            scale(v_u[1], g.j[2]),
            add(scale(v_u[0], g.j[1]), scale(v_u[1], g.j[3])),
        ];

        // Position in the camera's frame: projected centre, Jacobian, depth.
        let mut v_p = [
            view.fx * inv_z * v.center[0],
            view.fy * inv_z * v.center[1],
            v.channels[3],
        ];
        v_p[2] -= inv_z * inv_z * (view.fx * g.p[0] * v.center[0] + view.fy * g.p[1] * v.center[1]);
        v_p[2] -= inv_z * (v_j[0] * g.j[0] + v_j[1] * g.j[1] + v_j[2] * g.j[2] + v_j[3] * g.j[3]);
        for (axis, f, v_j) in [(0, view.fx, v_j[1]), (1, view.fy, v_j[3])] {
            if g.within[axis] {
                let v_slope = -f * inv_z * v_j;
                v_p[axis] += v_slope * inv_z;
                v_p[2] -= v_slope * g.slope[axis] * inv_z;
            }
        }

        // Scales and axes.
        let mut log_scale = [0.0; 3];
        let mut v_axes = [[0.0; 3]; 3];
        for row in 0..3 {
            for k in 0..3 {
                let x = v_m[row][k] * g.scales[k];
                log_scale[k] += x * g.axes[row][k];
                v_axes[row][k] = x;
            }
        }
        let (_, k, sign) = g.normal();
        for row in 0..3 {
            v_axes[row][k] += sign * v.channels[4 + row];
        }
        let r = &view.rotation;
        let r_t = [column(r, 0), column(r, 1), column(r, 2)];
        let rotation = rotation_backward(g.unit, g.factor, &matmul(&r_t, &v_axes));

        // Colour and, through it, the direction of view.
        let degree = self.map.sh_degree();
        let (d, inv) = self.direction(i);
        let basis = sh_basis(d, degree);
        let raw = self.raw_color(i, &basis);
        let v_color: V3 = std::array::from_fn(|c| if raw[c] > 0.0 { v.channels[c] } else { 0.0 });
        let stride = self.map.sh_stride();
        let coefficients = &self.map.sh[i * stride..(i + 1) * stride];
        let mut weights = [0.0; 16];
        for (k, (out, c)) in sh
            .chunks_exact_mut(3)
            .zip(coefficients.chunks_exact(3))
            .enumerate()
        {
            out.copy_from_slice(&scale(v_color, basis[k]));
            weights[k] = dot([c[0], c[1], c[2]], v_color);
        }
        let v_d = sh_backward(d, degree, &weights);
        let v_e = scale(sub(v_d, scale(d, dot(d, v_d))), inv);

        // Pose: the whole scene moved in the camera's frame.
        let mut turn = cross(g.p, v_p);
        for k in 0..3 {
            turn = add(turn, cross(column(&g.axes, k), column(&v_axes, k)));
        }
        let shift = add(v_p, mul(r, v_e));
        Backward {
            mean: add(mul_transposed(r, v_p), v_e),
            log_scale,
            rotation,
            opacity_logit,
            twist: [shift[0], shift[1], shift[2], turn[0], turn[1], turn[2]],
        }
    }
}

impl Projection {
    pub(crate) fn conic(&self) -> [f32; 3] {
        self.conic
    }

    /// The normal towards the camera (the thinnest axis), the number of that axis, and the sign it was given.
    #[inline(always)]
    fn normal(&self) -> (V3, usize, f32) {
        let s = self.scales;
        let k = if s[0] <= s[1] && s[0] <= s[2] {
            0
        } else if s[1] <= s[2] {
            1
        } else {
            2
        };
        let n = column(&self.axes, k);
        let sign = if dot(n, self.p) > 0.0 { -1.0 } else { 1.0 };
        (scale(n, sign), k, sign)
    }
}

/// Determinant of `U U^T` by Lagrange's identity, which does not cancel for needles.
#[inline(always)]
fn determinant(u: [V3; 2]) -> f32 {
    let n = cross(u[0], u[1]);
    dot(n, n)
}

/// Gradient by one splat.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SplatGradient {
    pub(crate) center: [f32; 2],
    pub(crate) conic: [f32; 3],
    /// By the natural logarithm of the opacity.
    pub(crate) log_opacity: f32,
    pub(crate) channels: [f32; CHANNELS],
}

/// Gradient by one Gaussian, its spherical harmonics apart.
pub(crate) struct Backward {
    pub(crate) mean: V3,
    pub(crate) log_scale: V3,
    pub(crate) rotation: [f32; 4],
    pub(crate) opacity_logit: f32,
    /// By a motion of this Gaussian in the camera's frame.
    pub(crate) twist: [f32; 6],
}
