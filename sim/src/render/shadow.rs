//! Shadow maps: for each light, six square images of what is nearest to it.
//!
//! What never moves is drawn once per light. What moves is drawn over a copy of that, and only where
//! something changed; the result is the same as if everything had been drawn anew.
//!
//! Whether a point is lit is decided by comparing the plane through it, evaluated at each of the four nearest
//! texels, with what the map holds there: no constant offset is needed that would detach shadows from what
//! casts them (Isidoro, "Shadow mapping: GPU-based tips and techniques", 2006).

use wide::f32x8;

use crate::model::Light;

use super::project::{Box3, Extent, Scratch, Sides, View, project};
use super::raster::{DepthBuffer, LANES, NearestDepth, Window, scan};
use super::scene::Part;

/// Side of a face, texels.
const SIDE: usize = 384;
const STRIDE: usize = SIDE / LANES;
/// Surfaces this much behind what casts are lit, metres.
const TOLERANCE_M: f32 = 0.006;
/// What holds the light's own position within this does not cast in it: its shade, its bulb. Metres.
const FIXTURE_M: f32 = 0.03;

/// Rectangle of blocks: first and one past the last column, then row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Blocks {
    columns: [usize; 2],
    rows: [usize; 2],
}

impl Blocks {
    const ALL: Blocks = Blocks {
        columns: [0, STRIDE],
        rows: [0, STRIDE],
    };

    fn union(a: Option<Self>, b: Self) -> Self {
        a.map_or(b, |a| Blocks {
            columns: [a.columns[0].min(b.columns[0]), a.columns[1].max(b.columns[1])],
            rows: [a.rows[0].min(b.rows[0]), a.rows[1].max(b.rows[1])],
        })
    }

    fn overlaps(&self, o: &Self) -> bool {
        self.columns[0] < o.columns[1]
            && o.columns[0] < self.columns[1]
            && self.rows[0] < o.rows[1]
            && o.rows[0] < self.rows[1]
    }
}

#[derive(Debug, Default)]
struct Face {
    still: DepthBuffer,
    /// With what moves.
    all: DepthBuffer,
}

/// A light and its shadow map.
#[derive(Debug)]
pub(super) struct ShadowLight {
    pub position: [f32; 3],
    pub intensity: [f32; 3],
    pub range: f32,
    pub shadows: bool,
    views: [View; 6],
    /// Six faces once drawn.
    faces: Vec<Face>,
    /// Version and bounds of each part as drawn; `None` for parts that do not cast here.
    drawn: Vec<Option<(u32, Box3)>>,
}

/// Axes of a face: right, down, forward as (index, sign).
fn face_axes(face: usize) -> [(usize, f32); 3] {
    let (axis, negative) = (face / 2, face % 2 == 1);
    let (next, after) = ((axis + 1) % 3, (axis + 2) % 3);
    if negative {
        [(after, 1.0), (next, 1.0), (axis, -1.0)]
    } else {
        [(next, 1.0), (after, 1.0), (axis, 1.0)]
    }
}

impl ShadowLight {
    pub(super) fn new(light: &Light) -> Self {
        let position = [
            light.position.x as f32,
            light.position.y as f32,
            light.position.z as f32,
        ];
        let views = std::array::from_fn(|face| {
            let row = |(axis, sign): (usize, f32)| {
                let mut r = [0.0; 4];
                r[axis] = sign;
                r[3] = -sign * position[axis];
                r
            };
            let half = SIDE as f32 * 0.5;
            View {
                rows: face_axes(face).map(row),
                f: [half; 2],
                c: [half; 2],
                size: [SIDE as u32; 2],
            }
        });
        ShadowLight {
            position,
            intensity: light.intensity,
            range: light.range_m as f32,
            shadows: light.shadows,
            views,
            faces: Vec::new(),
            drawn: Vec::new(),
        }
    }

    /// Whether it reaches a box at all, ignoring shadows.
    pub(super) fn reaches(&self, b: &Box3) -> bool {
        !b.is_empty() && b.distance_squared(self.position) < self.range * self.range
    }

    fn casts(&self, part: &Part) -> bool {
        let fixture = !part.is_structure && part.bounds.contains(self.position, FIXTURE_M);
        part.is_present() && !part.is_glass() && self.reaches(&part.bounds) && !fixture
    }

