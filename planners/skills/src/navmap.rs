//! Where the base may go: clearance and cost of every cell of an occupancy grid.

use steward_core::Time;
use steward_core::messages::{CellState, OccupancyGrid};

use crate::config::SkillsConfig;

/// Clearances beyond this are not told apart, cells.
const CLEARANCE_CAP_CELLS: i16 = 24;

/// Cost factor, percent, where there is room for the base but not for its margin: such a way is taken where there is no
/// other that is not much longer.
const SQUEEZE_FACTOR: u16 = 1200;

/// Fixed-point cost of one metre through open space.
pub const COST_PER_M: f64 = 1000.0;

/// Clearance and cost per cell, computed once per occupancy grid.
#[derive(Debug, Clone)]
pub struct NavMap {
    grid: OccupancyGrid,
    /// Distance from the cell's centre to the nearest occupied cell's centre, less half a cell, metres; capped.
    clearance_m: Vec<f32>,
    /// Cost factor in percent, 0 where the base must not go.
    factor: Vec<u16>,
    /// Clearance from which the base may stop, metres.
    standing_clearance_m: f32,
}

impl NavMap {
    /// Reads a grid.
    pub fn new(grid: &OccupancyGrid, config: &SkillsConfig) -> Self {
        let (w, h) = (grid.width as usize, grid.height as usize);
        let cap = CLEARANCE_CAP_CELLS;
        // Squared distances to the nearest occupied cell: along each row first, then over the rows above and below.
        let mut along_rows = vec![cap; w * h];
        for (row, along_row) in along_rows.chunks_exact_mut(w.max(1)).enumerate() {
            let occupied = |column: usize| grid.state(column as u32, row as u32) == CellState::Occupied;
            let mut d = cap;
            for (column, cell) in along_row.iter_mut().enumerate() {
                d = if occupied(column) { 0 } else { (d + 1).min(cap) };
                *cell = d;
            }
            let mut d = cap;
            for cell in along_row.iter_mut().rev() {
                d = (d + 1).min(*cell);
                *cell = d * d;
            }
        }
        let by_distance: Vec<(f32, u16)> = (0..=cap * cap)
            .map(|squared| Self::of_distance(squared, grid, config))
            .collect();
        let mut clearance_m = Vec::with_capacity(w * h);
        let mut factor = Vec::with_capacity(w * h);
        let mut nearest = vec![0; w];
        for row in 0..h {
            nearest.fill(cap * cap);
            for dy in 0..cap {
                let rows = [
                    row.checked_sub(dy as usize),
                    Some(row + dy as usize).filter(|y| *y < h),
                ];
                for y in rows.into_iter().flatten() {
                    // Whole rows at a time, which the compiler turns into vector instructions.
                    for (nearest, along_row) in nearest.iter_mut().zip(&along_rows[y * w..][..w]) {
                        *nearest = (*nearest).min(along_row + dy * dy);
                    }
                }
            }
            for (column, squared) in nearest.iter().enumerate() {
                let (clearance, cost) = by_distance[*squared as usize];
                clearance_m.push(clearance);
                let is_free = grid.state(column as u32, row as u32) == CellState::Free;
                factor.push(if is_free { cost } else { 0 });
            }
        }
        NavMap {
            grid: grid.clone(),
            clearance_m,
            factor,
            standing_clearance_m: config.hard_clearance_m() as f32,
        }
    }

    /// Clearance, metres, and cost factor of a free cell at a squared distance, in cells, from the nearest occupied one.
    fn of_distance(squared: i16, grid: &OccupancyGrid, config: &SkillsConfig) -> (f32, u16) {
        let (hard, comfort) = (config.hard_clearance_m(), config.comfort_distance_m);
        let clearance = (f64::from(squared).sqrt() - 0.5).max(0.0) * grid.resolution_m;
        if clearance < hard {
            let factor = if clearance < config.squeeze_clearance_m() {
                0
            } else {
                SQUEEZE_FACTOR
            };
            return (clearance as f32, factor);
        }
        let closeness = ((comfort - clearance) / (comfort - hard).max(1e-6)).clamp(0.0, 1.0);
        let factor = 100.0 * (1.0 + config.clearance_weight * closeness * closeness);
        (clearance as f32, factor.round() as u16)
    }

    /// Stamp of the grid it was made from.
    pub fn stamp(&self) -> Time {
        self.grid.header.stamp
    }

    /// The grid.
    pub fn grid(&self) -> &OccupancyGrid {
        &self.grid
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.grid.width as usize
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.grid.height as usize
    }

    /// Number of cells.
    pub fn len(&self) -> usize {
        self.factor.len()
    }

    /// Whether the grid has no cell.
    pub fn is_empty(&self) -> bool {
        self.factor.is_empty()
    }

    /// Index of the cell a point lies in, `None` outside the grid.
    pub fn index_of(&self, x_m: f64, y_m: f64) -> Option<usize> {
        let (column, row) = self.grid.cell_of(x_m, y_m)?;
        Some(row as usize * self.width() + column as usize)
    }

    /// Centre of a cell, metres.
    pub fn center_of(&self, cell: usize) -> (f64, f64) {
        let w = self.width();
        self.grid.center_of((cell % w) as u32, (cell / w) as u32)
    }

    /// Distance to the nearest known obstacle, metres, capped.
    pub fn clearance_m(&self, cell: usize) -> f64 {
        f64::from(self.clearance_m[cell])
    }

    /// Distance to the nearest known obstacle at a point, metres; zero outside the grid.
    pub fn clearance_at(&self, x_m: f64, y_m: f64) -> f64 {
        self.index_of(x_m, y_m).map_or(0.0, |c| self.clearance_m(c))
    }

    /// Cost factor of a cell in percent, `None` where the base must not go.
    pub fn factor(&self, cell: usize) -> Option<u32> {
        match self.factor[cell] {
            0 => None,
            f => Some(u32::from(f)),
        }
    }

    /// Whether the base may stop there: it may also pass where there is less room, see [`NavMap::factor`].
    pub fn is_standable(&self, cell: usize) -> bool {
        self.factor[cell] != 0 && self.clearance_m[cell] >= self.standing_clearance_m
    }

    /// Whether the base may stop at a point.
    pub fn standable_at(&self, x_m: f64, y_m: f64) -> bool {
        self.index_of(x_m, y_m).is_some_and(|c| self.is_standable(c))
    }

    /// Whether a cell is known to be occupied.
    pub fn occupied(&self, cell: usize) -> bool {
        self.grid.cells[cell] >= OccupancyGrid::OCCUPIED_PERCENT
    }

    /// Whether no occupied cell lies on the straight line between two points; what is unknown does not count.
    pub fn sees(&self, from: (f64, f64), to: (f64, f64), stop_short_m: f64) -> bool {
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let steps = ((length - stop_short_m) / (self.grid.resolution_m * 0.5)).max(0.0) as usize;
        (0..steps).all(|i| {
            let t = i as f64 * self.grid.resolution_m * 0.5 / length;
            let at = (from.0 + t * (to.0 - from.0), from.1 + t * (to.1 - from.1));
            self.index_of(at.0, at.1).is_none_or(|c| !self.occupied(c))
        })
    }
}
