//! Triangle meshes and the primitives that furniture and objects are made of.
//!
//! Primitives have texture coordinates in metres along the surface, so that one texture has the same scale on
//! a shelf and on a spoon; [`Mesh::with_uv_scale`] turns them into repetitions and [`Mesh::with_fitted_uv`]
//! spreads a print over the whole mesh once.

use nalgebra::ComplexField;
use steward_core::geometry::{Aabb, Point3, Pose3, Vector3};

/// An indexed triangle mesh with smooth normals and texture coordinates per vertex; triangles are
/// counter-clockwise seen from outside.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mesh {
    /// Metres.
    pub positions: Vec<[f32; 3]>,
    /// Unit length.
    pub normals: Vec<[f32; 3]>,
    /// Texture coordinates; one unit is one repetition.
    pub uvs: Vec<[f32; 2]>,
    /// Three vertices each.
    pub triangles: Vec<[u32; 3]>,
}

/// Sine and cosine that give the same bits on every platform.
pub(crate) fn sin_cos(angle_rad: f64) -> (f64, f64) {
    ComplexField::sin_cos(angle_rad)
}

/// Profile segments that meet at a smaller angle than this (cosine) share a smooth normal.
const SMOOTH_COS: f64 = 0.75;

impl Mesh {
    fn push(&mut self, p: Vector3, n: Vector3, uv: [f64; 2]) -> u32 {
        self.positions.push([p.x as f32, p.y as f32, p.z as f32]);
        self.normals.push([n.x as f32, n.y as f32, n.z as f32]);
        self.uvs.push([uv[0] as f32, uv[1] as f32]);
        self.positions.len() as u32 - 1
    }