    fn blocks(view: &View, bounds: &Box3) -> Option<Blocks> {
        match view.extent(bounds) {
            Extent::Nowhere => None,
            Extent::Everywhere => Some(Blocks::ALL),
            Extent::Within { columns, rows, .. } => {
                let span = |r: [u32; 2]| [r[0] as usize / LANES, r[1] as usize / LANES + 1];
                Some(Blocks {
                    columns: span(columns),
                    rows: span(rows),
                })
            }
        }
    }

    fn draw(view: &View, part: &Part, blocks: Blocks, coarse: bool, into: &mut DepthBuffer, s: &mut Scratch) {
        let window = Window {
            first_row: 0,
            stride: STRIDE,
            columns: blocks.columns,
            rows: blocks.rows,
        };
        let mut nearest = NearestDepth { depth: into, coarse };
        project(
            view,
            &part.positions,
            &part.mesh.triangles,
            0,
            Sides::Both,
            s,
            |t| scan(&t, &window, &mut nearest),
        );
    }

    /// Brings the map up to date with where things are.
    pub(super) fn update(&mut self, parts: &[Part]) {
        if !self.shadows {
            return;
        }
        let state = |part: &Part| self.casts(part).then_some((part.version, part.bounds));
        let now: Vec<_> = parts.iter().map(state).collect();
        if now == self.drawn {
            return;
        }
        let mut scratch = Scratch::default();
        let before = |i: usize| self.drawn.get(i).copied().flatten();
        let still_changed = (0..parts.len().max(self.drawn.len())).any(|i| {
            let still = parts.get(i).is_none_or(|p| p.is_static);
            still && before(i) != now.get(i).copied().flatten()
        });
        let redraw = still_changed || self.faces.is_empty();
        if redraw {
            self.faces.resize_with(6, Face::default);
            for (view, face) in self.views.iter().zip(&mut self.faces) {
                face.still.clear(STRIDE, SIDE);
                for (part, drawn) in parts.iter().zip(&now) {
                    if drawn.is_some()
                        && part.is_static
                        && let Some(blocks) = Self::blocks(view, &part.bounds)
                    {
                        Self::draw(view, part, blocks, true, &mut face.still, &mut scratch);
                    }
                }
                face.all.clone_from(&face.still);
            }
        }
        for (view, face) in self.views.iter().zip(&mut self.faces) {
            let mut dirty = redraw.then_some(Blocks::ALL);
            if !redraw {
                for (i, (part, drawn)) in parts.iter().zip(&now).enumerate() {
                    let old = self.drawn.get(i).copied().flatten();
                    if part.is_static || old == *drawn {
                        continue;
                    }
                    for (_, bounds) in [old, *drawn].into_iter().flatten() {
                        if let Some(blocks) = Self::blocks(view, &bounds) {
                            dirty = Some(Blocks::union(dirty, blocks));
                        }
                    }
                }
            }
            let Some(dirty) = dirty else { continue };
            for row in dirty.rows[0] * LANES..dirty.rows[1] * LANES {
                let range = row * STRIDE + dirty.columns[0]..row * STRIDE + dirty.columns[1];
                face.all.inverse_depth[range.clone()].copy_from_slice(&face.still.inverse_depth[range]);
            }
            for (part, drawn) in parts.iter().zip(&now) {
                if drawn.is_some()
                    && !part.is_static
                    && let Some(blocks) = Self::blocks(view, &part.bounds)
                    && blocks.overlaps(&dirty)
                {
                    Self::draw(view, part, dirty, false, &mut face.all, &mut scratch);
                }
            }
        }
        self.drawn = now;
    }

    /// Whether what never moves keeps its light from a box altogether.
    pub(super) fn is_hidden(&self, b: &Box3) -> bool {
        if self.faces.is_empty() {
            return false;
        }
        self.views
            .iter()
            .zip(&self.faces)
            .all(|(view, face)| match view.extent(b) {
                Extent::Nowhere => true,
                Extent::Everywhere => false,
                Extent::Within {
                    columns,
                    rows,
                    nearest,
                } => {
                    let span = |r: [u32; 2]| r[0] as usize / LANES..=r[1] as usize / LANES;
                    span(rows)
                        .all(|y| span(columns).all(|x| nearest < face.still.farthest[y * STRIDE + x] * 0.999))
                }
            })
    }

