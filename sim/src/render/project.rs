//! From triangles in the world to triangles on the screen.

use steward_core::camera::CameraIntrinsics;
use steward_core::geometry::Pose3;

use super::raster::{SUBPIXELS, Triangle};

/// Nothing nearer than this is drawn, metres.
pub(super) const NEAR_M: f32 = 0.01;
/// Corners farther from the image than this are clipped, pixels.
const GUARD_PX: f32 = 32_768.0;

/// A camera in single precision.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    /// `camera_from_world`, by row.
    pub rows: [[f32; 4]; 3],
    /// Focal lengths and principal point, pixels.
    pub f: [f32; 2],
    pub c: [f32; 2],
    /// Columns and rows.
    pub size: [u32; 2],
}

/// A box in the world, single precision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Box3 {
    pub min: [f32; 3],
    pub max: [f32; 3],
}

impl Box3 {
    /// Holds nothing.
    pub(super) const EMPTY: Box3 = Box3 {
        min: [f32::INFINITY; 3],
        max: [f32::NEG_INFINITY; 3],
    };

    pub(super) fn grow(&mut self, p: [f32; 3]) {
        self.min = [0, 1, 2].map(|i| self.min[i].min(p[i]));
        self.max = [0, 1, 2].map(|i| self.max[i].max(p[i]));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.min[0] > self.max[0]
    }

    pub(super) fn contains(&self, p: [f32; 3], margin: f32) -> bool {
        (0..3).all(|i| self.min[i] - margin <= p[i] && p[i] <= self.max[i] + margin)
    }

    /// Squared distance from a point.
    pub(super) fn distance_squared(&self, p: [f32; 3]) -> f32 {
        let axis = |i: usize| (self.min[i] - p[i]).max(p[i] - self.max[i]).max(0.0);
        let d = [axis(0), axis(1), axis(2)];
        d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
    }
}

/// Where a box may be seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Extent {
    /// Outside the image.
    Nowhere,
    /// Perhaps everywhere: it reaches behind the camera.
    Everywhere,
    /// Within these columns and rows, no nearer than an inverse depth.
    Within {
        columns: [u32; 2],
        rows: [u32; 2],
        nearest: f32,
    },
}

impl View {
    pub(super) fn new(camera: &CameraIntrinsics, world_from_camera: &Pose3) -> Self {
        let m = world_from_camera.inverse().to_homogeneous();
        let row = |i: usize| {
            [
                m[(i, 0)] as f32,
                m[(i, 1)] as f32,
                m[(i, 2)] as f32,
                m[(i, 3)] as f32,
            ]
        };
        View {
            rows: [row(0), row(1), row(2)],
            f: [camera.fx as f32, camera.fy as f32],
            c: [camera.cx as f32, camera.cy as f32],
            size: [camera.width, camera.height],
        }
    }

    #[inline(always)]
    pub(super) fn in_camera(&self, p: [f32; 3]) -> [f32; 3] {
        let dot = |r: &[f32; 4]| r[0] * p[0] + r[1] * p[1] + r[2] * p[2] + r[3];
        [dot(&self.rows[0]), dot(&self.rows[1]), dot(&self.rows[2])]
    }