    /// A box around the origin. Texture coordinates in metres; `v` is the height on upright faces.
    pub fn cuboid(half: Vector3) -> Mesh {
        let mut mesh = Mesh::default();
        for (n, u, v) in face_axes() {
            let (hn, hu, hv) = (half.dot(&n.abs()), half.dot(&u.abs()), half.dot(&v.abs()));
            let corner = |a: f64, b: f64| n * hn + u * (a * hu) + v * (b * hv);
            let first = mesh.positions.len() as u32;
            for (a, b) in [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)] {
                mesh.push(corner(a, b), n, [(a + 1.0) * hu, (b + 1.0) * hv]);
            }
            mesh.triangles.push([first, first + 1, first + 2]);
            mesh.triangles.push([first, first + 2, first + 3]);
        }
        mesh
    }

    /// A box whose faces carry the whole texture once each.
    pub fn fitted_cuboid(half: Vector3) -> Mesh {
        let mut mesh = Mesh::cuboid(half);
        for face in mesh.uvs.chunks_exact_mut(4) {
            face.copy_from_slice(&[[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]]);
        }
        mesh
    }

    /// A box with rounded edges. `radius_m` is limited to the smallest half side.
    pub fn rounded_cuboid(half: Vector3, radius_m: f64) -> Mesh {
        let r = radius_m.min(half.min() * 0.999).max(1e-6);
        let inner = half - Vector3::repeat(r);
        let mut mesh = Mesh::default();
        for (n, u, v) in face_axes() {
            let (hn, hu, hv) = (half.dot(&n.abs()), half.dot(&u.abs()), half.dot(&v.abs()));
            let (us, vs) = ([-hu, r - hu, hu - r, hu], [-hv, r - hv, hv - r, hv]);
            let first = mesh.positions.len() as u32;
            for b in vs {
                for a in us {
                    let p = n * hn + u * a + v * b;
                    let core = Vector3::from_fn(|i, _| p[i].clamp(-inner[i], inner[i]));
                    let normal = (p - core).normalize();
                    mesh.push(core + normal * r, normal, [a + hu, b + hv]);
                }
            }
            for row in 0..3 {
                for col in 0..3 {
                    let i = first + row * 4 + col;
                    mesh.triangles.push([i, i + 1, i + 5]);
                    mesh.triangles.push([i, i + 5, i + 4]);
                }
            }
        }
        mesh
    }

    /// A surface of revolution about z. `profile` lists `[radius, z]` from the bottom centre outwards and up,
    /// so that the outside lies to the right of the direction of travel.
    pub fn lathe(profile: &[[f64; 2]], segments: u32) -> Mesh {
        let mut mesh = Mesh::default();
        let directions: Vec<[f64; 2]> = profile
            .windows(2)
            .map(|w| {
                let (dr, dz) = (w[1][0] - w[0][0], w[1][1] - w[0][1]);
                let length = (dr * dr + dz * dz).sqrt().max(1e-12);
                [dz / length, -dr / length]
            })
            .collect();
        let widest = profile.iter().map(|p| p[0]).fold(0.0, f64::max);
        let mut along = 0.0;
        for (i, w) in profile.windows(2).enumerate() {
            let own = directions[i];
            let blended = |other: Option<&[f64; 2]>| match other {
                Some(o) if own[0] * o[0] + own[1] * o[1] > SMOOTH_COS => {
                    let (r, z) = (own[0] + o[0], own[1] + o[1]);
                    let length = (r * r + z * z).sqrt();
                    [r / length, z / length]
                }
                _ => own,
            };
            let normals = [
                blended(i.checked_sub(1).and_then(|j| directions.get(j))),
                blended(directions.get(i + 1)),
            ];
            let (dr, dz) = (w[1][0] - w[0][0], w[1][1] - w[0][1]);
            let length = (dr * dr + dz * dz).sqrt();
            let first = mesh.positions.len() as u32;
            for s in 0..=segments {
                let angle = std::f64::consts::TAU * f64::from(s) / f64::from(segments);
                let (sin, cos) = sin_cos(angle);
                for end in 0..2 {
                    let (r, z) = (w[end][0], w[end][1]);
                    let n = normals[end];
                    mesh.push(
                        Vector3::new(r * cos, r * sin, z),
                        Vector3::new(n[0] * cos, n[0] * sin, n[1]),
                        [angle * widest, along + length * end as f64],
                    );
                }
            }
            along += length;
            for s in 0..segments {
                let (a, b, c, d) = (
                    first + 2 * s,
                    first + 2 * s + 1,
                    first + 2 * s + 2,
                    first + 2 * s + 3,
                );
                if w[0][0] > 1e-9 {
                    mesh.triangles.push([a, c, d]);
                }
                if w[1][0] > 1e-9 {
                    mesh.triangles.push([a, d, b]);
                } else if w[0][0] > 1e-9 {
                    // The upper ring has shrunk to a point: the first triangle already closes the fan.
                    continue;
                }
            }
        }
        mesh
    }

    /// A closed cylinder about z, from `z = 0` up.
    pub fn cylinder(radius_m: f64, height_m: f64, segments: u32) -> Mesh {
        Mesh::frustum(radius_m, radius_m, height_m, segments)
    }

    /// A closed cone or frustum about z, from `z = 0` up.
    pub fn frustum(bottom_radius_m: f64, top_radius_m: f64, height_m: f64, segments: u32) -> Mesh {
        Mesh::lathe(
            &[
                [0.0, 0.0],
                [bottom_radius_m, 0.0],
                [top_radius_m, height_m],
                [0.0, height_m],
            ],
            segments,
        )
    }

    /// A ball around the origin.
    pub fn sphere(radius_m: f64, segments: u32) -> Mesh {
        let rings = (segments / 2).max(3);
        let profile: Vec<[f64; 2]> = (0..=rings)
            .map(|i| {
                let (sin, cos) = sin_cos(std::f64::consts::PI * f64::from(i) / f64::from(rings));
                let r = if i == 0 || i == rings { 0.0 } else { radius_m * sin };
                [r, -radius_m * cos]
            })
            .collect();
        Mesh::lathe(&profile, segments)
    }

    /// A piece of a torus in the x-z plane around the origin, from one angle to another (0 along x, positive
    /// towards z), with a round cross-section. The ends are open.
    pub fn torus_segment(
        major_m: f64,
        minor_m: f64,
        from_rad: f64,
        to_rad: f64,
        segments: u32,
        sides: u32,
    ) -> Mesh {
        let mut mesh = Mesh::default();
        for i in 0..=segments {
            let angle = from_rad + (to_rad - from_rad) * f64::from(i) / f64::from(segments);
            let (sin, cos) = sin_cos(angle);
            let out = Vector3::new(cos, 0.0, sin);
            for j in 0..=sides {
                let turn = std::f64::consts::TAU * f64::from(j) / f64::from(sides);
                let (s, c) = sin_cos(turn);
                let normal = out * c + Vector3::new(0.0, s, 0.0);
                mesh.push(
                    out * major_m + normal * minor_m,
                    normal,
                    [(angle - from_rad) * major_m, turn * minor_m],
                );
            }
        }
        for i in 0..segments {
            for j in 0..sides {
                let a = i * (sides + 1) + j;
                let b = a + sides + 1;
                mesh.triangles.push([a, a + 1, b + 1]);
                mesh.triangles.push([a, b + 1, b]);
            }
        }
        if to_rad < from_rad {
            mesh.flip();
        }
        mesh
    }

    /// A convex polygon in the x-y plane (counter-clockwise), raised from `z = 0`.
    pub fn extrusion(polygon: &[[f64; 2]], height_m: f64) -> Mesh {
        let mut mesh = Mesh::default();
        let mut along = 0.0;
        let count = polygon.len();
        for i in 0..count {
            let (a, b) = (polygon[i], polygon[(i + 1) % count]);
            let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
            let length = (dx * dx + dy * dy).sqrt().max(1e-12);
            let n = Vector3::new(dy / length, -dx / length, 0.0);
            let first = mesh.positions.len() as u32;
            for (p, z, u) in [
                (a, 0.0, along),
                (b, 0.0, along + length),
                (b, height_m, along + length),
                (a, height_m, along),
            ] {
                mesh.push(Vector3::new(p[0], p[1], z), n, [u, z]);
            }
            mesh.triangles.push([first, first + 1, first + 2]);
            mesh.triangles.push([first, first + 2, first + 3]);
            along += length;
        }
        for (z, n) in [(0.0, -Vector3::z()), (height_m, Vector3::z())] {
            let first = mesh.positions.len() as u32;
            for p in polygon {
                mesh.push(Vector3::new(p[0], p[1], z), n, *p);
            }
            for i in 1..count.saturating_sub(1) as u32 {
                mesh.triangles.push(if z > 0.0 {
                    [first, first + i, first + i + 1]
                } else {
                    [first, first + i + 1, first + i]
                });
            }
        }
        mesh
    }

    /// A thin cushion or sheet would need cloth; this turns each triangle inside out.
    fn flip(&mut self) {
        for t in &mut self.triangles {
            t.swap(1, 2);
        }
    }

    /// Appends another mesh.
    pub fn merge(&mut self, other: &Mesh) {
        let offset = self.positions.len() as u32;
        self.positions.extend_from_slice(&other.positions);
        self.normals.extend_from_slice(&other.normals);
        self.uvs.extend_from_slice(&other.uvs);
        self.triangles
            .extend(other.triangles.iter().map(|t| t.map(|i| i + offset)));
    }

    /// The mesh moved by a rigid transform.
    #[must_use]
    pub fn transformed(mut self, target_from_mesh: &Pose3) -> Mesh {
        for p in &mut self.positions {
            let q = target_from_mesh * Point3::new(f64::from(p[0]), f64::from(p[1]), f64::from(p[2]));
            *p = [q.x as f32, q.y as f32, q.z as f32];
        }
        for n in &mut self.normals {
            let q = target_from_mesh * Vector3::new(f64::from(n[0]), f64::from(n[1]), f64::from(n[2]));
            *n = [q.x as f32, q.y as f32, q.z as f32];
        }
        self
    }

    /// The mesh moved along a vector.
    #[must_use]
    pub fn translated(self, x: f64, y: f64, z: f64) -> Mesh {
        self.transformed(&Pose3::translation(x, y, z))
    }

    /// The mesh stretched along the axes (all factors positive); normals follow.
    #[must_use]
    pub fn scaled(mut self, x: f64, y: f64, z: f64) -> Mesh {
        for p in &mut self.positions {
            *p = [p[0] * x as f32, p[1] * y as f32, p[2] * z as f32];
        }
        for n in &mut self.normals {
            let q = Vector3::new(f64::from(n[0]) / x, f64::from(n[1]) / y, f64::from(n[2]) / z).normalize();
            *n = [q.x as f32, q.y as f32, q.z as f32];
        }
        self
    }

    /// Texture coordinates multiplied by a factor: `1 / repeat_m` turns metres into repetitions.
    #[must_use]
    pub fn with_uv_scale(mut self, factor: f64) -> Mesh {
        for uv in &mut self.uvs {
            *uv = uv.map(|c| c * factor as f32);
        }
        self
    }

    /// Texture coordinates stretched so that the whole mesh shows the texture once, first row on top.
    #[must_use]
    pub fn with_fitted_uv(mut self) -> Mesh {
        let (mut low, mut high) = ([f32::MAX; 2], [f32::MIN; 2]);
        for uv in &self.uvs {
            for i in 0..2 {
                low[i] = low[i].min(uv[i]);
                high[i] = high[i].max(uv[i]);
            }
        }
        for uv in &mut self.uvs {
            let fit = |i: usize| (uv[i] - low[i]) / (high[i] - low[i]).max(1e-9);
            *uv = [fit(0), 1.0 - fit(1)];
        }
        self
    }

    /// The smallest box around the vertices, `None` for an empty mesh.
    pub fn bounds(&self, target_from_mesh: &Pose3) -> Option<Aabb> {
        self.positions
            .iter()
            .map(|p| target_from_mesh * Point3::new(f64::from(p[0]), f64::from(p[1]), f64::from(p[2])))
            .fold(None, |b: Option<Aabb>, p| {
                Some(b.map_or(Aabb { min: p, max: p }, |b| b.grown_to(&p)))
            })
    }
}

