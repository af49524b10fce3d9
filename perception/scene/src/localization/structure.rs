use steward_core::messages::WallPoint;

use crate::occupancy::GrowingCells;

/// Observations after which a cell's mean stays where it is. Old walls must not follow the robot's errors.
const FROZEN_AFTER: u16 = 25;
/// Scans that saw bare floor in a cell before it is forgotten: doors and furniture move.
const FORGET_AFTER: u8 = 12;

/// One piece of upright structure.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct StructureCell {
    /// Observations, 0 for none.
    count: u16,
    misses: u8,
    mean: [f32; 2],
    /// Mean of unit vectors from the surface to where it was seen from.
    facing: [f32; 2],
}

/// A line that a point was matched to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub(crate) point: [f64; 2],
    /// Unit normal.
    pub(crate) normal: [f64; 2],
}

/// Fits a line to points, which should be near the origin.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LineFit {
    n: f64,
    sum: [f64; 2],
    squares: [f64; 3],
}

impl LineFit {
    pub(crate) fn add(&mut self, d: [f64; 2]) {
        self.n += 1.0;
        self.sum = [self.sum[0] + d[0], self.sum[1] + d[1]];
        let [xx, xy, yy] = self.squares;
        self.squares = [xx + d[0] * d[0], xy + d[0] * d[1], yy + d[1] * d[1]];
    }

    /// `None` for fewer than three points, for points too close together (the leg of a table has no
    /// direction), and for a corner.
    pub(crate) fn line(&self) -> Option<Line> {
        /// Standard deviations along and across.
        const SMALLEST_LENGTH_M: f64 = 0.025;
        const LARGEST_WIDTH_RATIO: f64 = 0.15;
        if self.n < 3.0 {
            return None;
        }
        let point = self.sum.map(|s| s / self.n);
        let xx = self.squares[0] / self.n - point[0] * point[0];
        let xy = self.squares[1] / self.n - point[0] * point[1];
        let yy = self.squares[2] / self.n - point[1] * point[1];
        let (half_trace, half_gap) = ((xx + yy) * 0.5, ((xx - yy) * 0.5).hypot(xy));
        let (long, short) = (
            (half_trace + half_gap).sqrt(),
            (half_trace - half_gap).max(0.0).sqrt(),
        );
        if long < SMALLEST_LENGTH_M || short > LARGEST_WIDTH_RATIO * long {
            return None;
        }
        let along = 0.5 * (2.0 * xy).atan2(xx - yy);
        Some(Line {
            point,
            normal: [-along.sin(), along.cos()],
        })
    }
}

/// Map of upright structure, frame `map`.
#[derive(Debug, Clone)]
pub(crate) struct StructureMap {
    cells: GrowingCells<StructureCell>,
}

impl StructureMap {
    pub(crate) fn new(cell_m: f64, max_side_m: f64) -> Self {
        StructureMap {
            cells: GrowingCells::new(cell_m, max_side_m),
        }
    }

    /// Everything in it, row by row.
    pub(crate) fn points(&self) -> Vec<WallPoint> {
        let seen = self.cells.data().iter().filter(|cell| cell.count > 0);
        seen.map(|cell| WallPoint {
            x_m: cell.mean[0],
            y_m: cell.mean[1],
            facing_x: cell.facing[0],
            facing_y: cell.facing[1],
            views: cell.count,
        })
        .collect()
    }

    /// Puts in a point of before; whether there is room for it.
    pub(crate) fn know(&mut self, point: &WallPoint) -> bool {
        let index = self.cells.index_of(point.x_m.into(), point.y_m.into());
        let Some(cell) = self.cells.grown_mut(index) else {
            return false;
        };
        *cell = StructureCell {
            count: point.views.clamp(1, FROZEN_AFTER),
            misses: 0,
            mean: [point.x_m, point.y_m],
            facing: [point.facing_x, point.facing_y],
        };
        true
    }

    /// Adds a point; `facing` is the unit vector from it to the camera.
    pub(crate) fn insert(&mut self, p: [f64; 2], facing: [f64; 2]) {
        let index = self.cells.index_of(p[0], p[1]);
        let Some(cell) = self.cells.grown_mut(index) else {
            return;
        };
        cell.misses = 0;
        // The other face of a thin wall: the first face seen keeps the cell.
        if cell.count > 0 && dot(cell.facing, facing) <= 0.0 {
            return;
        }
        if cell.count >= FROZEN_AFTER {
            return;
        }
        cell.count += 1;
        let weight = 1.0 / cell.count as f32;
        for a in 0..2 {
            cell.mean[a] += (p[a] as f32 - cell.mean[a]) * weight;
            cell.facing[a] += (facing[a] as f32 - cell.facing[a]) * weight;
        }
    }

    /// Notes that bare floor was seen at a point.
    pub(crate) fn see_floor(&mut self, p: [f64; 2]) {
        let index = self.cells.index_of(p[0], p[1]);
        if let Some(cell) = self.cells.get_mut(index)
            && cell.count > 0
        {
            cell.misses += 1;
            if cell.misses >= FORGET_AFTER {
                *cell = StructureCell::default();
            }
        }
    }

    /// Whether there is structure within one cell of a point.
    pub(crate) fn is_near(&self, p: [f64; 2], facing: [f64; 2]) -> bool {
        let [i, j] = self.cells.index_of(p[0], p[1]);
        let holds = |index| {
            self.cells
                .get(index)
                .is_some_and(|c| c.count > 0 && dot(c.facing, facing) > 0.0)
        };
        (-1..=1).any(|dj| (-1..=1).any(|di| holds([i + di, j + dj])))
    }

    /// The nearest structure within `radius_m` that faces the same way.
    pub(crate) fn nearest(&self, p: [f64; 2], facing: [f64; 2], radius_m: f64) -> Option<[f64; 2]> {
        let mut best = (radius_m * radius_m, None);
        self.visit(p, facing, radius_m, |q| {
            let d = (q[0] - p[0]).powi(2) + (q[1] - p[1]).powi(2);
            if d < best.0 {
                best = (d, Some(q));
            }
        });
        best.1
    }

    /// The line through the structure around a point of it, `None` where that is too little or no line.
    pub(crate) fn line_at(&self, at: [f64; 2], facing: [f64; 2]) -> Option<Line> {
        const RADIUS_M: f64 = 0.18;
        let mut fit = LineFit::default();
        self.visit(at, facing, RADIUS_M, |q| fit.add([q[0] - at[0], q[1] - at[1]]));
        let line = fit.line()?;
        Some(Line {
            point: [at[0] + line.point[0], at[1] + line.point[1]],
            ..line
        })
    }

    fn visit(&self, p: [f64; 2], facing: [f64; 2], radius_m: f64, mut f: impl FnMut([f64; 2])) {
        let low = self.cells.index_of(p[0] - radius_m, p[1] - radius_m);
        let high = self.cells.index_of(p[0] + radius_m, p[1] + radius_m);
        for j in low[1]..=high[1] {
            for i in low[0]..=high[0] {
                if let Some(c) = self.cells.get([i, j])
                    && c.count > 0
                    && dot(c.facing, facing) > 0.0
                {
                    let q = c.mean.map(f64::from);
                    if (q[0] - p[0]).powi(2) + (q[1] - p[1]).powi(2) <= radius_m * radius_m {
                        f(q);
                    }
                }
            }
        }
    }
}

fn dot(a: [f32; 2], b: [f64; 2]) -> f64 {
    a[0] as f64 * b[0] + a[1] as f64 * b[1]
}
