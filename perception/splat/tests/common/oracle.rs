//! A renderer in double precision written straight from the equations of Kerbl et al. 2023 and Zwicker et al. 2001:
//! every Gaussian at every pixel, no tiles. Its decisions (which Gaussians count at a pixel, in what order, which are
//! capped) can be held fixed, which makes it a smooth function whose central differences are the gradients that
//! a renderer with those clamps has.
#![allow(clippy::needless_range_loop, reason = "an index runs over several images")]

use nalgebra as na;
use steward_splat::{GaussianMap, View};

/// Parameters of the Gaussians and the twist of the camera, one vector.
pub(crate) struct Scene {
    pub(crate) count: usize,
    pub(crate) coefficients: usize,
    pub(crate) parameters: Vec<f64>,
}

impl Scene {
    /// Parameters per Gaussian: mean 3, log scale 3, rotation 4, opacity 1, then spherical harmonics.
    pub(crate) fn stride(&self) -> usize {
        11 + 3 * self.coefficients
    }

    pub(crate) fn new(map: &GaussianMap) -> Self {
        let sh = map.sh_stride();
        let mut parameters = Vec::new();
        for i in 0..map.len() {
            parameters.extend(map.means()[i].map(f64::from));
            parameters.extend(map.log_scales()[i].map(f64::from));
            parameters.extend(map.rotations()[i].map(f64::from));
            parameters.push(f64::from(map.opacity_logits()[i]));
            parameters.extend(map.sh()[i * sh..(i + 1) * sh].iter().map(|&x| f64::from(x)));
        }
        parameters.extend([0.0; 6]);
        Scene {
            count: map.len(),
            coefficients: sh / 3,
            parameters,
        }
    }

    /// What a parameter is, for messages.
    pub(crate) fn name(&self, index: usize) -> String {
        if index >= self.count * self.stride() {
            return format!("twist[{}]", index - self.count * self.stride());
        }
        let (i, k) = (index / self.stride(), index % self.stride());
        match k {
            0..3 => format!("mean[{i}][{k}]"),
            3..6 => format!("log_scale[{i}][{}]", k - 3),
            6..10 => format!("rotation[{i}][{}]", k - 6),
            10 => format!("opacity[{i}]"),
            _ => format!("sh[{i}][{}]", k - 11),
        }
    }
}

/// Per pixel: Gaussian and whether its opacity is capped, front to back.
pub(crate) type Decisions = Vec<Vec<(usize, bool)>>;

/// Planes: red, green, blue, alpha, depth sum, three of normals.
pub(crate) type Planes = [Vec<f64>; 8];

struct Projected {
    index: usize,
    center: [f64; 2],
    conic: [f64; 3],
    opacity: f64,
    channels: [f64; 7],
}

fn basis(d: na::Vector3<f64>) -> [f64; 16] {
    use std::f64::consts::PI;
    let (x, y, z) = (d.x, d.y, d.z);
    let k = |a: f64, b: f64| (a / (b * PI)).sqrt();
    // The real spherical harmonics with the Condon-Shortley phase, from their closed forms.
    [
        k(1.0, 4.0),
        -k(3.0, 4.0) * y,
        k(3.0, 4.0) * z,
        -k(3.0, 4.0) * x,
        k(15.0, 4.0) * x * y,
        -k(15.0, 4.0) * y * z,
        k(5.0, 16.0) * (2.0 * z * z - x * x - y * y),
        -k(15.0, 4.0) * x * z,
        k(15.0, 16.0) * (x * x - y * y),
        -k(35.0, 32.0) * y * (3.0 * x * x - y * y),
        k(105.0, 4.0) * x * y * z,
        -k(21.0, 32.0) * y * (4.0 * z * z - x * x - y * y),
        k(7.0, 16.0) * z * (2.0 * z * z - 3.0 * x * x - 3.0 * y * y),
        -k(21.0, 32.0) * x * (4.0 * z * z - x * x - y * y),
        k(105.0, 16.0) * z * (x * x - y * y),
        -k(35.0, 32.0) * x * (x * x - 3.0 * y * y),
    ]
}

