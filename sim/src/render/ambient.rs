//! Light that walls and furniture throw back, as one value per place of the floor plan.
//!
//! In a closed room of surface `A` and mean reflectance `r`, lamps of flux `F` lead to an indirect irradiance
//! of about `F r / (A (1 - r))` (the integrating sphere). That value is blurred over the plan, so that
//! doorways let some of it through.

use std::f64::consts::PI;

use steward_core::geometry::Vector3;

use crate::model::{Home, Light, Room};

const CELL_M: f32 = 0.1;
const BLUR_CELLS: usize = 5;
/// Far fewer cells than a home of any sensible size needs.
const MAX_CELLS_PER_SIDE: usize = 1_000;
const REFLECTANCE: f64 = 0.5;
/// How much of the estimate is used; furniture swallows some.
const SHARE: f64 = 0.4;
/// Where there is no room.
const OUTSIDE: [f32; 3] = [0.5, 0.55, 0.62];
/// Least light anywhere in a room.
const LEAST: f32 = 0.06;

/// Ambient light by place.
#[derive(Debug)]
pub(super) struct Ambient {
    origin: [f32; 2],
    size: [usize; 2],
    cells: Vec<[f32; 3]>,
}

impl Ambient {
    pub(super) fn new(home: &Home) -> Self {
        let mut low = [f64::INFINITY; 2];
        let mut high = [f64::NEG_INFINITY; 2];
        for room in &home.rooms {
            for i in 0..2 {
                low[i] = low[i].min(room.bounds.min[i] - 0.5);
                high[i] = high[i].max(room.bounds.max[i] + 0.5);
            }
        }
        if low[0] > high[0] {
            low = [0.0; 2];
            high = [0.0; 2];
        }
        let size = [0, 1].map(|i| {
            let cells = ((high[i] - low[i]) / CELL_M as f64).ceil();
            (cells as usize).clamp(1, MAX_CELLS_PER_SIDE)
        });
        let origin = low.map(|v| v as f32);
        let rooms: Vec<[f32; 3]> = home.rooms.iter().map(|r| indirect(r, &home.lights)).collect();
        let mut cells = vec![OUTSIDE; size[0] * size[1]];
        for (i, cell) in cells.iter_mut().enumerate() {
            let at = |axis: usize, index: usize| origin[axis] as f64 + (index as f64 + 0.5) * CELL_M as f64;
            let (x, y) = (at(0, i % size[0]), at(1, i / size[0]));
            // Half of a wall belongs to each side.
            let distance = |r: &Room| {
                let d = |v: f64, axis: usize| (r.bounds.min[axis] - v).max(v - r.bounds.max[axis]).max(0.0);
                d(x, 0).hypot(d(y, 1))
            };
            let nearest = home
                .rooms
                .iter()
                .zip(&rooms)
                .map(|(r, light)| (distance(r), light))
                .min_by(|a, b| a.0.total_cmp(&b.0));
            if let Some((distance, light)) = nearest
                && distance < 0.2
            {
                *cell = *light;
            }
        }
        let cells = blurred(&cells, size, 1, 0);
        let cells = blurred(&cells, size, 0, 1);
        Ambient { origin, size, cells }
    }

    /// Indirect light at a place, seen by a surface that faces along `n`.
    #[inline(always)]
    pub(super) fn at(&self, p: [f32; 3], n: [f32; 3]) -> [f32; 3] {
        // A step away from the surface, so that the two sides of a wall differ.
        let index = |i: usize| {
            let v = (p[i] + n[i] * 0.6 - self.origin[i]) * (1.0 / CELL_M);
            (v as i32).clamp(0, self.size[i] as i32 - 1) as usize
        };
        let cell = self.cells[index(1) * self.size[0] + index(0)];
        // More comes from lit walls and floor than from below furniture; walls of different directions differ.
        let share = 0.82 + 0.12 * n[2] + 0.06 * n[0] + 0.03 * n[1];
        cell.map(|c| c * share)
    }
}

/// Indirect irradiance in a room from the lights in it.
fn indirect(room: &Room, lights: &[Light]) -> [f32; 3] {
    let s = room.bounds.size();
    let area = 2.0 * (s.x * s.y + s.y * s.z + s.z * s.x).max(1.0);
    let inside = |p: &Vector3| room.bounds.inflated(0.3).contains(&(*p).into());
    let mut light = [LEAST; 3];
    for l in lights.iter().filter(|l| inside(&l.position)) {
        for (sum, i) in light.iter_mut().zip(l.intensity) {
            *sum += (4.0 * PI * i as f64 * REFLECTANCE / (area * (1.0 - REFLECTANCE)) * SHARE) as f32;
        }
    }
    light
}

/// Mean over `2 BLUR_CELLS + 1` cells along one axis.
fn blurred(cells: &[[f32; 3]], size: [usize; 2], dx: usize, dy: usize) -> Vec<[f32; 3]> {
    let n = BLUR_CELLS as isize;
    (0..cells.len())
        .map(|i| {
            let (x, y) = ((i % size[0]) as isize, (i / size[0]) as isize);
            let mut sum = [0.0; 3];
            for k in -n..=n {
                let cx = (x + k * dx as isize).clamp(0, size[0] as isize - 1) as usize;
                let cy = (y + k * dy as isize).clamp(0, size[1] as isize - 1) as usize;
                for (s, c) in sum.iter_mut().zip(cells[cy * size[0] + cx]) {
                    *s += c;
                }
            }
            sum.map(|s| s / (2 * n + 1) as f32)
        })
        .collect()
}