    /// Where a box may be seen.
    pub(super) fn extent(&self, b: &Box3) -> Extent {
        let mut low = [f32::INFINITY; 2];
        let mut high = [f32::NEG_INFINITY; 2];
        let mut nearest = 0.0f32;
        let mut behind = 0;
        // Corners outside each side of the frustum.
        let mut out = [0; 4];
        for corner in 0..8 {
            let pick = |i: usize| if corner >> i & 1 == 0 { b.min[i] } else { b.max[i] };
            let p = self.in_camera([pick(0), pick(1), pick(2)]);
            let (x, y) = (p[0] * self.f[0], p[1] * self.f[1]);
            out[0] += (x < -self.c[0] * p[2]) as u32;
            out[1] += (x > (self.size[0] as f32 - self.c[0]) * p[2]) as u32;
            out[2] += (y < -self.c[1] * p[2]) as u32;
            out[3] += (y > (self.size[1] as f32 - self.c[1]) * p[2]) as u32;
            if p[2] < NEAR_M {
                behind += 1;
                continue;
            }
            let inverse = 1.0 / p[2];
            nearest = nearest.max(inverse);
            let s = [x * inverse + self.c[0], y * inverse + self.c[1]];
            for i in 0..2 {
                low[i] = low[i].min(s[i]);
                high[i] = high[i].max(s[i]);
            }
        }
        if behind == 8 || out.contains(&8) {
            return Extent::Nowhere;
        }
        if behind > 0 {
            return Extent::Everywhere;
        }
        if !(low[0].is_finite() && low[1].is_finite() && high[0].is_finite() && high[1].is_finite()) {
            return Extent::Nowhere;
        }
        let span = |i: usize| {
            let first = (low[i] - 0.5).floor().clamp(0.0, self.size[i] as f32 - 1.0);
            let last = (high[i] + 0.5).ceil().clamp(0.0, self.size[i] as f32 - 1.0);
            [first as u32, last as u32]
        };
        Extent::Within {
            columns: span(0),
            rows: span(1),
            nearest,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Corner {
    camera: [f32; 3],
    screen: [f32; 2],
    inverse_depth: f32,
}

impl Corner {
    #[inline(always)]
    fn new(view: &View, camera: [f32; 3]) -> Self {
        let inverse_depth = 1.0 / camera[2];
        Corner {
            camera,
            screen: [
                camera[0] * inverse_depth * view.f[0] + view.c[0],
                camera[1] * inverse_depth * view.f[1] + view.c[1],
            ],
            inverse_depth,
        }
    }

    #[inline(always)]
    fn is_safe(&self) -> bool {
        self.camera[2] >= NEAR_M && self.screen[0].abs() < GUARD_PX && self.screen[1].abs() < GUARD_PX
    }
}

/// Reusable memory.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    corners: Vec<Corner>,
}

/// Which sides of triangles are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sides {
    /// Only counter-clockwise ones.
    Front,
    /// Both.
    Both,
}

/// Projects the triangles of a mesh whose corners are given in the world, clips them, drops what cannot be
/// seen and hands the rest on, in order.
pub(super) fn project(
    view: &View,
    positions: &[[f32; 3]],
    triangles: &[[u32; 3]],
    part: u32,
    sides: Sides,
    scratch: &mut Scratch,
    mut emit: impl FnMut(Triangle),
) {
    scratch.corners.clear();
    scratch
        .corners
        .extend(positions.iter().map(|&p| Corner::new(view, view.in_camera(p))));
    for (index, triangle) in triangles.iter().enumerate() {
        let corners = triangle.map(|i| scratch.corners[i as usize]);
        if corners.iter().all(Corner::is_safe) {
            if let Some(t) = set_up(view, &corners, part, index as u32, sides) {
                emit(t);
            }
        } else if corners.iter().any(|c| c.camera[2] >= NEAR_M) {
            let corners = corners.map(|c| c.camera);
            let polygon = clip(view, corners);
            for i in 2..polygon.len() {
                let piece = [polygon[0], polygon[i - 1], polygon[i]].map(|p| Corner::new(view, p));
                if let Some(mut t) = set_up(view, &piece, part, index as u32, sides) {
                    t.set_plane(view, &corners);
                    emit(t);
                }
            }
        }
    }
}

impl Triangle {
    /// Inverse depth from the plane through three points, in double precision: corners made by clipping are
    /// so near or so far outside the image that interpolating between them would lose digits.
    fn set_plane(&mut self, view: &View, corners: &[[f32; 3]; 3]) {
        let [a, b, c] = corners.map(|p| nalgebra::Vector3::from(p.map(f64::from)));
        let normal = (b - a).cross(&(c - a));
        let plane = normal / normal.dot(&a);
        if plane.iter().all(|x| x.is_finite()) {
            self.origin = view.c;
            self.inverse_depth = plane.z as f32;
            self.slope = [
                (plane.x / view.f[0] as f64) as f32,
                (plane.y / view.f[1] as f64) as f32,
            ];
        }
    }
}

/// Cuts a triangle at the near plane and the guard band (Sutherland and Hodgman, 1974).
fn clip(view: &View, triangle: [[f32; 3]; 3]) -> Vec<[f32; 3]> {
    // A little inside the guard band, so that what is cut passes `Corner::is_safe`.
    let guard = GUARD_PX * 0.5;
    let distance = |plane: usize, p: &[f32; 3]| match plane {
        0 => p[2] - NEAR_M * 1.001,
        1 => guard * p[2] - view.f[0] * p[0],
        2 => guard * p[2] + view.f[0] * p[0],
        3 => guard * p[2] - view.f[1] * p[1],
        _ => guard * p[2] + view.f[1] * p[1],
    };
    let mut polygon = triangle.to_vec();
    for plane in 0..5 {
        let mut kept = Vec::with_capacity(polygon.len() + 1);
        for (i, a) in polygon.iter().enumerate() {
            let b = &polygon[(i + 1) % polygon.len()];
            let (da, db) = (distance(plane, a), distance(plane, b));
            if da >= 0.0 {
                kept.push(*a);
            }
            if (da >= 0.0) != (db >= 0.0) {
                // From the inner to the outer corner, so that neighbours that share the edge agree.
                let (p, q, dp, dq) = if da >= 0.0 { (a, b, da, db) } else { (b, a, db, da) };
                let s = dp / (dp - dq);
                kept.push([
                    p[0] + (q[0] - p[0]) * s,
                    p[1] + (q[1] - p[1]) * s,
                    p[2] + (q[2] - p[2]) * s,
                ]);
            }
        }
        polygon = kept;
        if polygon.len() < 3 {
            return Vec::new();
        }
    }
    polygon
}

#[inline(always)]
fn set_up(view: &View, corners: &[Corner; 3], part: u32, index: u32, sides: Sides) -> Option<Triangle> {
    let snap = |v: f32| (v * SUBPIXELS + if v < 0.0 { -0.5 } else { 0.5 }) as i32;
    let mut order = [0usize, 1, 2];
    let mut x = corners.map(|c| snap(c.screen[0]));
    let mut y = corners.map(|c| snap(c.screen[1]));
    let area = (x[1] - x[0]) as i64 * (y[2] - y[0]) as i64 - (y[1] - y[0]) as i64 * (x[2] - x[0]) as i64;
    // Rows count downwards, so what is counter-clockwise to the viewer has a negative area.
    if area == 0 || (area > 0 && sides == Sides::Front) {
        return None;
    }
    if area < 0 {
        order.swap(1, 2);
        x.swap(1, 2);
        y.swap(1, 2);
    }
    let span = |v: &[i32; 3], size: u32| {
        let low = v[0].min(v[1]).min(v[2]);
        let high = v[0].max(v[1]).max(v[2]);
        // Columns whose centre, at +128, lies between the two.
        let first = ((low + 127) >> 8).max(0);
        let last = ((high - 128) >> 8).min(size as i32 - 1);
        (first <= last).then_some([first as u16, last as u16])
    };
    let columns = span(&x, view.size[0])?;
    let rows = span(&y, view.size[1])?;
    let [a, b, c] = order.map(|i| &corners[i]);
    let (dx1, dy1) = (b.screen[0] - a.screen[0], b.screen[1] - a.screen[1]);
    let (dx2, dy2) = (c.screen[0] - a.screen[0], c.screen[1] - a.screen[1]);
    let (dz1, dz2) = (
        b.inverse_depth - a.inverse_depth,
        c.inverse_depth - a.inverse_depth,
    );
    let inverse_area = 1.0 / (dx1 * dy2 - dx2 * dy1);
    let mut slope = [
        (dz1 * dy2 - dz2 * dy1) * inverse_area,
        (dz2 * dx1 - dz1 * dx2) * inverse_area,
    ];
    if !(slope[0].is_finite() && slope[1].is_finite()) {
        slope = [0.0; 2];
    }
    let depths = [a.inverse_depth, b.inverse_depth, c.inverse_depth];
    Some(Triangle {
        x,
        y,
        origin: a.screen,
        inverse_depth: a.inverse_depth,
        slope,
        range: [
            depths[0].min(depths[1]).min(depths[2]),
            depths[0].max(depths[1]).max(depths[2]),
        ],
        columns,
        rows,
        part,
        index,
    })
}