/// Normal, horizontal and vertical axis of the six faces of a box; `u x v = n`.
fn face_axes() -> [(Vector3, Vector3, Vector3); 6] {
    let (x, y, z) = (Vector3::x(), Vector3::y(), Vector3::z());
    [
        (x, y, z),
        (-x, -y, z),
        (y, -x, z),
        (-y, x, z),
        (z, x, y),
        (-z, -x, y),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Signed volume by the divergence theorem: right only for a closed mesh with outward triangles.
    fn volume(mesh: &Mesh) -> f64 {
        mesh.triangles
            .iter()
            .map(|t| {
                let [a, b, c] = t.map(|i| {
                    let p = mesh.positions[i as usize];
                    Vector3::new(f64::from(p[0]), f64::from(p[1]), f64::from(p[2]))
                });
                a.dot(&b.cross(&c)) / 6.0
            })
            .sum()
    }

    fn check_normals(mesh: &Mesh) {
        for t in &mesh.triangles {
            let v = |i: u32, a: &[[f32; 3]]| Vector3::from(a[i as usize].map(f64::from));
            let [a, b, c] = t.map(|i| v(i, &mesh.positions));
            let face = (b - a).cross(&(c - a));
            for i in t {
                let n = v(*i, &mesh.normals);
                assert!((n.norm() - 1.0).abs() < 1e-4);
                assert!(face.norm() < 1e-12 || face.dot(&n) > 0.0, "normal points inwards");
            }
        }
    }

    #[test]
    fn primitives_enclose_the_volume_of_their_formula() {
        use std::f64::consts::PI;
        let half = Vector3::new(0.3, 0.2, 0.1);
        for (mesh, expected, tolerance) in [
            (Mesh::cuboid(half), 0.048, 1e-6),
            (Mesh::rounded_cuboid(half, 0.001), 0.048, 1e-3),
            (Mesh::cylinder(0.1, 0.5, 64), PI * 0.005, 4e-3),
            (Mesh::frustum(0.1, 0.0, 0.3, 64), PI * 0.001, 4e-3),
            (Mesh::sphere(0.1, 48), 4.0 / 3.0 * PI * 0.001, 1e-2),
            (
                Mesh::torus_segment(0.2, 0.03, 0.0, 2.0 * PI, 64, 48),
                2.0 * PI * PI * 0.2 * 0.0009,
                1e-2,
            ),
            (
                Mesh::extrusion(&[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], 2.0),
                1.0,
                1e-6,
            ),
        ] {
            let v = volume(&mesh);
            assert!((v / expected - 1.0).abs() < tolerance, "{v} is not {expected}");
            check_normals(&mesh);
        }
    }

    #[test]
    fn transforms_keep_meshes_closed() {
        let turned = Mesh::sphere(0.1, 16)
            .scaled(1.0, 2.0, 0.5)
            .transformed(&Pose3::new(
                Vector3::new(1.0, 2.0, 3.0),
                Vector3::new(0.3, 0.1, 0.9),
            ));
        assert!((volume(&turned) / volume(&Mesh::sphere(0.1, 16)) - 1.0).abs() < 1e-4);
        check_normals(&turned);
    }

    #[test]
    fn fitted_coordinates_span_the_texture() {
        let mesh = Mesh::cylinder(0.1, 0.5, 12).with_fitted_uv();
        let us = mesh.uvs.iter().map(|uv| uv[0]);
        assert_eq!(us.clone().fold(f32::MAX, f32::min), 0.0);
        assert_eq!(us.fold(f32::MIN, f32::max), 1.0);
    }
}