    /// Share of the light, 0 to 1, that arrives at eight points of planes; `to_point` leads there from the light,
    /// `normal` is the plane's. Only the lanes of `wanted` (a bit mask) mean something.
    #[inline(always)]
    pub(super) fn lit(&self, to_point: &[f32x8; 3], normal: &[f32x8; 3], wanted: u32) -> f32x8 {
        let a = to_point.map(|v| v.abs());
        let x = (a[0].simd_ge(a[1]) & a[0].simd_ge(a[2])).to_bitmask();
        let y = a[1].simd_ge(a[2]).to_bitmask() & !x;
        let along = [x, y, 0xff & !(x | y)];
        let zero = f32x8::splat(0.0);
        let mut lit = zero;
        let mut rest = wanted;
        // Neighbouring points mostly fall on the same face.
        for axis in 0..3 {
            if rest & along[axis] == 0 {
                continue;
            }
            let negative = to_point[axis].simd_lt(zero).to_bitmask();
            for (face, lanes) in [
                (axis * 2, rest & along[axis] & !negative),
                (axis * 2 + 1, rest & along[axis] & negative),
            ] {
                if lanes != 0 {
                    lit += self.lit_on_face(face, to_point, normal, lanes);
                }
            }
            rest &= !along[axis];
        }
        lit
    }

    /// The same for points on one face of the map; zero for the others.
    #[inline(always)]
    fn lit_on_face(&self, face: usize, to_point: &[f32x8; 3], normal: &[f32x8; 3], lanes: u32) -> f32x8 {
        const NEXT: [[usize; 2]; 6] = [[1, 2], [2, 1], [2, 0], [0, 2], [0, 1], [1, 0]];
        let [ru, rv] = NEXT[face];
        let (zero, one) = (f32x8::splat(0.0), f32x8::splat(1.0));
        let half = f32x8::splat(SIDE as f32 * 0.5);
        let inverse = one / to_point[face / 2].abs();
        // Texels count from their middle; one more so that cutting off decimals rounds down.
        let shift = half + f32x8::splat(0.5);
        let place = |r: usize| {
            let v = to_point[r] * inverse * half + shift;
            let whole = v.fast_trunc_int();
            (whole.to_array(), v - f32x8::from_i32x8(whole))
        };
        let ((xs, fx), (ys, fy)) = (place(ru), place(rv));

        let away = normal[0] * to_point[0] + normal[1] * to_point[1] + normal[2] * to_point[2];
        let scale = one / (away.fast_min(f32x8::splat(-1e-4)) * half);
        let (du, dv) = (normal[ru] * scale, normal[rv] * scale);
        let here = inverse + f32x8::splat(TOLERANCE_M) * inverse * inverse;
        let most = inverse * f32x8::splat(0.05);

        let map: &[f32] = wide::bytemuck::cast_slice(&self.faces[face].all.inverse_depth);
        let mut holds = [[f32::INFINITY; LANES]; 4];
        let mut rest = lanes;
        let last = SIDE as i32 - 1;
        while rest != 0 {
            let lane = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            let (x0, x1) = (
                (xs[lane] - 1).clamp(0, last) as usize,
                xs[lane].clamp(0, last) as usize,
            );
            let (y0, y1) = (
                (ys[lane] - 1).clamp(0, last) as usize,
                ys[lane].clamp(0, last) as usize,
            );
            for (hold, at) in
                holds
                    .iter_mut()
                    .zip([y0 * SIDE + x0, y0 * SIDE + x1, y1 * SIDE + x0, y1 * SIDE + x1])
            {
                hold[lane] = map[at];
            }
        }
        // The plane's inverse depth at a texel, but not farther than at the point itself: where the plane
        // dives behind another surface within a texel, it would shade itself.
        let test = |tx: f32x8, ty: f32x8, holds: [f32; LANES], weight: f32x8| {
            let slope = (tx * du + ty * dv).fast_max(zero).fast_min(most);
            (here + slope).simd_ge(f32x8::new(holds)) & weight
        };
        let (gx, gy) = (one - fx, one - fy);
        test(zero - fx, zero - fy, holds[0], gx * gy)
            + test(gx, zero - fy, holds[1], fx * gy)
            + test(zero - fx, gy, holds[2], gx * fy)
            + test(gx, gy, holds[3], fx * fy)
    }
}