fn project(scene: &Scene, view: &View, antialias: bool) -> Vec<Projected> {
    let stride = scene.stride();
    let twist: [f64; 6] = std::array::from_fn(|k| scene.parameters[scene.count * stride + k]);
    let view = view.perturbed(&twist);
    let camera_from_world = view.world_from_camera.inverse();
    let r = camera_from_world.rotation.to_rotation_matrix().into_inner();
    let k = view.camera;
    let mut out = Vec::new();
    for i in 0..scene.count {
        let p = &scene.parameters[i * stride..(i + 1) * stride];
        let mean = na::Point3::new(p[0], p[1], p[2]);
        let c = camera_from_world * mean;
        if c.z < 0.01 {
            continue;
        }
        let q = na::UnitQuaternion::from_quaternion(na::Quaternion::new(p[6], p[7], p[8], p[9]));
        let scales = na::Vector3::new(p[3].exp(), p[4].exp(), p[5].exp());
        let axes = r * q.to_rotation_matrix().into_inner();
        let m = axes * na::Matrix3::from_diagonal(&scales);
        let clamp = |slope: f64, size: u32, f: f64, c: f64| {
            let margin = 0.3 * 0.5 * f64::from(size) / f;
            slope.clamp(-(c / f + margin), (f64::from(size) - c) / f + margin)
        };
        let (sx, sy) = (
            clamp(c.x / c.z, k.width, k.fx, k.cx),
            clamp(c.y / c.z, k.height, k.fy, k.cy),
        );
        let j = na::Matrix2x3::new(
            k.fx / c.z,
            0.0,
            -k.fx * sx / c.z,
            0.0,
            k.fy / c.z,
            -k.fy * sy / c.z,
        );
        let sharp = j * m * m.transpose() * j.transpose();
        let blurred = sharp + na::Matrix2::identity() * 0.3;
        let inverse = blurred.try_inverse().unwrap();
        let compensation = if antialias {
            (sharp.determinant() / blurred.determinant()).max(0.0).sqrt()
        } else {
            1.0
        };
        let direction = (mean - view.world_from_camera.translation.vector)
            .coords
            .normalize();
        let b = basis(direction);
        let color: [f64; 3] = std::array::from_fn(|channel| {
            let sum: f64 = (0..scene.coefficients)
                .map(|n| b[n] * p[11 + 3 * n + channel])
                .sum();
            (0.5 + sum).max(0.0)
        });
        let mut normal = axes.column(scales.imin()).into_owned();
        if normal.dot(&c.coords) > 0.0 {
            normal = -normal;
        }
        out.push(Projected {
            index: i,
            center: [k.fx * c.x / c.z + k.cx, k.fy * c.y / c.z + k.cy],
            conic: [inverse[(0, 0)], inverse[(0, 1)], inverse[(1, 1)]],
            opacity: compensation / (1.0 + (-p[10]).exp()),
            channels: [color[0], color[1], color[2], c.z, normal.x, normal.y, normal.z],
        });
    }
    out
}

fn falloff(s: &Projected, x: f64, y: f64) -> f64 {
    let (dx, dy) = (x - s.center[0], y - s.center[1]);
    let power = -0.5 * (s.conic[0] * dx * dx + s.conic[2] * dy * dy) - s.conic[1] * dx * dy;
    s.opacity * power.exp()
}

/// Takes the decisions.
pub(crate) fn decide(scene: &Scene, view: &View, antialias: bool) -> Decisions {
    let mut splats = project(scene, view, antialias);
    splats.sort_by(|a, b| a.channels[3].total_cmp(&b.channels[3]));
    let (width, height) = (view.camera.width, view.camera.height);
    let mut out = Vec::new();
    for row in 0..height {
        for column in 0..width {
            let mut t = 1.0;
            let mut list = Vec::new();
            for s in &splats {
                let raw = falloff(s, f64::from(column) + 0.5, f64::from(row) + 0.5);
                if raw < 1.0 / 255.0 {
                    continue;
                }
                let next = t * (1.0 - raw.min(0.99));
                if next < 1e-4 {
                    break;
                }
                t = next;
                list.push((s.index, raw > 0.99));
            }
            out.push(list);
        }
    }
    out
}

/// Renders with fixed decisions onto black.
pub(crate) fn render(scene: &Scene, view: &View, antialias: bool, decisions: &Decisions) -> Planes {
    let splats = project(scene, view, antialias);
    let mut by_index: Vec<Option<&Projected>> = vec![None; scene.count];
    for s in &splats {
        by_index[s.index] = Some(s);
    }
    let width = view.camera.width as usize;
    let mut out: Planes = std::array::from_fn(|_| vec![0.0; decisions.len()]);
    for (pixel, list) in decisions.iter().enumerate() {
        let (x, y) = ((pixel % width) as f64 + 0.5, (pixel / width) as f64 + 0.5);
        let mut t = 1.0;
        for &(index, capped) in list {
            let s = by_index[index].unwrap();
            let alpha = if capped { 0.99 } else { falloff(s, x, y) };
            for c in 0..3 {
                out[c][pixel] += t * alpha * s.channels[c];
            }
            for c in 3..7 {
                out[c + 1][pixel] += t * alpha * s.channels[c];
            }
            t *= 1.0 - alpha;
        }
        out[3][pixel] = 1.0 - t;
    }
    out
}
